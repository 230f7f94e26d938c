//! What the steps leave that restore the schema.

use crate::generation::InGenerations;
use pghaul_step::contract::Contract;
use pghaul_step::plan::HeldBack;
use pghaul_step::{Incomplete, TableName};
use serde::{Deserialize, Serialize};

/// How the target database came to belong to the migration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// It did not exist, and was created.
    Created,
    /// It existed, and was empty.
    Adopted,
}

/// An entry of the archive that was not restored although the source has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    /// The entry.
    pub object: String,
    /// PostgreSQL's reason.
    pub why: String,
}

/// A check of a table or of a domain that rows may not fulfil any more, or not where pghaul copies them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnsafeCheck {
    /// The schema of its table or domain, unquoted.
    pub schema: String,
    /// The table or domain, unquoted.
    pub of: String,
    /// Its name, unquoted.
    pub name: String,
    /// Whether it is a domain's.
    pub of_domain: bool,
    /// Whether it is added there, rather than handed down by a parent's.
    pub own: bool,
    /// As `pg_get_constraintdef` has it.
    pub definition: String,
    /// The schemas of the operators in it that are not built in, unquoted. Absent means none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub operators: Vec<String>,
}

/// Of step `schema`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SchemaOutput {
    /// Whether the target database was created.
    pub origin: Origin,
    /// The SHA-256 of the archive's content.
    pub fingerprint: String,
    /// The checks that were taken out of their tables. Absent means none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<UnsafeCheck>,
    /// What could not be restored for lack of a privilege. Absent means nothing: that is listed as incomplete now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skipped: Vec<Skipped>,
}

impl Contract for SchemaOutput {
    const STEP: &'static str = "schema";
}

/// Of step `keys`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeysOutput {
    /// What could not be restored for lack of a privilege. Absent means nothing: that is listed as incomplete now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skipped: Vec<Skipped>,
}

impl Contract for KeysOutput {
    const STEP: &'static str = "keys";
}

/// Of step `constraints`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ConstraintsOutput {
    /// What could not be restored for lack of a privilege. Absent means nothing: that is listed as incomplete now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skipped: Vec<Skipped>,
    /// The foreign keys that are held back beside those of the plan, since their tables are in two generations of the
    /// copy. Absent means none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub held_back: Vec<HeldBack>,
}

impl Contract for ConstraintsOutput {
    const STEP: &'static str = "constraints";
}

/// Of step `post-data`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PostDataOutput {
    /// What could not be restored for lack of a privilege. Absent means nothing: that is listed as incomplete now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skipped: Vec<Skipped>,
    /// What is not on the target as it is on the source. Absent means nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub incomplete: Vec<Incomplete>,
    /// The triggers that were held back and are enabled when nothing is replicated any more. Absent means none: before the removal.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub firing: Vec<FiringTrigger>,
}

/// A trigger that is disabled on the target while changes are replicated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FiringTrigger {
    /// Its table; none for an event trigger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<TableName>,
    /// Its name.
    pub name: String,
    /// When it fires on the source.
    pub firing: Firing,
}

/// When a trigger fires.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Firing {
    /// In ordinary sessions.
    Origin,
    /// In all sessions.
    Always,
    /// For replicated changes.
    Replica,
}

impl Firing {
    /// From `pg_trigger.tgenabled`. None where it never fires.
    pub fn of(state: &str) -> Option<Self> {
        match state {
            "O" => Some(Self::Origin),
            "A" => Some(Self::Always),
            "R" => Some(Self::Replica),
            _ => None,
        }
    }
}

impl Contract for PostDataOutput {
    const STEP: &'static str = "post-data";
}

/// Of step `indexes`: nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexesOutput;

impl Contract for IndexesOutput {
    const STEP: &'static str = "indexes";
}

/// Of the steps `snapshot-indexes` and `rest-indexes`: nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotIndexesOutput;

impl Contract for SnapshotIndexesOutput {
    const STEP: &'static str = "snapshot-indexes";
}

impl InGenerations for SnapshotIndexesOutput {
    const REST: &'static str = "rest-indexes";
}

/// Of step `matviews`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct MatviewsOutput {
    /// How many materialized views were refreshed.
    pub refreshed: u64,
    /// Those that the target refuses to refresh. Absent means none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub incomplete: Vec<Incomplete>,
}

impl Contract for MatviewsOutput {
    const STEP: &'static str = "matviews";
}
