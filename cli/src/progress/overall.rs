//! How far a run is as a whole: databases, tables, bytes, and the objects that are built after them.

use super::pace::{Pace, about};
use super::phase;
use crate::report::quantity::{bytes, count, plural};
use pghaul_core::{DatabaseEvent, DatabaseName, Event, Migration, MigrationEvent, Phase};
use pghaul_step::Progress;
use std::collections::BTreeMap;
use std::time::Instant;

/// What a command wants to do with every database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Aim {
    /// Take it to `syncing` or `done`.
    Move,
    /// Take pghaul's objects away.
    Remove,
}

/// A part of a line: what is more important stays where the line is short.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    /// 0 is the most important.
    pub(super) rank: u8,
    pub(super) text: String,
}

/// All databases of a run.
pub(super) struct Overall {
    aim: Aim,
    databases: BTreeMap<DatabaseName, One>,
    pace: Pace,
}

/// One of them.
#[derive(Debug, Default)]
struct One {
    arrived: bool,
    failed: bool,
    /// The bytes of its tables, where they are known before they are copied.
    measured: Option<u64>,
    copy: Option<Copy>,
    /// What is counted, done, to be done.
    objects: BTreeMap<&'static str, (u64, u64)>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Copy {
    bytes: u64,
    total_bytes: u64,
    tables: u64,
    total_tables: u64,
}

impl One {
    fn is_ended(&self) -> bool {
        self.arrived || self.failed
    }

    /// All bytes that it will have copied, where that is known.
    fn total_bytes(&self) -> Option<u64> {
        match self.copy {
            Some(copy) if self.is_ended() || copy.is_complete() => Some(copy.bytes),
            Some(copy) => Some(copy.total_bytes.max(copy.bytes)),
            None if self.is_ended() => Some(0),
            None => self.measured,
        }
    }

    /// How many bytes are left, where that is known: an estimate that was too low knows nothing.
    fn left(&self) -> Option<u64> {
        let Some(copy) = self.copy else {
            return self.total_bytes();
        };
        let left = copy.total_bytes.saturating_sub(copy.bytes);
        match (self.is_ended() || copy.is_complete(), left) {
            (true, _) => Some(0),
            (false, 0) => None,
            (false, left) => Some(left),
        }
    }
}

impl Copy {
    fn is_complete(&self) -> bool {
        self.tables >= self.total_tables
    }
}

impl Overall {
    pub(super) fn new(migration: &Migration, aim: Aim) -> Self {
        let one = |phase: Phase| One {
            arrived: match aim {
                Aim::Move => matches!(phase, Phase::Syncing | Phase::Done | Phase::Removed),
                Aim::Remove => phase == Phase::Removed,
            },
            ..One::default()
        };
        let databases = migration.databases.iter();
        Self {
            aim,
            databases: databases
                .map(|(name, record)| (name.clone(), one(record.state.phase())))
                .collect(),
            pace: Pace::default(),
        }
    }

    pub(super) fn measured(&mut self, database: &DatabaseName, bytes: u64) {
        self.databases.entry(database.clone()).or_default().measured = Some(bytes);
    }

    pub(super) fn progress(&mut self, database: Option<&DatabaseName>, progress: &Progress, now: Instant) {
        let Some(database) = database else { return };
        let one = self.databases.entry(database.clone()).or_default();
        match progress {
            Progress::Copy {
                bytes,
                total_bytes,
                tables,
                total_tables,
                ..
            } => {
                one.copy = Some(Copy {
                    bytes: *bytes,
                    total_bytes: *total_bytes,
                    tables: *tables,
                    total_tables: *total_tables,
                });
                let passed = self.sum(|copy| copy.bytes);
                self.pace.note(now, passed);
            }
            Progress::Count { what, done, total } => {
                one.objects.insert(what, (*done, *total));
            }
            Progress::Step { .. } | Progress::Waiting { .. } => {}
        }
    }

