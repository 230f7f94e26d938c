//! Builds the indexes and constraints of tables side by side, each as soon as its table's rows are there.
//!
//! What belongs to small tables goes together in one transaction, their ANALYZE too; on a large table the keys come
//! first, since they lock it, then its indexes side by side, then ANALYZE. The largest work is begun first.

use crate::archive::Entry;
use crate::of_tables::Built;
use crate::restore::{Batch, Restorer};
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use pghaul_step::ownership::effects;
use pghaul_step::postgres::{QualifiedName, ReadWrite, Session, Target};
use pghaul_step::{Failure, Progress};
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// From this size on, what is built on a table takes long enough to be done side by side.
const LARGE: u64 = 16 << 20;

/// So many entries of small tables make a transaction.
const TOGETHER: usize = 100;

/// How often new tables are looked for.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The prefix of the effect keys of ANALYZE.
const ANALYZED: &str = "analyzed/";

/// Says which tables' rows are there.
pub(crate) trait Readiness: Send {
    /// The tables that have become ready since the last call, and whether there will be no more.
    fn look(&mut self) -> Result<Ready, Failure>;
}

/// What a look for ready tables found.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ready {
    /// Their numbers, and their sizes in bytes where those are known.
    pub(crate) tables: Vec<(u32, Option<u64>)>,
    /// Whether these were the last ones.
    pub(crate) last: bool,
}

/// A piece of work for one worker, with the size that it is sorted by.
#[derive(Debug)]
enum Job<'a> {
    Small(Vec<u32>),
    Keys(u32),
    Index(u32, &'a Entry),
    Analyze(u32),
}

struct Sized<'a>(u64, Job<'a>);

impl PartialEq for Sized<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for Sized<'_> {}

impl PartialOrd for Sized<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Sized<'_> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.cmp(&other.0)
    }
}

/// Builds what is to be built on tables.
pub(crate) struct Builder<'a> {
    restorer: &'a Restorer<'a>,
    built: BTreeMap<u32, Built<'a>>,
    analyzed: BTreeSet<String>,
    sizes: BTreeMap<u32, u64>,
    sessions: Mutex<Vec<Session<Target, ReadWrite>>>,
    /// How many indexes of a large table are still to be built before it is analyzed.
    left: Mutex<BTreeMap<u32, usize>>,
}

/// What can be begun.
#[derive(Default)]
struct Work<'a> {
    waiting: BinaryHeap<Sized<'a>>,
    small: Vec<u32>,
}

/// A finished piece of work.
struct Done<'a> {
    entries: usize,
    /// What can be begun now.
    follow_ups: Vec<Sized<'a>>,
}

impl<'a> Builder<'a> {
    /// Reads the sizes that tables have on the target, and which are analyzed.
    pub(crate) async fn new(
        restorer: &'a Restorer<'a>,
        built: BTreeMap<u32, Built<'a>>,
    ) -> Result<Self, Failure> {
        let target = restorer.ctx.target().await?;
        let doing = target.doing("read the sizes of the tables");
        let rows = doing.query(include_str!("sizes.sql"), &[]).await?;
        let sizes: BTreeMap<(String, String), i64> = rows
            .iter()
            .map(|row| ((row.get("schema"), row.get("name")), row.get("bytes")))
            .collect();
        let size = |t: &pghaul_step::TablePlan| {
            let bytes = sizes.get(&(t.schema.clone(), t.name.clone())).copied();
            (t.number, bytes.unwrap_or(0).unsigned_abs())
        };
        Ok(Self {
            restorer,
            built,
            analyzed: effects(&target, ANALYZED).await?,
            sizes: restorer.ctx.plan().tables.iter().map(size).collect(),
            sessions: Mutex::default(),
            left: Mutex::default(),
        })
    }

    /// Builds everything on every table that becomes ready, until there are no more.
    pub(crate) async fn build(&self, mut readiness: impl Readiness) -> Result<(), Failure> {
        let total: usize = self.built.values().map(Built::len).sum();
        let mut done = 0;
        let mut work = Work::default();
        let mut running: FuturesUnordered<BoxFuture<'_, Result<Done<'a>, Failure>>> = FuturesUnordered::new();
        let mut last = false;
        loop {
            self.restorer.ctx.check_cancelled()?;
            if !last {
                let ready = readiness.look()?;
                last = ready.last;
                self.take(ready.tables, &mut work);
            }
            self.bundle(&mut work, last || running.is_empty());
            while running.len() < self.restorer.ctx.jobs()
                && let Some(Sized(size, job)) = work.waiting.pop()
            {
                running.push(Box::pin(self.run(size, job)));
            }
            tokio::select! {
                Some(finished) = running.next() => {
                    let finished = finished?;
                    done += finished.entries;
                    work.waiting.extend(finished.follow_ups);
                    // While rows are copied, that is what is shown.
                    if last {
                        self.show(done, total);
                    }
                }
                () = tokio::time::sleep(LOOK_EVERY), if !last => {}
                else => return Ok(()),
            }
        }
    }

