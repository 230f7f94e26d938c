//! Which generation each table of a database belongs to.

use crate::copy::SnapshotCopyOutput;
use crate::generation::Generation;
use pghaul_step::{Context, Database, Failure, TablePlan};
use std::collections::BTreeSet;

/// Which generation each table of a database belongs to. The step `snapshot-copy` decides it when it ends.
#[derive(Debug, Clone, Default)]
pub struct Generations {
    first: Option<SnapshotCopyOutput>,
    second: Option<SnapshotCopyOutput>,
}

static NONE: BTreeSet<u32> = BTreeSet::new();

impl Generations {
    /// As the journal has it.
    ///
    /// # Errors
    /// When the journal can't be read.
    pub fn of(ctx: &Context<Database>) -> Result<Self, Failure> {
        Ok(Self {
            first: Generation::First.output(ctx)?,
            second: Generation::Second.output(ctx)?,
        })
    }

    /// Those that there are.
    pub fn all(&self) -> &'static [Generation] {
        if self.second().is_empty() {
            &[Generation::First]
        } else {
            &[Generation::First, Generation::Second]
        }
    }

    /// The one of a table. A tree of partitions that is published as one is in one.
    pub fn of_table(&self, table: &TablePlan) -> Generation {
        if self.second().contains(&table.root.unwrap_or(table.number)) {
            Generation::Second
        } else {
            Generation::First
        }
    }

    /// The numbers of the published tables of the second generation.
    pub fn second(&self) -> &BTreeSet<u32> {
        self.first.as_ref().map_or(&NONE, |copied| &copied.second)
    }

    /// The numbers of the published tables that a generation has left to the target's workers.
    pub fn left_to_the_workers(&self, generation: Generation) -> &BTreeSet<u32> {
        let copied = match generation {
            Generation::First => &self.first,
            Generation::Second => &self.second,
        };
        copied.as_ref().map_or(&NONE, |copied| &copied.rest)
    }
}

impl Generation {
    /// Whether a database has this generation, as far as that is decided.
    ///
    /// # Errors
    /// When the journal can't be read.
    pub fn is_there(self, ctx: &Context<Database>) -> Result<bool, Failure> {
        Ok(Generations::of(ctx)?.all().contains(&self))
    }
}
