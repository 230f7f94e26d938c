//! Which class a table is in: the one judgement, of the catalog alone.

use super::{NoIdentity, NotOurs, RelationKind, TableClass, TablePlan, Unpublishable};
use crate::catalog::{Catalog, Relation, ReplicaIdentity};
use std::collections::{BTreeMap, BTreeSet};

/// PostgreSQL 13 is the first that can publish a partition tree as its root.
const PUBLISHES_ROOTS: u32 = 130_000;

/// Numbers and classifies the relations of a database that can hold rows, in the order of their names.
///
/// A partition tree is published as its root where the source can do that and each leaf can be published so. A tree
/// with a foreign or unlogged leaf, with members of extensions, or whose root has another identity than its leaves is
/// published leaf by leaf. A tree of which one leaf has no usable identity is not published at all. A partition whose
/// detachment is pending belongs to no tree: PostgreSQL publishes it as itself, and its rows are not in the root.
///
/// Source: <https://www.postgresql.org/docs/current/logical-replication-publication.html>
pub fn classify(catalog: &Catalog) -> Vec<TablePlan> {
    let relations = || catalog.relations.iter().filter(|r| r.kind != RelationKind::View);
    let trees = Trees::new(catalog);
    let numbers: BTreeMap<u32, u32> = relations().map(|r| r.oid).zip(1..).collect();
    relations()
        .zip(1..)
        .map(|(relation, number)| TablePlan {
            number,
            name: relation.name.clone(),
            kind: relation.kind,
            class: trees.class(relation),
            root: relation
                .root()
                .filter(|root| trees.published.contains(root))
                .and_then(|root| numbers.get(&root).copied()),
        })
        .collect()
}

/// Why UPDATE and DELETE of a table could not be replicated; nothing where they can.
fn missing_identity(relation: &Relation) -> Option<NoIdentity> {
    let key = match relation.replica_identity {
        ReplicaIdentity::Full => return None,
        ReplicaIdentity::Nothing => return Some(NoIdentity::Nothing),
        ReplicaIdentity::Default => relation.primary_key(),
        ReplicaIdentity::Index => relation.identity_index(),
    };
    match key {
        Some(index) if index.is_usable_identity() => None,
        None if relation.replica_identity == ReplicaIdentity::Default => Some(NoIdentity::NoPrimaryKey),
        _ => Some(NoIdentity::Deferrable),
    }
}

/// What is known of partition trees as wholes, by the oid of their roots.
struct Trees {
    published: BTreeSet<u32>,
    without_identity: BTreeSet<u32>,
}

impl Trees {
    fn new(catalog: &Catalog) -> Self {
        let is_root = |r: &&Relation| r.kind == RelationKind::PartitionedTable && r.root().is_none();
        // An unlogged root has nothing in the WAL, and PostgreSQL refuses to publish it; its leaves may be ordinary.
        let can_stand_for_leaves =
            |r: &&Relation| r.extension.is_none() && !r.is_unlogged() && missing_identity(r).is_none();
        let mut published: BTreeSet<u32> = catalog
            .relations
            .iter()
            .filter(|_| catalog.server_version >= PUBLISHES_ROOTS)
            .filter(is_root)
            .filter(|r| !r.without_rows)
            .filter(can_stand_for_leaves)
            .map(|r| r.oid)
            .collect();
        let mut without_identity = BTreeSet::new();
        for relation in catalog.relations.iter() {
            let Some(root) = relation.root().and_then(|root| catalog.relations.by_oid(root)) else {
                continue;
            };
            if relation.kind == RelationKind::ForeignTable
                || relation.is_unlogged()
                || relation.extension.is_some()
            {
                published.remove(&root.oid);
            } else if relation.kind == RelationKind::Table {
                if missing_identity(relation).is_some() {
                    without_identity.insert(root.oid);
                }
                // Changes come with the columns of the root's identity; the target's leaf wants those of its own.
                let by_index = |r: &Relation| r.replica_identity == ReplicaIdentity::Index;
                if missing_identity(relation).is_some() || by_index(relation) != by_index(root) {
                    published.remove(&root.oid);
                }
            }
        }
        Self {
            published,
            without_identity,
        }
    }

