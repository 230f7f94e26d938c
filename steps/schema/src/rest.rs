//! The tables that the initial copy of pghaul has left to the target's workers.

use pghaul_step::{Context, Database, Failure};
use serde::Deserialize;
use std::collections::BTreeSet;

/// Their numbers, with all tables of their partition trees.
pub(crate) fn rest(ctx: &Context<Database>) -> Result<BTreeSet<u32>, Failure> {
    #[derive(Deserialize)]
    struct Copied {
        rest: BTreeSet<u32>,
    }
    let copied: Option<Copied> = ctx.output("snapshot-copy")?;
    let published = copied.map(|copied| copied.rest).unwrap_or_default();
    let tables = ctx.plan().tables.iter();
    let left = tables.filter(|t| published.contains(&t.root.unwrap_or(t.number)));
    Ok(left.map(|t| t.number).collect())
}
