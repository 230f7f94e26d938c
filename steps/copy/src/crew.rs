//! The workers that copy tables side by side.
//!
//! They take units of work from one queue, the largest first. Each unit is one transaction on the target, which
//! also notes the effect keys of its tables or part. A broken connection repeats its unit, not the run: with new
//! sessions, as long as the snapshot is there, and after a look whether the commit had come through.

mod account;
mod lock;

use crate::load::{Load, act_as_replica};
use futures_util::future::try_join_all;
use pghaul_contracts::{CopyItem, EffectKey};
use pghaul_copy::{Copied, Cutting, Flow, Order, Range, RateLimit, Snapshot, Table, Unit, copy, cut, tables};
use pghaul_step::ownership::effects;
use pghaul_step::postgres::{ReadOnly, ReadWrite, Session, Source, Target};
use pghaul_step::workers::held;
use pghaul_step::{Code, Context, Database, Expressions, Failure, Home, Progress, failures};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;
use tokio::sync::OnceCell;

/// How long a worker waits for ACCESS SHARE on tables before it comes back to them.
const LOCK_TIMEOUT: &str = "SET lock_timeout = '5s'";

/// Everything that the workers share.
pub(crate) struct Crew<'a> {
    ctx: &'a Context<Database>,
    snapshot: &'a Snapshot,
    attempt: u32,
    loads: &'a [Load],
    queue: Mutex<VecDeque<Unit>>,
    /// For each table whether it has been emptied: its first part does that for all.
    emptied: Vec<OnceCell<()>>,
    parts: Mutex<BTreeMap<usize, Parts>>,
    rewritten: Mutex<BTreeSet<u32>>,
    limit: Option<Arc<RateLimit>>,
    /// How many workers copy at this moment.
    busy: AtomicU64,
    done: AtomicU64,
    bytes: AtomicU64,
    total: u64,
}

/// What the finished parts of a table add up to.
#[derive(Default)]
struct Parts {
    finished: u32,
    rows: Option<u64>,
    bytes: u64,
    /// When the first of them began.
    begun: Option<Instant>,
}

/// A pair of sessions of one worker.
struct Pair {
    source: Session<Source, ReadOnly>,
    target: Session<Target, ReadWrite>,
}

/// A unit on its way: what is known of it when the connection breaks.
struct Attempt {
    unit: Unit,
    begun: Instant,
    /// What was copied when the commit was sent.
    sent: Option<Vec<(usize, Copied)>>,
}

impl<'a> Crew<'a> {
    pub(crate) fn new(
        ctx: &'a Context<Database>,
        snapshot: &'a Snapshot,
        attempt: u32,
        loads: &'a [Load],
    ) -> Self {
        let tables: Vec<Table> = loads.iter().map(|load| load.table.clone()).collect();
        let cutting = Cutting {
            workers: ctx.jobs(),
            source_version: snapshot.keeper().server_version(),
        };
        let alone = |place: usize| loads.get(place).is_some_and(|load| load.filter.is_some());
        Self {
            ctx,
            snapshot,
            attempt,
            loads,
            queue: Mutex::new(cut(&tables, alone, cutting).into()),
            emptied: loads.iter().map(|_| OnceCell::new()).collect(),
            parts: Mutex::default(),
            rewritten: Mutex::default(),
            limit: ctx
                .copying()
                .rate_limit
                .and_then(|rate| ctx.shared(|| RateLimit::new(rate))),
            busy: AtomicU64::new(0),
            done: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            total: loads.iter().map(|load| load.table.bytes).sum(),
        }
    }

    /// Copies all tables; the first failure stops all workers. Returns the numbers of those that were truncated
    /// or rewritten on the source since the snapshot: they are not copied.
    pub(crate) async fn work(&self) -> Result<BTreeSet<u32>, Failure> {
        // Read before the workers take all connections.
        Home::of(self.ctx).await?;
        let units = held(&self.queue).len();
        let workers = self.ctx.jobs().clamp(1, units.max(1));
        try_join_all((0..workers).map(|_| self.worker())).await?;
        Ok(held(&self.rewritten).clone())
    }

    async fn worker(&self) -> Result<(), Failure> {
        let mut sessions = None;
        loop {
            let _place = self.ctx.worker().await?;
            let Some(unit) = held(&self.queue).pop_front() else {
                return Ok(());
            };
            self.busy.fetch_add(1, Ordering::Relaxed);
            let outcome = self.complete(&mut sessions, unit).await;
            self.busy.fetch_sub(1, Ordering::Relaxed);
            outcome?;
        }
    }

