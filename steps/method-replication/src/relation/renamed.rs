//! Names that were changed, and are what they were.
//!
//! Changes are applied by name. What was changed while a table had another name has gone, without an error, to a table of the
//! target that had that name: a second one that is replicated, or one that is not, whose changes are skipped. Without such a
//! table the worker has failed, which a user may have ended by creating one.

use super::drift::is_followed;
use super::{Baseline, Tables};
use pghaul_step::{DatabaseName, Incomplete, Side, TablePlan, failures};
use std::collections::BTreeSet;

/// Tables and schemas whose names were changed, and changed back.
pub(crate) fn renamed_and_back(
    database: &DatabaseName,
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
    let incomplete = |object| Incomplete {
        object,
        why: format!(
            "was renamed on the {side}, or given away, and is what it was again: accept it where it was not written to meanwhile; where it was, changes were applied to the wrong table or to none, and `{}` copies again",
            failures::restart_data(database)
        ),
        ..Incomplete::default()
    };
    changed.into_iter().map(incomplete).collect()
}
