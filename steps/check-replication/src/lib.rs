//! The checks of what logical replication needs. An error here concerns the method `replication` alone: the
//! database is dumped instead, and the finding's sentence becomes the reason in its plan.
//!
//! - [`ReplicationSource`]: the source decodes its WAL, and lets pghaul's role have it
//! - [`ReplicationTarget`]: the target may subscribe, and its server reaches the source
//! - [`ReplicationDatabase`]: there are a slot, a WAL sender and a worker left for the database, and pghaul's role may
//!   publish its tables
//! - [`ApplyRights`]: the tables' owners may do what replication does
//!
//! What only trying can tell is tried: a replication connection, `CREATE PUBLICATION` and `CREATE SUBSCRIPTION`
//! in transactions that are rolled back. Managed services give these rights in ways that no catalog shows.
//!
//! The module `probe` is the part with a secret: the conninfo with which the target's server connects to the source.

mod aiven_extras;
mod apply_rights;
mod capacity;
mod database;
mod probe;
mod source;
mod target;

pub use apply_rights::{ApplyProblem, ApplyRights};
pub use database::{DatabaseObstacle, ReplicationDatabase};
pub use source::{ReplicationSource, SourceObstacle};
pub use target::{ReplicationTarget, TargetObstacle};

use pghaul_step::Registry;

/// Adds the checks of this package.
pub fn register(registry: Registry) -> Registry {
    registry
        .with_cluster_check(ReplicationSource)
        .with_cluster_check(ReplicationTarget)
        .with_check(ReplicationDatabase)
        .with_check(ApplyRights)
}
