//! Large objects, by every method.
//!
//! Replication does not carry them, and `pg_dump --schema-only` leaves them out. So they are made equal by comparison: a range
//! of oids is described on both sides, contents of one size are compared by hashes that the servers compute, and what
//! differs is written again under its own oid, with owner, privileges, comment and security labels. The same work is the copy,
//! where the target has none, the continuation after a kill, and what `remove` does once more for a database that is
//! replicated. Nothing but the servers needs to know how far it came: no items. What others have written on the target stays:
//! effect keys tell pghaul's transactions from theirs.
//!
//! - [`LargeObjects`]: the step
//! - `reconciliation`: the workers, each with a range of oids
//! - `description`: what is known of a large object without its content
//! - `content`: hashes, and bytes from one server to the other
//! - `own`: which objects of the target are as pghaul has written them
//! - `properties`: owner, privileges, comment, security labels
//! - `since`: whether anything was written on the source afterwards
//! - [`Readable`]: the check

mod check;
mod content;
mod description;
mod own;
mod properties;
mod reconciliation;
mod since;
mod step;

pub use check::{LargeObjectsFound, Readable};
pub use step::LargeObjects;

use pghaul_step::Registry;

/// Adds the check of this package.
pub fn register_checks(registry: Registry) -> Registry {
    registry.with_check(Readable)
}
