//! Step `copy`: copies the rows of tables out of one snapshot of the source.
//!
//! For the method dump these are all tables; for the method replication those that can't be replicated, which
//! keep the rows that they have at this moment until the cutover.
//!
//! A snapshot dies with the process that holds it, and tables that were copied from different snapshots do not
//! fit together. So each start is a *generation*: it is journaled, then every table is copied again, each in
//! one transaction that empties the table first. The effect key of a table names the generation.

mod worker;

use async_trait::async_trait;
use pghaul_copy::{Snapshot, Table, largest_first};
use pghaul_step::{
    Code, Context, Database, Descriptor, Failure, Probe, Progress, Side, Step, StepPhase, TablePlan,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use worker::Crew;

/// The step.
#[derive(Debug, Default)]
pub struct Copy;

/// A start of the copy, journaled before the first table is emptied.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Generation {
    generation: u32,
    /// The source's WAL position of the snapshot.
    position: String,
}

/// What is remembered of a copied table.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CopiedTable {
    /// The table's name.
    pub table: String,
    /// The snapshot it was copied from.
    pub generation: u32,
    /// The source's WAL position of that snapshot.
    pub as_of: String,
    /// The rows, as both sides counted them.
    pub rows: u64,
    /// The bytes of COPY data.
    pub bytes: u64,
}

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
            after: &["schema", "initial-copy"],
            copies_rows: true,
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
            .filter(|t| t.copied_by_us(ctx.method()))
            .collect();
        if planned.is_empty() {
            return Ok(CopyOutput::default());
        }
        ctx.progress(Progress::Waiting {
            what: "a snapshot of the source".to_owned(),
        });
        let snapshot = Snapshot::take(ctx.source_server(), ctx.database().as_str()).await?;
        let mut tables = matched(ctx, &planned, &snapshot)?;
        largest_first(&mut tables);
        let generation = ctx.facts::<Generation>()?.last().map_or(1, |g| g.generation + 1);
        let position = snapshot.position().to_string();
        ctx.record(&Generation {
            generation,
            position: position.clone(),
        })
        .await?;
        let crew = Crew::new(ctx, &snapshot, generation, &tables);
        crew.work().await?;
        proven(ctx, &planned, generation, position)
    }
}

/// The planned tables as the snapshot's catalogs have them.
fn matched(
    ctx: &Context<Database>,
    planned: &[&TablePlan],
    snapshot: &Snapshot,
) -> Result<Vec<(u32, Table)>, Failure> {
    let changed = |what: String| {
        Failure::new(Code::PlanChanged, what).with_side(Side::Source).with_hint(
            "the schema of the source must not change during a migration; undo the change, or remove this migration and begin a new one",
        )
    };
    let mut tables = Vec::with_capacity(planned.len());
    for plan in planned {
        let key = (plan.schema.clone(), plan.name.clone());
        let table = snapshot.tables().get(&key);
        let table = table.ok_or_else(|| {
            changed(format!(
                "table {}.{} is in the plan, but no longer on the source",
                plan.schema, plan.name
            ))
        })?;
        tables.push((plan.number, table.clone()));
    }
    let known: BTreeSet<(&str, &str)> = ctx
        .plan()
        .tables
        .iter()
        .map(|t| (t.schema.as_str(), t.name.as_str()))
        .collect();
    let new = snapshot
        .tables()
        .iter()
        .find(|((s, n), _)| !known.contains(&(s.as_str(), n.as_str())));
    match new {
        Some((_, table)) => Err(changed(format!(
            "table {} is new on the source since the plan",
            table.name
        ))),
        None => Ok(tables),
    }
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
        let item = items.get(&item_name(generation, plan.number)).ok_or_else(|| {
            Failure::bug(format!(
                "table {}.{} was not copied, and nobody noticed",
                plan.schema, plan.name
            ))
        })?;
        output.tables += 1;
        output.rows += item.rows;
        output.numbers.insert(plan.number);
    }
    Ok(output)
}

/// The item of one table, and its effect key behind `copy/`.
fn item_name(generation: u32, number: u32) -> String {
    format!("{generation}/{number}")
}
