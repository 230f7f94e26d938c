//! Watches the engine: bars on a terminal, lines elsewhere. What matters for ever is a line in both.

mod bars;
mod line;
mod lines;
pub(crate) mod notify;
mod overall;
mod pace;
pub(crate) mod published;
mod row;
mod work;

pub(crate) use overall::Aim;

use crate::drawing::Size;
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
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;

/// How often the lines of a terminal are drawn.
const TICK: Duration = Duration::from_millis(150);

/// Shows progress from its start until it is finished.
pub(crate) struct Watcher {
    shown: Arc<Shown>,
    drawing: Option<JoinHandle<()>>,
}

struct Shown {
    printer: Printer,
    face: Mutex<Face>,
}

/// How it is shown.
enum Face {
    Bars(Box<Bars>),
    Lines(Lines),
    /// Not any more.
    Gone,
}

impl Watcher {
    /// Begins; `migration` is where it stands now.
    pub(crate) fn start(printer: &Printer, migration: &Migration, aim: Aim) -> Self {
        let face = if printer.draws() {
            Face::Bars(Box::new(Bars::new(migration, aim)))
        } else {
            Face::Lines(Lines::new(migration, aim))
        };
        let shown = Arc::new(Shown {
            printer: printer.clone(),
            face: Mutex::new(face),
        });
        let drawn = Arc::clone(&shown);
        let drawing = printer.draws().then(|| tokio::spawn(drawn.draw_for_ever()));
        Self { shown, drawing }
    }

    /// What the engine is given.
    pub(crate) fn observer(&self) -> Arc<dyn Observer> {
        Arc::clone(&self.shown) as Arc<dyn Observer>
    }

    /// Takes the lines away, for good.
    pub(crate) fn finish(&self) {
        let mut face = self.shown.face();
        if let Face::Bars(_) = &*face {
            *face = Face::Gone;
            self.shown.printer.draw(Vec::new());
        }
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.finish();
        if let Some(drawing) = &self.drawing {
            drawing.abort();
        }
    }
}

impl Shown {
    async fn draw_for_ever(self: Arc<Self>) {
        loop {
            // Drawn before another thread may take the lines away.
            match &mut *self.face() {
                Face::Bars(bars) => self.printer.draw(bars.lines(Size::of_stderr(), Instant::now())),
                Face::Lines(_) | Face::Gone => return,
            }
            tokio::time::sleep(TICK).await;
        }
    }

    fn face(&self) -> MutexGuard<'_, Face> {
        // Only a panic in a renderer could have poisoned it; what it shows is harmless.
        self.face.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Shown {
    fn progress(&self, database: Option<&DatabaseName>, progress: Progress) {
        let database = database.map(legible::database);
        let database = database.as_ref();
        let lines = match &mut *self.face() {
            Face::Bars(bars) => {
                bars.progress(database, &progress, Instant::now());
                Vec::new()
            }
            Face::Lines(lines) => lines.progress(database, &progress, Instant::now()),
            Face::Gone => Vec::new(),
        };
        for line in lines {
            self.printer.note(&line);
        }
    }

    fn measured(&self, database: &DatabaseName, bytes: u64) {
        let database = legible::database(database);
        match &mut *self.face() {
            Face::Bars(bars) => bars.measured(&database, bytes),
            Face::Lines(lines) => lines.measured(&database, bytes),
            Face::Gone => {}
        }
    }

    fn journaled(&self, event: &Event) {
        let event = &*legible::event(event);
        let bars = match &mut *self.face() {
            Face::Bars(bars) => {
                bars.journaled(event);
                true
            }
            Face::Lines(lines) => {
                lines.journaled(event);
                false
            }
            Face::Gone => false,
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

/// The phase that begins with an event, in the words of the lines.
fn phase(event: &DatabaseEvent) -> Option<&'static str> {
    match event {
        DatabaseEvent::CheckingStarted => Some("checking"),
        DatabaseEvent::SchemaStarted => Some("schema"),
        DatabaseEvent::ReplicatingStarted | DatabaseEvent::DataDiscarded => Some("replicating"),
        DatabaseEvent::DiscardStarted { .. } => Some("discarding"),
        DatabaseEvent::DumpingStarted | DatabaseEvent::FellBack { .. } => Some("dumping"),
        DatabaseEvent::RemovalStarted { .. } => Some("removing"),
        DatabaseEvent::Checked { .. }
        | DatabaseEvent::Planned { .. }
        | DatabaseEvent::CopyBegan
        | DatabaseEvent::WalLimitReached { .. }
        | DatabaseEvent::SyncingProven { .. }
        | DatabaseEvent::DoneProven { .. }
        | DatabaseEvent::Failed { .. }
        | DatabaseEvent::Resumed
        | DatabaseEvent::Removed => None,
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