    /// Copies a unit, again with new sessions where a connection breaks.
    async fn complete(&self, sessions: &mut Option<Pair>, unit: Unit) -> Result<(), Failure> {
        let begun = Instant::now();
        let mut attempt = Attempt {
            unit,
            begun,
            sent: None,
        };
        let mut tries = 0;
        self.started(&attempt.unit);
        loop {
            self.ctx.check_cancelled()?;
            let Err(failure) = self.attempt(sessions, &mut attempt).await else {
                return Ok(());
            };
            // What an aborted transaction or a half-read COPY leaves behind goes with the sessions.
            *sessions = None;
            tries += 1;
            if self.snapshot.keeper().is_closed() {
                return Err(lost_with(failure));
            }
            let Some(pause) = pghaul_step::retry::pause_before_retry(failure.code, tries) else {
                return Err(failure);
            };
            tracing::warn!(%failure, tries, "copying again what was on its way, in {pause:?}");
            let what = format!("the copy of {}", self.named(&attempt.unit));
            self.ctx.notes().retried(&what, &failure, tries, pause);
            tokio::time::sleep(pause).await;
        }
    }

    async fn attempt(&self, sessions: &mut Option<Pair>, attempt: &mut Attempt) -> Result<(), Failure> {
        let pair = match sessions {
            Some(pair) => pair,
            None => sessions.insert(self.open().await?),
        };
        if let Some(sent) = &attempt.sent {
            if self.is_committed(&pair.target, &attempt.unit).await? {
                return self.finished(attempt, sent).await;
            }
            attempt.sent = None;
        }
        match attempt.unit.clone() {
            Unit::Whole(places) => self.copy_whole(pair, attempt, places).await,
            Unit::Part { table, range, .. } => self.copy_part(pair, attempt, table, range).await,
        }
    }

    async fn open(&self) -> Result<Pair, Failure> {
        let database = self.ctx.database().as_str();
        let source = self.snapshot.session(self.ctx.source_server(), database).await?;
        source.doing("set lock_timeout").query(LOCK_TIMEOUT, &[]).await?;
        let target = self.ctx.target().await?;
        if self.loads.iter().any(|load| load.constrained) {
            act_as_replica(&target).await?;
        }
        Ok(Pair { source, target })
    }

    async fn copy_whole(
        &self,
        pair: &mut Pair,
        attempt: &mut Attempt,
        places: Vec<usize>,
    ) -> Result<(), Failure> {
        let Some(places) = self.lock(&pair.source, places).await? else {
            return Ok(());
        };
        let loads: Vec<&Load> = places.iter().filter_map(|place| self.loads.get(*place)).collect();
        if !loads.is_empty() {
            let home = Home::of(self.ctx).await?;
            let transaction = self.ctx.begin(&mut pair.target).await?;
            let keys: Vec<String> = loads.iter().map(|load| self.key_of(load.number)).collect();
            home.enter(&transaction, Expressions::OfRows).await?;
            for guard in loads.iter().filter_map(|load| load.guard.as_ref()) {
                guard.refuse_foreign_rows(&transaction).await?;
            }
            transaction.batch("empty tables", &emptying(&loads)).await?;
            if self.attempt > 1 {
                let numbers = loads.iter().map(|load| load.number);
                transaction
                    .forget_matching(&EffectKey::copies_of(numbers))
                    .await?;
            } else {
                transaction.forget_each(&keys).await?;
            }
            let orders: Vec<Order<'_>> = loads.iter().map(|load| order(load, None)).collect();
            let copied = copy(&pair.source, transaction.inner(), &orders, &self.flow()).await?;
            transaction.effects(&keys).await?;
            let sent: Vec<(usize, Copied)> = places.iter().copied().zip(copied).collect();
            attempt.sent = Some(sent.clone());
            attempt.unit = Unit::Whole(places);
            transaction.commit("copy tables").await?;
            tables::unlock(&pair.source).await?;
            return self.finished(attempt, &sent).await;
        }
        tables::unlock(&pair.source).await
    }

