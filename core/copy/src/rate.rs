//! A limit on the bytes that all workers move in a second.

use std::sync::Mutex;
use std::time::Duration;
use tokio::time::Instant;

/// Lets bytes pass at a rate, of all who share it.
#[derive(Debug)]
pub struct RateLimit {
    bytes_per_second: u64,
    free_at: Mutex<Option<Instant>>,
}

impl RateLimit {
    /// At most this many bytes a second.
    pub fn new(bytes_per_second: u64) -> Self {
        Self {
            bytes_per_second: bytes_per_second.max(1),
            free_at: Mutex::new(None),
        }
    }

    /// Waits until this many bytes may pass. Who comes later waits behind.
    pub async fn pass(&self, bytes: u64) {
        let wait_until = self.reserve(bytes, Instant::now());
        tokio::time::sleep_until(wait_until).await;
    }

    /// The instant at which the bytes may pass; what follows passes after them.
    fn reserve(&self, bytes: u64, now: Instant) -> Instant {
        let mut free_at = self
            .free_at
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let begin = free_at.map_or(now, |free| free.max(now));
        let nanos = u128::from(bytes) * 1_000_000_000 / u128::from(self.bytes_per_second);
        let duration = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        *free_at = begin.checked_add(duration);
        begin
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_pass_one_after_the_other() {
        let limit = RateLimit::new(1000);
        let now = Instant::now();
        let waits: Vec<_> = [500, 250, 1000, 1]
            .map(|bytes| limit.reserve(bytes, now).duration_since(now).as_millis())
            .into();
        assert_eq!(waits, [0, 500, 750, 1750]);
    }

    #[test]
    fn time_without_bytes_is_not_saved_up() {
        let limit = RateLimit::new(1000);
        let now = Instant::now();
        limit.reserve(100, now);
        let later = now + Duration::from_secs(60);
        assert_eq!(limit.reserve(100, later), later);
        assert_eq!(limit.reserve(100, later), later + Duration::from_millis(100));
    }
}
