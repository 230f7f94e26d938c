//! What is measured of a migration.

use crate::account::Account;
use crate::copied::Copied;
use crate::report::legible;
use crate::view::View;
use pghaul_core::event::{Note, Proof};
use pghaul_core::{DatabaseEvent, DatabaseName, Event, MigrationEvent, Phase, StepEvent};
use pghaul_step::Progress;
use std::collections::BTreeMap;

/// A migration.
#[derive(Debug, Clone, Default)]
pub(crate) struct Measures {
    /// Its name.
    pub(crate) migration: String,
    pub(crate) databases: BTreeMap<DatabaseName, Measure>,
}

/// A database.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Measure {
    pub(crate) phase: Option<Phase>,
    /// Of tables whose copy is finished, in all runs.
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
    pub(crate) retries: u64,
    /// The copy that is going on, or was last.
    pub(crate) copy: Option<Copy>,
    pub(crate) lag_bytes: Option<u64>,
    pub(crate) lag_seconds: Option<f64>,
    pub(crate) retained_bytes: Option<u64>,
    /// What is not as on the source, by its kind.
    pub(crate) differences: Differences,
    /// Whether the servers confirmed the state at the last look; absent where they are not asked.
    pub(crate) confirmed: Option<bool>,
}

/// How far a copy is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Copy {
    pub(crate) bytes: u64,
    pub(crate) total_bytes: u64,
    pub(crate) tables: u64,
    pub(crate) total_tables: u64,
}

/// Objects that are not as on the source.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Differences {
    /// What the proof found wrong.
    pub(crate) problems: u64,
    /// What is to be completed at the cutover.
    pub(crate) incomplete: u64,
    /// What was written on the source since it was copied once.
    pub(crate) written: u64,
}

impl Measures {
    /// What the journal says.
    pub(crate) fn of_account(account: &Account) -> Self {
        let mut measures = Self {
            migration: account.created.name.clone(),
            ..Self::default()
        };
        for database in &account.databases {
            let tables = &database.times.tables;
            let measure = measures.of(&database.view.name);
            measure.phase = Some(database.view.phase);
            measure.rows = tables.iter().filter_map(|table| table.rows).sum();
            measure.bytes = tables.iter().map(|table| table.bytes).sum();
            measure.differences.incomplete = database.view.open_items();
            // What is told of an account has names that can be shown.
            let shown = Some(legible::database(&database.view.name));
            let retries = account.retries.iter().filter(|retry| retry.database == shown);
            measure.retries = retries.map(|retry| retry.times).sum();
        }
        measures
    }

    /// What a fresh look at the servers says, over what the journal says.
    pub(crate) fn of_view(view: &View, account: &Account) -> Self {
        let mut measures = Self::of_account(account);
        for database in &view.databases {
            let measure = measures.of(&database.name);
            measure.phase = Some(database.phase);
            measure.lag_bytes = database.lag_bytes.or(database.lag.map(|lag| lag.bytes()));
            measure.lag_seconds = database.lag_seconds;
            measure.retained_bytes = database.retained_bytes;
            measure.confirmed = Some(database.checked);
            measure.differences = Differences {
                problems: database.problems.len() as u64,
                incomplete: database.open_items(),
                written: database.written.len() as u64,
            };
            let progress = view.worker.as_ref().and_then(|worker| worker.progress.as_ref());
            let work = progress.and_then(|progress| progress.databases.get(&database.name));
            measure.copy = work.and_then(|work| work.copy.as_ref()).map(|copy| Copy {
                bytes: copy.bytes,
                total_bytes: copy.total_bytes,
                tables: copy.tables,
                total_tables: copy.total_tables,
            });
        }
        measures
    }

    pub(crate) fn of(&mut self, database: &DatabaseName) -> &mut Measure {
        self.databases.entry(database.clone()).or_default()
    }

    pub(crate) fn progress(&mut self, database: Option<&DatabaseName>, progress: &Progress) {
        if let (
            Some(database),
            Progress::Copy {
                bytes,
                total_bytes,
                tables,
                total_tables,
                ..
            },
        ) = (database, progress)
        {
            self.of(database).copy = Some(Copy {
                bytes: *bytes,
                total_bytes: (*total_bytes).max(*bytes),
                tables: *tables,
                total_tables: *total_tables,
            });
        }
    }

