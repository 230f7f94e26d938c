//! Step `snapshot-copy`: the initial copy of replication, made by pghaul from the snapshot of the slot; and step
//! `rest-copy`, the same for its second generation.
//!
//! The step `slot` holds the snapshot while this process lives. Where it is gone, tables that are complete stay:
//! the changes since the slot's beginning belong to them. The others are emptied and left to the target's
//! workers, which step `subscription` lets copy and join them; or to the second generation. A table that is
//! truncated or rewritten on the source before its rows are copied is left to them too: the snapshot sees it empty.
//! Tables that can't be published are copied out of a snapshot of their own then: they keep the rows of one moment
//! anyway.
//!
//! In the second generation nothing stays when its snapshot is gone: it begins anew, with a new slot.

use crate::apart::{Guard, copy_apart};
use crate::crew::Crew;
use crate::load::{Load, act_as_replica, copied, is_constrained, matched, refuse_new_tables};
use crate::written::{items_of_attempt, written};
use async_trait::async_trait;
use pghaul_contracts::{
    CopiedTable, CopyItem, EffectKey, Generation, Generations, Rest, SlotOutput, SnapshotCopyOutput,
};
use pghaul_copy::Snapshot;
use pghaul_step::plan::RelationKind;
use pghaul_step::postgres::QualifiedName;
use pghaul_step::{
    Code, Context, Contract, Database, DatabaseName, Descriptor, Failure, Incomplete, InitialCopy, Probe,
    Route, Side, Step, StepPhase, TablePlan, failures,
};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The step.
#[derive(Debug)]
pub struct SnapshotCopy(pub Generation);

#[async_trait]
impl Step for SnapshotCopy {
    type Scope = Database;
    type Output = SnapshotCopyOutput;

    fn descriptor(&self) -> Descriptor {
        let (after, summary): (&[&str], _) = match self.0 {
            Generation::First => (&[SlotOutput::STEP], "copies the rows out of the slot's snapshot"),
            Generation::Second => (
                &[Rest::<SlotOutput>::STEP],
                "copies what is left out of the second slot's snapshot",
            ),
        };
        Descriptor {
            routes: &[Route::ReplicationBySnapshot],
            after,
            copies_rows: true,
            retries_itself: true,
            ..self.0.descriptor::<SnapshotCopyOutput>(summary, StepPhase::Data)
        }
    }

    fn is_needed(&self, ctx: &Context<Database>) -> Result<bool, Failure> {
        self.0.is_there(ctx)
    }

    async fn probe(&self, ctx: &Context<Database>) -> Result<Probe<SnapshotCopyOutput>, Failure> {
        Ok(if ctx.was_started() {
            Probe::Partial
        } else {
            Probe::Absent
        })
    }

    async fn run(&self, ctx: &Context<Database>) -> Result<SnapshotCopyOutput, Failure> {
        let slot: SlotOutput = self.0.finished(ctx)?;
        let generations = Generations::of(ctx)?;
        let planned: Vec<&TablePlan> = ctx
            .plan()
            .tables
            .iter()
            .filter(|t| t.copied_by_us(Route::ReplicationBySnapshot))
            .filter(|t| generations.of_table(t) == self.0)
            .collect();
        let missing = match (ctx.kept::<Snapshot>(), self.0) {
            (Some(snapshot), _) => copy_all(ctx, &snapshot, slot.attempt, &planned).await?,
            (None, Generation::First) => unfinished(ctx, &slot, &planned).await?,
            (None, Generation::Second) => {
                return Err(failures::snapshot_lost(
                    "the second generation of the copy has lost its snapshot",
                ));
            }
        };
        let missing = planned
            .iter()
            .copied()
            .filter(|plan| missing.contains(&plan.number));
        let (deferred, published): (Vec<_>, Vec<_>) = missing.partition(|plan| plan.deferred());
        copy_apart(ctx, slot.attempt, deferred, Guard::Off).await?;
        let units: BTreeSet<u32> = published.iter().map(|plan| published_as(plan)).collect();
        let copied_by = self.who_copies(ctx, &planned, &units).await?;
        empty(ctx, &planned, &units).await?;
        // Nobody needs the snapshot any more, and it keeps the source from cleaning up.
        ctx.let_go::<Snapshot>();
        let mut output = SnapshotCopyOutput {
            as_of: slot.consistent_point,
            ..SnapshotCopyOutput::default()
        };
        match copied_by {
            InitialCopy::Server => output.rest = units.clone(),
            InitialCopy::Snapshot => output.second = units.clone(),
        }
        proven(ctx, &slot, &planned, &units, output)
    }

