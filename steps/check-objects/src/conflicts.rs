//! The check `restore-conflicts`.

use pghaul_step::postgres::{ReadOnly, Session, Source};
use pghaul_step::{
    Check, CheckContext, CheckDescriptor, Database, Failure, Finding, FindingKind, Severity, async_trait,
    listed,
};
use serde::Serialize;

const HASHED_BY_ENUM: &str = concat!(include_str!("type_parts.sql"), include_str!("conflicts_enum.sql"));

const BY_OBJECT_NAMES: &str = concat!(
    include_str!("type_parts.sql"),
    ", types (oid) AS (\n    SELECT t.oid FROM pg_catalog.pg_type t \
     WHERE t.typname ~ '^reg' AND t.typnamespace = 'pg_catalog'::pg_catalog.regnamespace AND t.typtype = 'b' AND t.typelem = 0\n    \
     UNION\n    SELECT p.whole FROM types t JOIN parts p ON p.part = t.oid\n)\n",
    include_str!("conflicts_object_names.sql")
);

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
            Self::HashPartitionsByEnum { .. } | Self::PartitionsByObjectNames { .. } => Severity::Error,
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

/// The check `restore-conflicts`: is a schema that was dumped and restored the same, and does it take the rows?
#[derive(Debug, Clone, Copy)]
pub struct RestoreConflicts;

#[async_trait]
impl Check for RestoreConflicts {
    type Scope = Database;

    fn descriptor(&self) -> CheckDescriptor {
        CheckDescriptor {
            name: "restore-conflicts",
            summary: "the schema takes the rows on the target as it does on the source",
            after: super::AFTER,
        }
    }

    async fn examine(&self, ctx: &CheckContext<Database>) -> Result<Vec<Finding>, Failure> {
        let source = ctx.source().await?;
        let by_enum = names(&source, HASHED_BY_ENUM).await?;
        let by_names = names(&source, BY_OBJECT_NAMES).await?;
        let in_system = names(&source, include_str!("conflicts_in_pg_catalog.sql")).await?;
        let on_extensions = names(&source, include_str!("conflicts_on_extensions.sql")).await?;
        let text_search = names(&source, include_str!("conflicts_text_search.sql")).await?;
        let not_null = names(&source, include_str!("conflicts_not_null.sql")).await?;
        let invalid = names(&source, include_str!("conflicts_index.sql")).await?;
        let found = [
            super::unless_empty(by_enum, |tables| Conflict::HashPartitionsByEnum { tables }),
            super::unless_empty(by_names, |tables| Conflict::PartitionsByObjectNames { tables }),
            super::unless_empty(in_system, |objects| Conflict::InSystemSchemas { objects }),
            super::unless_empty(on_extensions, |objects| Conflict::AddedToExtensions { objects }),
            super::unless_empty(text_search, |configurations| Conflict::ChangedTextSearch {
                configurations,
            }),
            super::unless_empty(not_null, |columns| Conflict::NotNullOnlyInParent { columns }),
            super::unless_empty(invalid, |indexes| Conflict::InvalidIndexes { indexes }),
        ];
        Ok(found
            .iter()
            .flatten()
            .map(|conflict| conflict.about("restore-conflicts", super::database(ctx)))
            .collect())
    }
}

async fn names(source: &Session<Source, ReadOnly>, sql: &str) -> Result<Vec<String>, Failure> {
    let doing = source.doing("look for what a restore does not bring back");
    let rows = doing.query(sql, &[]).await?;
    Ok(rows.iter().map(|row| row.get("name")).collect())
}
