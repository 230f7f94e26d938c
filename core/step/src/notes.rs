//! What is journaled for readers alone: retries, waits, the start of a table's copy.
//!
//! A note never waits for the journal and never fails. Retries and waits of one kind are limited in number, so that a loop
//! can't flood the journal; the next one that is journaled says how many were left out.

use crate::recorder::Recorder;
use pghaul_core::event::{CopiedBy, Note, NoteSubject, Retry, Wait};
use pghaul_core::{DatabaseName, Failure, StepName};
use std::time::{Duration, Instant};

/// The shortest wait that is journaled.
const WORTH_NOTING: Duration = Duration::from_secs(1);

/// The way to note something about one subject. Cheap to clone.
#[derive(Clone)]
pub struct Notes {
    recorder: Recorder,
    subject: NoteSubject,
}

impl Notes {
    /// Notes about the migration, a database, a step, or a step of a database.
    pub fn about(recorder: &Recorder, database: Option<&DatabaseName>, step: Option<StepName>) -> Self {
        let database = database.cloned();
        Self {
            recorder: recorder.clone(),
            subject: NoteSubject { database, step },
        }
    }

    /// The copy of tables begins.
    pub fn tables_started(&self, tables: Vec<String>, by: CopiedBy) {
        self.add(Note::TablesStarted { tables, by });
    }

    /// Something has failed for the given number of times, and is done again after a pause.
    pub fn retried(&self, what: &str, failure: &Failure, tries: u32, pause: Duration) {
        let kind = format!("retry {}", failure.code);
        let Some(left_out) = self.recorder.limits().admit(&self.subject, kind) else {
            return;
        };
        self.add(Note::Retried(Retry {
            what: what.to_owned(),
            failure: Box::new(failure.clone()),
            tries,
            pause_ms: millis(pause),
            left_out,
        }));
    }

    /// A wait begins. It is journaled when the returned value is dropped, if it was a long one.
    pub fn waiting(&self, what: impl Into<String>) -> Waiting {
        Waiting {
            notes: self.clone(),
            what: what.into(),
            since: Instant::now(),
        }
    }

    fn waited(&self, what: &str, waited: Duration) {
        let Some(left_out) = self.recorder.limits().admit(&self.subject, "wait".to_owned()) else {
            return;
        };
        self.add(Note::Waited(Wait {
            what: what.to_owned(),
            waited_ms: millis(waited),
            left_out,
        }));
    }

    fn add(&self, note: Note) {
        self.recorder.note(self.subject.clone(), note);
    }
}

/// A wait that goes on.
pub struct Waiting {
    notes: Notes,
    what: String,
    since: Instant,
}

impl Waiting {
    /// Something else is waited for by now, or the same in other words.
    pub fn now_for(&mut self, what: impl Into<String>) {
        self.what = what.into();
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let waited = self.since.elapsed();
        if waited >= WORTH_NOTING {
            self.notes.waited(&self.what, waited);
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
