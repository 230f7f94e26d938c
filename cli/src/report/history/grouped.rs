//! A whole history, by run, database, phase and step, each with the time that it took.

use super::weight::{Weight, weight};
use crate::moment::{Moment, Span};
use crate::report::quantity::duration;
use crate::report::{legible, sentence};
use crate::style::{BOLD, DIM, ERROR, WARNING, paint};
use pghaul_core::{DatabaseEvent, DatabaseName, Envelope, Event, MigrationEvent};
use std::collections::BTreeMap;

/// Events of a journal in their groups. All are kept until they are shown.
#[derive(Default)]
pub(crate) struct Grouped {
    runs: Vec<Run>,
    /// The phase that each database is in.
    phases: BTreeMap<DatabaseName, &'static str>,
}

/// What one process did; what came before the first one, too.
#[derive(Default)]
struct Run {
    /// The command.
    title: String,
    span: Span,
    own: Vec<Line>,
    /// Databases in the order in which they appear; the cluster as a whole has no name.
    subjects: Vec<Subject>,
}

struct Subject {
    name: Option<DatabaseName>,
    phases: Vec<Phase>,
}

struct Phase {
    name: &'static str,
    span: Span,
    parts: Vec<Part>,
}

/// Events of a step, or between steps.
struct Part {
    step: Option<String>,
    span: Span,
    lines: Vec<Line>,
}

struct Line {
    seq: u64,
    at: String,
    text: String,
}

/// `, 3.2 s`, where that can be told.
fn shown(span: Span) -> String {
    let took = span
        .took()
        .map(|took| paint(DIM, format_args!(", {}", duration(took))));
    took.unwrap_or_default()
}

impl Grouped {
    /// Adds the next event of the journal. One that is not shown still counts for the times of its groups.
    pub(crate) fn add(&mut self, envelope: &Envelope, shown: bool) {
        let (event, at) = (&envelope.event, Moment::of_event(&envelope.at));
        if let Event::Migration(MigrationEvent::RunnerStarted(runner)) = event {
            self.runs
                .push(Run::of(format!("run {}: {}", runner.epoch, runner.command)));
        } else if self.runs.is_empty() {
            self.runs.push(Run::of("before the first run".to_owned()));
        }
        if let Event::Database(database, event) = event
            && let Some(phase) = phase_of(event)
        {
            self.phases.insert(database.clone(), phase);
        }
        let phase = match event.database() {
            Some(database) => self.phases.get(database).copied().unwrap_or_default(),
            None => "",
        };
        let Some(run) = self.runs.last_mut() else { return };
        run.span.add(at);
        let line = shown.then(|| Line::of(envelope));
        if event.database().is_none() && event.step().is_none() {
            run.own.extend(line);
            return;
        }
        let part = run.part(event, phase, at);
        part.span.add(at);
        part.lines.extend(line);
    }

    /// Everything that was added, as text.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        for run in self.runs.iter().filter(|run| run.is_shown()) {
            if !text.is_empty() {
                text.push('\n');
            }
            run.show(&mut text);
        }
        text
    }
}

impl Run {
    fn of(title: String) -> Self {
        Self {
            title,
            ..Self::default()
        }
    }

    fn part(&mut self, event: &Event, phase: &'static str, at: Option<Moment>) -> &mut Part {
        let name = event.database();
        let place = self.subjects.iter().position(|s| s.name.as_ref() == name);
        let subject = at_place(&mut self.subjects, place, || Subject {
            name: name.cloned(),
            phases: Vec::new(),
        });
        let last = subject.phases.len().checked_sub(1);
        let last = last.filter(|_| subject.phases.last().is_some_and(|last| last.name == phase));
        let phase = at_place(&mut subject.phases, last, || Phase {
            name: phase,
            span: Span::default(),
            parts: Vec::new(),
        });
        phase.span.add(at);
        phase.part(event.step().map(|step| step.as_str().to_owned()))
    }

    fn is_shown(&self) -> bool {
        !self.own.is_empty() || self.subjects.iter().any(Subject::is_shown)
    }

