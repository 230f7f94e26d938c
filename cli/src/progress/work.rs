//! What is being done now: for each database that is worked on, and for all of them together.

use super::row;
use crate::report::quantity::{count, plural};
use pghaul_core::{DatabaseName, Event, escaped};
use pghaul_step::Progress;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// The progress of a process, as it is written.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Published {
    /// The process.
    pub(crate) pid: u32,
    /// When it was written: RFC 3339, UTC.
    pub(crate) as_of: String,
    /// What is done for all databases together.
    pub(crate) cluster: Option<Work>,
    /// The databases that are worked on.
    pub(crate) databases: BTreeMap<DatabaseName, Work>,
}

/// What is done for one database.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Work {
    /// The step.
    pub(crate) step: String,
    /// The copy of rows, where the step copies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) copy: Option<Copied>,
    /// Objects that are done, where the step counts them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) objects: Option<Counted>,
    /// What is being waited for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) waiting_for: Option<String>,
}

/// How far a copy is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Copied {
    pub(crate) bytes: u64,
    /// An estimate.
    pub(crate) total_bytes: u64,
    pub(crate) tables: u64,
    pub(crate) total_tables: u64,
    pub(crate) workers: u64,
    /// Since this process began to copy.
    pub(crate) bytes_per_second: u64,
}

/// How many objects are done.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Counted {
    pub(crate) what: String,
    pub(crate) done: u64,
    pub(crate) total: u64,
}

impl Work {
    /// What is going on, in words.
    pub(crate) fn words(&self) -> String {
        let mut words = vec![format!("step {}", escaped(&self.step))];
        if let Some(copied) = &self.copy {
            words.push(row::words(&Progress::Copy {
                bytes: copied.bytes,
                total_bytes: copied.total_bytes,
                tables: copied.tables,
                total_tables: copied.total_tables,
                workers: copied.workers,
            }));
            let left = copied.total_bytes.saturating_sub(copied.bytes);
            let second = Duration::from_secs(1);
            words.extend(row::rate(copied.bytes_per_second, left, copied.workers, second));
        }
        if let Some(Counted { what, done, total }) = &self.objects {
            words.push(row::counted(what, *done, *total));
        }
        if let Some(what) = &self.waiting_for {
            words.push(format!("waiting for {}", escaped(what)));
        }
        words.join(", ")
    }
}

impl Work {
    /// The same in few words.
    pub(crate) fn short(&self) -> String {
        match (&self.copy, &self.objects) {
            (Some(copy), _) if copy.tables < copy.total_tables => {
                let percent = (copy.bytes.saturating_mul(100) / copy.total_bytes.max(1)).min(99);
                let tables = plural(copy.total_tables, "table");
                format!("{percent} %, {} of {tables}", count(copy.tables))
            }
            (_, Some(Counted { what, done, total })) if done < total => row::counted(what, *done, *total),
            _ => escaped(&self.step).into_owned(),
        }
    }
}

/// Follows what is being done.
#[derive(Default)]
pub(super) struct Now {
    pub(super) published: Published,
    /// When the copy of a database began, and with how many bytes.
    began: BTreeMap<DatabaseName, (Instant, u64)>,
    /// Whether anything has changed since this was reset.
    pub(super) moved: bool,
}

impl Now {
    /// A database that nothing more happens to for a while is not worked on.
    pub(super) fn journaled(&mut self, event: &Event) {
        if let Event::Database(database, event) = event
            && super::ends(event)
        {
            self.published.databases.remove(database);
            self.began.remove(database);
            self.moved = true;
        }
    }

    pub(super) fn take(&mut self, database: Option<&DatabaseName>, progress: &Progress, at: Instant) {
        self.moved = true;
        let work = match database {
            None => self.published.cluster.get_or_insert_default(),
            Some(database) => {
                // Steps of the cluster come before those of the databases.
                self.published.cluster = None;
                self.published.databases.entry(database.clone()).or_default()
            }
        };
        match progress {
            Progress::Step { step } if *step == work.step => {}
            Progress::Step { step } => {
                *work = Work {
                    step: step.clone(),
                    ..Work::default()
                };
            }
            Progress::Copy {
                bytes,
                total_bytes,
                tables,
                total_tables,
                workers,
            } => {
                let since = database.map(|name| *self.began.entry(name.clone()).or_insert((at, *bytes)));
                let (since, before) = since.unwrap_or((at, *bytes));
                let seconds = at.saturating_duration_since(since).as_secs_f64();
                let passed = bytes.saturating_sub(before) as f64;
                work.copy = Some(Copied {
                    bytes: *bytes,
                    total_bytes: (*total_bytes).max(*bytes),
                    tables: *tables,
                    total_tables: *total_tables,
                    workers: *workers,
                    bytes_per_second: if seconds > 0.0 {
                        (passed / seconds) as u64
                    } else {
                        0
                    },
                });
                work.waiting_for = None;
            }
            Progress::Count { what, done, total } => {
                work.objects = Some(Counted {
                    what: (*what).to_owned(),
                    done: *done,
                    total: *total,
                });
                work.waiting_for = None;
            }
            Progress::Waiting { what } => work.waiting_for = Some(what.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Now;
    use pghaul_core::DatabaseName;
    use pghaul_step::Progress;
    use std::time::{Duration, Instant};

    fn step(name: &str) -> Progress {
        Progress::Step {
            step: name.to_owned(),
        }
    }

    #[test]
    fn what_is_done_is_said_in_words() {
        let (mut now, start) = (Now::default(), Instant::now());
        let shop = DatabaseName::from("shop");
        let copy = |bytes| Progress::Copy {
            bytes,
            total_bytes: 100 << 20,
            tables: 0,
            total_tables: 2,
            workers: 1,
        };
        now.take(None, &step("roles"), start);
        assert_eq!(now.published.cluster.as_ref().unwrap().words(), "step roles");
        now.take(Some(&shop), &step("copy"), start);
        now.take(Some(&shop), &copy(0), start);
        now.take(Some(&shop), &copy(20 << 20), start + Duration::from_secs(10));
        assert_eq!(
            now.published.databases[&shop].words(),
            "step copy, copied 20.0 MiB of about 100.0 MiB, 0 of 2 tables, 2.0 MiB/s, about 40 s left"
        );
        assert_eq!(now.published.cluster, None);
        now.take(Some(&shop), &step("matviews"), start);
        let what = "transaction 7".to_owned();
        now.take(Some(&shop), &Progress::Waiting { what }, start);
        assert_eq!(
            now.published.databases[&shop].words(),
            "step matviews, waiting for transaction 7"
        );
    }
}
