//! What a step leaves for others, as types that know the step.

use pghaul_core::DatabasePlan;
use pghaul_core::event::StepUpcaster;
use serde::{Serialize, de::DeserializeOwned};
use std::fmt::Display;
use std::str::FromStr;

/// The output of a step, bound to the step's name: what [`Context::output`](crate::Context::output) reads.
///
/// The JSON form is part of the journal's format. A new field is an `Option` whose absence has a stated meaning; any other
/// change needs an upcaster, which raises the step's version.
pub trait Contract: Serialize + DeserializeOwned + Send + 'static {
    /// The step's name: in the journal, in the plan, in the `after` of other steps.
    const STEP: &'static str;
    /// For each earlier version of the step's output, items and recorded facts, how it becomes the next one.
    const UPCASTERS: &'static [StepUpcaster] = &[];

    /// Whether a plan has the step. A plan of before the step's release does not: such a database goes on without it.
    fn is_planned(plan: &DatabasePlan) -> bool {
        plan.steps.iter().any(|step| step.as_str() == Self::STEP)
    }
}

/// A step whose finished items others read, with [`Context::items_of`](crate::Context::items_of).
pub trait Itemized: Contract {
    /// How its items are named.
    type Name: Display + FromStr + Ord + Send;
    /// What the journal keeps of an item.
    type Item: Serialize + DeserializeOwned + Send;
}
