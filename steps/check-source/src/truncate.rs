//! The check `truncate`.

use pghaul_step::postgres::{ReadOnly, Server, Session, Source};
use pghaul_step::{
    Check, CheckContext, CheckDescriptor, Cluster, Concern, DatabaseName, Failure, Finding, FindingKind,
    Method, Severity, Subject, async_trait,
};
use serde::Serialize;

/// From this version on TRUNCATE is replicated.
const SENDS_TRUNCATE: u32 = 110_000;

/// Statements that are not replicated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum NotSent {
    /// TRUNCATE on the source leaves the target's rows.
    TruncateNotReplicated,
}

impl FindingKind for NotSent {
    fn severity(&self) -> Severity {
        Severity::Warning
    }

    fn concern(&self) -> Concern {
        Concern::Replication
    }

    fn message(&self) -> String {
        "PostgreSQL 10 does not replicate TRUNCATE: a table that is truncated on the source keeps its rows on the target"
            .to_owned()
    }

    fn hint(&self) -> Option<String> {
        Some("use DELETE until the cutover; or --method dump".to_owned())
    }
}

/// The check `truncate`: does the source replicate TRUNCATE, where there is something to truncate?
#[derive(Debug, Clone, Copy)]
pub struct Truncate;

#[async_trait]
impl Check for Truncate {
    type Scope = Cluster;

    fn descriptor(&self) -> CheckDescriptor {
        CheckDescriptor {
            name: "truncate",
            summary: "TRUNCATE is replicated",
            after: &["connection"],
        }
    }

    async fn examine(&self, ctx: &CheckContext<Cluster>) -> Result<Vec<Finding>, Failure> {
        let version = ctx.source().await?.server_version();
        if version >= SENDS_TRUNCATE || ctx.landscape().forced == Some(Method::Dump) {
            return Ok(Vec::new());
        }
        // Said once, and only when a database has a table: the first one usually has.
        for database in &ctx.landscape().selected {
            if has_tables(ctx.source_server(), database).await? {
                return Ok(vec![
                    NotSent::TruncateNotReplicated.about("truncate", Subject::Cluster),
                ]);
            }
        }
        Ok(Vec::new())
    }
}

async fn has_tables(source: &Server<Source>, database: &DatabaseName) -> Result<bool, Failure> {
    // A database that can't be entered is a matter of `database-connection`.
    let Ok(session): Result<Session<Source, ReadOnly>, _> = source.connect(database.as_str()).await else {
        return Ok(false);
    };
    let sql = "SELECT EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.relkind = 'r' AND c.relpersistence = 'p' \
               AND c.oid >= 16384)";
    let row = session.doing("look for tables").query_one(sql, &[]).await?;
    session.close().await;
    Ok(row.get(0))
}
