//! The checks of who is in the way of replication: transactions that a slot waits for, and others who replicate.
//!
//! - [`LongTransactions`]: a replication slot can't be created before they end
//! - [`InactiveSlots`]: slots that keep WAL and that nobody reads
//! - [`ReplicationObjects`]: publications, slots and subscriptions of the database, those of earlier runs of pghaul's too

mod long_transactions;
mod replication_objects;
mod slots;

pub use long_transactions::{Blocker, LongTransactions};
pub use replication_objects::{ReplicationObject, ReplicationObjects};
pub use slots::{InactiveSlots, SlotProblem};

use pghaul_step::Registry;

/// Adds the checks of this package.
pub fn register(registry: Registry) -> Registry {
    registry
        .with_cluster_check(LongTransactions::default())
        .with_cluster_check(InactiveSlots::default())
        .with_check(ReplicationObjects)
}
