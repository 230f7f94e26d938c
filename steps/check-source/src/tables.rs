//! The check `tables`.

use pghaul_step::catalog::{Catalog, Index, Relation, ReplicaIdentity};
use pghaul_step::plan::{NoIdentity, NotOurs, classify};
use pghaul_step::postgres::QualifiedName;
use pghaul_step::{
    Check, CheckContext, CheckDescriptor, Database, Failure, Finding, FindingKind, Severity, TableClass,
    async_trait, listed,
};
use serde::Serialize;

/// Tables whose rows are not kept up to date on the target. One finding for each class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum NotReplicated {
    /// Tables without a usable replica identity: replication stops at the copy.
    NoReplicaIdentity {
        /// Their names.
        tables: Vec<String>,
        /// For each of them, why.
        reasons: Vec<&'static str>,
    },
    /// Tables with REPLICA IDENTITY FULL and no key, in which a row can't be found again by its values.
    IdentityNotComparable {
        /// Their names.
        tables: Vec<String>,
    },
    /// Unlogged tables: their changes are not in the WAL.
    Unlogged {
        /// Their names.
        tables: Vec<String>,
    },
    /// Foreign tables: the rows are on another server.
    ForeignTables {
        /// Their names.
        tables: Vec<String>,
    },
    /// Materialized views: the rows are computed.
    MaterializedViews {
        /// Their names.
        tables: Vec<String>,
    },
}

impl FindingKind for NotReplicated {
    fn severity(&self) -> Severity {
        match self {
            Self::IdentityNotComparable { .. } => Severity::Warning,
            _ => Severity::Note,
        }
    }

    fn message(&self) -> String {
        match self {
            Self::NoReplicaIdentity { tables, reasons } => {
                let explained = tables
                    .iter()
                    .zip(reasons)
                    .map(|(table, why)| format!("{table} ({why})"));
                format!(
                    "tables without a usable replica identity are copied once, not replicated ({}): {}",
                    tables.len(),
                    listed(&explained.collect::<Vec<_>>())
                )
            }
            Self::IdentityNotComparable { tables } => format!(
                "tables with REPLICA IDENTITY FULL and no key have columns whose values can't be compared, so that the \
                 first UPDATE or DELETE stops replication ({}): {}",
                tables.len(),
                listed(tables)
            ),
            Self::Unlogged { tables } => {
                format!(
                    "unlogged tables are copied once, not replicated ({}): {}",
                    tables.len(),
                    listed(tables)
                )
            }
            Self::ForeignTables { tables } => format!(
                "foreign tables are created without rows, which are on another server ({}): {}",
                tables.len(),
                listed(tables)
            ),
            Self::MaterializedViews { tables } => format!(
                "materialized views are not copied but computed on the target ({}): {}",
                tables.len(),
                listed(tables)
            ),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NoReplicaIdentity { .. } => Some(
                "give them a primary key; or: ALTER TABLE … REPLICA IDENTITY FULL; otherwise they stay as of their copy until pghaul remove copies them again"
                    .to_owned(),
            ),
            Self::IdentityNotComparable { .. } => {
                Some("give them a primary key; or let them be copied once: ALTER TABLE … REPLICA IDENTITY NOTHING;".to_owned())
            }
            Self::Unlogged { .. } => Some("ALTER TABLE … SET LOGGED; otherwise they stay as of their copy until pghaul remove copies them again".to_owned()),
            Self::ForeignTables { .. } => {
                Some("make sure that the target can reach the foreign servers".to_owned())
            }
            Self::MaterializedViews { .. } => None,
        }
    }
}

/// The check `tables`: which of them are not kept up to date?
#[derive(Debug, Clone, Copy)]
pub struct Tables;

#[async_trait]
impl Check for Tables {
    type Scope = Database;

    fn descriptor(&self) -> CheckDescriptor {
        CheckDescriptor {
            name: "tables",
            summary: "which tables are not kept up to date on the target",
            after: super::AFTER,
        }
    }

    async fn examine(&self, ctx: &CheckContext<Database>) -> Result<Vec<Finding>, Failure> {
        let catalog = ctx.catalog().await?;
        let mut names: [Vec<String>; 5] = Default::default();
        let [no_identity, incomparable, unlogged, foreign, views] = &mut names;
        let mut reasons = Vec::new();
        for table in classify(&catalog) {
            let Some(relation) = catalog.relations.by_name(&table.name) else {
                continue;
            };
            let class = match table.class {
                TableClass::NotOurs {
                    why: NotOurs::Foreign,
                } => &mut *foreign,
                TableClass::ViewOfOthers => &mut *views,
                TableClass::CannotBePublished { .. } => &mut *unlogged,
                TableClass::Replicate if is_incomparable(&catalog, relation) => &mut *incomparable,
                TableClass::NoIdentity { why } => {
                    reasons.push(reason(why, relation.replica_identity));
                    &mut *no_identity
                }
                _ => continue,
            };
            class.push(QualifiedName::try_from(&table.name)?.short());
        }
        let [no_identity, incomparable, unlogged, foreign, views] = names;
        let classes = [
            NotReplicated::NoReplicaIdentity {
                tables: no_identity,
                reasons,
            },
            NotReplicated::IdentityNotComparable { tables: incomparable },
            NotReplicated::Unlogged { tables: unlogged },
            NotReplicated::ForeignTables { tables: foreign },
            NotReplicated::MaterializedViews { tables: views },
        ];
        let there = classes.iter().filter(|class| !class.tables().is_empty());
        Ok(there
            .map(|class| class.about("tables", super::database(ctx)))
            .collect())
    }
}

/// Whether a row can be found neither by a key nor by its values.
fn is_incomparable(catalog: &Catalog, relation: &Relation) -> bool {
    relation.replica_identity == ReplicaIdentity::Full
        && !relation.primary_key().is_some_and(Index::is_usable_identity)
        && relation
            .columns
            .iter()
            .any(|column| !catalog.is_comparable(column.type_oid))
}

/// Why a table has no usable replica identity.
fn reason(why: NoIdentity, setting: ReplicaIdentity) -> &'static str {
    match why {
        NoIdentity::NoPrimaryKey => "no primary key",
        NoIdentity::Nothing => "REPLICA IDENTITY NOTHING",
        NoIdentity::Deferrable if setting == ReplicaIdentity::Index => {
            "its REPLICA IDENTITY index is gone or not usable"
        }
        NoIdentity::Deferrable => "deferrable or invalid primary key",
        NoIdentity::Partition => "another partition of its tree has no usable replica identity",
    }
}

impl NotReplicated {
    fn tables(&self) -> &[String] {
        match self {
            Self::NoReplicaIdentity { tables, .. }
            | Self::IdentityNotComparable { tables }
            | Self::Unlogged { tables }
            | Self::ForeignTables { tables }
            | Self::MaterializedViews { tables } => tables,
        }
    }
}
