//! What the step leaves that copies large objects.

use pghaul_step::contract::Contract;
use pghaul_step::{DatabasePlan, Incomplete, Mark};
use serde::{Deserialize, Serialize};

/// Of step `large-objects`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LargeObjectsOutput {
    /// How many are equal on both sides, as their hashes say.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The source's WAL position of the snapshot.
    pub as_of: String,
    /// How many are not.
    #[serde(default)]
    pub different: u64,
    /// Those that are not equal, together where the reason is the same. Absent means none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub incomplete: Vec<Incomplete>,
    /// The catalogs of large objects as they were then. Absent, nobody can know whether something was written since.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub catalogs: Vec<LargeObjectCatalog>,
    /// Whether the target has the ids of all transactions that wrote large objects: earlier releases did not note them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub noted: bool,
}

impl Contract for LargeObjectsOutput {
    const STEP: &'static str = "large-objects";

    /// Large objects belong to no table and no schema, so where these are named they are left out, as by pg_dump.
    fn is_planned(plan: &DatabasePlan) -> bool {
        let are_selected = plan.objects.as_ref().is_none_or(|objects| !objects.only_named);
        are_selected && plan.steps.iter().any(|step| step.as_str() == Self::STEP)
    }
}

/// `pg_largeobject` or `pg_largeobject_metadata`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LargeObjectCatalog {
    /// Its name.
    pub name: String,
    /// Its rows; absent where the role may not read them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// What it was like in the snapshot.
    pub mark: Mark,
}
