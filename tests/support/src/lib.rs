//! What tests of pghaul stand on: real PostgreSQL servers, and an exact answer to "is it the same?".
//!
//! - [`postgres`] finds a server of a wanted major version, or fetches it.
//! - [`Cluster`] and [`ClusterPair`] are throwaway clusters; [`shared_pair`] lends one to all tests of a binary.
//!   Nothing outlives the test process, however it ends.
//! - [`fixtures`] fill databases with everything that is hard to move, [`fill`] with rows, [`Load`] keeps writing.
//! - [`Pghaul`] runs the built binary in an environment of its own; [`redact`] makes its output fit for snapshots.
//! - [`Proxy`] stands between two parties and fails as networks do; [`Volume`] is a disk that is soon full, [`Crowd`] takes all connections.
//! - [`compare`] finds every difference between two databases or in the roles of two clusters,
//!   [`leftovers`] everything that a migration may leave behind.
//! - [`wait_until`] is the only way to wait.
//!
//! ```no_run
//! use pghaul_testkit::{compare, leftovers, shared_pair, fixtures, Kind, Pghaul};
//!
//! let pair = shared_pair(Kind::Ordinary);
//! let database = pair.fresh_database("orders");
//! fixtures::shop(&pair.source, &database);
//! Pghaul::new().args(["run", "--source", &pair.source.conninfo(&database)]).run().succeeded();
//! compare::same(&pair.source, &pair.target, &database);
//! assert_eq!(leftovers(&pair.source), [""; 0]);
//! ```

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "test support: a panic is the report"
)]

mod built;
mod cluster;
pub mod compare;
mod conninfo;
mod cpu;
mod crowd;
mod earlier;
pub mod fill;
pub mod fixtures;
mod leftovers;
mod load;
mod pair;
mod pghaul;
mod port;
pub mod postgres;
mod proxy;
mod psql;
mod redact;
mod scratch;
mod server;
mod template;
mod volume;
mod wait;

pub use built::{built, cargo};
pub use cluster::{Cluster, Settings};
pub use cpu::CpuTime;
pub use crowd::Crowd;
pub use earlier::{Kept, copy_all};
pub use leftovers::leftovers;
pub use load::{Load, LoadReport};
pub use pair::{ClusterPair, Kind, shared_pair};
pub use pghaul::{Outcome, Pghaul, Running, can_change_host};
pub use proxy::{Proxy, Way};
pub use psql::{hermetic, identifier};
pub use redact::redact;
pub use scratch::directory as scratch_directory;
pub use server::Stop;
pub use volume::Volume;
pub use wait::wait_until;
