//! Progress where nothing can be drawn: a line when a step changes, and now and then while one goes on.

use super::line::fitted;
use super::overall::{Aim, Overall};
use super::row;
use crate::style::{BOLD, paint};
use pghaul_core::{DatabaseName, Event, Migration};
use pghaul_step::Progress;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How often a step that goes on is heard of.
const PAUSE: Duration = Duration::from_secs(10);

/// How often all databases together are heard of, where there are several.
const OVERALL_PAUSE: Duration = Duration::from_secs(30);

/// What was said last of each database, and of the cluster.
pub(super) struct Lines {
    rows: BTreeMap<Option<DatabaseName>, Row>,
    overall: Overall,
    said: Option<Instant>,
}

/// What was said last of one of them.
#[derive(Default)]
struct Row {
    step: String,
    said: Option<Instant>,
    waits: bool,
    copied: Option<(Instant, u64)>,
}

impl Lines {
    pub(super) fn new(migration: &Migration, aim: Aim) -> Self {
        Self {
            rows: BTreeMap::new(),
            overall: Overall::new(migration, aim),
            said: None,
        }
    }

    pub(super) fn measured(&mut self, database: &DatabaseName, bytes: u64) {
        self.overall.measured(database, bytes);
    }

    /// The lines that progress is worth now, if any.
    pub(super) fn progress(
        &mut self,
        database: Option<&DatabaseName>,
        progress: &Progress,
        now: Instant,
    ) -> Vec<String> {
        self.overall.progress(database, progress, now);
        let row = self.rows.entry(database.cloned()).or_default();
        let words = row.words(progress, now).map(|words| match database {
            Some(database) => format!("{}: {words}", paint(BOLD, database)),
            None => words,
        });
        words.into_iter().chain(self.overall(now)).collect()
    }

    fn overall(&mut self, now: Instant) -> Option<String> {
        let said = *self.said.get_or_insert(now);
        if !self.overall.has_several() || now.saturating_duration_since(said) < OVERALL_PAUSE {
            return None;
        }
        self.said = Some(now);
        Some(fitted(&self.overall.parts(now), usize::MAX).replace("  ", ", "))
    }

    /// Forgets what was said: the next step is a new one.
    pub(super) fn journaled(&mut self, event: &Event) {
        self.overall.journaled(event);
        if let Event::Database(database, _) = event {
            self.rows.remove(&Some(database.clone()));
        }
    }
}

impl Row {
    fn words(&mut self, progress: &Progress, now: Instant) -> Option<String> {
        match progress {
            Progress::Step { step } if *step == self.step => None,
            Progress::Step { step } => {
                *self = Self {
                    step: step.clone(),
                    said: Some(now),
                    ..Self::default()
                };
                Some(row::words(progress))
            }
            // How far away the awaited thing is may change all the time.
            Progress::Waiting { .. } => {
                let first = !std::mem::replace(&mut self.waits, true);
                (self.is_time(now) || first).then(|| row::words(progress))
            }
            Progress::Count { .. } => self.is_time(now).then(|| row::words(progress)),
            Progress::Copy {
                bytes,
                total_bytes,
                workers,
                ..
            } => {
                let (since, before) = *self.copied.get_or_insert((now, *bytes));
                if !self.is_time(now) {
                    return None;
                }
                self.copied = Some((now, *bytes));
                let passed = bytes.saturating_sub(before);
                let left = total_bytes.saturating_sub(*bytes);
                let rate = row::rate(passed, left, *workers, now.saturating_duration_since(since));
                let rate = rate.map(|rate| format!(", {rate}")).unwrap_or_default();
                Some(format!("{}{rate}", row::words(progress)))
            }
        }
    }

    fn is_time(&mut self, now: Instant) -> bool {
        let said = *self.said.get_or_insert(now);
        let due = now.saturating_duration_since(said) >= PAUSE;
        if due {
            self.said = Some(now);
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::{Aim, Lines};
    use pghaul_core::{DatabaseName, Migration};
    use pghaul_step::Progress;
    use std::time::{Duration, Instant};

    #[test]
    fn a_step_is_said_once_and_its_copy_now_and_then() {
        let (mut lines, start) = (Lines::new(&Migration::default(), Aim::Move), Instant::now());
        let shop = DatabaseName::from("shop");
        let mut said = Vec::new();
        let step = |name: &str| Progress::Step {
            step: name.to_owned(),
        };
        let mut tell = |second: u64, progress| {
            let line = lines.progress(Some(&shop), &progress, start + Duration::from_secs(second));
            said.extend(
                line.iter()
                    .map(|l| format!("{second:>2} {}", anstream::adapter::strip_str(l))),
            );
        };
        tell(0, step("pre-data"));
        tell(1, step("copy"));
        tell(1, step("copy"));
        for second in 1..=22 {
            let bytes = second << 20;
            tell(
                second,
                Progress::Copy {
                    bytes,
                    total_bytes: 100 << 20,
                    tables: 0,
                    total_tables: 2,
                    workers: 1,
                },
            );
        }
        tell(
            23,
            Progress::Waiting {
                what: "transaction 7 of process 1".to_owned(),
            },
        );
        tell(
            24,
            Progress::Waiting {
                what: "transaction 7 of process 1".to_owned(),
            },
        );
        insta::assert_snapshot!(said.join("\n"), @r"
         0 shop: step pre-data
         1 shop: step copy
        11 shop: copied 11.0 MiB of about 100.0 MiB, 0 of 2 tables, 1.0 MiB/s, about 1 min 29 s left
        21 shop: copied 21.0 MiB of about 100.0 MiB, 0 of 2 tables, 1.0 MiB/s, about 1 min 19 s left
        23 shop: waiting for transaction 7 of process 1
        ");
    }
}