    pub(super) fn journaled(&mut self, event: &Event) {
        match event {
            Event::Migration(MigrationEvent::DatabasesSelected { databases, .. }) => {
                for database in databases {
                    self.databases.entry(database.clone()).or_default();
                }
            }
            Event::Database(database, event) => {
                let one = self.databases.entry(database.clone()).or_default();
                match event {
                    DatabaseEvent::SyncingProven { .. } | DatabaseEvent::DoneProven { .. } => {
                        one.arrived = self.aim == Aim::Move;
                    }
                    DatabaseEvent::Removed => one.arrived = true,
                    DatabaseEvent::Failed { .. } => one.failed = true,
                    DatabaseEvent::Resumed => one.failed = false,
                    begun if phase(begun).is_some() => one.arrived = false,
                    _ => {}
                }
            }
            Event::Migration(_) | Event::ClusterStep(..) | Event::DatabaseStep(..) | Event::Note(..) => {}
        }
    }

    /// Whether there is more than one database.
    pub(super) fn has_several(&self) -> bool {
        self.databases.len() > 1
    }

    /// How far it is, in words. Empty before the databases are known.
    pub(super) fn parts(&mut self, now: Instant) -> Vec<Part> {
        if self.databases.is_empty() {
            return Vec::new();
        }
        let part = |rank: u8, text: String| Some(Part { rank, text });
        let all = self.databases.len() as u64;
        let number = |of: fn(&One) -> bool| self.databases.values().filter(|one| of(one)).count() as u64;
        let (arrived, failed) = (number(|one| one.arrived), number(|one| one.failed));
        let tables = (self.sum(|copy| copy.tables), self.sum(|copy| copy.total_tables));
        let copies = self.databases.values().any(|one| {
            !one.is_ended()
                && one
                    .copy
                    .map_or(one.measured > Some(0), |copy| !copy.is_complete())
        });
        let parts = [
            part(0, format!("{} of {}", count(arrived), plural(all, "database"))),
            (failed > 0)
                .then_some(())
                .and_then(|()| part(1, format!("{} failed", count(failed)))),
            (tables.1 > 0)
                .then_some(())
                .and_then(|()| part(5, format!("{} of {}", count(tables.0), plural(tables.1, "table")))),
            self.copied().and_then(|text| part(2, text)),
            self.pace
                .rate(now)
                .filter(|_| copies)
                .and_then(|rate| part(4, format!("{}/s", bytes(rate)))),
            self.left(now).filter(|_| copies).and_then(|left| part(3, left)),
            self.objects()
                .and_then(|text| part(if copies { 6 } else { 3 }, text)),
        ];
        parts.into_iter().flatten().collect()
    }

    fn sum(&self, of: fn(&Copy) -> u64) -> u64 {
        self.databases
            .values()
            .filter_map(|one| one.copy.as_ref())
            .map(of)
            .sum()
    }

    fn copied(&self) -> Option<String> {
        let copied = self.sum(|copy| copy.bytes);
        let total: Option<u64> = self.databases.values().map(One::total_bytes).sum();
        let is_begun = self.databases.values().any(|one| one.copy.is_some());
        is_begun.then(|| match total.filter(|total| *total > copied) {
            Some(total) => format!("{} of about {}", bytes(copied), bytes(total)),
            None => format!("{} copied", bytes(copied)),
        })
    }

    fn left(&mut self, now: Instant) -> Option<String> {
        let left: Option<u64> = self.databases.values().map(One::left).sum();
        let left = self.pace.left(now, left.filter(|left| *left > 0)?)?;
        Some(format!("{} left to copy", about(left)))
    }

    /// What is built and counted now, of all databases together.
    fn objects(&self) -> Option<String> {
        let mut sums: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
        let counted = self.databases.values().filter(|one| !one.is_ended());
        for (what, (done, total)) in counted.flat_map(|one| &one.objects) {
            let sum = sums.entry(what).or_default();
            *sum = (sum.0 + done, sum.1 + total);
        }
        let open = sums.iter().filter(|(_, (done, total))| done < total);
        let words: Vec<String> = open
            .map(|(what, (done, total))| format!("{} of {} {what}", count(*done), count(*total)))
            .collect();
        (!words.is_empty()).then(|| words.join(", "))
    }
}
