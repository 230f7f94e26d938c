//! Step `copy`.
//!
//! A snapshot dies with the process that holds it, and tables that were copied from different snapshots do not
//! fit together. So each start is an *attempt* of its own: it is journaled, then every table is copied again, each in
//! one transaction that empties the table first. The effect key of a table names the attempt.

use crate::crew::Crew;
use crate::load::{copied, is_constrained, matched, refuse_new_tables, take_snapshot};
use crate::written::{items_of_attempt, written};
use async_trait::async_trait;
use pghaul_contracts::{
    CopiedTable, CopyItem, CopyOutput, EffectKey, InitialCopyOutput, LargeObjectsOutput, SchemaOutput,
};
use pghaul_copy::Snapshot;
use pghaul_step::plan::RelationKind;
use pghaul_step::postgres::QualifiedName;
use pghaul_step::postgres::catalog::Detail;
use pghaul_step::{
    Code, Context, Contract, Database, Descriptor, Failure, Incomplete, Probe, Progress, Route, Side, Step,
    StepPhase, TableName, TablePlan,
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The step.
#[derive(Debug, Default)]
pub struct Copy;

/// A start of the copy, journaled before the first table is emptied. All tables of an attempt come from one snapshot.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Attempt {
    /// From 1. The journal calls it `generation`.
    #[serde(rename = "generation")]
    number: u32,
    /// The source's WAL position of the snapshot.
    position: String,
}

#[async_trait]
impl Step for Copy {
    type Scope = Database;
    type Output = CopyOutput;

    fn descriptor(&self) -> Descriptor {
        Descriptor {
            routes: &[Route::Dump, Route::ReplicationByServer],
            after: &[SchemaOutput::STEP, InitialCopyOutput::STEP],
            copies_rows: true,
            retries_itself: true,
            follows_rows: true,
            holds_for: Some(LargeObjectsOutput::STEP),
            ..Descriptor::of::<CopyOutput>("copies the rows of tables out of one snapshot", StepPhase::Data)
        }
    }

    async fn probe(&self, ctx: &Context<Database>) -> Result<Probe<CopyOutput>, Failure> {
        Ok(match ctx.output::<CopyOutput>()? {
            Some(output) if !must_hold(ctx) || holds(ctx) => Probe::Present(output),
            _ if ctx.was_started() => Probe::Partial,
            _ => Probe::Absent,
        })
    }

    async fn run(&self, ctx: &Context<Database>) -> Result<CopyOutput, Failure> {
        let planned: Vec<&TablePlan> = ctx
            .plan()
            .tables
            .iter()
            .filter(|t| t.copied_by_us(ctx.route()))
            .collect();
        ctx.let_go::<Snapshot>();
        if planned.is_empty() && !must_hold(ctx) {
            return Ok(CopyOutput::default());
        }
        let kept = kept_tables(ctx).await?;
        ctx.progress(Progress::Waiting {
            what: "a snapshot of the source".to_owned(),
        });
        let waiting = ctx.notes().waiting("a snapshot of the source");
        let snapshot = take_snapshot(ctx).await?;
        drop(waiting);
        refuse_new_tables(ctx, &snapshot).await?;
        let constrained = is_constrained(&*ctx.target_for_reading().await?, &planned).await?;
        let mut loads = matched(ctx, &planned, &snapshot, constrained).await?;
        loads.retain(|load| !kept.contains_key(&load.number));
        let attempt = ctx.facts::<Attempt>()?.last().map_or(1, |last| last.number + 1);
        let position = snapshot.position().to_string();
        let begun = Attempt {
            number: attempt,
            position: position.clone(),
        };
        ctx.record(&begun).await?;
        let items: Vec<_> = kept
            .into_iter()
            .map(|(table, copied)| (CopyItem { attempt, table }, copied))
            .collect();
        ctx.items_finished(&items).await?;
        let rewritten = Crew::new(ctx, &snapshot, attempt, &loads).work().await?;
        if let Some(load) = loads.iter().find(|load| rewritten.contains(&load.number)) {
            return Err(rewritten_behind_us(&load.table.name.to_string()));
        }
        if must_hold(ctx) {
            ctx.keep(snapshot);
        }
        proven(ctx, &planned, attempt, position)
    }

