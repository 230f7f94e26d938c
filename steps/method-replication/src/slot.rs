//! Step `slot`: keeps the source's WAL from here on.

use crate::{Named, failover, history, last_name, new_name, or_dump, source_if_there};
use async_trait::async_trait;
use pghaul_contracts::{
    CopyItem, EffectKey, Generation, PublicationOutput, Rest, SlotOutput, SnapshotCopyOutput,
};
use pghaul_copy::{PgOrFailure, SlotWithSnapshot, Snapshot};
use pghaul_step::postgres::{Lsn, PgError, RELEASE_TIMEOUT, ReadOnly, Session, Source};
use pghaul_step::step::REPLICATION;
use pghaul_step::{
    Context, Contract, Database, DatabaseName, Descriptor, Failure, Probe, Progress, Route, Step, StepPhase,
    failures,
};
use std::time::{Duration, Instant};

/// How often those that the slot waits for are looked up.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// How often it is looked whether they have ended.
const GLANCE_EVERY: Duration = Duration::from_millis(100);

/// The step.
#[derive(Debug)]
pub struct Slot(pub Generation);

#[async_trait]
impl Step for Slot {
    type Scope = Database;
    type Output = SlotOutput;

    fn descriptor(&self) -> Descriptor {
        let (routes, after, summary): (&[Route], &[&str], _) = match self.0 {
            Generation::First => (
                REPLICATION,
                &[PublicationOutput::STEP],
                "creates the replication slot on the source",
            ),
            Generation::Second => (
                &[Route::ReplicationBySnapshot],
                &[Rest::<PublicationOutput>::STEP],
                "creates a second slot for the tables that are left",
            ),
        };
        Descriptor {
            routes,
            after,
            holds_for: Some(self.0.step::<SnapshotCopyOutput>()),
            ..self.0.descriptor::<SlotOutput>(summary, StepPhase::Data)
        }
    }

    fn is_needed(&self, ctx: &Context<Database>) -> Result<bool, Failure> {
        self.0.is_there(ctx)
    }

    async fn probe(&self, ctx: &Context<Database>) -> Result<Probe<SlotOutput>, Failure> {
        let Some(name) = last_name(ctx)? else {
            return Ok(Probe::Absent);
        };
        let copies = ctx.route() == Route::ReplicationBySnapshot;
        let snapshot = ctx.kept::<Snapshot>();
        if copies && snapshot.is_none_or(|s| s.keeper().is_closed()) {
            ctx.let_go::<Snapshot>();
            // What the second generation has copied is copied again: there is no third.
            if self.0 == Generation::Second || !something_is_copied(ctx).await? {
                return Ok(Probe::Partial);
            }
        }
        let source = ctx.source().await?;
        let Some(slot) = source.slot(&name).await? else {
            return Ok(match self.0.output::<SlotOutput>(ctx)? {
                Some(known) if known.name == name => Probe::Lost(failures::slot_gone(ctx.database(), &name)),
                _ => Probe::Partial,
            });
        };
        if slot.wal_status.as_deref() == Some("lost") {
            return Ok(Probe::Lost(failures::slot_lost_wal(ctx.database(), &name)));
        }
        match (self.0.output::<SlotOutput>(ctx)?, slot.confirmed_flush_lsn) {
            (Some(known), _) if known.name == name => Ok(Probe::Present(known)),
            (_, Some(point)) => Ok(Probe::Present(self.output(ctx, &source, name, point).await?)),
            // The session that was creating it has just been ended; the slot goes with it.
            (_, None) => Ok(Probe::Partial),
        }
    }

    async fn run(&self, ctx: &Context<Database>) -> Result<SlotOutput, Failure> {
        // One that was being made when the process was killed, or whose snapshot is gone with it.
        for named in ctx.facts::<Named>()? {
            drop_slot(ctx, &named.name).await?;
        }
        if self.0 == Generation::Second {
            // Without the first one, all of this would be in vain.
            refuse_consumed_slot(ctx.database(), &*ctx.source().await?, &ctx.finished()?).await?;
        }
        let name = new_name(ctx, self.0).await?;
        let point = match ctx.route() {
            Route::ReplicationBySnapshot => create_with_snapshot(ctx, &name).await?,
            Route::ReplicationByServer | Route::Dump => create(ctx, &name).await?,
        };
        self.output(ctx, &*ctx.source().await?, name, point).await
    }

