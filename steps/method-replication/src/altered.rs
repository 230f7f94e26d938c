//! Whether somebody has altered a subscription after its worker had failed.
//!
//! `ALTER SUBSCRIPTION … SKIP` leaves nothing behind but another version of the row. So each transaction of pghaul's that
//! alters one notes the version. To disable and enable a subscription that works is nobody's loss.

use pghaul_contracts::EffectKey;
use pghaul_step::postgres::{Doing, ReadWrite, Right, Session, Target};
use pghaul_step::{Context, Database, Failure, Incomplete, OwnedTransaction, failures, ownership};

/// The version of PostgreSQL that brought `SKIP`, and a count of the errors.
const SKIP: u32 = 150_000;

/// The version, where the role may read it.
async fn version<R: Right>(doing: &Doing<'_, R>, name: &str) -> Result<Option<String>, Failure> {
    let may = "SELECT pg_catalog.has_table_privilege('pg_catalog.pg_subscription', 'SELECT')";
    if !doing.query_one(may, &[]).await?.get::<_, bool>(0) {
        return Ok(None);
    }
    let row = doing.query_opt(include_str!("altered.sql"), &[&name]).await?;
    Ok(row.map(|row| row.get(0)))
}

fn key(name: &str, version: &str) -> String {
    EffectKey::SubscriptionVersion(format!("{name}/{version}")).to_string()
}

/// Notes the version that the transaction has made.
pub(crate) async fn note(transaction: &OwnedTransaction<'_>, name: &str) -> Result<(), Failure> {
    let doing = transaction.doing("read the version of the subscription");
    let Some(version) = version(&doing, name).await? else {
        return Ok(());
    };
    let pattern = format!("^{}[0-9]+$", key(name, ""));
    transaction.forget_matching(&pattern).await?;
    transaction.effect(&key(name, &version)).await
}

/// What may be missing where the version is another one than the noted.
pub(crate) async fn by_others(
    ctx: &Context<Database>,
    target: &Session<Target, ReadWrite>,
    name: &str,
) -> Result<Option<Incomplete>, Failure> {
    if target.server_version() < SKIP {
        return Ok(None);
    }
    let noted = ownership::effects(target, &key(name, "")).await?;
    let now = version(&target.doing("read the version of the subscription"), name).await?;
    let is_noted = now.is_none_or(|now| noted.is_empty() || noted.contains(&key(name, &now)));
    if is_noted || !has_failed(target, name).await? {
        return Ok(None);
    }
    Ok(Some(Incomplete {
        object: format!("subscription {name}"),
        why: format!(
            "was altered on the target by somebody else than pghaul, and its worker has failed: where a transaction was skipped (ALTER SUBSCRIPTION … SKIP), its rows are missing, and `{}` copies again; accept it where none was",
            failures::restart_data(ctx.database())
        ),
        ..Incomplete::default()
    }))
}

async fn has_failed(target: &Session<Target, ReadWrite>, name: &str) -> Result<bool, Failure> {
    let sql =
        "SELECT s.apply_error_count > 0 FROM pg_catalog.pg_stat_subscription_stats s WHERE s.subname = $1";
    let doing = target.doing("read the errors of the subscription");
    let row = doing.query_opt(sql, &[&name]).await?;
    Ok(row.is_some_and(|row| row.get(0)))
}