    async fn copy_part(
        &self,
        pair: &mut Pair,
        attempt: &mut Attempt,
        place: usize,
        range: Range,
    ) -> Result<(), Failure> {
        let (Some(load), Some(emptied)) = (self.loads.get(place), self.emptied.get(place)) else {
            return Err(Failure::bug("a unit of a table that is not to be copied"));
        };
        match self.lock(&pair.source, vec![place]).await? {
            Some(left) if left.is_empty() => return tables::unlock(&pair.source).await,
            Some(_) => {}
            None => return Ok(()),
        }
        emptied
            .get_or_try_init(|| self.empty(&mut pair.target, load))
            .await?;
        let home = Home::of(self.ctx).await?;
        let transaction = self.ctx.begin(&mut pair.target).await?;
        home.enter(&transaction, Expressions::OfRows).await?;
        let orders = [order(load, Some(range))];
        let copied = copy(&pair.source, transaction.inner(), &orders, &self.flow()).await?;
        transaction.effects(&self.keys(&attempt.unit)).await?;
        let sent: Vec<(usize, Copied)> = copied.into_iter().map(|copied| (place, copied)).collect();
        attempt.sent = Some(sent.clone());
        transaction.commit("copy a part of a table").await?;
        tables::unlock(&pair.source).await?;
        self.finished(attempt, &sent).await
    }

    /// Empties a table that is copied in parts, before the first of them.
    async fn empty(&self, target: &mut Session<Target, ReadWrite>, load: &Load) -> Result<(), Failure> {
        let transaction = self.ctx.begin(target).await?;
        if let Some(guard) = &load.guard {
            guard.refuse_foreign_rows(&transaction).await?;
        }
        transaction.batch("empty a table", &load.emptying()).await?;
        transaction
            .forget_matching(&EffectKey::copies_of([load.number]))
            .await?;
        transaction.commit("empty a table").await
    }

    /// Whether the transaction of a unit was committed, although nobody told us.
    async fn is_committed(&self, target: &Session<Target, ReadWrite>, unit: &Unit) -> Result<bool, Failure> {
        let there = effects(target, &EffectKey::copied_in(self.attempt)).await?;
        Ok(self.keys(unit).iter().all(|key| there.contains(key)))
    }

    fn keys(&self, unit: &Unit) -> Vec<String> {
        let number = |place: &usize| self.loads.get(*place).map_or(0, |load| load.number);
        match unit {
            Unit::Whole(places) => places.iter().map(|place| self.key_of(number(place))).collect(),
            Unit::Part {
                table, part, parts, ..
            } => {
                let (item, part, parts) = (self.item(number(table)), *part, *parts);
                vec![EffectKey::CopiedPart { item, part, parts }.to_string()]
            }
        }
    }

    fn item(&self, table: u32) -> CopyItem {
        CopyItem {
            attempt: self.attempt,
            table,
        }
    }

    fn key_of(&self, table: u32) -> String {
        EffectKey::copied_whole(self.item(table)).to_string()
    }

    fn flow(&self) -> Flow<'_> {
        Flow {
            passed: self,
            limit: self.limit.as_deref(),
        }
    }

    fn show(&self) {
        self.ctx.progress(Progress::Copy {
            bytes: self.bytes.load(Ordering::Relaxed),
            total_bytes: self.total,
            tables: self.done.load(Ordering::Relaxed),
            total_tables: self.loads.len() as u64,
            workers: self.busy.load(Ordering::Relaxed),
        });
    }
}

impl pghaul_copy::Passed for Crew<'_> {
    fn passed(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.show();
    }
}

/// Without its keeper the snapshot is gone, whatever it was that broke first.
fn lost_with(failure: Failure) -> Failure {
    if failure.code == Code::Interrupted {
        return failure;
    }
    failures::snapshot_lost("the snapshot ended with the connection that held it").with_cause(failure)
}

/// Frozen rows need no vacuum later, but the table must have been truncated in the same transaction.
fn order(load: &Load, range: Option<Range>) -> Order<'_> {
    Order {
        table: &load.table,
        format: load.format,
        range,
        filter: load.filter.as_deref().unwrap_or_default(),
        freeze: range.is_none() && load.filter.is_none() && !load.constrained,
        encoding: load.encoding.as_deref(),
    }
}

/// One TRUNCATE for all tables; one that keeps some of its rows is alone.
fn emptying(loads: &[&Load]) -> String {
    match loads {
        [load] => load.emptying(),
        many if many.iter().any(|load| load.constrained) => {
            let each: Vec<String> = many.iter().map(|load| load.emptying()).collect();
            each.join("; ")
        }
        many => {
            let names: Vec<String> = many
                .iter()
                .map(|load| format!("ONLY {}", load.table.name))
                .collect();
            format!("TRUNCATE {}", names.join(", "))
        }
    }
}
