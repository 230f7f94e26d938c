//! Waiting for a state, never for a time.

use std::time::{Duration, Instant};

/// How often a state is looked at.
const INTERVAL: Duration = Duration::from_millis(20);

/// Returns as soon as `reached` says so; panics with `what` when `timeout` has passed first.
pub fn wait_until(what: &str, timeout: Duration, mut reached: impl FnMut() -> bool) {
    assert!(
        reached_within(timeout, &mut reached),
        "waited {timeout:?} in vain until {what}"
    );
}

/// Whether the state came within the time.
pub(crate) fn reached_within(timeout: Duration, reached: &mut dyn FnMut() -> bool) -> bool {
    let started = Instant::now();
    loop {
        if reached() {
            return true;
        }
        if started.elapsed() >= timeout {
            return false;
        }
        std::thread::sleep(INTERVAL);
    }
}