    fn show(&self, done: usize, total: usize) {
        self.restorer.ctx.progress(Progress::Count {
            what: "indexes and constraints",
            done: done as u64,
            total: total as u64,
        });
    }

    fn take(&self, tables: Vec<(u32, Option<u64>)>, work: &mut Work<'a>) {
        for (number, bytes) in tables {
            let size = bytes
                .filter(|bytes| *bytes > 0)
                .unwrap_or_else(|| self.size(number));
            if size < LARGE {
                work.small.push(number);
            } else {
                work.waiting.push(Sized(size, Job::Keys(number)));
            }
        }
    }

    /// Makes transactions of small tables: full ones, or of what there is where nothing else is to be done.
    fn bundle(&self, work: &mut Work<'a>, all: bool) {
        let mut entries = 0;
        let mut bundle = Vec::new();
        for number in std::mem::take(&mut work.small) {
            entries += 1 + self.built.get(&number).map_or(0, Built::len);
            bundle.push(number);
            if entries >= TOGETHER {
                work.waiting
                    .push(Sized(entries as u64, Job::Small(std::mem::take(&mut bundle))));
                entries = 0;
            }
        }
        if all && !bundle.is_empty() {
            work.waiting.push(Sized(entries as u64, Job::Small(bundle)));
        } else {
            work.small = bundle;
        }
    }

    fn size(&self, number: u32) -> u64 {
        self.sizes.get(&number).copied().unwrap_or(0)
    }

    /// Does one piece of work.
    async fn run(&self, size: u64, job: Job<'a>) -> Result<Done<'a>, Failure> {
        let _place = self.restorer.ctx.worker().await?;
        let mut session = self.session().await?;
        let batch = self.batch(&job)?;
        self.restorer.send(&mut session, &batch).await?;
        held(&self.sessions).push(session);
        Ok(Done {
            entries: batch.len(),
            follow_ups: self.follow_ups(size, &job),
        })
    }

    /// A session that is free, or another one.
    async fn session(&self) -> Result<Session<Target, ReadWrite>, Failure> {
        let free = held(&self.sessions).pop();
        match free {
            Some(session) => Ok(session),
            None => {
                let session = self.restorer.ctx.target().await?;
                let doing = session.doing("set maintenance_work_mem");
                let workers = i32::try_from(self.restorer.ctx.jobs()).unwrap_or(i32::MAX);
                doing
                    .query(include_str!("maintenance_work_mem.sql"), &[&workers])
                    .await?;
                Ok(session)
            }
        }
    }

    fn batch(&self, job: &Job<'a>) -> Result<Batch<'a>, Failure> {
        let mut batch = Batch::default();
        match job {
            Job::Small(tables) => {
                for number in tables {
                    if let Some(built) = self.built.get(number) {
                        for entry in built.keys.iter().chain(&built.indexes) {
                            batch.add(entry, None);
                        }
                    }
                    self.analyze(*number, &mut batch)?;
                }
            }
            Job::Keys(number) => {
                for entry in self.built.get(number).into_iter().flat_map(|built| &built.keys) {
                    batch.add(entry, None);
                }
            }
            Job::Index(_, entry) => batch.add(entry, None),
            Job::Analyze(number) => self.analyze(*number, &mut batch)?,
        }
        Ok(batch)
    }

    fn analyze(&self, number: u32, batch: &mut Batch<'a>) -> Result<(), Failure> {
        let key = format!("{ANALYZED}{number}");
        let Some(table) = self.restorer.ctx.plan().table(number) else {
            return Ok(());
        };
        if !self.analyzed.contains(&key) {
            let name = QualifiedName::new(table.schema.as_str(), table.name.as_str())?;
            batch.then(&format!("ANALYZE {name}"), key);
        }
        Ok(())
    }

    /// What a piece of work on a large table makes possible: after its keys its indexes, after these ANALYZE.
    fn follow_ups(&self, size: u64, job: &Job<'a>) -> Vec<Sized<'a>> {
        match job {
            Job::Small(_) | Job::Analyze(_) => Vec::new(),
            Job::Keys(number) => {
                let built = self.built.get(number);
                let indexes = built.map(|built| built.indexes.as_slice()).unwrap_or_default();
                if indexes.is_empty() {
                    return vec![Sized(size, Job::Analyze(*number))];
                }
                held(&self.left).insert(*number, indexes.len());
                indexes
                    .iter()
                    .map(|entry| Sized(size, Job::Index(*number, entry)))
                    .collect()
            }
            Job::Index(number, _) => {
                let mut left = held(&self.left);
                let left = left.entry(*number).or_default();
                *left = left.saturating_sub(1);
                if *left > 0 {
                    return Vec::new();
                }
                vec![Sized(size, Job::Analyze(*number))]
            }
        }
    }
}

/// A panic of another worker does not matter: it ends the run.
fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
