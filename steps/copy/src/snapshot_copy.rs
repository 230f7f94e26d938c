//! Step `snapshot-copy`: the initial copy of replication, made by pghaul from the snapshot of the slot.
//!
//! The step `slot` holds the snapshot while this process lives. Where it is gone, tables that are complete stay:
//! the changes since the slot's beginning belong to them. The others are emptied and left to the target's
//! workers, which step `subscription` lets copy and join them. A table that is truncated or rewritten on the
//! source before its rows are copied is left to them too: the snapshot sees it empty. Tables that can't be
//! published are copied out of a snapshot of their own then: they keep the rows of one moment anyway.

use crate::crew::Crew;
use crate::item::{CopiedTable, complete, item_name, keys_of_table};
use crate::load::{Load, act_as_replica, is_constrained, matched, take_snapshot};
use async_trait::async_trait;
use pghaul_copy::Snapshot;
use pghaul_step::ownership::effects;
use pghaul_step::plan::RelationKind;
use pghaul_step::postgres::QualifiedName;
use pghaul_step::{
    Code, Context, Database, Descriptor, Failure, Probe, Route, Side, Step, StepPhase, TablePlan,
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How many snapshots are tried for tables that are rewritten again and again.
const SNAPSHOTS: u32 = 3;

/// The step.
#[derive(Debug, Default)]
pub struct SnapshotCopy;

/// What the copy amounts to.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct SnapshotCopyOutput {
    /// How many tables were copied.
    pub tables: u64,
    /// How many rows, as far as they were counted.
    pub rows: u64,
    /// The slot's consistent point, which all these tables are as of.
    pub as_of: String,
    /// The numbers of the published tables that are left to the target's workers.
    pub rest: BTreeSet<u32>,
    /// The positions that tables which are not published are as of, by their numbers.
    pub deferred: BTreeMap<u32, String>,
}

/// What is needed of the output of step `slot`.
#[derive(Deserialize)]
struct Slot {
    attempt: u32,
    consistent_point: String,
}

#[async_trait]
impl Step for SnapshotCopy {
    type Scope = Database;
    type Output = SnapshotCopyOutput;

    fn descriptor(&self) -> Descriptor {
        Descriptor {
            routes: &[Route::ReplicationBySnapshot],
            after: &["slot"],
            copies_rows: true,
            retries_itself: true,
            ..Descriptor::new(
                "snapshot-copy",
                "copies the rows out of the slot's snapshot",
                StepPhase::Data,
            )
        }
    }

    async fn probe(&self, ctx: &Context<Database>) -> Result<Probe<SnapshotCopyOutput>, Failure> {
        Ok(if ctx.was_started() {
            Probe::Partial
        } else {
            Probe::Absent
        })
    }

    async fn run(&self, ctx: &Context<Database>) -> Result<SnapshotCopyOutput, Failure> {
        let slot: Slot = ctx
            .output("slot")?
            .ok_or_else(|| Failure::bug("step slot has not finished"))?;
        let planned: Vec<&TablePlan> = ctx
            .plan()
            .tables
            .iter()
            .filter(|t| t.copied_by_us(Route::ReplicationBySnapshot))
            .collect();
        let missing = match ctx.kept::<Snapshot>() {
            Some(snapshot) => copy_all(ctx, &snapshot, slot.attempt, &planned).await?,
            None => unfinished(ctx, &slot, &planned).await?,
        };
        let missing = planned
            .iter()
            .copied()
            .filter(|plan| missing.contains(&plan.number));
        let (deferred, published): (Vec<_>, Vec<_>) = missing.partition(|plan| plan.deferred());
        copy_deferred(ctx, slot.attempt, deferred).await?;
        let rest = leave_to_the_server(ctx, slot.attempt, &planned, &published).await?;
        // Nobody needs the snapshot any more, and it keeps the source from cleaning up.
        ctx.let_go::<Snapshot>();
        proven(ctx, slot, &planned, rest)
    }
}

/// Copies every table that is not complete yet. Returns the numbers of those that can't be copied from this
/// snapshot.
async fn copy_all(
    ctx: &Context<Database>,
    snapshot: &Arc<Snapshot>,
    generation: u32,
    planned: &[&TablePlan],
) -> Result<BTreeSet<u32>, Failure> {
    let mut loads: Vec<Load> = matched(ctx, planned, snapshot).await?;
    let done = ctx.items::<CopiedTable>()?;
    loads.retain(|load| !done.contains_key(&item_name(generation, load.number)));
    let outcome = Crew::new(ctx, snapshot, generation, &loads).work().await;
    if outcome
        .as_ref()
        .is_err_and(|failure| failure.code == Code::SnapshotLost)
    {
        ctx.let_go::<Snapshot>();
    }
    outcome
}

