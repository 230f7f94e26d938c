//! What a table was like when its rows were copied.

use serde::{Deserialize, Serialize};

/// What is remembered of a table that was copied, to know later whether it was written to since.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Its oid on the source.
    pub oid: u32,
    /// Where its rows were.
    pub file_node: u32,
    /// The rows that had been inserted, updated and deleted by then, as far as they were reported.
    pub changes: i64,
    /// The snapshot, as `txid_current_snapshot()` writes it.
    pub snapshot: String,
    /// When, by the source's clock.
    pub at: String,
    /// Whether the source was a standby, whose counters say nothing about writes.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub standby: bool,
}
