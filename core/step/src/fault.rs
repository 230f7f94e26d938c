//! Positions at which a test can stop the process.
//!
//! Nobody sprinkles them by hand: the engine passes one before and after every journal append, and
//! [`crate::OwnedTransaction`] and [`crate::Context::act`] one before and after every side effect. With
//! `PGHAUL_CRASH_AT=n` in the environment the process aborts at the n-th position, without any clean-up, as
//! `kill -9` would. With `PGHAUL_CRASH_AT=count` the run's last line on stderr says how many positions there are,
//! and `PGHAUL_LOG=pghaul_step::fault=trace` names each as it is passed.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicU64, Ordering};

/// The name of the environment variable.
pub const VARIABLE: &str = "PGHAUL_CRASH_AT";

/// What unwinds where the conformance battery stops a step instead of the process.
pub(crate) struct Stopped;

/// Counts positions, and stops the process at one of them.
#[derive(Debug, Default)]
pub struct Faults {
    passed: AtomicU64,
    stop_at: Option<u64>,
    /// Where only the step is stopped, not the process; 0 is nowhere.
    unwind_at: AtomicU64,
    counting: bool,
}

impl Faults {
    /// Reads [`VARIABLE`].
    pub fn from_environment() -> Self {
        let text = std::env::var(VARIABLE).unwrap_or_default();
        Self {
            passed: AtomicU64::new(0),
            stop_at: text.parse().ok(),
            unwind_at: AtomicU64::new(0),
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
        if position == self.unwind_at.load(Ordering::SeqCst) {
            // Not a panic: nothing is wrong, and nothing is to be printed.
            resume_unwind(Box::new(Stopped));
        }
    }

    /// Lets whatever passes the n-th position from here on end there, without any clean-up but that of memory.
    #[cfg(feature = "conformance")]
    pub(crate) fn unwind_after(&self, positions: u64) {
        let at = self.passed() + positions;
        self.unwind_at.store(at, Ordering::SeqCst);
    }

    /// Stops nothing any more. Whether that position has been reached.
    #[cfg(feature = "conformance")]
    pub(crate) fn calm(&self) -> bool {
        let at = self.unwind_at.swap(0, Ordering::SeqCst);
        at > 0 && self.passed() >= at
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
