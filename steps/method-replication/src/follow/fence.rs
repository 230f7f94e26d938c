//! The fence: a position of the source's WAL that every slot must confirm, and what the workers do meanwhile.

use super::Link;
use crate::initial_copy::stuck;
use pghaul_step::postgres::{Lsn, ReadOnly, ReadWrite, Session, Source, Target};
use pghaul_step::{Context, Database, DatabaseName, Failure, Standing};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// An idle server confirms a position with its next status message: ten seconds by default, at most.
const FENCE_PATIENCE: Duration = Duration::from_secs(15);

/// A worker that failed is started again five seconds later (`wal_retrieve_retry_interval`): after so many errors without a
/// step forward, it does not get over what it fails at.
const ERRORS: i64 = 2;

/// Where errors are not counted, before PostgreSQL 15: so many processes one after the other. One may end because its
/// subscription was altered.
const PROCESSES: usize = 3;

/// How a subscription's apply worker does, over a span of time.
struct Watched<'a> {
    link: &'a Link,
    /// Where the slot was when the span began.
    confirmed: Lsn,
    /// The errors that had been counted by then.
    errors: i64,
    failed: i64,
    processes: BTreeSet<i32>,
    seen: u32,
    looks: u32,
}

impl<'a> Watched<'a> {
    fn new(link: &'a Link, confirmed: Lsn, first: &Worker) -> Self {
        Self {
            link,
            confirmed,
            errors: first.errors,
            failed: 0,
            processes: BTreeSet::new(),
            seen: 0,
            looks: 0,
        }
    }

    fn note(&mut self, now: &Worker) {
        self.failed = now.errors - self.errors;
        self.looks += 1;
        if let Some(pid) = now.pid {
            self.processes.insert(pid);
            self.seen += 1;
        }
    }

    /// Whether the slot stands still, and errors show that it will go on so.
    fn fails(&self, confirmed: Lsn) -> bool {
        confirmed <= self.confirmed && self.failed >= ERRORS
    }

    /// The same at the end of the span, when all that was seen counts.
    fn is_stuck(&self, confirmed: Lsn) -> bool {
        let restarted = self.processes.len() >= PROCESSES || self.seen * 2 < self.looks;
        self.fails(confirmed) || (confirmed <= self.confirmed && restarted)
    }

    fn problem(&self, database: &DatabaseName) -> Failure {
        let problem = stuck(database, &self.link.subscription);
        match self.failed {
            0 => problem,
            errors => problem.with_cause(format!(
                "its position stands still, with {errors} more errors meanwhile"
            )),
        }
    }
}

/// One look at an apply worker.
struct Worker {
    pid: Option<i32>,
    errors: i64,
}

async fn worker(target: &Session<Target, ReadWrite>, subscription: &str) -> Result<Worker, Failure> {
    let errors = if target.server_version() >= 150_000 {
        "(SELECT coalesce(pg_catalog.sum(s.apply_error_count + s.sync_error_count), 0)::bigint
            FROM pg_catalog.pg_stat_subscription_stats s
           WHERE s.subname = $1)"
    } else {
        "0::bigint"
    };
    let sql = include_str!("workers.sql").replace("{errors}", errors);
    let doing = target.doing("look for the apply worker");
    let row = doing.query_one(&sql, &[&subscription]).await?;
    Ok(Worker {
        pid: row.get("pid"),
        errors: row.get("errors"),
    })
}

/// Takes a fence and waits a little for the target to confirm it. Where it does not, the proof has no fence.
pub(super) async fn await_fence(
    ctx: &Context<Database>,
    (source, target): (&Session<Source, ReadOnly>, &Session<Target, ReadWrite>),
    links: &[Link],
    standing: &mut Standing,
) -> Result<(), Failure> {
    let fence = source.wal_insert_lsn().await?;
    flush(source, fence).await?;
    let begun = Instant::now();
    let _waiting = ctx
        .notes()
        .waiting(format!("the slots to confirm position {fence}"));
    let mut watched: Vec<Watched<'_>> = Vec::new();
    loop {
        let confirmed = look_at_slots(source, links, standing).await?;
        // The database is where the slowest of them is.
        if confirmed.iter().all(|confirmed| *confirmed >= fence) {
            standing.proof.fence = Some(fence.to_string());
            return Ok(());
        }
        for (place, (link, confirmed)) in links.iter().zip(&confirmed).enumerate() {
            let now = worker(target, &link.subscription).await?;
            match watched.get_mut(place) {
                Some(watched) => watched.note(&now),
                None => watched.push(Watched::new(link, *confirmed, &now)),
            }
        }
        let is_over = begun.elapsed() > FENCE_PATIENCE;
        let stuck = watched.iter().zip(&confirmed);
        let stuck = stuck.filter(|(w, at)| w.fails(**at) || (is_over && w.is_stuck(**at)));
        standing
            .problems
            .extend(stuck.map(|(watched, _)| watched.problem(ctx.database())));
        if is_over || !standing.problems.is_empty() {
            return Ok(());
        }
        ctx.check_cancelled()?;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Lets the source write its WAL up to a position to disk, since nothing is sent before that.
///
/// Reads write WAL too, where they prune a page, and a transaction that is rolled back flushes nothing: a server whose
/// applications were stopped leaves it in memory until its background writer logs the running transactions, every 15 seconds.
/// The commit of a number without changes lets the WAL writer flush what is there; it is possible in a read-only session. A
/// server that gives out no numbers any more, to avoid a wraparound, is waited for.
async fn flush(source: &Session<Source, ReadOnly>, fence: Lsn) -> Result<(), Failure> {
    if source.wal_flush_lsn().await? < fence {
        let doing = source.doing("let the WAL be flushed");
        doing
            .query_one("SELECT pg_catalog.txid_current()", &[])
            .await
            .ok();
    }
    Ok(())
}

/// Where each slot is. Notes how far the target lags, and how much WAL the source keeps.
async fn look_at_slots(
    source: &Session<Source, ReadOnly>,
    links: &[Link],
    standing: &mut Standing,
) -> Result<Vec<Lsn>, Failure> {
    let mut slots = Vec::with_capacity(links.len());
    for link in links {
        slots.push(source.slot(&link.slot.name).await?);
    }
    let now = source.wal_insert_lsn().await?;
    let confirmed = slots
        .iter()
        .map(|slot| slot.as_ref().and_then(|slot| slot.confirmed_flush_lsn));
    let confirmed: Vec<Lsn> = confirmed.map(Option::unwrap_or_default).collect();
    let restart = slots.iter().flatten().filter_map(|slot| slot.restart_lsn).min();
    standing.lag_bytes = confirmed
        .iter()
        .min()
        .map(|confirmed| now.bytes_since(*confirmed));
    standing.retained_bytes = restart.map(|lsn| now.bytes_since(lsn));
    Ok(confirmed)
}
