//! Which objects replication must hold back until the cutover: a pure function of the plan's tables.

use super::{TableClass, TablePlan};
use crate::catalog::TableName;
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
    /// Its table; none for event triggers. In JSON the fields `schema` and `table`, which are empty then.
    #[serde(flatten, with = "of_table")]
    pub table: Option<TableName>,
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
    /// The table that has it.
    pub table: TableName,
    /// The table that it references.
    pub references: TableName,
}

/// A trigger that fires also for replicated changes, or an event trigger, which has no table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TriggerFacts {
    /// Its table.
    pub table: Option<TableName>,
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
    let replicated: BTreeSet<&TableName> = tables
        .iter()
        .filter(|t| t.class == TableClass::Replicate)
        .map(|t| &t.name)
        .collect();
    let follows = |name: &TableName| replicated.contains(name);
    let keys = foreign_keys
        .iter()
        .filter(|k| !follows(&k.table) || !follows(&k.references))
        .map(|k| {
            let missing = if follows(&k.table) {
                &k.references
            } else {
                &k.table
            };
            HeldBack {
                kind: HeldBackKind::ForeignKey,
                table: Some(k.table.clone()),
                name: k.name.clone(),
                why: format!("table {missing} is not replicated"),
            }
        });
    let triggers = triggers.iter().map(|t| {
        let (kind, why) = match &t.table {
            Some(_) => (HeldBackKind::Trigger, "it would fire for replicated changes"),
            None => (
                HeldBackKind::EventTrigger,
                "it would fire for statements of pghaul",
            ),
        };
        HeldBack {
            kind,
            table: t.table.clone(),
            name: t.name.clone(),
            why: why.to_owned(),
        }
    });
    keys.chain(triggers).collect()
}

/// The table of a held-back object as the fields `schema` and `table`.
mod of_table {
    use super::TableName;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    struct Fields {
        schema: String,
        table: String,
    }

    pub(super) fn serialize<S: Serializer>(
        table: &Option<TableName>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let TableName { schema, name } = table.clone().unwrap_or_else(|| TableName::new("", ""));
        Fields { schema, table: name }.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<TableName>, D::Error> {
        let Fields { schema, table } = Fields::deserialize(deserializer)?;
        Ok((!table.is_empty()).then(|| TableName::new(schema, table)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{NoIdentity, RelationKind};

    fn table(name: &str, class: TableClass) -> TablePlan {
        TablePlan {
            number: 1,
            name: TableName::new("public", name),
            kind: RelationKind::Table,
            class,
            root: None,
        }
    }

    fn key(name: &str, from: &str, to: &str) -> ForeignKeyFacts {
        ForeignKeyFacts {
            name: name.into(),
            table: TableName::new("public", from),
            references: TableName::new("public", to),
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
            table: Some(TableName::new("public", "a")),
            name: "t".into(),
        };
        let event = TriggerFacts {
            table: None,
            name: "e".into(),
        };
        let kinds: Vec<_> = hold_back(&[], &[], &[trigger, event])
            .into_iter()
            .map(|h| h.kind)
            .collect();
        assert_eq!(kinds, [HeldBackKind::Trigger, HeldBackKind::EventTrigger]);
    }

    #[test]
    fn the_journal_names_the_table_in_two_fields() {
        let held_back = |table: Option<TableName>| HeldBack {
            kind: HeldBackKind::Trigger,
            table,
            name: "audit".into(),
            why: "because".into(),
        };
        for (table, schema, name) in [(Some(TableName::new("s", "t")), "s", "t"), (None, "", "")] {
            let json = serde_json::json!({
                "kind": "trigger", "schema": schema, "table": name, "name": "audit", "why": "because",
            });
            let object = held_back(table);
            assert_eq!(serde_json::to_value(&object).unwrap(), json);
            assert_eq!(serde_json::from_value::<HeldBack>(json).unwrap(), object);
        }
    }
}