    fn show(&self, text: &mut String) {
        text.push_str(&format!("{}{}\n", paint(BOLD, &self.title), shown(self.span)));
        self.own.iter().for_each(|line| line.show("", text));
        let (of_databases, of_cluster): (Vec<_>, Vec<_>) =
            self.subjects.iter().partition(|subject| subject.name.is_some());
        let subjects = of_cluster.into_iter().chain(of_databases);
        subjects
            .filter(|subject| subject.is_shown())
            .for_each(|subject| subject.show(text));
    }
}

impl Subject {
    fn is_shown(&self) -> bool {
        self.phases.iter().any(Phase::is_shown)
    }

    fn show(&self, text: &mut String) {
        let name = match &self.name {
            Some(name) => legible::database(name).as_str().to_owned(),
            None => "the cluster".to_owned(),
        };
        text.push_str(&format!("  {}\n", paint(BOLD, name)));
        for phase in self.phases.iter().filter(|phase| phase.is_shown()) {
            if !phase.name.is_empty() {
                text.push_str(&format!("    {}{}\n", phase.name, shown(phase.span)));
            }
            for part in phase.parts.iter().filter(|part| !part.lines.is_empty()) {
                if let Some(step) = &part.step {
                    text.push_str(&format!("      step {step}{}\n", shown(part.span)));
                }
                let indent = if part.step.is_some() { "      " } else { "    " };
                part.lines.iter().for_each(|line| line.show(indent, text));
            }
        }
    }
}

impl Phase {
    fn is_shown(&self) -> bool {
        self.parts.iter().any(|part| !part.lines.is_empty())
    }

    /// The part of a step: steps that run beside each other have one each. What is between steps keeps its place.
    fn part(&mut self, step: Option<String>) -> &mut Part {
        let place = match &step {
            Some(_) => self.parts.iter().position(|part| part.step == step),
            None => self.parts.len().checked_sub(1).filter(|last| {
                let part = self.parts.get(*last);
                part.is_some_and(|part| part.step.is_none())
            }),
        };
        at_place(&mut self.parts, place, || Part {
            step,
            span: Span::default(),
            lines: Vec::new(),
        })
    }
}

/// What stands at a place of a list, or a new end of it.
fn at_place<T>(list: &mut Vec<T>, place: Option<usize>, make: impl FnOnce() -> T) -> &mut T {
    let place = place.unwrap_or_else(|| {
        list.push(make());
        list.len() - 1
    });
    match list.get_mut(place) {
        Some(found) => found,
        None => unreachable!("the place is that of an element"),
    }
}

impl Line {
    fn of(envelope: &Envelope) -> Self {
        let text = sentence::of(&legible::event(&envelope.event));
        let text = match weight(&envelope.event) {
            Weight::Note => text,
            Weight::Warning => format!("{} {text}", paint(WARNING, "!")),
            Weight::Error => format!("{} {text}", paint(ERROR, "!")),
        };
        Self {
            seq: envelope.seq.0,
            at: envelope.at.clone(),
            text,
        }
    }

    fn show(&self, indent: &str, text: &mut String) {
        let Self { seq, at, text: line } = self;
        text.push_str(&format!("{indent}{seq:>5}  {}  {line}\n", paint(DIM, at)));
    }
}

/// The phase that an event begins.
pub(crate) fn phase_of(event: &DatabaseEvent) -> Option<&'static str> {
    match event {
        DatabaseEvent::CheckingStarted => Some("checking"),
        DatabaseEvent::SchemaStarted => Some("schema"),
        DatabaseEvent::ReplicatingStarted => Some("replicating"),
        DatabaseEvent::DumpingStarted | DatabaseEvent::FellBack { .. } => Some("dumping"),
        DatabaseEvent::SyncingProven { .. } => Some("syncing"),
        DatabaseEvent::DoneProven { .. } => Some("done"),
        DatabaseEvent::DiscardStarted { .. } => Some("discarding"),
        DatabaseEvent::RemovalStarted { .. } => Some("removing"),
        DatabaseEvent::Checked { .. }
        | DatabaseEvent::Planned { .. }
        | DatabaseEvent::CopyBegan
        | DatabaseEvent::WalLimitReached { .. }
        | DatabaseEvent::DataDiscarded
        | DatabaseEvent::Failed { .. }
        | DatabaseEvent::Resumed
        | DatabaseEvent::Removed => None,
    }
}
