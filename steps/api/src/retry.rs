//! Which failures are tried again by themselves, how often and after how long: the one table for it.
//!
//! A retry is journaled: the step's failure, then another start. It is always preceded by a probe, so nothing
//! is done twice. Workers that copy tables repeat a single unit by the same table.

use pghaul_core::Code;
use std::time::Duration;

/// How long to wait before the given try; `None` when there is none.
///
/// `tries` is how many tries have failed already, 1 or more.
pub fn pause_before_retry(code: Code, tries: u32) -> Option<Duration> {
    let (most, first) = match code {
        // A server that restarts is back within a minute, or something is really wrong.
        Code::ConnectionLost | Code::ServerNotReady | Code::ConnectionRefused | Code::TooManyConnections => {
            (6, Duration::from_secs(1))
        }
        // Somebody else holds the lock; we never wait long in the queue, so we come back.
        Code::LockTimeout => (20, Duration::from_millis(500)),
        _ => return None,
    };
    let pause = first.saturating_mul(1 << tries.saturating_sub(1).min(4));
    (tries < most).then_some(pause)
}

#[cfg(test)]
mod tests {
    use super::pause_before_retry;
    use pghaul_core::Code;
    use std::time::Duration;

    #[test]
    fn pauses_grow_and_end() {
        let pauses: Vec<_> = (1..)
            .map_while(|n| pause_before_retry(Code::ConnectionLost, n))
            .collect();
        let seconds: Vec<_> = pauses.iter().map(Duration::as_secs).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16]);
    }

    #[test]
    fn only_passing_troubles_are_retried() {
        assert_eq!(pause_before_retry(Code::AuthenticationFailed, 1), None);
        assert_eq!(pause_before_retry(Code::StateLost, 1), None);
    }
}