    fn slots(&self, ctx: &Context<Database>) -> Result<Vec<String>, Failure> {
        let made = self.0.output::<SlotOutput>(ctx)?;
        Ok(made.map(|slot| slot.name).into_iter().collect())
    }

    async fn undo(&self, ctx: &Context<Database>) -> Result<(), Failure> {
        for named in ctx.facts::<Named>()? {
            drop_slot(ctx, &named.name).await?;
        }
        Ok(())
    }
}

impl Slot {
    async fn output(
        &self,
        ctx: &Context<Database>,
        source: &Session<Source, ReadOnly>,
        name: String,
        consistent_point: Lsn,
    ) -> Result<SlotOutput, Failure> {
        let target = ctx.target_for_reading().await?;
        let positions = history::positions(source, &target).await?;
        let failover = source.slot(&name).await?.is_some_and(|slot| slot.failover);
        let before = match self.0 {
            Generation::First => 0,
            Generation::Second => ctx.finished::<SlotOutput>()?.attempt,
        };
        Ok(SlotOutput {
            name,
            attempt: before + attempts(ctx)?,
            consistent_point,
            system_identifier: positions.source.system_identifier.clone(),
            timeline: positions.source.timeline,
            positions: Some(positions),
            failover,
        })
    }
}

/// Creates the slot alone: the target's workers take snapshots of their own.
async fn create(ctx: &Context<Database>, name: &str) -> Result<Lsn, Failure> {
    let source = ctx.source_for_writing().await?;
    let doing = source.doing("create the replication slot");
    let failover = failover::is_possible(&source).await?;
    let sql = format!(
        "SELECT lsn FROM pg_catalog.pg_create_logical_replication_slot($1::text::name, 'pgoutput'{})",
        if failover { ", failover => true" } else { "" }
    );
    let parameters: [&(dyn pghaul_step::postgres::ToSql + Sync); 1] = [&name];
    let create = ctx.act("create the slot", doing.query_one(&sql, &parameters));
    let created: Result<_, PgError> = tokio::select! {
        created = create => created,
        failure = report_blockers(ctx, source.backend_pid()) => return Err(failure),
    };
    Ok(created.map_err(or_dump)?.get(0))
}

/// Creates the slot together with a snapshot, which is kept for the step that copies.
async fn create_with_snapshot(ctx: &Context<Database>, name: &str) -> Result<Lsn, Failure> {
    let database = ctx.database().as_str();
    await_older_transactions(ctx).await?;
    let prepared = SlotWithSnapshot::prepare(ctx.source_server(), database).await;
    let prepared = prepared.map_err(why_no_slot)?;
    let pid = prepared.backend_pid();
    let failover = failover::is_possible(&*ctx.source().await?).await?;
    let create = ctx.act("create the slot", prepared.create(name, failover));
    let created = tokio::select! {
        created = create => created,
        failure = report_blockers(ctx, pid) => return Err(failure),
    };
    let snapshot = created.map_err(why_no_slot)?;
    let point = snapshot.position();
    ctx.keep(snapshot);
    Ok(point)
}