    /// Of the tables that are not replicated: all others follow.
    async fn written_since(
        &self,
        ctx: &Context<Database>,
        read_rows: bool,
    ) -> Result<Vec<Incomplete>, Failure> {
        let Some(slot) = self.0.output::<SlotOutput>(ctx)? else {
            return Ok(Vec::new());
        };
        let generations = Generations::of(ctx)?;
        let deferred = ctx
            .plan()
            .tables
            .iter()
            .filter(|t| t.deferred() && generations.of_table(t) == self.0);
        written(ctx, items_of_attempt(ctx, slot.attempt)?, deferred, read_rows).await
    }
}

impl SnapshotCopy {
    /// Who copies the published tables that are left.
    ///
    /// # Errors
    /// [`Code::SnapshotLost`] where nobody can but another try of the second generation.
    async fn who_copies(
        &self,
        ctx: &Context<Database>,
        planned: &[&TablePlan],
        units: &BTreeSet<u32>,
    ) -> Result<InitialCopy, Failure> {
        if units.is_empty() {
            return Ok(InitialCopy::Server);
        }
        let workers_can = may_publish(ctx, units).await?;
        match self.0 {
            // Foreign keys between the generations would have to be taken away again.
            Generation::First if is_constrained(&*ctx.target_for_reading().await?, planned).await? => {
                if workers_can {
                    Ok(InitialCopy::Server)
                } else {
                    Err(nobody_can(ctx.database()))
                }
            }
            Generation::First if workers_can => Ok(ctx.copying().rest),
            Generation::First => Ok(InitialCopy::Snapshot),
            Generation::Second if workers_can => Ok(InitialCopy::Server),
            Generation::Second => {
                ctx.let_go::<Snapshot>();
                Err(failures::snapshot_lost(
                    "a table was truncated or rewritten on the source while it was to be copied, and pghaul's role may not publish it again",
                ))
            }
        }
    }
}

/// Whether pghaul's role may put tables back into a publication, so that the target's workers can copy them: it must own
/// them.
async fn may_publish(ctx: &Context<Database>, units: &BTreeSet<u32>) -> Result<bool, Failure> {
    let tables = units.iter().filter_map(|number| ctx.plan().table(*number));
    let (schemas, names): (Vec<&str>, Vec<&str>) = tables
        .map(|plan| (plan.name.schema.as_str(), plan.name.name.as_str()))
        .unzip();
    let source = ctx.source().await?;
    let doing = source.doing("look who owns the tables that are left");
    let row = doing
        .query_one(include_str!("may_publish.sql"), &[&schemas, &names])
        .await?;
    Ok(row.get(0))
}

/// The snapshot is gone, and a second one can't be used.
fn nobody_can(database: &DatabaseName) -> Failure {
    Failure::new(
        Code::PermissionDenied,
        "the copy was interrupted, and pghaul's role may not publish the tables that are left, so that the target's workers could copy them",
    )
    .with_side(Side::Source)
    .with_hint(format!(
        "let the role own the tables, and run again; or {}",
        failures::copied_anew(database)
    ))
}

/// The number of the table that stands for it in the publication.
fn published_as(plan: &TablePlan) -> u32 {
    plan.root.unwrap_or(plan.number)
}