    fn class(&self, relation: &Relation) -> TableClass {
        if let Some(membership) = &relation.extension {
            return match &membership.configuration {
                Some(filter) if !relation.without_rows => TableClass::ExtensionRows {
                    filter: filter.to_string(),
                },
                _ => TableClass::NotOurs {
                    why: NotOurs::Extension,
                },
            };
        }
        if relation.without_rows {
            return TableClass::SchemaOnly;
        }
        match relation.kind {
            RelationKind::ForeignTable => TableClass::NotOurs {
                why: NotOurs::Foreign,
            },
            RelationKind::MaterializedView | RelationKind::View => TableClass::ViewOfOthers,
            RelationKind::PartitionedTable if self.published.contains(&relation.oid) => TableClass::Replicate,
            RelationKind::PartitionedTable => TableClass::Partitioned,
            RelationKind::Table if relation.is_unlogged() => TableClass::CannotBePublished {
                why: Unpublishable::Unlogged,
            },
            RelationKind::Table => match missing_identity(relation) {
                Some(why) => TableClass::NoIdentity { why },
                None if relation
                    .root()
                    .is_some_and(|root| self.without_identity.contains(&root)) =>
                {
                    TableClass::NoIdentity {
                        why: NoIdentity::Partition,
                    }
                }
                None => TableClass::Replicate,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{Detachment, Index, Membership, Partition, Persistence, Relations, TableName};

    fn key() -> Index {
        Index {
            name: "key".into(),
            primary: true,
            unique: true,
            replica_identity: false,
            immediate: true,
            valid: true,
            definition: None,
        }
    }

    fn keyless(oid: u32, name: &str) -> Relation {
        Relation::new(oid, TableName::new("public", name))
    }

    fn table(oid: u32, name: &str) -> Relation {
        Relation {
            indexes: vec![key()],
            ..keyless(oid, name)
        }
    }

    fn of_extension(relation: Relation, configuration: Option<&str>) -> Relation {
        Relation {
            extension: Some(Membership {
                extension: "e".into(),
                configuration: configuration.map(Into::into),
            }),
            ..relation
        }
    }

    fn planned(relations: &[Relation], server_version: u32) -> Vec<TablePlan> {
        let catalog = Catalog {
            server_version,
            relations: Relations::new(relations.to_vec()),
            ..Catalog::default()
        };
        classify(&catalog)
    }

    /// The classes as the journal has them.
    fn classes(relations: &[Relation]) -> String {
        words(&planned(relations, 160_000))
    }

    fn words(plan: &[TablePlan]) -> String {
        let word = |table: &TablePlan| {
            let json = serde_json::to_value(&table.class).unwrap();
            let why = json.get("why").or(json.get("filter"));
            let class = json["class"].as_str().unwrap().to_owned();
            why.map_or(class.clone(), |why| format!("{class}:{}", why.as_str().unwrap()))
        };
        plan.iter().map(word).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn identity_decides_whether_a_table_is_replicated() {
        let full = Relation {
            replica_identity: ReplicaIdentity::Full,
            ..keyless(3, "c")
        };
        let nothing = Relation {
            replica_identity: ReplicaIdentity::Nothing,
            ..table(4, "d")
        };
        let deferrable = Relation {
            indexes: vec![Index {
                immediate: false,
                ..key()
            }],
            ..keyless(5, "e")
        };
        let unlogged = Relation {
            persistence: Persistence::Unlogged,
            ..table(6, "f")
        };
        let index_gone = Relation {
            replica_identity: ReplicaIdentity::Index,
            ..table(7, "g")
        };
        let of_index = Relation {
            replica_identity: ReplicaIdentity::Index,
            indexes: vec![Index {
                primary: false,
                replica_identity: true,
                ..key()
            }],
            ..keyless(8, "h")
        };
        let all = [
            table(1, "a"),
            keyless(2, "b"),
            full,
            nothing,
            deferrable,
            unlogged,
            index_gone,
            of_index,
        ];
        assert_eq!(
            classes(&all),
            "replicate no-identity:no-primary-key replicate no-identity:nothing no-identity:deferrable \
             cannot-be-published:unlogged no-identity:deferrable replicate"
        );
    }

    fn root(oid: u32, name: &str) -> Relation {
        Relation {
            kind: RelationKind::PartitionedTable,
            ..table(oid, name)
        }
    }

    fn partition(parent: u32, of: Relation) -> Relation {
        Relation {
            partition: Some(Partition {
                parent,
                root: None,
                detachment: Detachment::None,
                bound: None,
            }),
            ..of
        }
    }

    /// A root, a keyed leaf and another one.
    fn tree(leaf: Relation) -> [Relation; 3] {
        [root(1, "a"), partition(1, table(2, "b")), partition(1, leaf)]
    }

    #[test]
    fn a_partition_tree_is_one_unit_of_publication() {
        let below = partition(3, table(4, "d"));
        let relations = [
            root(1, "a"),
            partition(1, table(2, "b")),
            partition(1, root(3, "c")),
            below,
        ];
        let plan = planned(&relations, 130_000);
        assert_eq!(words(&plan), "replicate replicate partitioned replicate");
        let roots: Vec<_> = plan.iter().map(|t| t.root).collect();
        assert_eq!(roots, [None, Some(1), Some(1), Some(1)]);
        let plan = planned(&relations, 120_000);
        assert_eq!(words(&plan), "partitioned replicate partitioned replicate");
        assert!(plan.iter().all(|t| t.root.is_none()));
    }

    #[test]
    fn what_the_root_cannot_stand_for_goes_leaf_by_leaf() {
        let unlogged = Relation {
            persistence: Persistence::Unlogged,
            ..table(3, "c")
        };
        let foreign = Relation {
            kind: RelationKind::ForeignTable,
            ..keyless(3, "c")
        };
        let by_index = Relation {
            replica_identity: ReplicaIdentity::Index,
            indexes: vec![Index {
                replica_identity: true,
                ..key()
            }],
            ..keyless(3, "c")
        };
        for (leaf, class) in [
            (unlogged, "cannot-be-published:unlogged"),
            (foreign, "not-ours:foreign"),
            (of_extension(table(3, "c"), None), "not-ours:extension"),
            (of_extension(table(3, "c"), Some("")), "extension-rows:"),
            (by_index, "replicate"),
        ] {
            let plan = planned(&tree(leaf), 160_000);
            assert_eq!(words(&plan), format!("partitioned replicate {class}"));
            assert!(plan.iter().all(|t| t.root.is_none()), "{class}");
        }
    }

    #[test]
    fn a_root_that_cannot_be_published_leaves_it_to_its_leaves() {
        let keyless_root = Relation {
            indexes: Vec::new(),
            ..root(1, "a")
        };
        let nothing = Relation {
            replica_identity: ReplicaIdentity::Nothing,
            ..root(1, "a")
        };
        let unlogged = Relation {
            persistence: Persistence::Unlogged,
            ..root(1, "a")
        };
        for (root, class) in [
            (keyless_root, "partitioned"),
            (nothing, "partitioned"),
            (unlogged, "partitioned"),
            (of_extension(root(1, "a"), None), "not-ours:extension"),
        ] {
            let plan = planned(&[root, partition(1, table(2, "b"))], 160_000);
            assert_eq!(words(&plan), format!("{class} replicate"));
            assert_eq!(plan[1].root, None, "{class}");
        }
    }

    #[test]
    fn a_leaf_without_identity_keeps_the_whole_tree_out() {
        assert_eq!(
            classes(&tree(keyless(3, "c"))),
            "partitioned no-identity:partition no-identity:no-primary-key"
        );
    }

    #[test]
    fn a_partition_that_is_being_detached_belongs_to_no_tree() {
        let detached = |of: Relation| {
            let mut partition = partition(1, of);
            partition.partition.as_mut().unwrap().detachment = Detachment::Pending;
            partition
        };
        let with = |leaf| [root(1, "a"), partition(1, table(2, "b")), detached(leaf)];
        let plan = planned(&with(table(3, "c")), 160_000);
        assert_eq!(words(&plan), "replicate replicate replicate");
        assert_eq!(plan[2].root, None);
        let plan = planned(&with(keyless(3, "c")), 160_000);
        assert_eq!(words(&plan), "replicate replicate no-identity:no-primary-key");
        // One that is partitioned itself becomes a root.
        let below = partition(3, table(4, "d"));
        let plan = planned(&[root(1, "a"), detached(root(3, "c")), below], 160_000);
        assert_eq!(words(&plan), "replicate replicate replicate");
        assert_eq!(plan[2].root, Some(2));
    }

    #[test]
    fn rows_of_extensions_are_theirs_but_for_configuration() {
        let relations = [
            of_extension(table(1, "a"), None),
            of_extension(table(2, "b"), Some("WHERE x")),
            Relation {
                kind: RelationKind::View,
                ..keyless(3, "c")
            },
        ];
        assert_eq!(classes(&relations), "not-ours:extension extension-rows:WHERE x");
    }
}
