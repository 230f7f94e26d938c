//! The workers that make large objects of the target equal to those of a snapshot of the source, each with a range of
//! oids at a time.

use crate::content::{Hash, copy};
use crate::description::{LargeObject, OnTarget, describe, oids};
use crate::own::OwnWrites;
use crate::properties::{Change, change};
use futures_util::future::{try_join, try_join_all};
use pghaul_copy::{RateLimit, Snapshot};
use pghaul_step::postgres::{Ident, ReadOnly, ReadWrite, Session, Source, Target};
use pghaul_step::workers::held;
use pghaul_step::{Context, Database, Failure, Occasion, OwnedTransaction, Progress};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};

/// How many large objects a worker takes at a time.
const RANGE: usize = 500;

/// How many bytes one transaction writes; one large object is never divided.
const BATCH: i64 = 64 << 20;

/// How often a range is compared: before, after what differed was copied, and once more.
const ROUNDS: u32 = 3;

/// What is known after all ranges.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Large objects that are equal on both sides.
    pub(crate) equal: u64,
    /// Their bytes.
    pub(crate) bytes: u64,
    /// Those that are not equal, by the reason.
    pub(crate) different: BTreeMap<String, BTreeSet<u32>>,
    /// Those that only the target has, and that pghaul has not created.
    pub(crate) kept: BTreeSet<u32>,
    /// Those whose contents differ, and were written on the target by others.
    pub(crate) foreign: BTreeSet<u32>,
}

impl Tally {
    pub(crate) fn count_different(&self) -> u64 {
        let all: BTreeSet<&u32> = self.different.values().flatten().collect();
        all.len() as u64
    }

    fn differs(&mut self, oid: u32, why: impl Into<String>) {
        self.different.entry(why.into()).or_default().insert(oid);
    }
}

/// Whether differences are only counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// The target becomes equal to the source.
    Copy,
    /// Nothing is written.
    Compare,
}

/// What the workers share.
pub(crate) struct Reconciliation<'a> {
    ctx: &'a Context<Database>,
    snapshot: &'a Snapshot,
    purpose: Purpose,
    hash: Hash,
    on_target: OnTarget,
    own: OwnWrites,
    queue: Mutex<VecDeque<Vec<u32>>>,
    total: u64,
    done: Mutex<u64>,
    tally: Mutex<Tally>,
    limit: Option<Arc<RateLimit>>,
}

/// The sessions of one worker.
struct Pair {
    source: Session<Source, ReadOnly>,
    target: Session<Target, ReadWrite>,
}

/// How a range differs.
#[derive(Default)]
struct Difference {
    /// Of the source, whose contents are to be written; with whether the target has the object.
    contents: Vec<(LargeObject, bool)>,
    /// Of the target alone.
    vanished: Vec<u32>,
    /// With other properties.
    properties: Vec<Change>,
    /// What can't be compared, with the reason.
    unknown: Vec<(u32, &'static str)>,
    equal: u64,
    bytes: u64,
}

impl Difference {
    fn oids(&self) -> impl Iterator<Item = u32> {
        let contents = self.contents.iter().map(|(object, _)| object.oid);
        let properties = self.properties.iter().map(|change| change.oid);
        contents.chain(self.vanished.iter().copied()).chain(properties)
    }
}

const UNREADABLE_SOURCE: &str = "pghaul's role on the source may not read it";
const UNREADABLE_TARGET: &str = "pghaul's role on the target may not read it, so that it was not compared";

impl<'a> Reconciliation<'a> {
    pub(crate) async fn new(
        ctx: &'a Context<Database>,
        snapshot: &'a Snapshot,
        purpose: Purpose,
    ) -> Result<Self, Failure> {
        let target = ctx.target_for_reading().await?;
        let (there, here) = try_join(oids(snapshot.keeper()), oids(&*target)).await?;
        let all: BTreeSet<u32> = there.into_iter().chain(here).collect();
        let total = all.len() as u64;
        let all: Vec<u32> = all.into_iter().collect();
        // Every worker gets some.
        let range = all.len().div_ceil(ctx.jobs().max(1)).clamp(1, RANGE);
        let versions = (snapshot.keeper().server_version(), target.server_version());
        Ok(Self {
            ctx,
            snapshot,
            purpose,
            own: OwnWrites::read(ctx, &target).await?,
            hash: Hash::of_both(versions.0, versions.1),
            on_target: OnTarget {
                mapping: ctx.mapping(),
                role: Ident::new(target.role().await?.name)?.short(),
            },
            queue: Mutex::new(all.chunks(range).map(<[u32]>::to_vec).collect()),
            total,
            done: Mutex::default(),
            tally: Mutex::default(),
            limit: ctx
                .copying()
                .rate_limit
                .and_then(|rate| ctx.shared(|| RateLimit::new(rate))),
        })
    }

