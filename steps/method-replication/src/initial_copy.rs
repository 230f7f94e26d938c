//! Step `initial-copy`: waits until the target's workers have copied every table and caught up with it.

use crate::subscription::commit_asynchronously;
use crate::worker_copies::WorkerCopies;
use async_trait::async_trait;
use pghaul_contracts::{
    ConnectionOutput, Generation, Generations, InitialCopyOutput, Rest, SlotOutput, SubscriptionOutput,
};
use pghaul_step::postgres::{ReadOnly, ReadWrite, Session, Source, Target};
use pghaul_step::step::REPLICATION;
use pghaul_step::{
    Code, Context, Contract, Database, DatabaseName, Descriptor, Failure, Probe, Progress, Side, Step,
    StepPhase, failures,
};
use std::time::{Duration, Instant};

/// How often the workers are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Without any worker for so long, the copy is stuck: workers that fail are started again every five seconds.
const STUCK_AFTER: Duration = Duration::from_secs(60);

/// After so many errors of workers, the trouble does not pass by itself.
const ERRORS: i64 = 4;

/// Nor before so long without anything gained: a network that breaks costs all workers an error at once.
const ERRORS_FOR: Duration = Duration::from_secs(15);

/// The step.
#[derive(Debug, Default)]
pub struct InitialCopy;

/// One look at the workers.
struct Look {
    tables: i64,
    ready: i64,
    workers: i64,
    errors: i64,
    bytes_of_ready: i64,
    bytes_in_progress: i64,
}

/// Decides when workers that fail will not get further by themselves.
struct Patience {
    best: Look,
    last_gain: Instant,
    last_worker: Instant,
}

impl Patience {
    fn new(first: Look) -> Self {
        Self {
            best: first,
            last_gain: Instant::now(),
            last_worker: Instant::now(),
        }
    }

    /// Takes a look into account. Errors count only as long as nothing moves: workers that lack a free slot, for
    /// instance, fail until another one is done.
    fn is_at_its_end(&mut self, look: Look) -> bool {
        if look.workers > 0 {
            self.last_worker = Instant::now();
        }
        // Ready tables grow by what is applied, whatever happens to the others.
        let position = |l: &Look| (l.ready, l.bytes_in_progress);
        if position(&look) > position(&self.best) {
            self.best = look;
            self.last_gain = Instant::now();
            return false;
        }
        let failing = look.errors - self.best.errors >= ERRORS && self.last_gain.elapsed() > ERRORS_FOR;
        failing || self.last_worker.elapsed() > STUCK_AFTER
    }
}

#[async_trait]
impl Step for InitialCopy {
    type Scope = Database;
    type Output = InitialCopyOutput;

    fn descriptor(&self) -> Descriptor {
        Descriptor {
            routes: REPLICATION,
            after: &[
                SubscriptionOutput::STEP,
                Rest::<SubscriptionOutput>::STEP,
                ConnectionOutput::STEP,
            ],
            copies_rows: true,
            ..Descriptor::of::<InitialCopyOutput>("waits for the initial copy of the tables", StepPhase::Data)
        }
    }

    async fn probe(&self, _: &Context<Database>) -> Result<Probe<InitialCopyOutput>, Failure> {
        Ok(Probe::Partial)
    }

    async fn run(&self, ctx: &Context<Database>) -> Result<InitialCopyOutput, Failure> {
        let mut tables = 0;
        for generation in Generations::of(ctx)?.all() {
            tables += await_workers(ctx, *generation).await?;
        }
        Ok(InitialCopyOutput { tables })
    }
}