/// The tables that are not complete after the process that held the snapshot was killed. Those that are complete
/// although the journal does not know are journaled now.
async fn unfinished(
    ctx: &Context<Database>,
    slot: &Slot,
    planned: &[&TablePlan],
) -> Result<BTreeSet<u32>, Failure> {
    let generation = slot.attempt;
    let keys = effects(&ctx.target().await?, &format!("copy/{generation}/")).await?;
    let there = complete(&keys, generation);
    let journaled = ctx.items::<CopiedTable>()?;
    let (mut items, mut rest) = (Vec::new(), BTreeSet::new());
    for plan in planned {
        let name = item_name(generation, plan.number);
        let known = journaled.contains_key(&name);
        if known && !there.contains(&plan.number) {
            return Err(forgotten(plan));
        }
        // Which snapshot a table that is not published came from, only the journal knows.
        if !known && (plan.deferred() || !there.contains(&plan.number)) {
            rest.insert(plan.number);
        } else if !known {
            let item = CopiedTable {
                table: QualifiedName::new(plan.schema.as_str(), plan.name.as_str())?.to_string(),
                generation,
                as_of: slot.consistent_point.clone(),
                rows: None,
                bytes: 0,
            };
            items.push((name, item));
        }
    }
    ctx.items_finished(&items).await?;
    Ok(rest)
}

/// The journal knows of a table that the target does not: something has taken the target back in time.
fn forgotten(plan: &TablePlan) -> Failure {
    Failure::new(
        Code::StateLost,
        format!(
            "the target has lost table {}.{}, which was complete",
            plan.schema, plan.name
        ),
    )
    .with_side(Side::Target)
    .with_hint("was the target restored from a backup? Remove this migration with --force, drop the target database, and begin anew")
}

/// Copies tables that are not published out of a snapshot of their own.
async fn copy_deferred(
    ctx: &Context<Database>,
    generation: u32,
    mut tables: Vec<&TablePlan>,
) -> Result<(), Failure> {
    for _ in 0..SNAPSHOTS {
        if tables.is_empty() {
            return Ok(());
        }
        let snapshot = take_snapshot(ctx).await?;
        let loads = matched(ctx, &tables, &snapshot).await?;
        let rewritten = Crew::new(ctx, &snapshot, generation, &loads).work().await?;
        tables.retain(|plan| rewritten.contains(&plan.number));
    }
    match tables.first() {
        None => Ok(()),
        Some(plan) => Err(Failure::new(
            Code::PlanChanged,
            format!(
                "table {}.{} is truncated or rewritten again and again",
                plan.schema, plan.name
            ),
        )
        .with_side(Side::Source)
        .with_hint("run again when the source leaves the table alone for a moment")),
    }
}

/// Empties what the target's workers are to copy. A tree of partitions that is published as one is left to them
/// as one, with all its leaves.
async fn leave_to_the_server(
    ctx: &Context<Database>,
    generation: u32,
    planned: &[&TablePlan],
    rest: &[&TablePlan],
) -> Result<BTreeSet<u32>, Failure> {
    let published = |plan: &TablePlan| plan.root.unwrap_or(plan.number);
    let units: BTreeSet<u32> = rest.iter().map(|plan| published(plan)).collect();
    if units.is_empty() {
        return Ok(units);
    }
    let mut target = ctx.target().await?;
    let constrained = is_constrained(&target, planned).await?;
    if constrained {
        act_as_replica(&target).await?;
    }
    let verb = if constrained { "DELETE FROM" } else { "TRUNCATE" };
    for plan in planned.iter().filter(|plan| units.contains(&published(plan))) {
        let name = QualifiedName::new(plan.schema.as_str(), plan.name.as_str())?;
        let transaction = ctx.begin(&mut target).await?;
        let empty = format!("{verb} ONLY {name}");
        transaction.batch("empty a table", &empty).await?;
        transaction
            .forget(&keys_of_table(generation, plan.number))
            .await?;
        transaction.commit("empty a table").await?;
    }
    Ok(units)
}

/// The journal's word for every table that is not left to the target's workers.
fn proven(
    ctx: &Context<Database>,
    slot: Slot,
    planned: &[&TablePlan],
    rest: BTreeSet<u32>,
) -> Result<SnapshotCopyOutput, Failure> {
    let items = ctx.items::<CopiedTable>()?;
    let mut output = SnapshotCopyOutput {
        as_of: slot.consistent_point,
        rest,
        ..SnapshotCopyOutput::default()
    };
    let left = |plan: &TablePlan| output.rest.contains(&plan.root.unwrap_or(plan.number));
    let ours: Vec<&&TablePlan> = planned
        .iter()
        .filter(|plan| plan.kind == RelationKind::Table && !left(plan))
        .collect();
    for plan in ours {
        let item = items.get(&item_name(slot.attempt, plan.number)).ok_or_else(|| {
            Failure::bug(format!(
                "table {}.{} was not copied, and nobody noticed",
                plan.schema, plan.name
            ))
        })?;
        output.tables += 1;
        output.rows += item.rows.unwrap_or(0);
        if plan.deferred() {
            output.deferred.insert(plan.number, item.as_of.clone());
        }
    }
    Ok(output)
}