    /// Compares all ranges, and copies what differs where that is the purpose. The first failure stops all workers.
    pub(crate) async fn work(self) -> Result<Tally, Failure> {
        let ranges = held(&self.queue).len();
        let workers = self.ctx.jobs().clamp(1, ranges.max(1));
        try_join_all((0..workers).map(|_| self.worker())).await?;
        Ok(std::mem::take(&mut *held(&self.tally)))
    }

    async fn worker(&self) -> Result<(), Failure> {
        let mut pair = None;
        loop {
            let _place = self.ctx.worker().await?;
            let Some(range) = held(&self.queue).pop_front() else {
                return Ok(());
            };
            let pair = match &mut pair {
                Some(pair) => pair,
                None => pair.insert(self.open().await?),
            };
            self.reconcile(pair, &range).await?;
            let mut done = held(&self.done);
            *done += range.len() as u64;
            self.ctx.progress(Progress::Count {
                what: "large objects",
                done: *done,
                total: self.total,
            });
        }
    }

    async fn open(&self) -> Result<Pair, Failure> {
        let database = self.ctx.database().as_str();
        Ok(Pair {
            source: self.snapshot.session(self.ctx.source_server(), database).await?,
            target: self.ctx.target().await?,
        })
    }

    /// What was copied is compared as well: its hashes are read on both servers.
    async fn reconcile(&self, pair: &mut Pair, range: &[u32]) -> Result<(), Failure> {
        let mut refused: BTreeMap<u32, String> = BTreeMap::new();
        for round in 1..=ROUNDS {
            let mut difference = self.compare(pair, range).await?;
            self.spare(pair, &mut difference).await?;
            difference
                .properties
                .retain(|change| !refused.contains_key(&change.oid));
            let last = self.purpose == Purpose::Compare || round == ROUNDS;
            if last || difference.oids().next().is_none() {
                self.note(&difference, refused);
                return Ok(());
            }
            self.write(pair, &difference).await?;
            refused.extend(change(self.ctx, &self.own, &mut pair.target, &difference.properties).await?);
        }
        Ok(())
    }

    /// Leaves out what others have written on the target.
    async fn spare(&self, pair: &Pair, difference: &mut Difference) -> Result<(), Failure> {
        if !self.own.tell() {
            return Ok(());
        }
        let own = self.own.of(&pair.target, &difference.vanished).await?;
        let is_own = |oid: &u32| own.get(oid).is_none_or(|own| own.object);
        let (vanished, kept): (Vec<u32>, Vec<u32>) = difference.vanished.iter().copied().partition(is_own);
        difference.vanished = vanished;
        held(&self.tally).kept.extend(kept);
        // Where rows are discarded and copied again, contents are too.
        if self.purpose == Purpose::Compare || self.ctx.occasion() != Some(Occasion::Removal) {
            return Ok(());
        }
        let there = difference.contents.iter().filter(|(_, is_there)| *is_there);
        let there: Vec<u32> = there.map(|(object, _)| object.oid).collect();
        let own = self.own.of(&pair.target, &there).await?;
        let foreign = own.iter().filter(|(_, own)| own.is_foreign());
        let foreign: BTreeSet<u32> = foreign.map(|(oid, _)| *oid).collect();
        let is_spared = |oid: &u32| foreign.contains(oid);
        difference.contents.retain(|(object, _)| !is_spared(&object.oid));
        difference.properties.retain(|change| !is_spared(&change.oid));
        held(&self.tally).foreign.extend(foreign);
        Ok(())
    }

    fn note(&self, difference: &Difference, refused: BTreeMap<u32, String>) {
        let mut tally = held(&self.tally);
        tally.equal += difference.equal;
        tally.bytes += difference.bytes;
        for oid in difference.oids() {
            tally.differs(oid, "it differs from that of the source");
        }
        for (oid, why) in &difference.unknown {
            tally.differs(*oid, *why);
        }
        for (oid, why) in refused {
            tally.differs(
                oid,
                format!("the target refuses its owner, privileges, comment or label: {why}"),
            );
        }
    }

