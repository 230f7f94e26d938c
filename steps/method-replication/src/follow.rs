//! Step `follow`: the proof that the target holds and follows everything it should.
//!
//! One pass, in this order: each subscription is ours, enabled, and its tables are exactly the planned ones, all
//! ready; its publication's tables are the same, unfiltered; its slot is ours and not lost; the source has no
//! table that the plan lacks, and the target every column of the others; then a fence, which every slot must
//! confirm; then the publications and the source's tables once more. Whatever changed in between is seen by one of
//! the two looks.

use crate::initial_copy::stuck;
use crate::slot::{self, lost};
use async_trait::async_trait;
use pghaul_contracts::{
    CopyItem, CopyOutput, Generation, Generations, MatviewsOutput, PostDataOutput, PublicationOutput,
    SequencesOutput, SlotOutput, SnapshotCopyOutput, SubscriptionOutput, TargetDefinitionsOutput,
};
use pghaul_step::plan::RelationKind;
use pghaul_step::postgres::{Lsn, ReadOnly, ReadWrite, Row, Session, Source, Target};
use pghaul_step::step::REPLICATION;
use pghaul_step::step::incomplete_tables;
use pghaul_step::{
    Code, Columns, Context, Contract, Database, Descriptor, Failure, Probe, Progress, Proof, Route, Side,
    Standing, Step, StepPhase, TableName, TablePlan,
};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// An idle server confirms a position with its next status message: ten seconds by default, at most.
const FENCE_PATIENCE: Duration = Duration::from_secs(15);

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
    slot: SlotOutput,
    subscription: String,
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
        Ok(Link {
            generation,
            publication: generation.finished::<PublicationOutput>(ctx)?.name,
            slot: generation.finished(ctx)?,
            subscription: generation.finished::<SubscriptionOutput>(ctx)?.name,
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

    async fn standing(&self, ctx: &Context<Database>) -> Result<Option<Standing>, Failure> {
        let source = ctx.source().await?;
        let target = ctx.target().await?;
        let links = links(ctx)?;
        let mut standing = Standing::default();
        for link in &links {
            check_subscription(&target, link, &mut standing.problems).await?;
        }
        check_source(ctx, &source, &links, &mut standing.problems).await?;
        check_columns(ctx, &source, &target, &mut standing.problems).await?;
        if standing.problems.is_empty() {
            await_fence(ctx, &source, &target, &links, &mut standing).await?;
            check_source(ctx, &source, &links, &mut standing.problems).await?;
        }
        let rows = check_copies(ctx, &links, &mut standing.problems)?;
        let as_of = deferred_as_of(ctx)?;
        standing.proof = Proof {
            tables: ctx.plan().replicated().count() as u64,
            rows,
            incomplete: incomplete_tables(ctx.plan()),
            ..standing.proof
        };
        for (table, incomplete) in ctx.plan().deferred().zip(&mut standing.proof.incomplete) {
            incomplete.as_of = as_of.get(&table.number).cloned();
        }
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
    loop {
        ctx.check_cancelled()?;
        let confirmed = confirmed(source, &link.slot.name).await?;
        let distance = fence.bytes_since(confirmed);
        if distance <= NEAR {
            return Ok(());
        }
        if distance < nearest {
            (nearest, since) = (distance, Instant::now());
        }
        if since.elapsed() > NO_PROGRESS {
            return Err(stuck(&link.subscription));
        }
        ctx.progress(Progress::Waiting {
            what: format!("the target to apply {distance} bytes of WAL"),
        });
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

/// The positions that tables which are not replicated are as of, by their numbers.
fn deferred_as_of(ctx: &Context<Database>) -> Result<BTreeMap<u32, String>, Failure> {
    if let Some(copied) = ctx.output::<SnapshotCopyOutput>()? {
        return Ok(copied.deferred);
    }
    let Some(copied) = ctx.output::<CopyOutput>()? else {
        return Ok(BTreeMap::new());
    };
    Ok(ctx
        .plan()
        .deferred()
        .map(|t| (t.number, copied.as_of.clone()))
        .collect())
}

/// Every replicated table that pghaul has copied itself must be of the consistent point of its slot.
///
/// Returns how many rows our own copies moved; nothing where the target's workers copied some, or a death kept the number
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
                problems.push(gone(
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

async fn confirmed(source: &Session<Source, ReadOnly>, name: &str) -> Result<Lsn, Failure> {
    match source.slot(name).await? {
        Some(slot) if slot.wal_status.as_deref() == Some("lost") => Err(lost(name)),
        Some(slot) => Ok(slot.confirmed_flush_lsn.unwrap_or_default()),
        None => Err(gone(Side::Source, format!("the replication slot {name} is gone"))),
    }
}

fn gone(side: Side, message: String) -> Failure {
    Failure::new(Code::StateLost, message).with_side(side).with_hint(
        "either this journal is an old copy, and a newer one has removed the migration: use that; or somebody has changed what pghaul made, and the target no longer follows: then remove this migration with --force, drop the target database, and begin anew",
    )
}

async fn check_subscription(
    target: &Session<Target, ReadWrite>,
    link: &Link,
    problems: &mut Vec<Failure>,
) -> Result<(), Failure> {
    let name = &link.subscription;
    let Some(subscription) = target.subscription(name).await? else {
        problems.push(gone(Side::Target, format!("the subscription {name} is gone")));
        return Ok(());
    };
    if subscription.slot.as_deref() != Some(&link.slot.name)
        || subscription.publications != [link.publication.as_str()]
    {
        problems.push(gone(Side::Target, format!("the subscription {name} was altered")));
    }
    if !subscription.enabled {
        let message = format!("the subscription {name} is disabled");
        problems.push(
            Failure::new(Code::ApplyFailed, message)
                .with_side(Side::Target)
                .with_hint(format!(
                    "see the target's log for the reason, mend it, then: ALTER SUBSCRIPTION \"{name}\" ENABLE"
                )),
        );
    }
    let doing = target.doing("read the subscription's tables");
    let rows = doing.query(include_str!("subscribed.sql"), &[name]).await?;
    let states: BTreeMap<TableName, String> = rows
        .iter()
        .map(|row| (table_name(row), row.get("state")))
        .collect();
    let subscribed: Names = states.keys().cloned().collect();
    compare(&link.tables, &subscribed, "subscribed on the target", problems);
    for (table, state) in states.iter().filter(|(_, state)| state.as_str() != "r") {
        let message = format!("table {table} is not ready: its state is {state}");
        problems.push(Failure::new(Code::ApplyFailed, message).with_side(Side::Target).with_hint(
            "wait until the target's workers have copied it; if that does not end, see the target's log",
        ));
    }
    Ok(())
}

async fn check_source(
    ctx: &Context<Database>,
    source: &Session<Source, ReadOnly>,
    links: &[Link],
    problems: &mut Vec<Failure>,
) -> Result<(), Failure> {
    for link in links {
        check_publication(source, link, problems).await?;
        check_slot(source, &link.slot, problems).await?;
    }
    check_new_tables(ctx, source, problems).await
}

/// Columns that are missing on the target stop its worker only when a change of their table arrives.
async fn check_columns(
    ctx: &Context<Database>,
    source: &Session<Source, ReadOnly>,
    target: &Session<Target, ReadWrite>,
    problems: &mut Vec<Failure>,
) -> Result<(), Failure> {
    let reading = "read the columns of the tables";
    let on_source = Columns::read(&source.doing(reading)).await?;
    let on_target = Columns::read(&target.doing(reading)).await?;
    problems.extend(on_target.lacking(&on_source, ctx));
    Ok(())
}

async fn check_publication(
    source: &Session<Source, ReadOnly>,
    link: &Link,
    problems: &mut Vec<Failure>,
) -> Result<(), Failure> {
    let name = &link.publication;
    match source.publication(name).await? {
        None => problems.push(gone(Side::Source, format!("the publication {name} is gone"))),
        Some(publication) if !publication.all_operations => {
            problems.push(gone(
                Side::Source,
                format!("the publication {name} no longer has all operations"),
            ));
        }
        Some(_) => {}
    }
    let doing = source.doing("read the publication's tables");
    let rows = doing.query(include_str!("published.sql"), &[name]).await?;
    let published: Names = rows.iter().map(table_name).collect();
    compare(&link.tables, &published, "published on the source", problems);
    if rows.iter().any(|row| row.get("filtered")) {
        problems.push(gone(
            Side::Source,
            format!("the publication {name} has a row filter or a column list"),
        ));
    }
    Ok(())
}

async fn check_slot(
    source: &Session<Source, ReadOnly>,
    expected: &SlotOutput,
    problems: &mut Vec<Failure>,
) -> Result<(), Failure> {
    let name = &expected.name;
    match source.slot(name).await? {
        None => problems.push(gone(Side::Source, format!("the replication slot {name} is gone"))),
        Some(slot) if slot.wal_status.as_deref() == Some("lost") => problems.push(slot::lost(name)),
        Some(slot) if slot.plugin.as_deref() != Some("pgoutput") => {
            problems.push(gone(
                Side::Source,
                format!("the replication slot {name} is not ours"),
            ));
        }
        Some(_) => {}
    }
    let (identifier, timeline) = (source.identity().await?, source.timeline().await?);
    if identifier != expected.system_identifier || timeline != expected.timeline {
        problems.push(gone(
            Side::Source,
            "the source is another server, or a promoted standby, now".to_owned(),
        ));
    }
    Ok(())
}

async fn check_new_tables(
    ctx: &Context<Database>,
    source: &Session<Source, ReadOnly>,
    problems: &mut Vec<Failure>,
) -> Result<(), Failure> {
    let doing = source.doing("read the source's tables");
    let rows = doing.query(include_str!("source_tables.sql"), &[]).await?;
    let known: BTreeSet<&TableName> = ctx.plan().tables.iter().map(|t| &t.name).collect();
    for table in rows.iter().map(table_name) {
        if !known.contains(&table) {
            let message = format!("table not replicated: {table} is new on the source since the plan");
            problems.push(Failure::new(Code::PlanChanged, message).with_side(Side::Source).with_hint(
                "drop the table on the source, or begin a new migration; tables that are made during a migration are not moved",
            ));
        }
    }
    Ok(())
}

fn table_name(row: &Row) -> TableName {
    TableName::new(row.get::<_, String>("schema"), row.get::<_, String>("name"))
}

fn compare(planned: &Names, found: &Names, what: &str, problems: &mut Vec<Failure>) {
    for table in planned.difference(found) {
        problems.push(gone(Side::Source, format!("table {table} is no longer {what}")));
    }
    for table in found.difference(planned) {
        problems.push(gone(
            Side::Source,
            format!("table {table} is {what}, but not in the plan"),
        ));
    }
}

/// Takes a fence and waits a little for the target to confirm it. Where it does not, the proof has no fence.
async fn await_fence(
    ctx: &Context<Database>,
    source: &Session<Source, ReadOnly>,
    target: &Session<Target, ReadWrite>,
    links: &[Link],
    standing: &mut Standing,
) -> Result<(), Failure> {
    let fence = source.wal_insert_lsn().await?;
    let begun = Instant::now();
    loop {
        let mut slots = Vec::with_capacity(links.len());
        for link in links {
            slots.push(source.slot(&link.slot.name).await?);
        }
        // The database is where the slowest of them is.
        let confirmed = slots
            .iter()
            .map(|found| {
                found
                    .as_ref()
                    .and_then(|s| s.confirmed_flush_lsn)
                    .unwrap_or_default()
            })
            .min()
            .unwrap_or_default();
        let restart = slots.iter().flatten().filter_map(|slot| slot.restart_lsn).min();
        let now = source.wal_insert_lsn().await?;
        standing.lag_bytes = Some(now.bytes_since(confirmed));
        standing.retained_bytes = restart.map(|lsn| now.bytes_since(lsn));
        if confirmed >= fence {
            standing.proof.fence = Some(fence.to_string());
            return Ok(());
        }
        if begun.elapsed() > FENCE_PATIENCE {
            break;
        }
        ctx.check_cancelled()?;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    for link in links {
        let sql =
            "SELECT count(*) FROM pg_catalog.pg_stat_subscription WHERE subname = $1 AND pid IS NOT NULL";
        let row = target
            .doing("look for the apply worker")
            .query_one(sql, &[&link.subscription])
            .await?;
        if row.get::<_, i64>(0) == 0 {
            standing.problems.push(stuck(&link.subscription));
        }
    }
    Ok(())
}
