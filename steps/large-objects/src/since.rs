//! Whether large objects were written to on the source after they were copied.
//!
//! No slot carries their changes. So their catalogs are marked like tables that are copied once; where counters and rows
//! of the catalogs can't tell, as for a role that may not read `pg_largeobject`, the contents of both sides are compared.

use crate::reconciliation::{Purpose, Reconciliation};
use pghaul_contracts::{LargeObjectCatalog, LargeObjectsOutput};
use pghaul_copy::mark::written_since;
use pghaul_copy::{CopiedRows, Depth, Since, Snapshot};
use pghaul_step::postgres::{QualifiedName, ReadOnly, Session, Source};
use pghaul_step::{Context, Database, Failure};

/// What the catalogs of large objects are like in a snapshot.
pub(crate) async fn mark(snapshot: &Snapshot) -> Result<Vec<LargeObjectCatalog>, Failure> {
    let session = snapshot.keeper();
    let doing = session.doing("count the rows of the catalogs of large objects");
    let mut marked = Vec::new();
    for table in snapshot.large_object_catalogs() {
        let sql = "SELECT pg_catalog.has_table_privilege($1::oid, 'SELECT')";
        let readable: bool = doing.query_one(sql, &[&table.oid]).await?.get(0);
        let rows = if readable {
            let sql = format!("SELECT pg_catalog.count(*) FROM {}", table.name);
            let count: i64 = doing.query_one(&sql, &[]).await?.get(0);
            Some(count.unsigned_abs())
        } else {
            None
        };
        marked.push(LargeObjectCatalog {
            name: table.name.name.short(),
            rows,
            mark: snapshot.mark(table),
        });
    }
    Ok(marked)
}

/// Whether large objects were written to since their copy.
pub(crate) async fn since(
    ctx: &Context<Database>,
    output: &LargeObjectsOutput,
    depth: Depth,
) -> Result<Since, Failure> {
    let mut catalogs = Vec::new();
    for catalog in &output.catalogs {
        catalogs.push(CopiedRows {
            name: QualifiedName::new("pg_catalog", catalog.name.as_str())?,
            rows: catalog.rows,
            filter: String::new(),
            mark: Some(catalog.mark.clone()),
        });
    }
    let database = ctx.database().as_str();
    let session: Session<Source, ReadOnly> = ctx.source_server().connect(database).await?;
    let found = written_since(&session, &catalogs, depth).await?;
    let written = found.iter().find(|since| matches!(since, Since::Written(_)));
    let unknown = found.iter().find(|since| matches!(since, Since::Unknown(_)));
    match (written, unknown) {
        (Some(_), _) => Ok(Since::Written("their catalogs have other rows".to_owned())),
        (None, Some(unknown)) if depth == Depth::Counters => Ok(unknown.clone()),
        (None, Some(_)) => compared(ctx, output.different).await,
        (None, None) => Ok(Since::Unchanged),
    }
}

/// `before` were different when the others were copied.
async fn compared(ctx: &Context<Database>, before: u64) -> Result<Since, Failure> {
    Ok(match count_different(ctx).await? {
        count if count <= before => Since::Unchanged,
        // The target may be in use already.
        count => Since::Unknown(format!("{count} of them differ between source and target")),
    })
}

/// How many large objects differ between source and target now.
pub(crate) async fn count_different(ctx: &Context<Database>) -> Result<u64, Failure> {
    let snapshot = Snapshot::take(ctx.source_server(), ctx.database().as_str()).await?;
    let reconciliation = Reconciliation::new(ctx, &snapshot, Purpose::Compare).await?;
    let tally = reconciliation.work().await?;
    Ok(tally.count_different())
}
