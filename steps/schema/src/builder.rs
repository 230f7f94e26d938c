//! Builds the indexes and constraints of tables side by side, each as soon as its table's rows are there.
//!
//! What belongs to small tables goes together in one transaction, their statistics too. On a large table all indexes are
//! built side by side, those of its keys among them, which lock nobody out; then the keys adopt theirs, and the statistics
//! come last: those of the source where the target can take them over, else by ANALYZE. The largest work is begun first.

use crate::archive::Entry;
use crate::batch::{Batch, Then};
use crate::constraint::Key;
use crate::of_tables::Built;
use crate::restore::Restorer;
use crate::sizes::{LARGE, Sizes};
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use pghaul_contracts::EffectKey;
use pghaul_step::ownership::effects;
use pghaul_step::postgres::{QualifiedName, ReadWrite, Session, Target};
use pghaul_step::workers::held;
use pghaul_step::{Failure, Home, Progress};
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::sync::Mutex;
use std::time::Duration;

/// So many entries of small tables make a transaction.
const TOGETHER: usize = 100;

/// How often new tables are looked for.
const LOOK_EVERY: Duration = Duration::from_millis(50);

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
    /// The index that a key of the table will adopt.
    IndexOfKey(u32, &'a Entry, Key<'a>),
    Index(u32, &'a Entry),
    /// What locks the table against all others.
    Locking(u32),
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
    sizes: Sizes,
    sessions: Mutex<Vec<Session<Target, ReadWrite>>>,
    /// How many indexes of a large table are still to be built before what locks it.
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
    follow_up: Option<Sized<'a>>,
}

impl<'a> Builder<'a> {
    /// Reads the sizes that tables have on the target, and which are analyzed.
    pub(crate) async fn new(
        restorer: &'a Restorer<'a>,
        built: BTreeMap<u32, Built<'a>>,
    ) -> Result<Self, Failure> {
        // Read before the workers take all connections.
        Home::of(restorer.ctx).await?;
        let target = restorer.ctx.target_for_reading().await?;
        Ok(Self {
            restorer,
            built,
            analyzed: effects(&target, EffectKey::ANALYZED).await?,
            sizes: Sizes::read(&target, restorer.ctx.plan()).await?,
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
                    work.waiting.extend(finished.follow_up);
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
                .unwrap_or_else(|| self.sizes.of(number));
            if size < LARGE {
                work.small.push(number);
            } else {
                let first = self.indexes_of(size, number);
                held(&self.left).insert(number, first.len());
                if first.is_empty() {
                    work.waiting.push(Sized(size, Job::Locking(number)));
                }
                work.waiting.extend(first);
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

    /// Does one piece of work.
    async fn run(&self, size: u64, job: Job<'a>) -> Result<Done<'a>, Failure> {
        let _place = self.restorer.ctx.worker().await?;
        let mut session = self.session().await?;
        let batch = self.batch(&job)?;
        self.restorer.send(&mut session, &batch).await?;
        held(&self.sessions).push(session);
        Ok(Done {
            entries: batch.len(),
            follow_up: self.follow_up(size, &job),
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
            Job::IndexOfKey(_, entry, key) => batch.add_index_of(entry, key.create_index()),
            Job::Index(_, entry) => batch.add(entry, None),
            Job::Locking(number) => {
                let several = self.has_several(*number);
                if let Some(built) = self.built.get(number) {
                    for entry in &built.keys {
                        let adopted = several.then(|| Key::of(&entry.statements)).flatten();
                        batch.add(entry, adopted.map(|key| key.adopt_index()));
                    }
                    for entry in built.indexes.iter().filter(|entry| locks_table(entry)) {
                        batch.add(entry, None);
                    }
                }
            }
            Job::Analyze(number) => self.analyze(*number, &mut batch)?,
        }
        Ok(batch)
    }

    fn analyze(&self, number: u32, batch: &mut Batch<'a>) -> Result<(), Failure> {
        let key = EffectKey::Analyzed(number).to_string();
        let Some(table) = self.restorer.ctx.plan().table(number) else {
            return Ok(());
        };
        if self.analyzed.contains(&key) {
            return Ok(());
        }
        let statistics = self.built.get(&number).map(|built| built.statistics.as_slice());
        let statements = match statistics {
            Some(entries) if !entries.is_empty() => {
                entries.iter().map(|entry| entry.statements.as_str()).collect()
            }
            _ => format!("ANALYZE {};\n", QualifiedName::try_from(&table.name)?),
        };
        batch.then.push(Then {
            object: format!("statistics of table {}", table.name),
            statements,
            key,
        });
        Ok(())
    }

    /// Whether a table has more than one index to build.
    fn has_several(&self, number: u32) -> bool {
        self.built.get(&number).is_some_and(|built| built.len() > 1)
    }

    /// The indexes of a large table that can be built side by side. A key that is alone builds its own.
    fn indexes_of(&self, size: u64, number: u32) -> Vec<Sized<'a>> {
        let Some(built) = self.built.get(&number).filter(|_| self.has_several(number)) else {
            return Vec::new();
        };
        let of_keys = built
            .keys
            .iter()
            .filter(|entry| !self.restorer.has_index_of(entry))
            .filter_map(|entry| Some(Job::IndexOfKey(number, entry, Key::of(&entry.statements)?)));
        let others = built.indexes.iter().filter(|entry| !locks_table(entry));
        of_keys
            .chain(others.map(|entry| Job::Index(number, entry)))
            .map(|job| Sized(size, job))
            .collect()
    }

    /// What a piece of work on a large table makes possible: after its last index what locks it, then its statistics.
    fn follow_up(&self, size: u64, job: &Job<'a>) -> Option<Sized<'a>> {
        match job {
            Job::Small(_) | Job::Analyze(_) => None,
            Job::Locking(number) => Some(Sized(size, Job::Analyze(*number))),
            Job::IndexOfKey(number, ..) | Job::Index(number, _) => {
                let mut left = held(&self.left);
                let left = left.entry(*number).or_default();
                *left = left.saturating_sub(1);
                (*left == 0).then_some(Sized(size, Job::Locking(*number)))
            }
        }
    }
}

/// Whether statements that follow CREATE INDEX lock the table: to cluster on the index, or to make it the replica
/// identity.
fn locks_table(entry: &Entry) -> bool {
    entry.statements.contains("\nALTER TABLE ")
}
