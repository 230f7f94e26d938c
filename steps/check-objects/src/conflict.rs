//! What the check `restore-conflicts` finds.

use pghaul_step::{FindingKind, Severity, listed};
use serde::Serialize;

/// What is not the same in a schema that was dumped and restored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Conflict {
    /// Hash partitions by an enum, whose values have other hashes in every database.
    HashPartitionsByEnum {
        /// The partitioned tables.
        tables: Vec<String>,
    },
    /// Hash or range partitions by `regclass` or its like, whose values are other numbers in every database.
    PartitionsByObjectNames {
        /// The partitioned tables.
        tables: Vec<String>,
    },
    /// Objects of users in `pg_catalog` or `information_schema`, which `pg_dump` leaves out.
    InSystemSchemas {
        /// The objects.
        objects: Vec<String>,
    },
    /// Tables and sequences of users in `pg_catalog` or `information_schema`, whose rows and values would stay behind.
    RowsInSystemSchemas {
        /// The tables and sequences.
        relations: Vec<String>,
    },
    /// Triggers, policies and indexes of users on tables of extensions, which `pg_dump` leaves out.
    AddedToExtensions {
        /// What was added.
        objects: Vec<String>,
    },
    /// Text search configurations of the server that were changed, which `pg_dump` leaves out.
    ChangedTextSearch {
        /// The configurations.
        configurations: Vec<String>,
    },
    /// Columns that get a NOT NULL from their parent, which they do not have.
    NotNullOnlyInParent {
        /// The columns.
        columns: Vec<String>,
    },
    /// Invalid indexes, which `pg_dump` leaves out.
    InvalidIndexes {
        /// The indexes.
        indexes: Vec<String>,
    },
}

impl FindingKind for Conflict {
    fn severity(&self) -> Severity {
        match self {
            Self::HashPartitionsByEnum { .. }
            | Self::PartitionsByObjectNames { .. }
            | Self::RowsInSystemSchemas { .. } => Severity::Error,
            Self::NotNullOnlyInParent { .. }
            | Self::InSystemSchemas { .. }
            | Self::AddedToExtensions { .. }
            | Self::ChangedTextSearch { .. } => Severity::Warning,
            Self::InvalidIndexes { .. } => Severity::Note,
        }
    }

    fn message(&self) -> String {
        match self {
            Self::HashPartitionsByEnum { tables } => format!(
                "tables are partitioned by the hash of an enum, whose values have other hashes on the target: the \
                 partitions there refuse rows ({}): {}",
                tables.len(),
                listed(tables)
            ),
            Self::PartitionsByObjectNames { tables } => format!(
                "tables are partitioned by the hash or the range of names of objects, which are other numbers on the target: the \
                 partitions there refuse rows ({}): {}",
                tables.len(),
                listed(tables)
            ),
            Self::InSystemSchemas { objects } => format!(
                "objects of users in schemas of the server are not moved, as pg_dump leaves them out ({}): {}",
                objects.len(),
                listed(objects)
            ),
            Self::RowsInSystemSchemas { relations } => format!(
                "tables and sequences of users in schemas of the server are not moved, as pg_dump leaves them out; what they hold \
                 would stay behind ({}): {}",
                relations.len(),
                listed(relations)
            ),
            Self::AddedToExtensions { objects } => format!(
                "what users have added to tables of extensions is not moved, as pg_dump leaves it out ({}): {}",
                objects.len(),
                listed(objects)
            ),
            Self::ChangedTextSearch { configurations } => format!(
                "text search configurations of the server were changed, which pg_dump leaves out: the target would parse texts in \
                 another way ({}): {}",
                configurations.len(),
                listed(configurations)
            ),
            Self::NotNullOnlyInParent { columns } => format!(
                "columns may be NULL although they may not in the parent table; on the target they may not, and a row \
                 with NULL is refused ({}): {}",
                columns.len(),
                listed(columns)
            ),
            Self::InvalidIndexes { indexes } => format!(
                "invalid indexes are not moved ({}): {}",
                indexes.len(),
                listed(indexes)
            ),
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::HashPartitionsByEnum { .. } => {
                "partition by the list of its values, or by the hash of another column".to_owned()
            }
            Self::PartitionsByObjectNames { .. } => {
                "partition by the list of the names, or by another column; or ALTER TABLE … ALTER COLUMN … TYPE text; first".to_owned()
            }
            Self::InSystemSchemas { .. } => {
                "move them to a schema of your own, or create them in the target's template1 beforehand".to_owned()
            }
            Self::RowsInSystemSchemas { relations } => {
                let first = relations.first().and_then(|relation| relation.split_once(' '));
                let (kind, name) = first.unwrap_or(("table", "…"));
                let kind = kind.to_uppercase();
                format!("move each to a schema of your own, on the source: ALTER {kind} {name} SET SCHEMA …;")
            }
            Self::AddedToExtensions { .. } => "create it on the target after the migration".to_owned(),
            Self::ChangedTextSearch { configurations } => {
                let first = configurations.first().map(String::as_str).unwrap_or_default();
                format!(
                    "for each, use a copy: CREATE TEXT SEARCH CONFIGURATION … (COPY = pg_catalog.{first}); or change it on the target, \
                     and what was computed with it"
                )
            }
            Self::NotNullOnlyInParent { columns } => {
                let first = columns.first().and_then(|column| of_table(column));
                let (table, column) = first.unwrap_or(("…", "…"));
                format!("for each: ALTER TABLE {table} ALTER COLUMN {column} SET NOT NULL;")
            }
            Self::InvalidIndexes { indexes } => {
                let first = indexes.first().map(String::as_str).unwrap_or_default();
                format!("for each, on the source: REINDEX INDEX {first}; or DROP INDEX {first};")
            }
        })
    }
}

/// The table and the column of a quoted name: the dot between them is the last one that is not within quotes.
fn of_table(column: &str) -> Option<(&str, &str)> {
    let mut dots = column.rmatch_indices('.').map(|(place, _)| place);
    let place = dots.find(|place| {
        column
            .get(*place..)
            .is_some_and(|rest| rest.matches('"').count() % 2 == 0)
    })?;
    Some((column.get(..place)?, column.get(place + 1..)?))
}
