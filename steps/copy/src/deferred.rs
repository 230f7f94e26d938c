//! Step `deferred-copy`: what is not replicated is copied once more by `remove`, out of a snapshot of its own.
//!
//! A table without a key, or one that is not logged, has the rows of the initial copy until then. The removal has proven that
//! nobody writes to the source; it copies those of these tables whose rows are not known to be the same, then asks the source
//! whether they were written to meanwhile.

use crate::crew::Crew;
use crate::load::{is_constrained, matched, take_snapshot};
use crate::on_target::refuse_foreign_rows;
use crate::written::{changed, written};
use async_trait::async_trait;
use pghaul_contracts::{
    CopiedTable, CopyItem, CopyOutput, DeferredCopyOutput, Generation, InitialCopyOutput, Rest,
    SnapshotCopyOutput,
};
use pghaul_step::step::{REPLICATION, deferred_table};
use pghaul_step::{
    Code, Context, Contract, Database, Descriptor, Failure, Occasion, Probe, Repeats, Side, Step, StepPhase,
    TablePlan, listed, shell_word,
};
use std::collections::{BTreeMap, BTreeSet};

/// How many snapshots are tried for tables that are rewritten again and again.
const SNAPSHOTS: u32 = 3;

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
        let mut tables: Vec<&TablePlan> = planned
            .filter(|plan| !ctx.is_accepted(&deferred_table(plan)))
            .collect();
        let mut copies = last_copies(ctx)?;
        copies.retain(|number, _| tables.iter().any(|plan| plan.number == *number));
        let changed = changed(ctx, &copies, tables.iter().copied()).await?;
        tables.retain(|plan| !copies.contains_key(&plan.number) || changed.contains(&plan.number));
        if !tables.is_empty() {
            refuse_foreign_rows(ctx, &tables, &copies).await?;
            let attempt = next_attempt(ctx)?;
            copy(ctx, attempt, tables).await?;
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
fn next_attempt(ctx: &Context<Database>) -> Result<u32, Failure> {
    let own = ctx.items::<CopyItem, CopiedTable>()?;
    let own = own.keys().map(|item| item.attempt).max();
    let others = last_copies(ctx)?;
    let others = others.values().map(|copied| copied.attempt).max();
    Ok(own.max(others).unwrap_or(1) + 1)
}

/// Copies the tables out of one snapshot: those with foreign keys or triggers by sessions in which these do not act, the others
/// by sessions that need no further right.
async fn copy(ctx: &Context<Database>, attempt: u32, mut tables: Vec<&TablePlan>) -> Result<(), Failure> {
    for _ in 0..SNAPSHOTS {
        let snapshot = take_snapshot(ctx).await?;
        let (constrained, free) = parted(ctx, &tables).await?;
        let mut rewritten = BTreeSet::new();
        for group in [free, constrained] {
            let loads = matched(ctx, &group, &snapshot).await?;
            let copied = Crew::new(ctx, &snapshot, attempt, &loads).work().await;
            rewritten.extend(copied.map_err(|failure| with_way_out(failure, &group))?);
        }
        tables.retain(|plan| rewritten.contains(&plan.number));
        if tables.is_empty() {
            return Ok(());
        }
    }
    Err(Failure::new(
        Code::PlanChanged,
        format!(
            "truncated or rewritten again and again: {}",
            listed(&objects(&tables))
        ),
    )
    .with_side(Side::Source)
    .with_hint("stop everything that writes to the source, then remove"))
}

/// The tables with foreign keys or triggers on the target, and those without.
async fn parted<'p>(
    ctx: &Context<Database>,
    tables: &[&'p TablePlan],
) -> Result<(Vec<&'p TablePlan>, Vec<&'p TablePlan>), Failure> {
    let target = ctx.target_for_reading().await?;
    let (mut constrained, mut free) = (Vec::new(), Vec::new());
    for plan in tables {
        match is_constrained(&target, &[plan]).await? {
            true => constrained.push(*plan),
            false => free.push(*plan),
        }
    }
    Ok((constrained, free))
}

/// What the target does not let pghaul copy, the user may.
fn with_way_out(failure: Failure, tables: &[&TablePlan]) -> Failure {
    if !matches!(failure.code, Code::PermissionDenied | Code::ServerError) {
        return failure;
    }
    let leave = match objects(tables).as_slice() {
        [] => return failure,
        [first, others @ ..] => {
            let more = if others.is_empty() { "" } else { " …" };
            let first = shell_word(first);
            format!("`pghaul remove --accept-incomplete {first}{more}` leaves these rows to you")
        }
    };
    let hint = match &failure.hint {
        Some(hint) => format!("{hint}; or {leave}"),
        None => leave,
    };
    failure.with_hint(hint)
}

fn objects(tables: &[&TablePlan]) -> Vec<String> {
    tables.iter().map(|plan| deferred_table(plan)).collect()
}
