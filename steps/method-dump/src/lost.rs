//! Whether a copy that was complete still is on the target.
//!
//! Its last transaction has dropped the schema `pghaul`. So a target that was put back to a moment before it, or whose
//! standby was promoted without it, has that schema, or no such database, or another one of that name.

use super::{CompleteOutput, something_is_refused};
use pghaul_step::ownership::head_seen;
use pghaul_step::postgres::{Columns, Right, Session, Target};
use pghaul_step::{Code, Context, Database, Failure, Route, Side, failures};

/// The oid of the database that a session is in.
pub(super) async fn oid<R: Right>(session: &Session<Target, R>) -> Result<u32, Failure> {
    let sql = "SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()";
    let doing = session.doing("read the oid of the database");
    Ok(doing.query_one(sql, &[]).await?.get(0))
}

/// What is gone.
pub(super) async fn look(ctx: &Context<Database>, then: &CompleteOutput) -> Result<Vec<Failure>, Failure> {
    let target = match ctx.target_for_reading().await {
        Err(failure) if failure.code == Code::UnknownDatabase => {
            return Ok(vec![went_back("it has no such database any more", RENAMED)]);
        }
        session => session?,
    };
    if !something_is_refused(ctx)? && head_seen(&*target, ctx.migration()).await?.is_some() {
        let sentence = "the database has the schema pghaul, which was dropped when the copy was complete";
        return Ok(vec![went_back(sentence, "")]);
    }
    if let Some(then) = then.database
        && then != oid(&*target).await?
    {
        let sentence = "the database of this name is another one than that which the rows were copied into";
        return Ok(vec![went_back(sentence, RENAMED)]);
    }
    let found = Columns::read(&target.doing("read the tables")).await?;
    let copied = ctx.plan().tables.iter().filter(|t| t.copied_by_us(Route::Dump));
    let gone = copied.filter(|table| !found.has(&table.name));
    Ok(gone
        .map(|table| failures::target_table_gone(&table.name, None))
        .collect())
}

const RENAMED: &str = "where it was renamed, give it back its name; ";

fn went_back(sentence: &str, first: &str) -> Failure {
    let message = "the target may be in an earlier state than when the copy was complete: rows that were copied are missing";
    Failure::new(Code::TargetWentBack, message)
        .with_side(Side::Target)
        .with_cause(sentence)
        .with_hint(format!(
            "{first}where the server was put back or failed over, bring back its later state, and run again; where that is gone, {}",
            failures::BEGIN_ANEW
        ))
}
