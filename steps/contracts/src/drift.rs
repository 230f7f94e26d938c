//! What the steps leave that note definitions, so that later changes are noticed.

use pghaul_step::contract::Contract;
use pghaul_step::drift::Definitions;
use serde::{Deserialize, Serialize};

/// Of step `cluster-definitions`: the source's roles and what else all its databases share.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClusterDefinitionsOutput(pub Definitions);

impl Contract for ClusterDefinitionsOutput {
    const STEP: &'static str = "cluster-definitions";
}

/// Of step `source-definitions`: the database on the source, as pg_dump has read it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SourceDefinitionsOutput(pub Definitions);

impl Contract for SourceDefinitionsOutput {
    const STEP: &'static str = "source-definitions";
}

/// Of step `target-definitions`: the database on the target, with all of the schema.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TargetDefinitionsOutput(pub Definitions);

impl Contract for TargetDefinitionsOutput {
    const STEP: &'static str = "target-definitions";
}
