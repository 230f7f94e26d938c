//! Step `follow`: the proof that the target holds and follows everything it should.
//!
//! One pass, in this order: neither server is in an earlier state than one that was proven; each subscription is ours,
//! enabled, and its tables are exactly the planned ones, all ready; its publication is unaltered and unfiltered; its slot
//! is ours and not lost; the source has no table that the plan lacks, and each table of the plan is the one that was
//! published and copied, with the same columns on both sides; then a fence, which every slot must confirm; then the
//! publications and the source's tables once more. Whatever changed in between is seen by one of the two looks.

mod fence;
mod objects;
mod put_back;
mod synchronous;

use self::objects::Look;
use crate::initial_copy::stuck;
use crate::relation::{Baseline, Tables, Then};
use crate::{altered, history};
use async_trait::async_trait;
use pghaul_contracts::{
    CopyItem, CopyOutput, DeferredCopyOutput, FirstPublished, Generation, Generations, MatviewsOutput,
    PostDataOutput, PublicationOutput, SequencesOutput, SlotOutput, SnapshotCopyOutput, SubscriptionOutput,
    TargetDefinitionsOutput,
};
use pghaul_step::ownership::problem;
use pghaul_step::plan::RelationKind;
use pghaul_step::postgres::{Lsn, ReadOnly, Session, Source};
use pghaul_step::step::REPLICATION;
use pghaul_step::step::incomplete_tables;
use pghaul_step::{
    Context, Contract, Database, DatabaseName, Descriptor, Failure, Positions, Probe, Progress, Proof, Route,
    Side, Standing, Step, StepPhase, TableName, TablePlan, failures,
};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// How long a `run` waits for the target to catch up while the distance to the fence no longer shrinks.
const NO_PROGRESS: Duration = Duration::from_secs(120);

/// So near to the fence, the target has caught up as far as this step is concerned: the proof, which comes next,
/// waits for a fence of its own.
const NEAR: u64 = 16 * 1024 * 1024;

type Names = BTreeSet<TableName>;

/// One way that changes take to the target, and the tables whose changes take it.
struct Link {
    generation: Generation,
    publication: String,
    /// The publication right after it was created, where that was noted.
    first: Option<FirstPublished>,
    slot: SlotOutput,
    subscription: String,
    /// The tables on the target when it was created, where they were noted.
    subscribed: Option<Baseline>,
    /// The tables on the source when they were handed to the target's workers.
    handed_over: Baseline,
    tables: Names,
}

/// Every way: one for each generation of the copy.
fn links(ctx: &Context<Database>) -> Result<Vec<Link>, Failure> {
    let generations = Generations::of(ctx)?;
    let link = |generation: Generation| {
        let tables = ctx
            .plan()
            .replicated()
            .filter(|t| matches!(t.kind, RelationKind::Table | RelationKind::PartitionedTable))
            .filter(|t| generations.of_table(t) == generation);
        let published = generation.finished::<PublicationOutput>(ctx)?;
        let subscribed = generation.finished::<SubscriptionOutput>(ctx)?;
        Ok(Link {
            generation,
            publication: published.name,
            first: published.first,
            slot: generation.finished(ctx)?,
            subscription: subscribed.name,
            subscribed: subscribed.tables,
            handed_over: subscribed.handed_over,
            tables: tables.map(|t| t.name.clone()).collect(),
        })
    };
    generations.all().iter().copied().map(link).collect()
}

/// The step.
#[derive(Debug, Default)]
pub struct Follow;

#[async_trait]
impl Step for Follow {
    type Scope = Database;
    type Output = ();

    fn descriptor(&self) -> Descriptor {
        Descriptor {
            routes: REPLICATION,
            after: &[
                CopyOutput::STEP,
                SnapshotCopyOutput::STEP,
                PostDataOutput::STEP,
                SequencesOutput::STEP,
                MatviewsOutput::STEP,
                TargetDefinitionsOutput::STEP,
            ],
            ..Descriptor::new("follow", "waits until the target has caught up", StepPhase::Data)
        }
    }

    async fn probe(&self, _: &Context<Database>) -> Result<Probe<()>, Failure> {
        Ok(Probe::Partial)
    }

