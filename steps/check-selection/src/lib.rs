//! What is selected, and what becomes of the rest.
//!
//! - check `left-out-databases`: whether databases that are left out by default hold something
//! - check `provider`: which provider the source comes from, whose objects are left out
//! - check `selection`: what the selection does that its patterns do not say

mod left_out;
mod provider;
mod selection;

pub use left_out::LeftOutDatabases;
pub use provider::Provider;
pub use selection::Selection;

use pghaul_step::Registry;

/// Adds the checks of this package.
pub fn register(registry: Registry) -> Registry {
    registry
        .with_cluster_check(Provider)
        .with_cluster_check(LeftOutDatabases)
        .with_check(Selection)
}