/// Copies every table that is not complete yet. Returns the numbers of those that can't be copied from this
/// snapshot.
async fn copy_all(
    ctx: &Context<Database>,
    snapshot: &Arc<Snapshot>,
    attempt: u32,
    planned: &[&TablePlan],
) -> Result<BTreeSet<u32>, Failure> {
    refuse_new_tables(ctx, snapshot).await?;
    let constrained = is_constrained(&*ctx.target_for_reading().await?, planned).await?;
    let mut loads: Vec<Load> = matched(ctx, planned, snapshot, constrained).await?;
    let done = ctx.items::<CopyItem, CopiedTable>()?;
    let item = |table| CopyItem { attempt, table };
    loads.retain(|load| !done.contains_key(&item(load.number)));
    let outcome = Crew::new(ctx, snapshot, attempt, &loads).work().await;
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
    slot: &SlotOutput,
    planned: &[&TablePlan],
) -> Result<BTreeSet<u32>, Failure> {
    let attempt = slot.attempt;
    let keys = ctx.effects(&EffectKey::copied_in(attempt)).await?;
    let there = EffectKey::complete(&keys, attempt);
    let journaled = ctx.items::<CopyItem, CopiedTable>()?;
    let (mut items, mut rest, mut gone) = (Vec::new(), BTreeSet::new(), Vec::new());
    for plan in planned {
        let name = CopyItem {
            attempt,
            table: plan.number,
        };
        let known = journaled.contains_key(&name);
        if known && !there.contains(&plan.number) {
            gone.push(*plan);
        }
        // Which snapshot a table that is not published came from, only the journal knows.
        if !known && (plan.deferred() || !there.contains(&plan.number)) {
            rest.insert(plan.number);
        } else if !known {
            let item = CopiedTable {
                table: QualifiedName::try_from(&plan.name)?.to_string(),
                attempt,
                as_of: slot.consistent_point.to_string(),
                rows: None,
                bytes: 0,
                took_ms: None,
                together: None,
                mark: None,
            };
            items.push((name, item));
        }
    }
    // We empty a complete partition ourselves where another one of its tree is left.
    let units: BTreeSet<u32> = planned
        .iter()
        .filter(|plan| rest.contains(&plan.number) && !plan.deferred())
        .map(|plan| published_as(plan))
        .collect();
    if let Some(plan) = gone.iter().find(|plan| !units.contains(&published_as(plan))) {
        return Err(failures::copy_forgotten(ctx.database(), &plan.name));
    }
    ctx.items_finished(&items).await?;
    Ok(rest)
}

/// Empties what others are to copy. A tree of partitions that is published as one is left to them as one, with all
/// its leaves.
async fn empty(
    ctx: &Context<Database>,
    planned: &[&TablePlan],
    units: &BTreeSet<u32>,
) -> Result<(), Failure> {
    if units.is_empty() {
        return Ok(());
    }
    let mut target = ctx.target().await?;
    let constrained = is_constrained(&target, planned).await?;
    if constrained {
        act_as_replica(&target).await?;
    }
    let verb = if constrained { "DELETE FROM" } else { "TRUNCATE" };
    for plan in planned.iter().filter(|plan| units.contains(&published_as(plan))) {
        let name = QualifiedName::try_from(&plan.name)?;
        let transaction = ctx.begin(&mut target).await?;
        let empty = format!("{verb} ONLY {name}");
        transaction.batch("empty a table", &empty).await?;
        transaction
            .forget_matching(&EffectKey::copies_of([plan.number]))
            .await?;
        transaction.commit("empty a table").await?;
    }
    Ok(())
}

/// The journal's word for every table that is not left to others.
fn proven(
    ctx: &Context<Database>,
    slot: &SlotOutput,
    planned: &[&TablePlan],
    units: &BTreeSet<u32>,
    mut output: SnapshotCopyOutput,
) -> Result<SnapshotCopyOutput, Failure> {
    let items = ctx.items::<CopyItem, CopiedTable>()?;
    let attempt = slot.attempt;
    let ours = planned
        .iter()
        .filter(|plan| plan.kind == RelationKind::Table && !units.contains(&published_as(plan)));
    for plan in ours {
        let item = copied(&items, attempt, plan)?;
        output.tables += 1;
        output.rows += item.rows.unwrap_or(0);
        if plan.deferred() {
            output.deferred.insert(plan.number, item.as_of.clone());
        }
    }
    Ok(output)
}
