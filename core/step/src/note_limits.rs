//! A loop can't flood the journal: notes of each kind are limited in number.

use crate::workers::held;
use pghaul_core::event::NoteSubject;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How many retries, or waits, of a subject are journaled within [`WINDOW`].
const MOST: u64 = 20;

/// The time for which [`MOST`] counts.
const WINDOW: Duration = Duration::from_secs(60);

/// Bounds the number of notes of each kind and subject.
#[derive(Clone, Default)]
pub(crate) struct Limits(Arc<Mutex<BTreeMap<String, Window>>>);

struct Window {
    since: Instant,
    admitted: u64,
    left_out: u64,
}

impl Limits {
    /// How many were left out since the last one, where another one may be journaled.
    pub(crate) fn admit(&self, subject: &NoteSubject, kind: String) -> Option<u64> {
        let name = |name: Option<&str>| name.unwrap_or_default().to_owned();
        let database = name(subject.database.as_ref().map(|d| d.as_str()));
        let step = name(subject.step.as_ref().map(|s| s.as_str()));
        let mut windows = held(&self.0);
        let window = windows
            .entry(format!("{database}\0{step}\0{kind}"))
            .or_insert_with(|| Window {
                since: Instant::now(),
                admitted: 0,
                left_out: 0,
            });
        if window.since.elapsed() > WINDOW {
            window.since = Instant::now();
            window.admitted = 0;
        }
        if window.admitted >= MOST {
            window.left_out += 1;
            return None;
        }
        window.admitted += 1;
        Some(std::mem::take(&mut window.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::{Limits, MOST};
    use pghaul_core::event::NoteSubject;

    #[test]
    fn a_loop_does_not_flood_the_journal() {
        let (limits, subject) = (Limits::default(), NoteSubject::default());
        let admit = |kind: &str| limits.admit(&subject, kind.to_owned());
        let admitted = (0..1000)
            .filter(|_| admit("retry connection-lost").is_some())
            .count();
        assert_eq!(admitted as u64, MOST);
        assert_eq!(admit("wait"), Some(0), "each kind has its own limit");
    }
}
