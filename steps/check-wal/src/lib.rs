//! The checks of what the source has to keep while a database is copied: WAL for pghaul's slots, and old row versions for
//! pghaul's snapshot.
//!
//! - [`WalRetention`]: slots are not given up, connections not dropped, before the copy is through
//! - [`Wraparound`]: transaction ids do not run out meanwhile
//!
//! `estimate` says how long a copy may take and how much WAL the source writes meanwhile.

mod estimate;
mod retention;
mod wraparound;

pub use retention::{WalProblem, WalRetention};
pub use wraparound::{NearWraparound, Wraparound};

use pghaul_step::Registry;

/// Adds the checks of this package.
pub fn register(registry: Registry) -> Registry {
    registry
        .with_cluster_check(WalRetention)
        .with_cluster_check(Wraparound)
}
