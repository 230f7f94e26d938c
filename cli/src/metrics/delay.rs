//! How long ago the source was where the target is now.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// More samples than these are thinned out.
const MOST: usize = 4096;

/// The positions that the source had, with the times when they were read.
#[derive(Debug, Default)]
pub(crate) struct Delay {
    samples: VecDeque<(Instant, u64)>,
}

impl Delay {
    /// Notes where the source is now.
    pub(crate) fn note(&mut self, now: Instant, position: u64) {
        if self.samples.len() >= MOST {
            let mut every_second = false;
            self.samples.retain(|_| {
                every_second = !every_second;
                every_second
            });
        }
        self.samples.push_back((now, position));
    }

    /// How long ago the source went beyond this position, no more exact than the positions were read: 0 where it has not. Where it
    /// was beyond it from the first look on, the time since then.
    pub(crate) fn of(&self, now: Instant, confirmed: u64) -> Option<Duration> {
        let (_, newest) = self.samples.back()?;
        if *newest <= confirmed {
            return Some(Duration::ZERO);
        }
        let before = self
            .samples
            .iter()
            .rev()
            .find(|(_, position)| *position <= confirmed);
        let (at, _) = before.or(self.samples.front())?;
        Some(now.saturating_duration_since(*at))
    }
}

#[cfg(test)]
mod tests {
    use super::{Delay, MOST};
    use std::time::{Duration, Instant};

    #[test]
    fn the_delay_is_the_time_since_the_source_was_there() {
        let (mut delay, start) = (Delay::default(), Instant::now());
        let at = |second| start + Duration::from_secs(second);
        assert_eq!(delay.of(at(0), 7), None, "nothing is known before the first look");
        for second in 0..=10 {
            delay.note(at(second), 100 + 10 * second);
        }
        let of = |confirmed| delay.of(at(10), confirmed).map(|delay| delay.as_secs());
        assert_eq!(of(200), Some(0));
        assert_eq!(of(175), Some(3), "it was at 170 three seconds ago");
        assert_eq!(of(50), Some(10), "longer than anybody has looked");
    }

    #[test]
    fn a_source_at_rest_has_no_delay_and_a_long_watch_needs_little_memory() {
        let (mut delay, start) = (Delay::default(), Instant::now());
        for second in 0..100_000 {
            delay.note(start + Duration::from_secs(second), 100);
        }
        assert_eq!(delay.of(start, 100), Some(Duration::ZERO));
        assert!(delay.samples.len() <= MOST);
    }
}