    async fn written_since(
        &self,
        ctx: &Context<Database>,
        read_rows: bool,
    ) -> Result<Vec<Incomplete>, Failure> {
        let attempt = ctx.facts::<Attempt>()?.last().map_or(0, |last| last.number);
        let copied = ctx.plan().tables.iter().filter(|t| t.copied_by_us(ctx.route()));
        let mut found = written(ctx, items_of_attempt(ctx, attempt)?, copied, read_rows).await?;
        // Where all else follows, the proof finds them.
        if ctx.route() == Route::Dump {
            found.extend(new_tables(ctx).await?);
        }
        Ok(found)
    }
}

/// Whether large objects are yet to be copied out of the same snapshot.
fn must_hold(ctx: &Context<Database>) -> bool {
    ctx.route() == Route::Dump
        && LargeObjectsOutput::is_planned(ctx.plan())
        && !ctx.has_finished::<LargeObjectsOutput>()
}

fn holds(ctx: &Context<Database>) -> bool {
    let snapshot = ctx.kept::<Snapshot>();
    snapshot.is_some_and(|snapshot| !snapshot.keeper().is_closed())
}

/// Tables that the source has got since the plan. A dump has no proof that would find them later.
async fn new_tables(ctx: &Context<Database>) -> Result<Vec<Incomplete>, Failure> {
    let source = ctx.source().await?;
    let catalog = source.catalog(Detail::Facts).await?;
    let known: BTreeSet<&TableName> = ctx.plan().tables.iter().map(|plan| &plan.name).collect();
    let there = catalog
        .relations
        .tables()
        .filter(|table| table.kind == RelationKind::Table);
    let mut new: Vec<&TableName> = there
        .map(|table| &table.name)
        .filter(|name| !known.contains(name))
        .collect();
    if !new.is_empty()
        && let Some(selected) = ctx.selected(&source).await?
    {
        new.retain(|name| selected.holds_named(&name.schema, &name.name));
    }
    let incomplete = |name: &TableName| {
        Ok(Incomplete {
            object: format!("table {}", QualifiedName::try_from(name)?.short()),
            why: "it is new on the source since the plan".to_owned(),
            ..Incomplete::default()
        })
    };
    new.into_iter().map(incomplete).collect()
}

/// The tables that an earlier attempt has finished and that stay, where the user says that the source is quiet. The
/// target's word counts: whoever empties a table there forgets its effects.
async fn kept_tables(ctx: &Context<Database>) -> Result<BTreeMap<u32, CopiedTable>, Failure> {
    if !ctx.copying().keep_finished_tables {
        return Ok(BTreeMap::new());
    }
    let keys = ctx.effects(EffectKey::COPIED).await?;
    let mut complete_in: BTreeMap<u32, BTreeSet<u32>> = BTreeMap::new();
    let mut kept = BTreeMap::new();
    for (item, copied) in ctx.items::<CopyItem, CopiedTable>()? {
        // The rows may have stayed from an attempt before this one.
        let there = complete_in
            .entry(copied.attempt)
            .or_insert_with(|| EffectKey::complete(&keys, copied.attempt));
        kept.extend(there.contains(&item.table).then_some((item.table, copied)));
    }
    Ok(kept)
}

/// The snapshot of a dump must be one for all tables: a single one can't be copied later.
fn rewritten_behind_us(table: &str) -> Failure {
    Failure::new(
        Code::PlanChanged,
        format!("table {table} was truncated, rewritten or dropped while it was to be copied"),
    )
    .with_side(Side::Source)
    .with_hint("run again: the copy starts over with a new snapshot")
}

/// The journal's word that every planned table was copied from this snapshot.
fn proven(
    ctx: &Context<Database>,
    planned: &[&TablePlan],
    attempt: u32,
    as_of: String,
) -> Result<CopyOutput, Failure> {
    let items = ctx.items::<CopyItem, CopiedTable>()?;
    let mut output = CopyOutput {
        as_of,
        ..CopyOutput::default()
    };
    for plan in planned {
        let item = copied(&items, attempt, plan)?;
        output.tables += 1;
        output.rows += item.rows.unwrap_or(0);
        output.numbers.insert(plan.number);
    }
    Ok(output)
}
