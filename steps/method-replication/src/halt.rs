//! Stops a subscription just before it is removed, and starts it again where the removal is refused then.
//!
//! That it was pghaul who stopped it is noted on the target in the same transaction: a process that is killed in between
//! leaves a subscription that the next one starts again.

use crate::{aiven, altered};
use pghaul_contracts::EffectKey;
use pghaul_step::ownership::is_established;
use pghaul_step::postgres::{Ident, RELEASE_TIMEOUT, literal};
use pghaul_step::{Context, Database, Failure, OwnedTransaction};
use std::time::Duration;
use tokio::time::Instant;

/// How long the source may take to notice that the target's worker is gone.
const PATIENCE: Duration = Duration::from_secs(10);

const PAUSE: Duration = Duration::from_millis(50);

/// The effect key that says that pghaul has stopped a subscription.
fn key(name: &str) -> String {
    EffectKey::Stopped(name.to_owned()).to_string()
}

/// Whether pghaul has stopped the subscription.
pub(crate) async fn is_stopped(ctx: &Context<Database>, name: &str) -> Result<bool, Failure> {
    Ok(ctx.effects(&key(name)).await?.contains(&key(name)))
}

/// The statement that enables or disables a subscription.
pub(crate) fn statement(name: &str, by_aiven_extras: bool, enabled: bool) -> Result<String, Failure> {
    let verb = if enabled { "enable" } else { "disable" };
    Ok(if by_aiven_extras {
        format!(
            "SELECT aiven_extras.pg_alter_subscription_{verb}({})",
            literal(name)?
        )
    } else {
        format!("ALTER SUBSCRIPTION {} {}", Ident::new(name)?, verb.to_uppercase())
    })
}

/// Stops a subscription and waits for its workers to end.
pub(crate) async fn stop(ctx: &Context<Database>, name: &str) -> Result<(), Failure> {
    let mut target = ctx.target().await?;
    let helped = aiven::has_made(&target, name).await?;
    let disable = statement(name, helped, false)?;
    let transaction = ctx.begin(&mut target).await?;
    transaction.batch("disable the subscription", &disable).await?;
    transaction.forget_each(&[key(name)]).await?;
    transaction.effect(&key(name)).await?;
    note(&transaction, name, helped).await?;
    transaction.commit("stop the subscription").await?;
    Ok(target.end_workers(name, RELEASE_TIMEOUT).await?)
}

/// Starts a subscription again that [`stop`] has stopped.
pub(crate) async fn start_again(ctx: &Context<Database>, name: &str) -> Result<(), Failure> {
    let mut target = ctx.target().await?;
    if !is_established(&target).await?
        || target.subscription(name).await?.is_none()
        || !is_stopped(ctx, name).await?
    {
        return Ok(());
    }
    let helped = aiven::has_made(&target, name).await?;
    let enable = statement(name, helped, true)?;
    let transaction = ctx.begin(&mut target).await?;
    transaction.batch("enable the subscription", &enable).await?;
    transaction.forget_each(&[key(name)]).await?;
    note(&transaction, name, helped).await?;
    transaction.commit("start the subscription again").await
}

/// The extension alters it in another transaction, and the version of those that it has made is never noted.
async fn note(transaction: &OwnedTransaction<'_>, name: &str, by_aiven_extras: bool) -> Result<(), Failure> {
    match by_aiven_extras {
        true => Ok(()),
        false => altered::note(transaction, name).await,
    }
}

/// How many changes of the published tables the source has committed that the slot's last user has not confirmed; at most
/// those of the first few transactions. Where the role may not read the slot, none are seen.
pub(crate) async fn unconfirmed(
    ctx: &Context<Database>,
    slot: &str,
    publication: &str,
) -> Result<u64, Failure> {
    let source = ctx.source().await?;
    let publication = Ident::new(publication)?.to_string();
    let doing = source.doing("read the changes that are left in the slot");
    let begin = Instant::now();
    loop {
        match doing
            .query_one(include_str!("unconfirmed.sql"), &[&slot, &publication])
            .await
        {
            Ok(row) => return Ok(row.get::<_, i64>(0).unsigned_abs()),
            // 55006 object_in_use: the walsender has not noticed yet.
            Err(error) if error.sqlstate() == Some("55006") && begin.elapsed() < PATIENCE => {
                tokio::time::sleep(PAUSE).await;
            }
            Err(error) if error.sqlstate() == Some("42501") => {
                tracing::warn!(%error, "whether changes are left in the slot could not be read");
                return Ok(0);
            }
            Err(error) => return Err(error.into()),
        }
    }
}
