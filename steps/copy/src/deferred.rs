//! Step `deferred-copy`: what is not replicated is copied once more by `remove`, out of a snapshot of its own.
//!
//! A table without a key, or one that is not logged, has the rows of the initial copy until then. The removal has proven that
//! nobody writes to the source; it copies those of these tables whose rows are not known to be the same, then asks the source
//! whether they were written to meanwhile.

use crate::apart::{Guard, copy_apart};
use crate::on_target::{accepting, refuse_foreign_rows};
use crate::written::{changed, written};
use async_trait::async_trait;
use pghaul_contracts::{
    CopiedTable, CopyItem, CopyOutput, DeferredCopyOutput, Generation, InitialCopyOutput, Rest,
    SnapshotCopyOutput,
};
use pghaul_step::step::REPLICATION;
use pghaul_step::{
    Code, Context, Contract, Database, Descriptor, Failure, Occasion, Probe, Repeats, Step, StepPhase,
    TablePlan,
};
use std::collections::BTreeMap;

/// The step.
#[derive(Debug, Default)]
pub struct DeferredCopy;

#[async_trait]
impl Step for DeferredCopy {
    type Scope = Database;
    type Output = DeferredCopyOutput;

    fn descriptor(&self) -> Descriptor {
        Descriptor {
            routes: REPLICATION,
            after: &[
                CopyOutput::STEP,
                SnapshotCopyOutput::STEP,
                Rest::<SnapshotCopyOutput>::STEP,
                InitialCopyOutput::STEP,
            ],
            repeats: Repeats::Removal,
            retries_itself: true,
            ..Descriptor::of::<DeferredCopyOutput>(
                "copies again what is not replicated, for the removal",
                StepPhase::Data,
            )
        }
    }

    fn is_needed(&self, ctx: &Context<Database>) -> Result<bool, Failure> {
        let at_removal = ctx.occasion() == Some(Occasion::Removal);
        Ok(
            at_removal
                && DeferredCopyOutput::is_planned(ctx.plan())
                && ctx.plan().deferred().next().is_some(),
        )
    }

    async fn probe(&self, _: &Context<Database>) -> Result<Probe<DeferredCopyOutput>, Failure> {
        Ok(Probe::Partial)
    }

    async fn run(&self, ctx: &Context<Database>) -> Result<DeferredCopyOutput, Failure> {
        let planned = ctx.plan().deferred();
        let mut tables: Vec<&TablePlan> = planned.filter(|plan| !ctx.is_accepted(&plan.object())).collect();
        let known = last_copies(ctx)?;
        let copy = |plan: &&TablePlan| Some((plan.number, known.get(&plan.number)?.clone()));
        let mut copies: BTreeMap<u32, CopiedTable> = tables.iter().filter_map(copy).collect();
        let changed = changed(ctx, &copies, tables.iter().copied()).await?;
        tables.retain(|plan| !copies.contains_key(&plan.number) || changed.contains(&plan.number));
        if !tables.is_empty() {
            refuse_foreign_rows(ctx, &tables, &copies).await?;
            let attempt = next_attempt(ctx, &known)?;
            let objects: Vec<String> = tables.iter().map(|plan| plan.object()).collect();
            copy_apart(ctx, attempt, tables, Guard::LastCopies(&copies))
                .await
                .map_err(|failure| with_way_out(failure, &objects))?;
            let items = ctx.items::<CopyItem, CopiedTable>()?;
            let copied = items.into_iter().filter(|(item, _)| item.attempt == attempt);
            copies.extend(copied.map(|(item, copied)| (item.table, copied)));
        }
        Ok(DeferredCopyOutput { tables: copies })
    }

    /// No slot tells of changes of these tables.
    async fn stop_following(&self, ctx: &Context<Database>) -> Result<u64, Failure> {
        let Some(output) = ctx.output::<DeferredCopyOutput>()? else {
            return Ok(0);
        };
        let written = written(ctx, output.tables, ctx.plan().deferred(), true).await?;
        Ok(written.len() as u64)
    }
}

/// The last copy of each table, where it is known.
fn last_copies(ctx: &Context<Database>) -> Result<BTreeMap<u32, CopiedTable>, Failure> {
    let mut all = ctx.items_of::<CopyOutput>()?;
    for generation in [Generation::First, Generation::Second] {
        all.extend(generation.items_of::<SnapshotCopyOutput>(ctx)?);
    }
    let mut last: BTreeMap<u32, CopiedTable> = BTreeMap::new();
    for (item, copied) in all {
        let known = last.entry(item.table).or_insert_with(|| copied.clone());
        if known.attempt <= copied.attempt {
            *known = copied;
        }
    }
    if let Some(output) = ctx.output::<DeferredCopyOutput>()? {
        last.extend(output.tables);
    }
    Ok(last)
}

/// A number that no copy of this database has had: keys and items of each are told apart.
fn next_attempt(ctx: &Context<Database>, known: &BTreeMap<u32, CopiedTable>) -> Result<u32, Failure> {
    let own = ctx.items::<CopyItem, CopiedTable>()?;
    let attempts = own.values().chain(known.values()).map(|copied| copied.attempt);
    Ok(attempts.max().unwrap_or(1) + 1)
}

/// What the target does not let pghaul copy, the user may.
fn with_way_out(failure: Failure, objects: &[String]) -> Failure {
    if !matches!(failure.code, Code::PermissionDenied | Code::ServerError) {
        return failure;
    }
    let leave = format!("`{}` leaves these rows to you", accepting(objects));
    let hint = match &failure.hint {
        Some(hint) => format!("{hint}; or {leave}"),
        None => leave,
    };
    failure.with_hint(hint)
}
