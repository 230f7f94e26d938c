//! The tables that the first generation of the initial copy has left.

use pghaul_contracts::{Generation, Generations};
use pghaul_step::{Context, Database, Failure};
use std::collections::BTreeSet;

/// The numbers of those that the target's workers copy, with all tables of their partition trees.
pub(crate) fn rest(ctx: &Context<Database>) -> Result<BTreeSet<u32>, Failure> {
    let generations = Generations::of(ctx)?;
    let tables = ctx.plan().tables.iter();
    let left = tables.filter(|t| {
        [Generation::First, Generation::Second].iter().any(|generation| {
            let left = generations.left_to_the_workers(*generation);
            left.contains(&t.root.unwrap_or(t.number))
        })
    });
    Ok(left.map(|t| t.number).collect())
}

/// The numbers of those of the second generation, with all tables of their partition trees.
pub(crate) fn second(ctx: &Context<Database>) -> Result<BTreeSet<u32>, Failure> {
    let generations = Generations::of(ctx)?;
    let tables = ctx.plan().tables.iter();
    let second = tables.filter(|t| generations.of_table(t) == Generation::Second);
    Ok(second.map(|t| t.number).collect())
}
