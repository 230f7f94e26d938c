//! The steps that copy rows out of one snapshot of the source.
//!
//! - [`struct@Copy`] copies for the method dump, from a snapshot of its own; and, where the target's workers make the
//!   initial copy of replication, the tables that can't be replicated, which keep the rows that they have at
//!   this moment until the cutover;
//! - [`SnapshotCopy`] makes the initial copy of replication itself, from the snapshot of the replication slot, or of a
//!   second one;
//! - [`DeferredCopy`] copies those tables again, for the removal.
//!
//! `crew` does the work for all, `load` is what it is told of each table.

mod apart;
mod copy;
mod crew;
mod deferred;
mod load;
mod on_target;
mod snapshot_copy;
mod written;

pub use copy::Copy;
pub use deferred::DeferredCopy;
pub use snapshot_copy::SnapshotCopy;
