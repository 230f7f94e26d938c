//! What the step leaves that sets sequences.

use pghaul_step::Incomplete;
use pghaul_step::contract::Contract;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Of step `sequences`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SequencesOutput {
    /// How many were set.
    pub sequences: u64,
    /// Those that could not be set. Absent means none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub incomplete: Vec<Incomplete>,
    /// Of a dump, where the sequences of the source were, by their quoted names: twice the value, and one more where it was
    /// returned already. Absent, nobody can know whether they have moved.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub values: BTreeMap<String, i64>,
}

impl Contract for SequencesOutput {
    const STEP: &'static str = "sequences";
}
