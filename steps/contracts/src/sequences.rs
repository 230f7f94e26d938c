//! What the step leaves that sets sequences.

use pghaul_step::contract::Contract;
use serde::{Deserialize, Serialize};

/// Of step `sequences`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SequencesOutput {
    /// How many were set.
    pub sequences: u64,
}

impl Contract for SequencesOutput {
    const STEP: &'static str = "sequences";
}
