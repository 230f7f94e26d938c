//! Which objects replication must hold back until the cutover: a pure function of the plan's tables.

use super::{TableClass, TablePlan};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use strum::Display;

/// The kind of a held-back object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Display, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "title_case")]
pub enum HeldBackKind {
    /// Not created until the cutover.
    #[strum(serialize = "foreign key")]
    ForeignKey,
    /// Created disabled.
    #[strum(serialize = "trigger")]
    Trigger,
    /// Created disabled.
    #[strum(serialize = "event trigger")]
    EventTrigger,
}

/// An object that is not active on the target until the cutover.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldBack {
    /// Its kind.
    pub kind: HeldBackKind,
    /// The schema of its table, unquoted; empty for event triggers.
    pub schema: String,
    /// Its table, unquoted; empty for event triggers.
    pub table: String,
    /// Its name, unquoted.
    pub name: String,
    /// Why, in one sentence without a full stop.
    pub why: String,
}

/// A foreign key, as the source's catalogs have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignKeyFacts {
    /// Its name.
    pub name: String,
    /// Schema and name of the table that has it.
    pub table: (String, String),
    /// Schema and name of the table that it references.
    pub references: (String, String),
}

/// A trigger that fires also for replicated changes, or an event trigger, which has no table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TriggerFacts {
    /// The schema of its table.
    pub schema: Option<String>,
    /// Its table.
    pub table: Option<String>,
    /// Its name.
    pub name: String,
}

/// The objects that must not be active on the target while replication runs.
///
/// A foreign key may exist only between tables of the same subscription: any other could be violated by rows
/// that are not there yet. A trigger that is ENABLE ALWAYS or ENABLE REPLICA would fire for replicated changes,
/// whose effects are replicated too. An event trigger could refuse the statements of pghaul.
pub fn hold_back(
    tables: &[TablePlan],
    foreign_keys: &[ForeignKeyFacts],
    triggers: &[TriggerFacts],
) -> Vec<HeldBack> {
    let replicated: BTreeSet<(&str, &str)> = tables
        .iter()
        .filter(|t| t.class == TableClass::Replicate)
        .map(|t| (t.schema.as_str(), t.name.as_str()))
        .collect();
    let follows = |name: &(String, String)| replicated.contains(&(name.0.as_str(), name.1.as_str()));
    let keys = foreign_keys
        .iter()
        .filter(|k| !follows(&k.table) || !follows(&k.references))
        .map(|k| {
            let (schema, table) = if follows(&k.table) {
                &k.references
            } else {
                &k.table
            };
            HeldBack {
                kind: HeldBackKind::ForeignKey,
                schema: k.table.0.clone(),
                table: k.table.1.clone(),
                name: k.name.clone(),
                why: format!("table {schema}.{table} is not replicated"),
            }
        });
    let triggers = triggers.iter().map(|t| match (&t.schema, &t.table) {
        (Some(schema), Some(table)) => HeldBack {
            kind: HeldBackKind::Trigger,
            schema: schema.clone(),
            table: table.clone(),
            name: t.name.clone(),
            why: "it would fire for replicated changes".to_owned(),
        },
        _ => HeldBack {
            kind: HeldBackKind::EventTrigger,
            schema: String::new(),
            table: String::new(),
            name: t.name.clone(),
            why: "it would fire for statements of pghaul".to_owned(),
        },
    });
    keys.chain(triggers).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{NoIdentity, RelationKind};

    fn table(name: &str, class: TableClass) -> TablePlan {
        TablePlan {
            number: 1,
            schema: "public".into(),
            name: name.into(),
            kind: RelationKind::Table,
            class,
            root: None,
        }
    }

    fn key(name: &str, from: &str, to: &str) -> ForeignKeyFacts {
        ForeignKeyFacts {
            name: name.into(),
            table: ("public".into(), from.into()),
            references: ("public".into(), to.into()),
        }
    }

    #[test]
    fn keys_of_tables_that_are_not_replicated_are_held_back_in_both_directions() {
        let tables = [
            table("a", TableClass::Replicate),
            table("b", TableClass::Replicate),
            table(
                "log",
                TableClass::NoIdentity {
                    why: NoIdentity::NoPrimaryKey,
                },
            ),
        ];
        let keys = [
            key("a_b", "a", "b"),
            key("a_log", "a", "log"),
            key("log_b", "log", "b"),
        ];
        let held: Vec<_> = hold_back(&tables, &keys, &[])
            .into_iter()
            .map(|h| h.name)
            .collect();
        assert_eq!(held, ["a_log", "log_b"]);
    }

    #[test]
    fn triggers_that_fire_for_replication_are_held_back() {
        let trigger = TriggerFacts {
            schema: Some("public".into()),
            table: Some("a".into()),
            name: "t".into(),
        };
        let event = TriggerFacts {
            schema: None,
            table: None,
            name: "e".into(),
        };
        let kinds: Vec<_> = hold_back(&[], &[], &[trigger, event])
            .into_iter()
            .map(|h| h.kind)
            .collect();
        assert_eq!(kinds, [HeldBackKind::Trigger, HeldBackKind::EventTrigger]);
    }
}
