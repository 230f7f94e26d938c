//! The plan of a database, from the source's catalogs.

use pghaul_core::plan::{
    ForeignKeyFacts, HeldBack, RelationFacts, RelationKind, TablePlan, TriggerFacts, classify, hold_back,
};
use pghaul_core::{Failure, TableName};
use pghaul_postgres::error::unexpected;
use pghaul_postgres::{ReadOnly, Session, Source};

/// PostgreSQL 13 is the first that can publish a partition tree as its root.
const PUBLISHES_ROOTS: u32 = 130_000;

/// Reads and classifies every relation of the session's database.
pub(crate) async fn tables(session: &Session<Source, ReadOnly>) -> Result<Vec<TablePlan>, Failure> {
    let rows = session
        .doing("read the list of tables")
        .query(include_str!("relations.sql"), &[])
        .await?;
    let relations = rows.iter().map(relation).collect::<Result<Vec<_>, _>>()?;
    Ok(classify(&relations, session.server_version() >= PUBLISHES_ROOTS))
}

/// The objects that replication must hold back, given the classes of the tables.
pub(crate) async fn held_back(
    session: &Session<Source, ReadOnly>,
    tables: &[TablePlan],
) -> Result<Vec<HeldBack>, Failure> {
    let doing = session.doing("read the foreign keys and triggers");
    let keys = doing.query(include_str!("foreign_keys.sql"), &[]).await?;
    let keys = keys.iter().map(|row| {
        Ok(ForeignKeyFacts {
            name: row.try_get("name").map_err(unexpected)?,
            table: TableName {
                schema: row.try_get("schema").map_err(unexpected)?,
                name: row.try_get("table_name").map_err(unexpected)?,
            },
            references: TableName {
                schema: row.try_get("referenced_schema").map_err(unexpected)?,
                name: row.try_get("referenced_table").map_err(unexpected)?,
            },
        })
    });
    let keys: Vec<ForeignKeyFacts> = keys.collect::<Result<_, Failure>>()?;
    let triggers = doing.query(include_str!("triggers.sql"), &[]).await?;
    let triggers = triggers.iter().map(|row| {
        let schema: Option<String> = row.try_get("schema").map_err(unexpected)?;
        let table: Option<String> = row.try_get("table_name").map_err(unexpected)?;
        Ok(TriggerFacts {
            table: schema.zip(table).map(|(schema, name)| TableName { schema, name }),
            name: row.try_get("name").map_err(unexpected)?,
        })
    });
    let triggers: Vec<TriggerFacts> = triggers.collect::<Result<_, Failure>>()?;
    Ok(hold_back(tables, &keys, &triggers))
}

fn relation(row: &pghaul_postgres::Row) -> Result<RelationFacts, Failure> {
    let kind: String = row.try_get("kind").map_err(unexpected)?;
    let identity: String = row.try_get("replica_identity").map_err(unexpected)?;
    Ok(RelationFacts {
        oid: row.try_get("oid").map_err(unexpected)?,
        name: TableName {
            schema: row.try_get("schema").map_err(unexpected)?,
            name: row.try_get("name").map_err(unexpected)?,
        },
        kind: match kind.as_str() {
            "r" => RelationKind::Table,
            "p" => RelationKind::PartitionedTable,
            "m" => RelationKind::MaterializedView,
            "f" => RelationKind::ForeignTable,
            other => {
                return Err(Failure::bug(format!(
                    "relation kind {other:?} is not one we asked for"
                )));
            }
        },
        unlogged: row.try_get("unlogged").map_err(unexpected)?,
        root: row.try_get("root").map_err(unexpected)?,
        replica_identity: identity.chars().next().unwrap_or('d'),
        has_primary_key: row.try_get("has_primary_key").map_err(unexpected)?,
        key_usable: row.try_get("key_usable").map_err(unexpected)?,
        of_extension: row.try_get("of_extension").map_err(unexpected)?,
        extension_filter: row.try_get("extension_filter").map_err(unexpected)?,
    })
}
