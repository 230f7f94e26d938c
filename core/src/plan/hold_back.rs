//! Which objects replication must hold back until the cutover: a pure function of the plan's tables.

use super::{TableClass, TablePlan};
use crate::catalog::{Catalog, Constraint, ConstraintKind, Relation, TableName, TriggerState};
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

/// The objects that must not be active on the target while replication runs.
///
/// A foreign key may exist only between tables of the same subscription: any other could be violated by rows
/// that are not there yet. A trigger that is ENABLE ALWAYS or ENABLE REPLICA would fire for replicated changes,
/// whose effects are replicated too. An event trigger could refuse the statements of pghaul. What belongs to a table of
/// an extension comes and goes with the extension.
pub fn hold_back(tables: &[TablePlan], catalog: &Catalog) -> Vec<HeldBack> {
    let replicated: BTreeSet<&TableName> = tables
        .iter()
        .filter(|t| t.class == TableClass::Replicate)
        .map(|t| &t.name)
        .collect();
    let of_users = || catalog.relations.iter().filter(|r| r.extension.is_none());
    let foreign_keys = of_users().flat_map(|relation| {
        let held = |constraint: &Constraint| held_key(relation, constraint, catalog, &replicated);
        relation.constraints.iter().filter_map(held).collect::<Vec<_>>()
    });
    let triggers = of_users().flat_map(|relation| {
        let held = relation.triggers.iter().filter(|t| t.fires_for_replication());
        held.map(|trigger| HeldBack {
            kind: HeldBackKind::Trigger,
            table: Some(relation.name.clone()),
            name: trigger.name.to_string(),
            why: "it would fire for replicated changes".to_owned(),
        })
    });
    let event_triggers = catalog
        .event_triggers
        .iter()
        .filter(|t| t.state != TriggerState::Disabled);
    let event_triggers = event_triggers.map(|trigger| HeldBack {
        kind: HeldBackKind::EventTrigger,
        table: None,
        name: trigger.name.to_string(),
        why: "it would fire for statements of pghaul".to_owned(),
    });
    foreign_keys.chain(triggers).chain(event_triggers).collect()
}

/// A foreign key of a table, where one of its tables is not replicated. Those that partitions inherit go with the root's.
fn held_key(
    relation: &Relation,
    constraint: &Constraint,
    catalog: &Catalog,
    replicated: &BTreeSet<&TableName>,
) -> Option<HeldBack> {
    let ConstraintKind::ForeignKey { references } = constraint.kind else {
        return None;
    };
    let referenced = catalog.relations.by_oid(references).map(|r| &r.name);
    let missing = if !replicated.contains(&relation.name) {
        format!("table {}", relation.name)
    } else if let Some(referenced) = referenced {
        if replicated.contains(referenced) {
            return None;
        }
        format!("table {referenced}")
    } else {
        "the table that it references".to_owned()
    };
    (!constraint.of_parent).then(|| HeldBack {
        kind: HeldBackKind::ForeignKey,
        table: Some(relation.name.clone()),
        name: constraint.name.to_string(),
        why: format!("{missing} is not replicated"),
    })
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
    use crate::catalog::{EventTrigger, Membership, Relations, Trigger};
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

    fn relation(oid: u32, name: &str) -> Relation {
        Relation::new(oid, TableName::new("public", name))
    }

    fn key(name: &str, references: u32) -> Constraint {
        Constraint {
            name: name.into(),
            kind: ConstraintKind::ForeignKey { references },
            of_parent: false,
            validated: true,
            enforced: true,
            deferrable: false,
            deferred: false,
            definition: None,
        }
    }

    fn with_relations(relations: Vec<Relation>) -> Catalog {
        Catalog {
            relations: Relations::new(relations),
            ..Catalog::default()
        }
    }

    fn held(tables: &[TablePlan], catalog: &Catalog) -> Vec<String> {
        let held = hold_back(tables, catalog);
        held.into_iter()
            .map(|h| format!("{} {}", h.kind, h.name))
            .collect()
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
        let with = |relation: Relation, constraints| Relation {
            constraints,
            ..relation
        };
        let inherited = Constraint {
            of_parent: true,
            ..key("log_of_parent", 2)
        };
        let catalog = with_relations(vec![
            with(
                relation(1, "a"),
                vec![key("a_b", 2), key("a_log", 3), key("a_unknown", 9)],
            ),
            relation(2, "b"),
            with(relation(3, "log"), vec![key("log_b", 2), inherited]),
        ]);
        assert_eq!(
            held(&tables, &catalog),
            ["foreign key a_log", "foreign key a_unknown", "foreign key log_b"]
        );
    }

    #[test]
    fn triggers_that_fire_for_replication_are_held_back() {
        let trigger = |name: &str, state| Trigger {
            name: name.into(),
            state,
            on_truncate: false,
            of_extension: false,
            definition: None,
        };
        let with_triggers = |relation: Relation| Relation {
            triggers: vec![
                trigger("always", TriggerState::Always),
                trigger("ordinary", TriggerState::Origin),
                trigger("replica", TriggerState::Replica),
            ],
            ..relation
        };
        let member = Relation {
            extension: Some(Membership {
                extension: "e".into(),
                configuration: None,
            }),
            ..with_triggers(relation(2, "member"))
        };
        let event = |name: &str, state| EventTrigger {
            name: name.into(),
            event: "ddl_command_end".into(),
            state,
            function: "public.f".into(),
            tags: Vec::new(),
        };
        let catalog = Catalog {
            event_triggers: vec![
                event("e", TriggerState::Origin),
                event("off", TriggerState::Disabled),
            ],
            ..with_relations(vec![with_triggers(relation(1, "a")), member])
        };
        assert_eq!(
            held(&[], &catalog),
            ["trigger always", "trigger replica", "event trigger e"]
        );
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
