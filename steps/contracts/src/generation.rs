//! The generations of an initial copy that pghaul makes itself.
//!
//! A generation is a copy with a publication, a slot, a snapshot and a subscription of its own. What the first one leaves,
//! because pghaul was killed or because a table was rewritten under its snapshot, is copied by the target's workers; or, on
//! request, by a second generation. There is never a third: killed again, the second one begins anew, with another *attempt*.

use pghaul_step::contract::{Contract, Itemized};
use pghaul_step::{Context, Database, Descriptor, Failure, StepPhase, StepUpcaster};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Generation {
    /// Every table, at first.
    First,
    /// The tables that the first one has left.
    Second,
}

/// The output of a step that exists once for each generation.
pub trait InGenerations: Contract {
    /// The name of the second generation's step; [`Contract::STEP`] is that of the first.
    const REST: &'static str;
}

/// What a step of the second generation leaves: the same as that of the first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Rest<C>(pub C);

impl<C: InGenerations> Contract for Rest<C> {
    const STEP: &'static str = C::REST;
    const UPCASTERS: &'static [StepUpcaster] = C::UPCASTERS;
}

impl<C: InGenerations + Itemized> Itemized for Rest<C> {
    type Name = C::Name;
    type Item = C::Item;
}

impl Generation {
    /// From 1. It is part of the names of publications, slots and subscriptions.
    pub const fn number(self) -> u32 {
        match self {
            Self::First => 1,
            Self::Second => 2,
        }
    }

    /// The name of this generation's step.
    pub const fn step<C: InGenerations>(self) -> &'static str {
        match self {
            Self::First => C::STEP,
            Self::Second => C::REST,
        }
    }

    /// The descriptor of this generation's step; the rest is set with the struct-update syntax.
    pub const fn descriptor<C: InGenerations>(self, summary: &'static str, phase: StepPhase) -> Descriptor {
        match self {
            Self::First => Descriptor::of::<C>(summary, phase),
            Self::Second => Descriptor::of::<Rest<C>>(summary, phase),
        }
    }

    /// The output of this generation's step, when it has finished.
    ///
    /// # Errors
    /// When the journal holds something else.
    pub fn output<C: InGenerations>(self, ctx: &Context<Database>) -> Result<Option<C>, Failure> {
        match self {
            Self::First => ctx.output::<C>(),
            Self::Second => Ok(ctx.output::<Rest<C>>()?.map(|Rest(output)| output)),
        }
    }

    /// The output of this generation's step, which must have finished.
    ///
    /// # Errors
    /// As [`output`](Self::output), and where the step has not finished.
    pub fn finished<C: InGenerations>(self, ctx: &Context<Database>) -> Result<C, Failure> {
        match self {
            Self::First => ctx.finished::<C>(),
            Self::Second => ctx.finished::<Rest<C>>().map(|Rest(output)| output),
        }
    }

    /// The finished items of this generation's step.
    ///
    /// # Errors
    /// As [`output`](Self::output).
    pub fn items_of<C: InGenerations + Itemized>(
        self,
        ctx: &Context<Database>,
    ) -> Result<BTreeMap<C::Name, C::Item>, Failure> {
        match self {
            Self::First => ctx.items_of::<C>(),
            Self::Second => ctx.items_of::<Rest<C>>(),
        }
    }
}
