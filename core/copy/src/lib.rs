//! Copies tables out of one snapshot of the source.
//!
//! - [`snapshot`]: holds the snapshot, by itself or together with a replication slot
//! - [`tables`]: what COPY must know of each table, and which were rewritten behind the snapshot
//! - [`mark`]: what a table was like when it was copied, and whether it was written to since
//! - [`mod@format`]: which tables are safe in binary format
//! - [`mod@unit`]: how tables are cut into units of work
//! - [`pipe`]: COPY out of the source, COPY into the target, bytes passing through undecoded
//! - [`rate`]: a limit on the bytes a second
//!
//! The steps that use it decide what a transaction on the target is and what is journaled.

pub mod format;
pub mod mark;
pub mod pipe;
pub mod rate;
mod seen;
pub mod snapshot;
pub mod tables;
pub mod unit;

pub use format::Formats;
pub use mark::{CopiedRows, Depth, Since};
pub use pipe::{Copied, Flow, Order, Passed, copy};
pub use rate::RateLimit;
pub use snapshot::{PgOrFailure, SlotWithSnapshot, Snapshot};
pub use tables::Table;
pub use unit::{Cutting, Range, Unit, cut};
