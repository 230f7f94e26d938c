//! The check `restore-conflicts`.

use crate::conflict::Conflict;
use pghaul_step::postgres::{ReadOnly, Row, Session, Source};
use pghaul_step::{
    Check, CheckContext, CheckDescriptor, Database, Failure, Finding, FindingKind as _, async_trait,
};

const HASHED_BY_ENUM: &str = concat!(include_str!("type_parts.sql"), include_str!("conflicts_enum.sql"));

const BY_OBJECT_NAMES: &str = concat!(
    include_str!("type_parts.sql"),
    ", types (oid) AS (\n    SELECT t.oid FROM pg_catalog.pg_type t \
     WHERE t.typname ~ '^reg' AND t.typnamespace = 'pg_catalog'::pg_catalog.regnamespace AND t.typtype = 'b' AND t.typelem = 0\n    \
     UNION\n    SELECT p.whole FROM types t JOIN parts p ON p.part = t.oid\n)\n",
    include_str!("conflicts_object_names.sql")
);

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
        let (rows_in_system, in_system) = in_system_schemas(&source).await?;
        let on_extensions = names(&source, include_str!("conflicts_on_extensions.sql")).await?;
        let text_search = names(&source, include_str!("conflicts_text_search.sql")).await?;
        let not_null = names(&source, include_str!("conflicts_not_null.sql")).await?;
        let invalid = names(&source, include_str!("conflicts_index.sql")).await?;
        let found = [
            super::unless_empty(by_enum, |tables| Conflict::HashPartitionsByEnum { tables }),
            super::unless_empty(by_names, |tables| Conflict::PartitionsByObjectNames { tables }),
            super::unless_empty(rows_in_system, |relations| Conflict::RowsInSystemSchemas {
                relations,
            }),
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

/// What holds rows or values, and what does not.
async fn in_system_schemas(
    source: &Session<Source, ReadOnly>,
) -> Result<(Vec<String>, Vec<String>), Failure> {
    let doing = source.doing("look for objects of users in schemas of the server");
    let rows = doing
        .query(include_str!("conflicts_in_system_schemas.sql"), &[])
        .await?;
    let (keep_rows, others): (Vec<_>, Vec<_>) = rows.iter().partition(|row| row.get("keeps_rows"));
    let names = |rows: Vec<&Row>| rows.iter().map(|row| row.get("name")).collect();
    Ok((names(keep_rows), names(others)))
}

async fn names(source: &Session<Source, ReadOnly>, sql: &str) -> Result<Vec<String>, Failure> {
    let doing = source.doing("look for what a restore does not bring back");
    let rows = doing.query(sql, &[]).await?;
    Ok(rows.iter().map(|row| row.get("name")).collect())
}
