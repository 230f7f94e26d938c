//! Which class a table is in: a pure function of its catalog facts.

use super::{NoIdentity, NotOurs, RelationKind, TableClass, TablePlan, Unpublishable};
use crate::catalog::TableName;
use std::collections::{BTreeMap, BTreeSet};

/// What the source's catalogs say about one relation that can hold rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelationFacts {
    /// `pg_class.oid`.
    pub oid: u32,
    /// Its name.
    pub name: TableName,
    /// The kind.
    pub kind: RelationKind,
    /// Whether it is unlogged.
    pub unlogged: bool,
    /// The root of its partition tree, where it is a partition.
    pub root: Option<u32>,
    /// `relreplident`: d(efault), n(othing), f(ull) or i(ndex).
    pub replica_identity: char,
    /// Whether it has a primary key.
    pub has_primary_key: bool,
    /// Whether the key that its identity rests on is valid and not deferrable.
    pub key_usable: bool,
    /// Whether an extension created it.
    pub of_extension: bool,
    /// The filter of `pg_extension.extcondition`, where it is an extension's configuration table.
    pub extension_filter: Option<String>,
}

impl RelationFacts {
    fn missing_identity(&self) -> Option<NoIdentity> {
        match self.replica_identity {
            'f' => None,
            'n' => Some(NoIdentity::Nothing),
            _ if self.key_usable => None,
            'd' if !self.has_primary_key => Some(NoIdentity::NoPrimaryKey),
            _ => Some(NoIdentity::Deferrable),
        }
    }
}

/// Numbers and classifies relations, in the given order.
///
/// `publish_roots` says whether the source can publish a partition tree as its root (PostgreSQL 13 and newer).
/// A tree with a foreign or unlogged leaf is published leaf by leaf all the same; a tree of which one leaf has
/// no usable identity is not published at all.
///
/// Source: <https://www.postgresql.org/docs/current/logical-replication-publication.html>
pub fn classify(relations: &[RelationFacts], publish_roots: bool) -> Vec<TablePlan> {
    let trees = Trees::new(relations, publish_roots);
    let numbers: BTreeMap<u32, u32> = (1..).zip(relations).map(|(number, r)| (r.oid, number)).collect();
    relations
        .iter()
        .zip(1..)
        .map(|(relation, number)| TablePlan {
            number,
            name: relation.name.clone(),
            kind: relation.kind,
            class: trees.class(relation),
            root: relation
                .root
                .filter(|root| trees.published.contains(root))
                .and_then(|root| numbers.get(&root).copied()),
        })
        .collect()
}

/// What is known of partition trees as wholes, by the oid of their roots.
struct Trees {
    published: BTreeSet<u32>,
    without_identity: BTreeSet<u32>,
}

impl Trees {
    fn new(relations: &[RelationFacts], publish_roots: bool) -> Self {
        let is_root = |r: &&RelationFacts| r.kind == RelationKind::PartitionedTable && r.root.is_none();
        let mut published: BTreeSet<u32> = relations
            .iter()
            .filter(is_root)
            .filter(|_| publish_roots)
            .map(|r| r.oid)
            .collect();
        let mut without_identity = BTreeSet::new();
        for relation in relations {
            let Some(root) = relation.root else { continue };
            if relation.kind == RelationKind::ForeignTable || relation.unlogged {
                published.remove(&root);
            } else if relation.kind == RelationKind::Table && relation.missing_identity().is_some() {
                published.remove(&root);
                without_identity.insert(root);
            }
        }
        Self {
            published,
            without_identity,
        }
    }

