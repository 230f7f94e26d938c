//! Says more about a step's failure than the server could.
//!
//! Statements of steps name what the plan, or an earlier step, has found or made. Where a server does not know a name, it may be
//! one of these, and then something was changed meanwhile; or one in a user's function or view, which is no change. So the
//! servers are asked what is really missing.

use pghaul_core::plan::Route;
use pghaul_core::{Code, DatabaseName, DatabasePlan, Failure, Side, failures};
use pghaul_postgres::Columns;
use pghaul_step::ownership::is_whole;
use pghaul_step::scope::Scope;
use pghaul_step::{RunContext, StepPhase};
use std::sync::Arc;

/// undefined_table, undefined_column, invalid_schema_name.
const UNDEFINED: [&str; 3] = ["42P01", "42703", "3F000"];

/// What a step's failure means where the server only reported that a name is not known.
pub(crate) async fn explained<S: Scope>(
    run: &RunContext,
    subject: &S::Subject,
    phase: StepPhase,
    failure: Failure,
) -> Failure {
    let undefined = failure
        .sqlstate
        .as_deref()
        .is_some_and(|state| UNDEFINED.contains(&state));
    let (Some(database), Some(side)) = (S::database(subject), failure.side) else {
        return failure;
    };
    if failure.code != Code::ServerError || !undefined {
        return failure;
    }
    match missing(run, database, phase, side).await {
        Ok(Some(found)) => Failure {
            code: found.code,
            hint: found.hint,
            ..failure
        }
        .with_cause(found.message),
        Ok(None) => failure,
        Err(error) => {
            tracing::debug!(%error, "what is missing could not be asked");
            failure
        }
    }
}

/// What is missing on a server of all that steps name there.
async fn missing(
    run: &RunContext,
    database: &DatabaseName,
    phase: StepPhase,
    side: Side,
) -> Result<Option<Failure>, Failure> {
    let planned = run.recorder.read(|m| {
        let record = m.databases.get(database)?;
        Some((record.plan.clone()?, record.method()?))
    });
    let Some((plan, method)): Option<(Arc<DatabasePlan>, _)> = planned else {
        return Ok(None);
    };
    let reading = "read the columns of the tables";
    let target = run.target.reader(run.target_database(database).as_str()).await?;
    if side == Side::Target && !is_whole(&target).await? {
        return Ok(Some(failures::owner_row_gone()));
    }
    // The tables are made in this phase.
    let on_target = match phase {
        StepPhase::Schema => Columns::default(),
        StepPhase::Data => Columns::read(&target.doing(reading)).await?,
    };
    drop(target);
    let source = run.source.reader(database.as_str()).await?;
    let on_source = Columns::read(&source.doing(reading)).await?;
    Ok(match (side, phase) {
        (Side::Source, _) => on_source.lost_since_the_plan(&on_target, &plan),
        (Side::Target, StepPhase::Schema) => None,
        (Side::Target, StepPhase::Data) => {
            let route = Route::of(method, plan.initial_copy);
            on_target.lacking(&on_source, &plan, route).into_iter().next()
        }
    })
}
