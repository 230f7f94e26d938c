//! Copies tables out of one snapshot of the source.
//!
//! - [`snapshot`]: holds the snapshot, and knows which tables were rewritten behind it
//! - [`tables`]: what COPY must know of each table: columns, sizes
//! - [`pipe`]: one COPY out of the source, one COPY into the target, bytes passing through undecoded
//!
//! The steps that use it decide what a transaction on the target is and what is journaled.

pub mod pipe;
pub mod snapshot;
pub mod tables;

pub use pipe::{Copied, copy};
pub use snapshot::Snapshot;
pub use tables::{Table, largest_first};