    fn class(&self, relation: &RelationFacts) -> TableClass {
        if let Some(filter) = &relation.extension_filter {
            return TableClass::ExtensionRows {
                filter: filter.clone(),
            };
        }
        if relation.of_extension {
            return TableClass::NotOurs {
                why: NotOurs::Extension,
            };
        }
        match relation.kind {
            RelationKind::ForeignTable => TableClass::NotOurs {
                why: NotOurs::Foreign,
            },
            RelationKind::MaterializedView => TableClass::ViewOfOthers,
            RelationKind::PartitionedTable if self.published.contains(&relation.oid) => TableClass::Replicate,
            RelationKind::PartitionedTable => TableClass::Partitioned,
            RelationKind::Table if relation.unlogged => TableClass::CannotBePublished {
                why: Unpublishable::Unlogged,
            },
            RelationKind::Table => match relation.missing_identity() {
                Some(why) => TableClass::NoIdentity { why },
                None if relation
                    .root
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

    fn table(oid: u32, name: &str) -> RelationFacts {
        RelationFacts {
            oid,
            name: TableName::new("public", name),
            kind: RelationKind::Table,
            unlogged: false,
            root: None,
            replica_identity: 'd',
            has_primary_key: true,
            key_usable: true,
            of_extension: false,
            extension_filter: None,
        }
    }

    fn classes(relations: &[RelationFacts], publish_roots: bool) -> Vec<TableClass> {
        classify(relations, publish_roots)
            .into_iter()
            .map(|t| t.class)
            .collect()
    }

    #[test]
    fn identity_decides_whether_a_table_is_replicated() {
        let none = RelationFacts {
            has_primary_key: false,
            key_usable: false,
            ..table(2, "none")
        };
        let full = RelationFacts {
            replica_identity: 'f',
            ..none.clone()
        };
        let nothing = RelationFacts {
            replica_identity: 'n',
            ..table(3, "nothing")
        };
        let deferrable = RelationFacts {
            key_usable: false,
            ..table(4, "deferrable")
        };
        let unlogged = RelationFacts {
            unlogged: true,
            ..table(5, "unlogged")
        };
        assert_eq!(
            classes(
                &[table(1, "keyed"), none, full, nothing, deferrable, unlogged],
                true
            ),
            [
                TableClass::Replicate,
                TableClass::NoIdentity {
                    why: NoIdentity::NoPrimaryKey
                },
                TableClass::Replicate,
                TableClass::NoIdentity {
                    why: NoIdentity::Nothing
                },
                TableClass::NoIdentity {
                    why: NoIdentity::Deferrable
                },
                TableClass::CannotBePublished {
                    why: Unpublishable::Unlogged
                },
            ]
        );
    }

    fn tree(leaf: RelationFacts) -> Vec<RelationFacts> {
        let root = RelationFacts {
            kind: RelationKind::PartitionedTable,
            ..table(1, "root")
        };
        let other = RelationFacts {
            root: Some(1),
            ..table(2, "leaf1")
        };
        vec![
            root,
            other,
            RelationFacts {
                root: Some(1),
                ..leaf
            },
        ]
    }

    #[test]
    fn a_partition_tree_is_one_unit_of_publication() {
        let plan = classify(&tree(table(3, "leaf2")), true);
        assert!(plan.iter().all(|t| t.class == TableClass::Replicate));
        assert_eq!(
            plan.iter().map(|t| t.root).collect::<Vec<_>>(),
            [None, Some(1), Some(1)]
        );
    }

    #[test]
    fn an_old_source_publishes_leaves() {
        let plan = classify(&tree(table(3, "leaf2")), false);
        assert_eq!(plan[0].class, TableClass::Partitioned);
        assert!(plan.iter().all(|t| t.root.is_none()));
        assert_eq!(plan[2].class, TableClass::Replicate);
    }

    #[test]
    fn an_unlogged_leaf_makes_the_tree_go_leaf_by_leaf() {
        let leaf = RelationFacts {
            unlogged: true,
            ..table(3, "leaf2")
        };
        assert_eq!(
            classes(&tree(leaf), true),
            [
                TableClass::Partitioned,
                TableClass::Replicate,
                TableClass::CannotBePublished {
                    why: Unpublishable::Unlogged
                }
            ]
        );
    }

    #[test]
    fn a_leaf_without_identity_keeps_the_whole_tree_out() {
        let leaf = RelationFacts {
            has_primary_key: false,
            key_usable: false,
            ..table(3, "leaf2")
        };
        assert_eq!(
            classes(&tree(leaf), true),
            [
                TableClass::Partitioned,
                TableClass::NoIdentity {
                    why: NoIdentity::Partition
                },
                TableClass::NoIdentity {
                    why: NoIdentity::NoPrimaryKey
                }
            ]
        );
    }

    #[test]
    fn rows_of_extensions_are_theirs_but_for_configuration() {
        let theirs = RelationFacts {
            of_extension: true,
            ..table(1, "theirs")
        };
        let ours = RelationFacts {
            extension_filter: Some("WHERE x".into()),
            ..theirs.clone()
        };
        assert_eq!(
            classes(&[theirs, ours], true),
            [
                TableClass::NotOurs {
                    why: NotOurs::Extension
                },
                TableClass::ExtensionRows {
                    filter: "WHERE x".into()
                }
            ]
        );
    }
}
