//! Positions at which a test can stop the process.
//!
//! Nobody sprinkles them by hand: the engine passes one before and after every journal append, and
//! [`crate::OwnedTransaction`] and [`crate::Context::act`] one before and after every side effect. With
//! `PGHAUL_CRASH_AT=n` in the environment the process aborts at the n-th position, without any clean-up, as
//! `kill -9` would. With `PGHAUL_CRASH_AT=count` the run's last line on stderr says how many positions there are,
//! and `PGHAUL_LOG=pghaul_step::fault=trace` names each as it is passed.

use std::sync::atomic::{AtomicU64, Ordering};

/// The name of the environment variable.
pub const VARIABLE: &str = "PGHAUL_CRASH_AT";

/// Counts positions, and stops the process at one of them.
#[derive(Debug, Default)]
pub struct Faults {
    passed: AtomicU64,
    stop_at: Option<u64>,
    counting: bool,
}

impl Faults {
    /// Reads [`VARIABLE`].
    pub fn from_environment() -> Self {
        let text = std::env::var(VARIABLE).unwrap_or_default();
        Self {
            passed: AtomicU64::new(0),
            stop_at: text.parse().ok(),
            counting: text == "count",
        }
    }

    /// Passes a position. Does not return where the process is to stop.
    pub fn pass(&self, place: &str) {
        let position = self.passed.fetch_add(1, Ordering::SeqCst) + 1;
        tracing::trace!(position, place, "fault position");
        if Some(position) == self.stop_at {
            tracing::error!(position, place, "stopping here, as {VARIABLE} says");
            std::process::abort();
        }
    }

    /// How many positions have been passed.
    pub fn passed(&self) -> u64 {
        self.passed.load(Ordering::SeqCst)
    }

    /// Logs how many positions there were, where a test wants to know: as the last thing of a run.
    pub fn report(&self) {
        if self.counting {
            tracing::warn!(positions = self.passed(), "fault positions counted");
        }
    }
}
