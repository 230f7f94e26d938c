//! The generations of an initial copy that pghaul makes itself.
//!
//! What the first one leaves, because pghaul was killed or because a table was rewritten under its snapshot, is
//! copied by the target's workers; or, on request, by a second one, with a publication, a slot, a snapshot and a
//! subscription of its own. There is never a third: killed again, the second one begins anew.

use crate::context::Context;
use crate::scope::Database;
use pghaul_core::{Failure, TablePlan};
use serde::Deserialize;
use std::collections::BTreeSet;

/// One of them. Its number is part of the names of its objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Generation {
    /// Every table, at first.
    First,
    /// The tables that the first one has left.
    Second,
}

impl Generation {
    /// From 1.
    pub const fn number(self) -> u32 {
        match self {
            Self::First => 1,
            Self::Second => 2,
        }
    }

    /// The step that publishes its tables.
    pub const fn publication(self) -> &'static str {
        match self {
            Self::First => "publication",
            Self::Second => "rest-publication",
        }
    }

    /// The step that makes its slot, and holds its snapshot.
    pub const fn slot(self) -> &'static str {
        match self {
            Self::First => "slot",
            Self::Second => "rest-slot",
        }
    }

    /// The step that copies its tables.
    pub const fn copy(self) -> &'static str {
        match self {
            Self::First => "snapshot-copy",
            Self::Second => "rest-copy",
        }
    }

    /// The step that builds their indexes meanwhile.
    pub const fn indexes(self) -> &'static str {
        match self {
            Self::First => "snapshot-indexes",
            Self::Second => "rest-indexes",
        }
    }

    /// The step that subscribes the target to its publication.
    pub const fn subscription(self) -> &'static str {
        match self {
            Self::First => "subscription",
            Self::Second => "rest-subscription",
        }
    }

    /// Whether a database has this generation, as far as that is decided.
    ///
    /// # Errors
    /// When the journal can't be read.
    pub fn is_there(self, ctx: &Context<Database>) -> Result<bool, Failure> {
        Ok(Generations::of(ctx)?.all().contains(&self))
    }
}

/// Which generation each table of a database belongs to. The step `snapshot-copy` decides it when it ends.
#[derive(Debug, Clone, Default)]
pub struct Generations {
    first: Left,
    second: Left,
}

/// What is needed of the output of a copy.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Left {
    rest: BTreeSet<u32>,
    second: BTreeSet<u32>,
}

impl Generations {
    /// As the journal has it.
    ///
    /// # Errors
    /// When the journal can't be read.
    pub fn of(ctx: &Context<Database>) -> Result<Self, Failure> {
        let left = |generation: Generation| ctx.output::<Left>(generation.copy());
        Ok(Self {
            first: left(Generation::First)?.unwrap_or_default(),
            second: left(Generation::Second)?.unwrap_or_default(),
        })
    }

    /// Those that there are.
    pub fn all(&self) -> &'static [Generation] {
        if self.first.second.is_empty() {
            &[Generation::First]
        } else {
            &[Generation::First, Generation::Second]
        }
    }

    /// The one of a table. A tree of partitions that is published as one is in one.
    pub fn of_table(&self, table: &TablePlan) -> Generation {
        if self.first.second.contains(&table.root.unwrap_or(table.number)) {
            Generation::Second
        } else {
            Generation::First
        }
    }

    /// The numbers of the published tables of the second generation.
    pub fn second(&self) -> &BTreeSet<u32> {
        &self.first.second
    }

    /// The numbers of the published tables that a generation has left to the target's workers.
    pub fn left_to_the_workers(&self, generation: Generation) -> &BTreeSet<u32> {
        match generation {
            Generation::First => &self.first.rest,
            Generation::Second => &self.second.rest,
        }
    }
}
