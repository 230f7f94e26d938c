//! Tables that are copied out of snapshots of their own: those that are not replicated.

use crate::crew::Crew;
use crate::load::{constrained, matched, take_snapshot};
use pghaul_step::{Code, Context, Database, Failure, Side, TablePlan};
use std::collections::BTreeSet;

/// How many snapshots are tried for tables that are rewritten again and again.
const SNAPSHOTS: u32 = 3;

/// Copies tables out of one snapshot, and those that are rewritten before their copy out of another one. Tables with foreign keys or triggers
/// are copied by sessions in which these do not act, the others by sessions that need no further right.
///
/// # Errors
/// [`Code::PlanChanged`] where a table is rewritten too often.
pub(crate) async fn copy_apart(
    ctx: &Context<Database>,
    attempt: u32,
    mut tables: Vec<&TablePlan>,
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
        for group in [free, held].iter().filter(|group| !group.is_empty()) {
            let loads = matched(ctx, group, &snapshot).await?;
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
