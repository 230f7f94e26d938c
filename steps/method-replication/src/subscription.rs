//! Step `subscription`: lets the target's workers copy the tables and follow the changes.

use crate::slot::drop_slot;
use crate::{Named, last_name, name_of, new_name, or_dump};
use async_trait::async_trait;
use pghaul_step::postgres::{Ident, ReadWrite, Session, Target, literal};
use pghaul_step::{Code, Context, Database, Descriptor, Failure, Method, Probe, Side, Step, StepPhase};
use std::time::Duration;

/// The step.
#[derive(Debug, Default)]
pub struct Subscription;

#[async_trait]
impl Step for Subscription {
    type Scope = Database;
    type Output = Named;

    fn descriptor(&self) -> Descriptor {
        Descriptor {
            methods: &[Method::Replication],
            after: &["slot"],
            ..Descriptor::new(
                "subscription",
                "subscribes the target to the publication",
                StepPhase::Data,
            )
        }
    }

    async fn probe(&self, ctx: &Context<Database>) -> Result<Probe<Named>, Failure> {
        let Some(name) = last_name(ctx)? else {
            return Ok(Probe::Absent);
        };
        let found = ctx.target().await?.subscription(&name).await?;
        Ok(if found.is_some() {
            Probe::Present(Named { name })
        } else {
            Probe::Partial
        })
    }

    async fn run(&self, ctx: &Context<Database>) -> Result<Named, Failure> {
        let source_version = ctx.source().await?.server_version();
        let conninfo = ctx.way_back().conninfo(ctx.database().as_str(), source_version)?;
        let name = new_name(ctx).await?;
        // A worker that has copied a table drops its slot on the source as soon as it has committed. Were that commit
        // lost with the target's server, the table would wait for its slot for ever: `off`, the default, is for later.
        let create = format!(
            "CREATE SUBSCRIPTION {} CONNECTION {} PUBLICATION {} \
             WITH (create_slot = false, slot_name = {}, copy_data = true, enabled = true, synchronous_commit = on)",
            Ident::new(name.as_str())?,
            literal(&conninfo.0)?,
            Ident::new(name_of(ctx, "publication")?)?,
            literal(&slot_name(ctx)?)?,
        );
        let mut target = ctx.target().await?;
        let transaction = ctx.begin(&mut target).await?;
        transaction.inner().keep_out_of_the_log().await?;
        let doing = transaction.inner().doing("create the subscription");
        doing.batch(&create).await.map_err(unreachable_source)?;
        let comment = literal(&format!("pghaul migration {}", ctx.migration()))?;
        let tag = format!(
            "COMMENT ON SUBSCRIPTION {} IS {comment}",
            Ident::new(name.as_str())?
        );
        doing.batch(&tag).await?;
        transaction.effect(&format!("subscription/{name}")).await?;
        transaction.commit("create the subscription").await?;
        Ok(Named { name })
    }

    async fn undo(&self, ctx: &Context<Database>) -> Result<(), Failure> {
        if !database_exists(ctx).await? {
            return Ok(());
        }
        let mut target = ctx.target().await?;
        for named in ctx.facts::<Named>()? {
            if target.subscription(&named.name).await?.is_some() {
                drop_subscription(ctx, &mut target, &named.name).await?;
            }
        }
        Ok(())
    }
}

/// Once the tables are copied, the target's server may lose commits of its worker in a crash: they are sent again.
pub(crate) async fn commit_asynchronously(
    ctx: &Context<Database>,
    target: &mut Session<Target, ReadWrite>,
    name: &str,
) -> Result<(), Failure> {
    let alter = format!(
        "ALTER SUBSCRIPTION {} SET (synchronous_commit = off)",
        Ident::new(name)?
    );
    let transaction = ctx.begin(target).await?;
    transaction.batch("alter the subscription", &alter).await?;
    transaction.commit("alter the subscription").await
}

