//! The one way into the journal: append, count the fault positions, tell the observer.

use crate::fault::Faults;
use crate::note_limits::Limits;
use crate::progress::{Observer, Progress};
use pghaul_core::event::{Note, NoteSubject};
use pghaul_core::journal::Head;
use pghaul_core::{
    Code, DatabaseName, Event, Failure, Journal, JournalError, Migration, Seq, StepName, StepVersions,
};
use std::sync::Arc;

/// The journal of the running migration, with those who watch it.
#[derive(Clone)]
pub struct Recorder {
    journal: Arc<dyn Journal>,
    faults: Arc<Faults>,
    observer: Arc<dyn Observer>,
    versions: Arc<StepVersions>,
    limits: Limits,
}

impl Recorder {
    /// Puts the parts together.
    pub fn new(journal: Arc<dyn Journal>, faults: Arc<Faults>, observer: Arc<dyn Observer>) -> Self {
        Self {
            journal,
            faults,
            observer,
            versions: Arc::default(),
            limits: Limits::default(),
        }
    }

    /// Notes what steps record with the versions of these.
    #[must_use]
    pub fn with_versions(mut self, versions: StepVersions) -> Self {
        self.versions = Arc::new(versions);
        self
    }

    /// The version that a step notes its facts, items and output in.
    pub fn version_of(&self, step: &StepName) -> u32 {
        self.versions.newest(step).unwrap_or(1)
    }

    /// Appends one event. When it returns, the event is durable and part of the state.
    ///
    /// # Errors
    /// When the event is not possible or can't be written.
    pub async fn append(&self, event: Event) -> Result<Seq, Failure> {
        self.append_all(vec![event]).await
    }

    /// Appends several events, all or none.
    ///
    /// # Errors
    /// As [`append`](Self::append).
    pub async fn append_all(&self, events: Vec<Event>) -> Result<Seq, Failure> {
        let kind = events.first().map_or("nothing", Event::kind);
        self.faults.pass(&format!("before event {kind}"));
        let shown = events.clone();
        let seq = self.journal.append(events).await.map_err(journal_failure)?;
        self.faults.pass(&format!("after event {kind}"));
        for event in &shown {
            self.observer.journaled(event);
        }
        Ok(seq)
    }

    /// Adds what changes no state and nobody waits for; see [`crate::notes::Notes`].
    pub(crate) fn note(&self, subject: NoteSubject, note: Note) {
        let shown = Event::Note(subject.clone(), note.clone());
        self.journal.note(subject, note);
        self.observer.journaled(&shown);
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Reads something out of the state as of the last durable event.
    pub fn read<T>(&self, read: impl FnOnce(&Migration) -> T) -> T {
        self.journal.read(read)
    }

    /// The journal's end.
    pub fn head(&self) -> Head {
        self.journal.head()
    }

    /// Whether the journal goes on from a head that was seen earlier.
    ///
    /// # Errors
    /// When the journal can't be read.
    pub async fn continues(&self, earlier: &Head) -> Result<bool, Failure> {
        self.journal.continues(earlier).await.map_err(journal_failure)
    }

    /// The fault positions.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Shows how large a database is. It is not journaled.
    pub fn measured(&self, database: &DatabaseName, bytes: u64) {
        self.observer.measured(database, bytes);
    }

    /// Shows progress. It is not journaled.
    pub fn progress(&self, database: Option<&DatabaseName>, progress: Progress) {
        self.observer.progress(database, progress);
    }
}

/// A journal error as a failure of the run.
fn journal_failure(error: JournalError) -> Failure {
    match error {
        JournalError::Illegal(_) | JournalError::Format(_) => Failure::bug(error.to_string()),
        JournalError::NotWritten { .. } => Failure::new(Code::JournalUnusable, error.to_string())
            .with_hint("make room for the journal or make it writable, then run the same command again"),
        JournalError::NotRead { .. } => Failure::new(Code::JournalUnusable, error.to_string())
            .with_hint("make the journal readable, then run the same command again"),
        JournalError::Overtaken { .. } => Failure::new(Code::JournalDamaged, error.to_string()).with_hint(
            "the journal must be used by one runner alone; look for another process that has it open",
        ),
    }
}