/// Waits until every transaction of the cluster that has an id now has ended.
///
/// The slot would wait for them as well. But a walsender that waits does not notice that its client was killed: it
/// would make the slot in the end, and the source would keep WAL for nobody. This wait ends with its session.
async fn await_older_transactions(ctx: &Context<Database>) -> Result<(), Failure> {
    let source = ctx.source().await?;
    let doing = source.doing("wait for older transactions");
    let sql = "SELECT pg_catalog.txid_snapshot_xmax(pg_catalog.txid_current_snapshot())";
    let now: i64 = doing.query_one(sql, &[]).await?.get(0);
    let sql = "SELECT pg_catalog.txid_snapshot_xmin(pg_catalog.txid_current_snapshot()) >= $1";
    let mut said = Instant::now();
    let _waiting = ctx
        .notes()
        .waiting("transactions on the source to end, before the slot can be created");
    while !doing.query_one(sql, &[&now]).await?.get::<_, bool>(0) {
        ctx.check_cancelled()?;
        if said.elapsed() > LOOK_EVERY {
            said = Instant::now();
            let rows = doing.query(include_str!("older.sql"), &[&now]).await?;
            let older: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
            waits_for(ctx, &older);
        }
        tokio::time::sleep(GLANCE_EVERY).await;
    }
    Ok(())
}

/// Says which transactions are waited for.
fn waits_for(ctx: &Context<Database>, transactions: &[String]) {
    if transactions.is_empty() {
        return;
    }
    let what = format!(
        "transactions on the source to end, before the slot can be created: {}",
        transactions.join("; ")
    );
    ctx.progress(Progress::Waiting { what });
}

fn why_no_slot(error: PgOrFailure) -> Failure {
    match error {
        PgOrFailure::Pg(error) => or_dump(error),
        PgOrFailure::Other(failure) => failure,
    }
}

/// Whether a published table is complete on the target already: it needs this slot, and no other.
async fn something_is_copied(ctx: &Context<Database>) -> Result<bool, Failure> {
    let attempt = attempts(ctx)?;
    let published = |number: u32| ctx.plan().table(number).is_some_and(|table| !table.deferred());
    let items = ctx.items_of::<SnapshotCopyOutput>()?;
    let mut of_attempt = items.keys().filter(|item| item.attempt == attempt);
    if of_attempt.any(|item: &CopyItem| published(item.table)) {
        return Ok(true);
    }
    // A part alone is none: the table is copied again.
    let keys = ctx.effects(&EffectKey::copied_in(attempt)).await?;
    Ok(EffectKey::complete(&keys, attempt).into_iter().any(published))
}

/// How many names were noted.
fn attempts(ctx: &Context<Database>) -> Result<u32, Failure> {
    Ok(u32::try_from(ctx.facts::<Named>()?.len()).unwrap_or(u32::MAX))
}

/// A slot is created only when every transaction that has a transaction id, in the whole cluster, has ended.
/// Says which ones are waited for, until it is cancelled; only a lost connection ends it.
async fn report_blockers(ctx: &Context<Database>, creator: i32) -> Failure {
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        match blockers(ctx, creator).await {
            Ok(blockers) => waits_for(ctx, &blockers),
            Err(failure) => return failure,
        }
    }
}

async fn blockers(ctx: &Context<Database>, creator: i32) -> Result<Vec<String>, Failure> {
    let source = ctx.source().await?;
    let doing = source.doing("look for the transactions that the slot waits for");
    let rows = doing.query(include_str!("blockers.sql"), &[&creator]).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// Drops a slot, where it exists; ends the walsender that uses it first.
pub(crate) async fn drop_slot(ctx: &Context<Database>, name: &str) -> Result<(), Failure> {
    let Some(source) = source_if_there(ctx).await? else {
        return Ok(());
    };
    if source.slot(name).await?.is_some() {
        let release = source.release_slot(name, RELEASE_TIMEOUT);
        ctx.act("drop the slot", release).await?;
    }
    Ok(())
}

/// The copied rows are those of the slot's consistent point: changes that somebody has taken from the slot since
/// would be missing for ever.
pub(crate) async fn refuse_consumed_slot(
    database: &DatabaseName,
    source: &Session<Source, ReadOnly>,
    slot: &SlotOutput,
) -> Result<(), Failure> {
    let found = source.slot(&slot.name).await?;
    match found {
        Some(found) if found.confirmed_flush_lsn == Some(slot.consistent_point) => Ok(()),
        Some(_) => Err(failures::slot_consumed(database, &slot.name)),
        None => Err(failures::slot_gone(database, &slot.name)),
    }
}