    /// Waits until the target has nearly reached a position of the source's WAL that was taken now.
    async fn run(&self, ctx: &Context<Database>) -> Result<(), Failure> {
        let source = ctx.source().await?;
        let fence = source.wal_insert_lsn().await?;
        for link in links(ctx)? {
            come_near(ctx, &source, &link, fence).await?;
        }
        Ok(())
    }

    async fn mark(&self, ctx: &Context<Database>, proof: &Proof) -> Result<(), Failure> {
        history::mark(ctx, proof).await
    }

    async fn standing(&self, ctx: &Context<Database>) -> Result<Option<Standing>, Failure> {
        let source = ctx.source().await?;
        let target = ctx.target().await?;
        let mut standing = Standing::default();
        if let Some(problem) = problem(&target, &ctx.ownership(), &ctx.target_database(), &ctx.head()).await?
        {
            // That other objects are missing, or are others, follows from it.
            standing.problems.push(problem);
            return Ok(Some(standing));
        }
        let links = links(ctx)?;
        history::compare(ctx, &source, &target, &mut standing.problems).await?;
        let look = Look {
            ctx,
            links: &links,
            then: then(ctx, &links)?,
            on_target: Tables::read(&target, &[]).await?,
            sends_truncate: source.server_version() >= 110_000,
        };
        let on_source = look.at_source(&source, &mut standing.problems).await?;
        let mut by_hand = look.in_doubt(&on_source);
        for link in &links {
            by_hand.extend(altered::by_others(ctx, &target, &link.subscription).await?);
        }
        look.at_target(&target, &on_source, &mut standing.problems)
            .await?;
        if standing.problems.is_empty() {
            fence::await_fence(ctx, (&source, &target), &links, &mut standing).await?;
            look.at_source(&source, &mut standing.problems).await?;
            history::compare(ctx, &source, &target, &mut standing.problems).await?;
        }
        // Behind the fence: what is altered while the proof waits is seen too.
        by_hand.extend(put_back::in_doubt(ctx, &source, &links).await?);
        by_hand.extend(synchronous::standby(&source).await?);
        let rows = check_copies(ctx, &links, &mut standing.problems)?;
        let decoded = history::decoded(&source, links.iter().map(|link| &link.slot.name)).await?;
        let as_of = deferred_as_of(ctx)?;
        standing.proof = Proof {
            tables: ctx.plan().replicated().count() as u64,
            rows,
            incomplete: incomplete_tables(ctx.plan()),
            positions: Some(Positions {
                decoded,
                ..history::positions(&source, &target).await?
            }),
            ..standing.proof
        };
        let copied_again = DeferredCopyOutput::is_planned(ctx.plan());
        for (table, incomplete) in ctx.plan().deferred().zip(&mut standing.proof.incomplete) {
            incomplete.as_of = as_of.get(&table.number).cloned();
            if copied_again {
                incomplete.by_removal = true;
            }
        }
        standing.proof.incomplete.extend(look.firing_triggers());
        standing.proof.incomplete.extend(by_hand);
        Ok(Some(standing))
    }
}

