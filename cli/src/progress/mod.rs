//! Watches the engine: bars on a terminal, lines elsewhere. What matters for ever is a line in both.

mod bars;
mod lines;
pub(crate) mod notify;
pub(crate) mod published;
mod row;

use crate::printer::Printer;
use crate::report::{legible, sentence};
use crate::style::{BOLD, WARNING, paint};
use bars::Bars;
use lines::Lines;
use pghaul_core::{
    Concern, DatabaseEvent, DatabaseName, Event, Finding, Migration, MigrationEvent, Severity, StepEvent,
};
use pghaul_step::{Observer, Progress};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Shows progress from its start until it is finished.
pub(crate) struct Watcher(Arc<Shown>);

struct Shown {
    printer: Printer,
    face: Mutex<Face>,
}

/// How it is shown.
enum Face {
    Bars(Bars),
    Lines(Lines),
}

impl Watcher {
    /// Begins; `migration` is where it stands now.
    pub(crate) fn start(printer: &Printer, migration: Migration) -> Self {
        let face = if printer.draws() {
            Face::Bars(Bars::new(printer, &migration))
        } else {
            Face::Lines(Lines::new())
        };
        Self(Arc::new(Shown {
            printer: printer.clone(),
            face: Mutex::new(face),
        }))
    }

    /// What the engine is given.
    pub(crate) fn observer(&self) -> Arc<dyn Observer> {
        Arc::clone(&self.0) as Arc<dyn Observer>
    }

    /// Takes the bars away.
    pub(crate) fn finish(&self) {
        if let Face::Bars(bars) = &mut *self.0.face() {
            bars.clear();
        }
    }
}

impl Shown {
    fn face(&self) -> MutexGuard<'_, Face> {
        // Only a panic in a renderer could have poisoned it; what it shows is harmless.
        self.face.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Shown {
    fn progress(&self, database: Option<&DatabaseName>, progress: Progress) {
        let database = database.map(legible::database);
        let database = database.as_ref();
        let line = match &mut *self.face() {
            Face::Bars(bars) => {
                bars.progress(database, progress);
                None
            }
            Face::Lines(lines) => lines.progress(database, progress, Instant::now()),
        };
        if let Some(line) = line {
            self.printer.note(&line);
        }
    }

    fn journaled(&self, event: &Event) {
        let event = &legible::event(event);
        let bars = match &mut *self.face() {
            Face::Bars(bars) => {
                bars.journaled(event);
                true
            }
            Face::Lines(lines) => {
                lines.journaled(event);
                false
            }
        };
        for line in kept_lines(event, bars) {
            self.printer.note(&line);
        }
    }
}

/// What stays on the screen of an event. Where bars show the way, only where it led to.
fn kept_lines(event: &Event, bars: bool) -> Vec<String> {
    let named = |database: &DatabaseName| format!("{}: {}", paint(BOLD, database), sentence::of(event));
    match event {
        Event::Migration(MigrationEvent::ClusterChecked { findings }) => warnings(findings),
        Event::Migration(MigrationEvent::DatabasesSelected { .. } | MigrationEvent::CheckAccepted { .. }) => {
            vec![sentence::of(event)]
        }
        Event::Migration(
            MigrationEvent::MigrationCreated(_)
            | MigrationEvent::RunnerStarted(_)
            | MigrationEvent::RunnerStopped { .. },
        ) => Vec::new(),
        Event::Database(_, DatabaseEvent::Checked { findings }) => warnings(findings),
        Event::Database(
            database,
            DatabaseEvent::Planned { .. }
            | DatabaseEvent::FellBack { .. }
            | DatabaseEvent::SyncingProven { .. }
            | DatabaseEvent::DoneProven { .. }
            | DatabaseEvent::Failed { .. }
            | DatabaseEvent::RemovalStarted { .. }
            | DatabaseEvent::Removed
            | DatabaseEvent::WalLimitReached { .. }
            | DatabaseEvent::DiscardStarted { .. }
            | DatabaseEvent::DataDiscarded
            | DatabaseEvent::Resumed,
        ) => vec![named(database)],
        Event::Database(
            database,
            DatabaseEvent::CheckingStarted
            | DatabaseEvent::SchemaStarted
            | DatabaseEvent::ReplicatingStarted
            | DatabaseEvent::DumpingStarted,
        ) => (!bars).then(|| named(database)).into_iter().collect(),
        Event::Database(_, DatabaseEvent::CopyBegan) => Vec::new(),
        Event::DatabaseStep(database, step, StepEvent::StepFailed { .. }) => {
            vec![format!(
                "{}: {step} {}",
                paint(BOLD, database),
                sentence::of(event)
            )]
        }
        Event::ClusterStep(step, StepEvent::StepFailed { .. }) => {
            vec![format!("{}: {}", paint(BOLD, step), sentence::of(event))]
        }
        Event::DatabaseStep(..) | Event::ClusterStep(..) | Event::Note(..) => Vec::new(),
    }
}

/// Whether nothing more happens to the database in this run, or nothing for a while.
fn ends(event: &DatabaseEvent) -> bool {
    matches!(
        event,
        DatabaseEvent::Planned { .. }
            | DatabaseEvent::SyncingProven { .. }
            | DatabaseEvent::DoneProven { .. }
            | DatabaseEvent::Failed { .. }
            | DatabaseEvent::Removed
    )
}

/// What may surprise, and what keeps databases from being replicated, with what would change that.
fn warnings(findings: &[Finding]) -> Vec<String> {
    let told = findings.iter().filter_map(|finding| match finding.severity {
        Severity::Warning | Severity::Accepted => Some((finding, finding.severity, None)),
        Severity::Error if finding.concern == Concern::Replication => {
            Some((finding, Severity::Warning, finding.hint.as_deref()))
        }
        Severity::Note | Severity::Error => None,
    });
    told.map(|(finding, severity, hint)| {
        let title = paint(WARNING, format_args!("{severity}[{}]", finding.check));
        let hint = hint
            .map(|hint| format!("; to replicate it: {hint}"))
            .unwrap_or_default();
        format!("{title}: {} ({}){hint}", finding.message, finding.subject)
    })
    .collect()
}
