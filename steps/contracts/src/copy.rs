//! What the steps leave that copy rows.

use crate::generation::InGenerations;
use pghaul_step::Mark;
use pghaul_step::contract::{Contract, Itemized};
use pghaul_step::postgres::Lsn;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

/// Of step `copy`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopyOutput {
    /// How many tables were copied.
    pub tables: u64,
    /// How many rows, as both sides counted them.
    pub rows: u64,
    /// The source's WAL position of the snapshot; empty where there was no table to copy.
    pub as_of: String,
    /// The tables' numbers in the plan.
    pub numbers: BTreeSet<u32>,
}

impl Contract for CopyOutput {
    const STEP: &'static str = "copy";
}

impl Itemized for CopyOutput {
    type Name = CopyItem;
    type Item = CopiedTable;
}

/// Of the steps `snapshot-copy` and `rest-copy`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotCopyOutput {
    /// How many tables were copied.
    pub tables: u64,
    /// How many rows, as far as they were counted.
    pub rows: u64,
    /// The slot's consistent point, which all these tables are as of.
    pub as_of: Lsn,
    /// The numbers of the published tables that are left to the target's workers.
    pub rest: BTreeSet<u32>,
    /// The numbers of the published tables that are left to the second generation. Absent means none.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub second: BTreeSet<u32>,
    /// The positions that tables which are not published are as of, by their numbers.
    pub deferred: BTreeMap<u32, String>,
}

impl Contract for SnapshotCopyOutput {
    const STEP: &'static str = "snapshot-copy";
}

impl InGenerations for SnapshotCopyOutput {
    const REST: &'static str = "rest-copy";
}

impl Itemized for SnapshotCopyOutput {
    type Name = CopyItem;
    type Item = CopiedTable;
}

/// Of step `deferred-copy`: the last copies of the tables that are not replicated, by their numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeferredCopyOutput {
    /// Of all that the step was to copy, also those that had not changed since an earlier copy.
    pub tables: BTreeMap<u32, CopiedTable>,
}

impl Contract for DeferredCopyOutput {
    const STEP: &'static str = "deferred-copy";
}

impl Itemized for DeferredCopyOutput {
    type Name = CopyItem;
    type Item = CopiedTable;
}

/// The name of a copied table's item, `<attempt>/<number>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct CopyItem {
    /// The attempt at the copy: all of its tables come from one snapshot.
    pub attempt: u32,
    /// The table's number in the plan.
    pub table: u32,
}

impl fmt::Display for CopyItem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.attempt, self.table)
    }
}

/// A text that is no name of a copied table's item.
#[derive(Debug)]
pub struct NoCopyItem;

impl FromStr for CopyItem {
    type Err = NoCopyItem;

    fn from_str(text: &str) -> Result<Self, NoCopyItem> {
        let (attempt, table) = text.split_once('/').ok_or(NoCopyItem)?;
        let number = |digits: &str| digits.parse().map_err(|_| NoCopyItem);
        Ok(Self {
            attempt: number(attempt)?,
            table: number(table)?,
        })
    }
}

/// A copied table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopiedTable {
    /// The table's name, quoted.
    pub table: String,
    /// The attempt at the copy. The journal calls it `generation`.
    #[serde(rename = "generation")]
    pub attempt: u32,
    /// The source's WAL position of the snapshot.
    pub as_of: String,
    /// The rows, as both sides counted them; absent where the process was killed before it could note them, and
    /// only the target knows that the table is complete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// The bytes of COPY data.
    pub bytes: u64,
    /// How long the copy took, in milliseconds, from the begin of its first part to the end of its last. Absent in journals of
    /// before 0.2, and where the process was killed before it could note it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub took_ms: Option<u64>,
    /// How many tables were copied in the same transaction, and took this time together. Absent: it was the only one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub together: Option<u32>,
    /// What the table was like on the source then. Absent in journals of before 0.2, and where the process was killed before
    /// it could note it: whether the table was written to since can't be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mark: Option<Mark>,
}