/// Waits until a slot is near to a position, as long as it comes nearer.
async fn come_near(
    ctx: &Context<Database>,
    source: &Session<Source, ReadOnly>,
    link: &Link,
    fence: Lsn,
) -> Result<(), Failure> {
    let mut nearest = u64::MAX;
    let mut since = Instant::now();
    let _waiting = ctx.notes().waiting(format!(
        "subscription {} to apply the WAL up to {fence}",
        link.subscription
    ));
    loop {
        ctx.check_cancelled()?;
        let confirmed = confirmed(ctx.database(), source, &link.slot.name).await?;
        let distance = fence.bytes_since(confirmed);
        if distance <= NEAR {
            return Ok(());
        }
        if distance < nearest {
            (nearest, since) = (distance, Instant::now());
        }
        if since.elapsed() > NO_PROGRESS {
            return Err(stuck(ctx.database(), &link.subscription));
        }
        ctx.progress(Progress::Waiting {
            what: format!("the target to apply {distance} bytes of WAL"),
        });
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

/// The positions that tables which are not replicated are as of, by their numbers.
fn deferred_as_of(ctx: &Context<Database>) -> Result<BTreeMap<u32, String>, Failure> {
    let mut as_of = if let Some(copied) = ctx.output::<SnapshotCopyOutput>()? {
        copied.deferred
    } else if let Some(copied) = ctx.output::<CopyOutput>()? {
        let deferred = ctx.plan().deferred();
        deferred.map(|t| (t.number, copied.as_of.clone())).collect()
    } else {
        BTreeMap::new()
    };
    if let Some(again) = ctx.output::<DeferredCopyOutput>()? {
        as_of.extend(
            again
                .tables
                .into_iter()
                .map(|(number, table)| (number, table.as_of)),
        );
    }
    Ok(as_of)
}

/// Every replicated table that pghaul has copied itself must be of the consistent point of its slot.
///
/// Returns how many rows pghaul's own copies moved; nothing where the target's workers copied some, or a death kept the number
/// from being noted.
fn check_copies(
    ctx: &Context<Database>,
    links: &[Link],
    problems: &mut Vec<Failure>,
) -> Result<Option<u64>, Failure> {
    if ctx.route() != Route::ReplicationBySnapshot {
        return Ok(None);
    }
    let mut rows = Some(0);
    let generations = Generations::of(ctx)?;
    let replicated = |t: &&TablePlan| t.copied_by_us(ctx.route()) && !t.deferred();
    for Link { generation, slot, .. } in links {
        let items = generation.items_of::<SnapshotCopyOutput>(ctx)?;
        let rest = generations.left_to_the_workers(*generation);
        let point = slot.consistent_point.to_string();
        let tables = ctx.plan().tables.iter().filter(replicated);
        for table in tables.filter(|t| generations.of_table(t) == *generation) {
            let item = items.get(&CopyItem {
                attempt: slot.attempt,
                table: table.number,
            });
            let left_to_the_server = rest.contains(&table.root.unwrap_or(table.number));
            if !left_to_the_server && item.is_none_or(|item| item.as_of != point) {
                problems.push(failures::replication_changed(
                    ctx.database(),
                    Side::Target,
                    format!(
                        "table {} was not copied from the snapshot of its slot",
                        table.name
                    ),
                ));
            }
        }
        let copied = items.iter().filter(|(item, _)| item.attempt == slot.attempt);
        let copied: Option<u64> = copied.map(|(_, copied)| copied.rows).sum();
        rows = rows
            .zip(copied.filter(|_| rest.is_empty()))
            .map(|(before, more)| before + more);
    }
    Ok(rows)
}

async fn confirmed(
    database: &DatabaseName,
    source: &Session<Source, ReadOnly>,
    name: &str,
) -> Result<Lsn, Failure> {
    match source.slot(name).await? {
        Some(slot) if slot.wal_status.as_deref() == Some("lost") => {
            Err(failures::slot_lost_wal(database, name))
        }
        Some(slot) => Ok(slot.confirmed_flush_lsn.unwrap_or_default()),
        None => Err(failures::slot_gone(database, name)),
    }
}

/// What the journal knows of the tables.
fn then(ctx: &Context<Database>, links: &[Link]) -> Result<Then, Failure> {
    let generations = Generations::of(ctx)?;
    let mut then = Then {
        source: Some(BTreeMap::new()),
        target: Some(BTreeMap::new()),
        ..Then::default()
    };
    for link in links {
        let on_source = link.first.as_ref().map(|first| {
            let mut tables = first.tables.clone();
            tables.extend(link.handed_over.clone());
            tables
        });
        let on_target = link.subscribed.clone();
        let own = |number: &u32| {
            let table = ctx.plan().table(*number);
            table.is_some_and(|table| generations.of_table(table) == link.generation)
        };
        for (all, of_link) in [(&mut then.source, on_source), (&mut then.target, on_target)] {
            match (&mut *all, of_link) {
                (Some(all), Some(of_link)) => {
                    all.extend(of_link.into_iter().filter(|(number, _)| own(number)))
                }
                (all, _) => *all = None,
            }
        }
        then.put_back
            .extend(generations.left_to_the_workers(link.generation));
    }
    Ok(then)
}
