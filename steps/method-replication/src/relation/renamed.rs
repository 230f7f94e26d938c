//! Names that were changed, and are what they were.
//!
//! Changes are applied by name. A table that had another name for a while may have had that of a second one, and its changes
//! have gone there without an error. One alone can't have: its changes found no table, and the worker failed.

use super::drift::is_followed;
use super::{Baseline, Tables};
use pghaul_step::{Incomplete, Side, TablePlan};
use std::collections::BTreeSet;

/// Tables and schemas whose names may have been exchanged, and exchanged back.
pub(crate) fn renamed_and_back(
    side: Side,
    plan: &[TablePlan],
    then: Option<&Baseline>,
    now: &Tables,
) -> Vec<Incomplete> {
    let Some(then) = then else { return Vec::new() };
    // Partitions are published as their root.
    let published = plan.iter().filter(|t| is_followed(t) && t.root.is_none());
    let mut changed = BTreeSet::new();
    for table in published {
        let (Some(then), Some(now)) = (then.get(&table.number), now.get(&table.name)) else {
            continue;
        };
        let (Some((name_then, schema_then)), Some((name, schema))) = (&then.named, &now.named) else {
            continue;
        };
        if then.oid == now.oid && name.is_changed_since(name_then) {
            changed.insert(format!("table {}", table.name));
        }
        if then.oid == now.oid && schema.is_changed_since(schema_then) {
            changed.insert(format!("schema {}", table.name.schema));
        }
    }
    if changed.len() < 2 {
        return Vec::new();
    }
    let incomplete = |object| Incomplete {
        object,
        why: format!(
            "was renamed on the {side}, or given away, and is what it was again: accept it where it has not had the name of another one meanwhile; where it has, changes were applied to the wrong table, and `pghaul run --restart-data` copies again"
        ),
        ..Incomplete::default()
    };
    changed.into_iter().map(incomplete).collect()
}
