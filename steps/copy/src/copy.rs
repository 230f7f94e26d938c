//! Step `copy`.
//!
//! A snapshot dies with the process that holds it, and tables that were copied from different snapshots do not
//! fit together. So each start is a *generation*: it is journaled, then every table is copied again, each in
//! one transaction that empties the table first. The effect key of a table names the generation.

use crate::crew::Crew;
use crate::item::{COPIES, CopiedTable, Generation, complete, item_name};
use crate::load::{matched, take_snapshot};
use async_trait::async_trait;
use pghaul_step::{
    Code, Context, Database, Descriptor, Failure, Probe, Progress, Route, Side, Step, StepPhase, TablePlan,
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The step.
#[derive(Debug, Default)]
pub struct Copy;

/// What the copy amounts to.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct CopyOutput {
    /// How many tables were copied.
    pub tables: u64,
    /// How many rows.
    pub rows: u64,
    /// The source's WAL position of the snapshot.
    pub as_of: String,
    /// The tables' numbers in the plan.
    pub numbers: BTreeSet<u32>,
}

#[async_trait]
impl Step for Copy {
    type Scope = Database;
    type Output = CopyOutput;

    fn descriptor(&self) -> Descriptor {
        Descriptor {
            routes: &[Route::Dump, Route::ReplicationByServer],
            after: &["schema", "initial-copy"],
            copies_rows: true,
            retries_itself: true,
            ..Descriptor::new(
                "copy",
                "copies the rows of tables out of one snapshot",
                StepPhase::Data,
            )
        }
    }

    async fn probe(&self, ctx: &Context<Database>) -> Result<Probe<CopyOutput>, Failure> {
        Ok(if ctx.was_started() {
            Probe::Partial
        } else {
            Probe::Absent
        })
    }

    async fn run(&self, ctx: &Context<Database>) -> Result<CopyOutput, Failure> {
        let planned: Vec<&TablePlan> = ctx
            .plan()
            .tables
            .iter()
            .filter(|t| t.copied_by_us(ctx.route()))
            .collect();
        if planned.is_empty() {
            return Ok(CopyOutput::default());
        }
        let kept = kept_tables(ctx).await?;
        ctx.progress(Progress::Waiting {
            what: "a snapshot of the source".to_owned(),
        });
        let snapshot = take_snapshot(ctx).await?;
        let mut loads = matched(ctx, &planned, &snapshot).await?;
        loads.retain(|load| !kept.contains_key(&load.number));
        let generation = ctx.facts::<Generation>()?.last().map_or(1, |g| g.generation + 1);
        let position = snapshot.position().to_string();
        ctx.record(&Generation {
            generation,
            position: position.clone(),
        })
        .await?;
        let items: Vec<_> = kept
            .into_iter()
            .map(|(number, item)| (item_name(generation, number), item))
            .collect();
        ctx.items_finished(&items).await?;
        let rewritten = Crew::new(ctx, &snapshot, generation, &loads).work().await?;
        if let Some(load) = loads.iter().find(|load| rewritten.contains(&load.number)) {
            return Err(rewritten_behind_us(&load.table.name.to_string()));
        }
        proven(ctx, &planned, generation, position)
    }
}

/// The tables that an earlier generation has finished and that stay, where the user says that the source is quiet. The
/// target's word counts: whoever empties a table there forgets its effects.
async fn kept_tables(ctx: &Context<Database>) -> Result<BTreeMap<u32, CopiedTable>, Failure> {
    if !ctx.copying().keep_finished_tables {
        return Ok(BTreeMap::new());
    }
    let keys = ctx.effects(COPIES).await?;
    let mut complete_in: BTreeMap<u32, BTreeSet<u32>> = BTreeMap::new();
    let mut kept = BTreeMap::new();
    for (name, item) in ctx.items::<CopiedTable>()? {
        let there = complete_in
            .entry(item.generation)
            .or_insert_with(|| complete(&keys, item.generation));
        let number = name.split_once('/').and_then(|(_, number)| number.parse().ok());
        kept.extend(
            number
                .filter(|number| there.contains(number))
                .map(|number| (number, item)),
        );
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
    generation: u32,
    as_of: String,
) -> Result<CopyOutput, Failure> {
    let items = ctx.items::<CopiedTable>()?;
    let mut output = CopyOutput {
        as_of,
        ..CopyOutput::default()
    };
    for plan in planned {
        let item = items
            .get(&item_name(generation, plan.number))
            .ok_or_else(|| Failure::bug(format!("table {} was not copied, and nobody noticed", plan.name)))?;
        output.tables += 1;
        output.rows += item.rows.unwrap_or(0);
        output.numbers.insert(plan.number);
    }
    Ok(output)
}