pub(crate) fn slot_name(ctx: &Context<Database>) -> Result<String, Failure> {
    let slot: Option<crate::slot::SlotOutput> = ctx.output("slot")?;
    slot.map(|slot| slot.name)
        .ok_or_else(|| Failure::bug("step slot has not finished"))
}

/// The target connects to the source while it creates the subscription: its troubles there are not a broken
/// connection of ours.
fn unreachable_source(error: pghaul_step::postgres::PgError) -> Failure {
    let by_target = error
        .sqlstate()
        .is_some_and(|state| state.starts_with("08") || state == "58000");
    let failure = or_dump(error);
    if !by_target {
        return failure;
    }
    Failure { code: Code::ReplicationImpossible, ..failure }.with_hint(
        "the target's server must be able to connect to the source: name the address that it can use with --source-from-target",
    )
}

async fn database_exists(ctx: &Context<Database>) -> Result<bool, Failure> {
    match ctx
        .target_server()
        .connect::<ReadWrite>(ctx.database().as_str())
        .await
    {
        Ok(session) => {
            session.close().await;
            Ok(true)
        }
        Err(error) if error.code() == Code::UnknownDatabase => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Drops a subscription without touching its slot, and the slots of its table workers on the source.
///
/// The workers are stopped first, and the slots that they leave behind when they are stopped in the middle of a
/// copy are dropped while the subscription, whose id their names carry, still exists.
async fn drop_subscription(
    ctx: &Context<Database>,
    target: &mut Session<Target, ReadWrite>,
    name: &str,
) -> Result<(), Failure> {
    let ident = Ident::new(name)?;
    let disable = format!("ALTER SUBSCRIPTION {ident} DISABLE");
    let transaction = ctx.begin(target).await?;
    transaction.batch("disable the subscription", &disable).await?;
    transaction.commit("disable the subscription").await?;
    await_workers(ctx, target, name).await?;
    for slot in table_slots(ctx, target, name).await? {
        drop_slot(ctx, &slot).await?;
    }
    let drop = format!("ALTER SUBSCRIPTION {ident} SET (slot_name = NONE); DROP SUBSCRIPTION {ident}");
    let transaction = ctx.begin(target).await?;
    transaction.batch("drop the subscription", &drop).await?;
    transaction.commit("drop the subscription").await
}

async fn await_workers(
    ctx: &Context<Database>,
    target: &Session<Target, ReadWrite>,
    name: &str,
) -> Result<(), Failure> {
    for _ in 0..300 {
        let sql = "SELECT 1 FROM pg_catalog.pg_stat_subscription WHERE subname = $1 AND pid IS NOT NULL";
        let doing = target.doing("wait for the subscription's workers");
        if doing.query(sql, &[&name]).await?.is_empty() {
            return Ok(());
        }
        ctx.check_cancelled()?;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Err(Failure::new(
        Code::LockTimeout,
        format!("the workers of subscription {name} do not end"),
    )
    .with_side(Side::Target)
    .with_hint("end them (pg_stat_subscription.pid), then run the same command again"))
}

/// The slots on the source of this subscription's table workers, `pg_<oid>_sync_<relid>_<system identifier>`.
async fn table_slots(
    ctx: &Context<Database>,
    target: &Session<Target, ReadWrite>,
    name: &str,
) -> Result<Vec<String>, Failure> {
    let sql = "SELECT oid FROM pg_catalog.pg_subscription WHERE subname = $1";
    let oid: u32 = target
        .doing("find the subscription's oid")
        .query_one(sql, &[&name])
        .await?
        .get(0);
    let pattern = format!("^pg_{oid}_sync_[0-9]+_{}$", target.identity().await?);
    let source = ctx.source().await?;
    let sql = "SELECT slot_name::text FROM pg_catalog.pg_replication_slots WHERE slot_name ~ $1";
    let rows = source
        .doing("find slots of table workers")
        .query(sql, &[&pattern])
        .await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}
