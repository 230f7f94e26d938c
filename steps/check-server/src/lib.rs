//! The checks of the way to the servers, and of what they are.
//!
//! - [`Encryption`]: nobody on the way reads or answers in place of a server
//! - [`Pooler`]: each address leads to one server, and nothing in between changes pghaul's sessions
//! - [`Standby`]: a source that is a standby gives right snapshots, and does not cancel the copy
//! - [`MinorVersions`]: no known bug of replication that a minor update fixes
//! - [`Connections`]: there is room for pghaul's sessions
//! - [`ApplicationLimits`]: the target admits the applications after the cutover
//! - [`SynchronousStandbys`]: no commit waits for a standby that is missing, or for the target
//! - [`Clocks`]: both servers have the same time
//!
//! Each check has a module with its enum of findings.

mod application_limits;
mod clocks;
mod connections;
mod encryption;
mod minor_versions;
mod pooler;
mod standby;
mod synchronous_standbys;

pub use application_limits::{ApplicationLimits, Limits, LowerLimit};
pub use clocks::{Clocks, ClocksDiffer};
pub use connections::{Connections, FewConnections};
pub use encryption::{Encryption, OpenConnection};
pub use minor_versions::{KnownBugs, MinorVersions};
pub use pooler::{Between, Pooler};
pub use standby::{Standby, StandbyProblem};
pub use synchronous_standbys::{SynchronousProblem, SynchronousStandbys};

use pghaul_step::Registry;

/// Adds the checks of this package.
pub fn register(registry: Registry) -> Registry {
    registry
        .with_cluster_check(MinorVersions)
        .with_cluster_check(Standby)
        .with_cluster_check(SynchronousStandbys)
        .with_cluster_check(Pooler)
        .with_cluster_check(Encryption)
        .with_cluster_check(Connections)
        .with_cluster_check(ApplicationLimits)
        .with_cluster_check(Clocks)
}

/// `server_version_num` as people write it: 150018 is 15.18.
fn version_text(version: u32) -> String {
    format!("{}.{}", version / 10_000, version % 10_000)
}