/// Waits until every table of a subscription is ready. Returns how many there are.
async fn await_workers(ctx: &Context<Database>, generation: Generation) -> Result<u64, Failure> {
    let mut target = ctx.target().await?;
    let subscription = generation.finished::<SubscriptionOutput>(ctx)?.name;
    let slot_name = generation.finished::<SlotOutput>(ctx)?.name;
    let source = ctx.source().await?;
    let doing = source.doing("add up the sizes of the tables");
    let total: i64 = doing.query_one(include_str!("total.sql"), &[]).await?.get(0);
    let total_bytes = total.unsigned_abs();
    let mut patience = Patience::new(look(&target, &subscription).await?);
    let mut copies = WorkerCopies::new(ctx, generation, &subscription)?;
    loop {
        ctx.check_cancelled()?;
        let look = look(&target, &subscription).await?;
        show(ctx, &look, total_bytes);
        copies
            .journal(&target, look.tables, look.ready == look.tables)
            .await?;
        if look.ready == look.tables {
            commit_asynchronously(ctx, &mut target, &subscription).await?;
            return Ok(look.tables.unsigned_abs());
        }
        match source.slot(&slot_name).await? {
            None => return Err(failures::slot_gone(ctx.database(), &slot_name)),
            Some(slot) if slot.wal_status.as_deref() == Some("lost") => {
                return Err(failures::slot_lost_wal(ctx.database(), &slot_name));
            }
            Some(_) => {}
        }
        if patience.is_at_its_end(look) {
            return Err(stuck(ctx.database(), &subscription));
        }
        if let Some(table) = orphan_twice(&source, &target, &subscription).await? {
            return Err(orphaned(ctx.database(), &table));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// A table whose copy is finished, but whose worker has lost its slot on the source: it would try to catch up
/// for ever, and no statistics tell. A worker drops its slot only after the table is past that state, so two
/// looks in a row rule out that it has just done so.
async fn orphan_twice(
    source: &Session<Source, ReadOnly>,
    target: &Session<Target, ReadWrite>,
    subscription: &str,
) -> Result<Option<String>, Failure> {
    let first = orphans(source, target, subscription).await?;
    if first.is_empty() {
        return Ok(None);
    }
    tokio::time::sleep(LOOK_EVERY).await;
    let second = orphans(source, target, subscription).await?;
    Ok(first.into_iter().find(|table| second.contains(table)))
}

async fn orphans(
    source: &Session<Source, ReadOnly>,
    target: &Session<Target, ReadWrite>,
    subscription: &str,
) -> Result<Vec<String>, Failure> {
    let doing = target.doing("look for tables that are copied and catch up");
    let tables = doing
        .query(include_str!("catching_up.sql"), &[&subscription])
        .await?;
    let mut orphans = Vec::new();
    for row in tables {
        let (table, slot): (String, String) = (row.get("name"), row.get("slot"));
        if source.slot(&slot).await?.is_none() {
            orphans.push(table);
        }
    }
    Ok(orphans)
}

fn orphaned(database: &DatabaseName, table: &str) -> Failure {
    let message = format!("the replication slot of the worker that copies table {table} is gone");
    failures::replication_changed(database, Side::Source, message)
}

/// SQL does not tell why a worker failed: only the target's log does.
pub(crate) fn stuck(database: &DatabaseName, subscription: &str) -> Failure {
    Failure::new(Code::ApplyFailed, format!("the workers of subscription {subscription} fail again and again"))
        .with_side(Side::Target)
        .with_hint(format!(
            "the reason is in the target's log: look for ERROR lines of `logical replication` workers for subscription \"{subscription}\" (none at all: no worker is free, see max_logical_replication_workers); fix it, then run again: it goes on; where it names a table of another name than the source has now, or what can't be fixed, {}",
            failures::copied_anew(database)
        ))
}

async fn look(target: &Session<Target, ReadWrite>, subscription: &str) -> Result<Look, Failure> {
    let version = target.server_version();
    let sql = if version >= 140_000 {
        include_str!("workers_14.sql")
    } else {
        include_str!("workers_10.sql")
    };
    let row = target
        .doing("look at the subscription's workers")
        .query_one(sql, &[&subscription])
        .await?;
    let errors = if version >= 150_000 {
        let sql = "SELECT sync_error_count + apply_error_count FROM pg_catalog.pg_stat_subscription_stats \
                   WHERE subname = $1";
        let row = target
            .doing("count the workers' errors")
            .query_opt(sql, &[&subscription])
            .await?;
        row.map_or(0, |row| row.get(0))
    } else {
        0
    };
    Ok(Look {
        tables: row.get("tables"),
        ready: row.get("ready"),
        workers: row.get("workers"),
        bytes_of_ready: row.get("bytes_of_ready"),
        bytes_in_progress: row.get("bytes_in_progress"),
        errors,
    })
}

fn show(ctx: &Context<Database>, look: &Look, total_bytes: u64) {
    ctx.progress(Progress::Copy {
        bytes: (look.bytes_of_ready + look.bytes_in_progress).unsigned_abs(),
        total_bytes,
        tables: look.ready.unsigned_abs(),
        total_tables: look.tables.unsigned_abs(),
        workers: look.workers.unsigned_abs(),
    });
}
