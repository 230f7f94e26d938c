//! How fast a copy is, and how long it will still take, from looks at it.

use std::time::{Duration, Instant};

/// A rate before this is chance.
const FIRST_RATE: Duration = Duration::from_secs(2);

/// A remaining time before this is a guess.
const FIRST_LEFT: Duration = Duration::from_secs(5);

/// Looks that are closer to each other are one.
const LEAST: Duration = Duration::from_millis(500);

/// What was copied this long ago counts for a third of what is copied now.
const MEMORY: f64 = 15.0;

/// How long a remaining time only counts down before it is estimated anew.
const STEADY: Duration = Duration::from_secs(10);

/// A longer remaining time says that nothing is known.
const LONGEST: f64 = 100.0 * 86_400.0;

/// The pace of a copy.
#[derive(Debug, Default)]
pub(super) struct Pace {
    first: Option<Instant>,
    last: Option<(Instant, u64)>,
    /// Bytes a second, recent ones most.
    rate: Option<f64>,
    /// The remaining time when it was estimated last.
    estimated: Option<(Instant, Duration)>,
}

impl Pace {
    /// Takes a look: so many bytes in all, now.
    pub(super) fn note(&mut self, now: Instant, bytes: u64) {
        let first = *self.first.get_or_insert(now);
        let (before, had) = *self.last.get_or_insert((now, bytes));
        let time = now.saturating_duration_since(before);
        if time < LEAST {
            return;
        }
        self.last = Some((now, bytes));
        let seconds = time.as_secs_f64();
        // Fewer bytes than before: a table is copied once more.
        let recent = bytes.saturating_sub(had) as f64 / seconds;
        let known = now.saturating_duration_since(first).as_secs_f64().min(MEMORY);
        let weight = 1.0 - (-seconds / known.max(seconds)).exp();
        let rate = self.rate.unwrap_or(recent);
        self.rate = Some(rate + weight * (recent - rate));
    }

    /// Bytes a second, where that can be known.
    pub(super) fn rate(&self, now: Instant) -> Option<u64> {
        self.since(now, FIRST_RATE)?;
        self.rate.map(|rate| rate as u64).filter(|rate| *rate > 0)
    }

    /// How long so many bytes will take, where that can be known. It does not jump from one look to the next.
    pub(super) fn left(&mut self, now: Instant, bytes: u64) -> Option<Duration> {
        self.since(now, FIRST_LEFT)?;
        if let Some((at, left)) = self.estimated
            && now.saturating_duration_since(at) < STEADY
        {
            return Some(left.saturating_sub(now.saturating_duration_since(at)));
        }
        let seconds = bytes as f64 / self.rate?;
        self.estimated = (seconds < LONGEST).then(|| (now, Duration::from_secs_f64(seconds)));
        self.estimated.map(|(_, left)| left)
    }

    fn since(&self, now: Instant, least: Duration) -> Option<()> {
        let passed = now.saturating_duration_since(self.first?);
        (passed >= least).then_some(())
    }
}

/// A remaining time as it is shown, no more exact than it is known.
pub(super) fn about(left: Duration) -> String {
    match left.as_secs() {
        0..60 => "less than 1 min".to_owned(),
        seconds @ 60..7200 => format!("about {} min", (seconds + 30) / 60),
        seconds @ 7200..172_800 => format!("about {} h", (seconds + 1800) / 3600),
        seconds => format!("about {} days", (seconds + 43_200) / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::{Pace, about};
    use std::time::{Duration, Instant};

    #[test]
    fn the_remaining_time_is_shown_once_it_is_known_and_does_not_jump() {
        let (mut pace, start) = (Pace::default(), Instant::now());
        let total: u64 = 600 << 20;
        let mut shown = Vec::new();
        let mut before = None;
        for tick in 0..300_u64 {
            let now = start + Duration::from_millis(tick * 200);
            // A worker writes in bursts: nothing for a second, then all of it.
            let bytes = (tick / 5) * (2 << 20);
            pace.note(now, bytes);
            let left = pace.left(now, total - bytes);
            assert_eq!(left.is_some(), tick >= 25, "known after five seconds: {tick}");
            if let (Some(before), Some(left)) = (before, left) {
                let (before, left): (Duration, Duration) = (before, left);
                assert!(
                    left.as_secs_f64() < before.as_secs_f64() * 1.2,
                    "{before:?} to {left:?}"
                );
            }
            before = left;
            let text = left.map(about);
            if shown.last() != Some(&text) {
                shown.push(text);
            }
        }
        let shown: Vec<String> = shown.into_iter().flatten().collect();
        assert!(shown.len() < 8, "it seldom changes: {shown:?}");
        assert_eq!(shown.last().map(String::as_str), Some("about 4 min"));
    }

    #[test]
    fn nothing_is_known_of_a_copy_that_does_not_move() {
        let (mut pace, start) = (Pace::default(), Instant::now());
        for second in 0..60 {
            let now = start + Duration::from_secs(second);
            pace.note(now, 5000);
            assert_eq!((pace.rate(now), pace.left(now, 1 << 30)), (None, None));
        }
        // One that is copied once more has no negative rate.
        pace.note(start + Duration::from_secs(61), 0);
        assert_eq!(pace.rate(start + Duration::from_secs(61)), None);
    }

    #[test]
    fn it_is_no_more_exact_than_it_is_known() {
        let shown = [3, 61, 3600, 7200, 200_000].map(|seconds| about(Duration::from_secs(seconds)));
        assert_eq!(
            shown,
            [
                "less than 1 min",
                "about 1 min",
                "about 60 min",
                "about 2 h",
                "about 2 days"
            ]
        );
    }
}
