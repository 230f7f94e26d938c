//! Tables that are copied out of snapshots of their own: those that are not replicated.

use crate::crew::Crew;
use crate::load::{Load, constrained, matched, take_snapshot};
use crate::on_target::GuardedTable;
use pghaul_contracts::CopiedTable;
use pghaul_step::{Code, Context, Database, Failure, Side, TablePlan};
use std::collections::{BTreeMap, BTreeSet};

/// How many snapshots are tried for tables that are rewritten again and again.
const SNAPSHOTS: u32 = 3;

/// Whose rows are replaced.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Guard<'c> {
    /// Nobody uses the tables yet.
    Off,
    /// Only those of these copies, by the numbers of the tables.
    LastCopies(&'c BTreeMap<u32, CopiedTable>),
}

impl Guard<'_> {
    fn protect(self, load: &mut Load) {
        let Self::LastCopies(copies) = self else { return };
        let copied = copies.get(&load.number).and_then(|copied| copied.rows);
        let (name, filter) = (load.table.name.clone(), load.filter.clone());
        load.guard = Some(GuardedTable::new(name, load.number, filter, copied));
    }
}

/// Copies tables out of one snapshot, and those that are rewritten before their copy out of another one. Tables with foreign keys or triggers
/// are copied by sessions in which these do not act, the others by sessions that need no further right.
///
/// # Errors
/// [`Code::PlanChanged`] where a table is rewritten too often.
pub(crate) async fn copy_apart(
    ctx: &Context<Database>,
    attempt: u32,
    mut tables: Vec<&TablePlan>,
    guard: Guard<'_>,
) -> Result<(), Failure> {
    for _ in 0..SNAPSHOTS {
        if tables.is_empty() {
            return Ok(());
        }
        let snapshot = take_snapshot(ctx).await?;
        let constrained = constrained(&*ctx.target_for_reading().await?, &tables).await?;
        let (held, free): (Vec<&TablePlan>, Vec<&TablePlan>) =
            tables.iter().partition(|plan| constrained.contains(&plan.name));
        let mut rewritten = BTreeSet::new();
        let groups = [(free, false), (held, true)];
        for (group, constrained) in groups.iter().filter(|(group, _)| !group.is_empty()) {
            let mut loads = matched(ctx, group, &snapshot, *constrained).await?;
            loads.iter_mut().for_each(|load| guard.protect(load));
            rewritten.extend(Crew::new(ctx, &snapshot, attempt, &loads).work().await?);
        }
        tables.retain(|plan| rewritten.contains(&plan.number));
    }
    match tables.first() {
        None => Ok(()),
        Some(plan) => Err(Failure::new(
            Code::PlanChanged,
            format!("table {} is truncated or rewritten again and again", plan.name),
        )
        .with_side(Side::Source)
        .with_hint("run again when the source leaves the table alone for a moment")),
    }
}