    async fn compare(&self, pair: &Pair, range: &[u32]) -> Result<Difference, Failure> {
        self.ctx.check_cancelled()?;
        let both = try_join(describe(&pair.source, range), describe(&pair.target, range));
        let (there, here) = both.await?;
        let same_size = there.values().filter_map(|object| {
            let other = here.get(&object.oid)?;
            Some((object.oid, object.size.filter(|_| object.size == other.size)?))
        });
        let same_size: Vec<(u32, i64)> = same_size.collect();
        let read = try_join(
            self.hash.read(&pair.source, &same_size),
            self.hash.read(&pair.target, &same_size),
        );
        let (hashes_there, hashes_here) = read.await?;
        let vanished = here.keys().filter(|oid| !there.contains_key(oid));
        let mut difference = Difference {
            vanished: vanished.copied().collect(),
            ..Difference::default()
        };
        for mut object in there.into_values() {
            let oid = object.oid;
            object.properties = self.on_target.properties(oid, object.properties)?;
            let other = here.get(&oid);
            match (object.size, other.map(|other| other.size)) {
                (None, _) => {
                    difference.unknown.push((oid, UNREADABLE_SOURCE));
                    continue;
                }
                (Some(_), Some(None)) => difference.unknown.push((oid, UNREADABLE_TARGET)),
                (Some(size), Some(Some(other)))
                    if size == other && hashes_there.get(&oid) == hashes_here.get(&oid) =>
                {
                    difference.equal += 1;
                    difference.bytes += size.unsigned_abs();
                }
                (Some(_), there) => difference.contents.push((object.clone(), there.is_some())),
            }
            let properties = other.map(|other| &other.properties);
            if !properties.is_some_and(|other| object.properties.same_as(other)) {
                difference.properties.push(Change::new(
                    oid,
                    &object.properties,
                    properties,
                    &self.on_target.role,
                ));
            }
        }
        Ok(difference)
    }

    /// Writes contents, in transactions of a limited size.
    async fn write(&self, pair: &mut Pair, difference: &Difference) -> Result<(), Failure> {
        if !difference.vanished.is_empty() {
            let transaction = self.ctx.begin(&mut pair.target).await?;
            call(&transaction, "remove large objects", UNLINK, &difference.vanished).await?;
            transaction.commit("remove large objects").await?;
        }
        let mut rest = difference.contents.as_slice();
        while !rest.is_empty() {
            self.ctx.check_cancelled()?;
            let (batch, others) = rest.split_at(batch_length(rest));
            self.write_batch(pair, batch).await?;
            rest = others;
        }
        Ok(())
    }

    async fn write_batch(&self, pair: &mut Pair, batch: &[(LargeObject, bool)]) -> Result<(), Failure> {
        let is_there = |there: bool| {
            let objects = batch.iter().filter(move |(_, is_there)| *is_there == there);
            objects.map(|(object, _)| object.oid).collect::<Vec<u32>>()
        };
        let operation = "copy large objects";
        let transaction = self.ctx.begin(&mut pair.target).await?;
        self.own.note(&transaction).await?;
        call(&transaction, operation, CREATE, &is_there(false)).await?;
        call(&transaction, operation, TRUNCATE, &is_there(true)).await?;
        let objects: Vec<&LargeObject> = batch.iter().map(|(object, _)| object).collect();
        copy(&pair.source, &transaction, &objects, self.limit.as_deref()).await?;
        transaction.commit(operation).await
    }
}

const CREATE: &str = "SELECT pg_catalog.count(pg_catalog.lo_create(oid)) FROM unnest($1::oid[]) AS oid";

const UNLINK: &str = "SELECT pg_catalog.count(pg_catalog.lo_unlink(oid)) FROM unnest($1::oid[]) AS oid";

/// Descriptors are closed by the end of the transaction.
const TRUNCATE: &str = "SELECT pg_catalog.count(pg_catalog.lo_truncate64(pg_catalog.lo_open(oid, x'20000'::integer), 0)) \
                        FROM unnest($1::oid[]) AS oid";

async fn call(
    transaction: &OwnedTransaction<'_>,
    operation: &str,
    sql: &str,
    oids: &[u32],
) -> Result<(), Failure> {
    if !oids.is_empty() {
        transaction.doing(operation).query_one(sql, &[&oids]).await?;
    }
    Ok(())
}

/// How many of these large objects one transaction writes.
fn batch_length(objects: &[(LargeObject, bool)]) -> usize {
    let mut bytes = 0;
    let fitting = objects.iter().take_while(|(object, _)| {
        bytes += object.size.unwrap_or(0);
        bytes <= BATCH
    });
    fitting.count().max(1)
}