    pub(crate) fn journaled(&mut self, event: &Event) {
        match event {
            Event::Migration(MigrationEvent::DatabasesSelected { databases, .. }) => {
                for database in databases {
                    self.of(database).phase = Some(Phase::Pending);
                }
            }
            Event::Database(database, event) => {
                let measure = self.of(database);
                measure.phase = phase_after(event).or(measure.phase);
                if let Some(proof) = proof(event) {
                    let open = proof.incomplete.iter().filter(|item| item.is_open());
                    measure.differences.incomplete = open.count() as u64;
                }
            }
            Event::DatabaseStep(database, _, StepEvent::ItemFinished { outcome, .. }) => {
                if let Some(copied) = Copied::of(&outcome.value()) {
                    let measure = self.of(database);
                    measure.rows += copied.rows.unwrap_or_default();
                    measure.bytes += copied.bytes.unwrap_or_default();
                }
            }
            Event::Note(subject, Note::Retried(retry)) => {
                if let Some(database) = &subject.database {
                    self.of(database).retries += 1 + retry.left_out;
                }
            }
            Event::Migration(_) | Event::ClusterStep(..) | Event::DatabaseStep(..) | Event::Note(..) => {}
        }
    }
}

fn proof(event: &DatabaseEvent) -> Option<&Proof> {
    match event {
        DatabaseEvent::SyncingProven { proof } | DatabaseEvent::DoneProven { proof } => Some(proof),
        _ => None,
    }
}

/// The phase that a database is in after an event, where the event says so.
fn phase_after(event: &DatabaseEvent) -> Option<Phase> {
    match event {
        DatabaseEvent::CheckingStarted => Some(Phase::Checking),
        DatabaseEvent::SchemaStarted => Some(Phase::Schema),
        DatabaseEvent::ReplicatingStarted | DatabaseEvent::DataDiscarded => Some(Phase::Replicating),
        DatabaseEvent::DumpingStarted | DatabaseEvent::FellBack { .. } => Some(Phase::Dumping),
        DatabaseEvent::SyncingProven { .. } => Some(Phase::Syncing),
        DatabaseEvent::DoneProven { .. } => Some(Phase::Done),
        DatabaseEvent::Failed { .. } => Some(Phase::Failed),
        DatabaseEvent::RemovalStarted { .. } => Some(Phase::Removing),
        DatabaseEvent::Removed => Some(Phase::Removed),
        DatabaseEvent::Checked { .. }
        | DatabaseEvent::Planned { .. }
        | DatabaseEvent::CopyBegan
        | DatabaseEvent::WalLimitReached { .. }
        | DatabaseEvent::DiscardStarted { .. }
        | DatabaseEvent::Resumed => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Copy, Measures};
    use pghaul_core::event::{Note, NoteSubject, Retry};
    use pghaul_core::{Code, DatabaseEvent, DatabaseName, Event, Failure, Phase, StepEvent, StepName};
    use pghaul_step::Progress;

    #[test]
    fn a_run_is_measured_while_it_works() {
        let (mut measures, shop) = (Measures::default(), DatabaseName::from("shop"));
        measures.journaled(&Event::Database(shop.clone(), DatabaseEvent::ReplicatingStarted));
        for (bytes, tables) in [(100, 0), (900, 1)] {
            let (total_bytes, total_tables, workers) = (800, 2, 1);
            let progress = Progress::Copy {
                bytes,
                total_bytes,
                tables,
                total_tables,
                workers,
            };
            measures.progress(Some(&shop), &progress);
        }
        for table in ["public.a", "public.b"] {
            let finished = StepEvent::ItemFinished {
                item: table.to_owned(),
                version: 1,
                outcome: serde_json::json!({ "table": table, "rows": 50, "bytes": 400 }).into(),
            };
            measures.journaled(&Event::DatabaseStep(
                shop.clone(),
                StepName::from("copy"),
                finished,
            ));
        }
        let retry = Retry {
            what: "copy of public.b".to_owned(),
            failure: Box::new(Failure::new(Code::ConnectionLost, "lost")),
            tries: 3,
            pause_ms: 1000,
            left_out: 2,
        };
        let subject = NoteSubject {
            database: Some(shop.clone()),
            step: None,
        };
        measures.journaled(&Event::Note(subject, Note::Retried(retry)));
        let measure = measures.of(&shop);
        assert_eq!(measure.phase, Some(Phase::Replicating));
        assert_eq!((measure.rows, measure.bytes, measure.retries), (100, 800, 3));
        let copy = Copy {
            bytes: 900,
            total_bytes: 900,
            tables: 1,
            total_tables: 2,
        };
        assert_eq!(
            measure.copy,
            Some(copy),
            "an estimate that was too low is no more than what was copied"
        );
    }
}
