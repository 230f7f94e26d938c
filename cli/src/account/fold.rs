//! Makes the account of a migration out of its events, one after the other.

use super::{Account, Bar, Database, DatabaseTimes, Entry, Pause, Run, Table};
use crate::copied::Copied;
use crate::moment::{Moment, Span};
use crate::report::history::{Weight, phase_of, weight};
use crate::report::{legible, sentence};
use crate::view::View;
use pghaul_core::event::{Created, Note, Retry, Runner, Wait};
use pghaul_core::{DatabaseEvent, DatabaseName, Envelope, Event, Finding, MigrationEvent, StepEvent};
use pghaul_step::shell_word;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What was read so far.
#[derive(Default)]
pub(crate) struct Fold {
    created: Option<Created>,
    events: u64,
    span: Span,
    runs: Vec<Run>,
    decisions: Vec<Entry>,
    troubles: Vec<Entry>,
    retries: Vec<Pause>,
    waits: Vec<Pause>,
    findings: Vec<Finding>,
    of_cluster: Steps,
    databases: BTreeMap<DatabaseName, Progress>,
}

/// A database so far.
#[derive(Default)]
struct Progress {
    times: DatabaseTimes,
    steps: Steps,
    /// When the copy of a table began, by its name.
    begun: BTreeMap<String, Moment>,
    /// Where a copied table stands in the list.
    places: BTreeMap<String, usize>,
}

/// Steps so far, in the order in which they began first.
#[derive(Default)]
struct Steps {
    bars: Vec<Bar>,
    places: BTreeMap<String, usize>,
    /// Those that have begun and not ended.
    open: BTreeSet<String>,
}

impl Steps {
    fn add(&mut self, name: &str, event: &StepEvent, at: Option<Moment>) {
        let anew = match event {
            StepEvent::StepStarted => self.open.insert(name.to_owned()),
            StepEvent::StepFinished { .. } | StepEvent::StepFailed { .. } => !self.open.remove(name),
            // What is noted of a step that has ended, and that it was undone weeks later, are no work of it.
            StepEvent::StepRecorded { .. } | StepEvent::ItemFinished { .. } | StepEvent::StepUndone => {
                if !self.open.contains(name) {
                    return;
                }
                false
            }
        };
        let end = self.bars.len();
        let place = *self.places.entry(name.to_owned()).or_insert(end);
        let Some(bar) = self.bars.get_mut(place) else {
            self.bars.push(Bar::new(name, at));
            return;
        };
        bar.add(at, anew);
        match event {
            StepEvent::StepFailed { .. } => bar.failed = true,
            StepEvent::StepStarted | StepEvent::StepFinished { .. } => bar.failed = false,
            StepEvent::StepRecorded { .. } | StepEvent::ItemFinished { .. } | StepEvent::StepUndone => {}
        }
    }
}

impl Fold {
    /// Adds the next event.
    pub(crate) fn add(&mut self, envelope: &Envelope) {
        let at = Moment::of_event(&envelope.at);
        self.events += 1;
        self.span.add(at);
        let event = legible::event(&envelope.event);
        if let Some(run) = self.runs.last_mut() {
            run.span.add(at);
        }
        self.tell(envelope, &event);
        match &*event {
            Event::Migration(event) => self.add_migration(event, at),
            Event::ClusterStep(step, event) => self.of_cluster.add(step.as_str(), event, at),
            Event::Database(database, event) => self.of(database).add(event, at),
            Event::DatabaseStep(database, step, event) => {
                self.of(database).add_step(step.as_str(), event, at)
            }
            Event::Note(subject, note) => self.add_note(subject.database.as_ref(), note, at),
        }
    }

    fn add_note(&mut self, database: Option<&DatabaseName>, note: &Note, at: Option<Moment>) {
        let pause = |what: &str, times: u64, milliseconds: u64| Pause {
            at,
            database: database.cloned(),
            what: what.to_owned(),
            times,
            took: Duration::from_millis(milliseconds),
        };
        match note {
            Note::TablesStarted { tables, .. } => {
                if let (Some(database), Some(at)) = (database, at) {
                    let begun = tables.iter().map(|table| (table.clone(), at));
                    self.of(database).begun.extend(begun);
                }
            }
            Note::Retried(Retry {
                what,
                left_out,
                pause_ms,
                ..
            }) => self.retries.push(pause(what, 1 + left_out, *pause_ms)),
            Note::Waited(Wait {
                what,
                left_out,
                waited_ms,
            }) => self.waits.push(pause(what, 1 + left_out, *waited_ms)),
        }
    }

    /// The account, with the state that the journal ends with.
    pub(crate) fn account(mut self, view: View) -> Option<Account> {
        let databases = view.databases.into_iter().map(|database| {
            let known = self.databases.remove(&legible::database(&database.name));
            let mut times = known.unwrap_or_default().finished(self.span);
            times.left = legible::legible(&database.incomplete);
            Database {
                view: database,
                times,
            }
        });
        let databases = databases.collect();
        Some(Account {
            id: view.id.to_string(),
            created: self.created?,
            state: view.status.to_string(),
            head: view.head.to_string(),
            events: self.events,
            span: self.span,
            runs: self.runs,
            decisions: self.decisions,
            troubles: self.troubles,
            retries: self.retries,
            waits: self.waits,
            findings: self.findings,
            steps: self.of_cluster.bars,
            databases,
        })
    }

    fn of(&mut self, database: &DatabaseName) -> &mut Progress {
        self.databases.entry(database.clone()).or_default()
    }

    fn add_migration(&mut self, event: &MigrationEvent, at: Option<Moment>) {
        match event {
            MigrationEvent::MigrationCreated(created) => self.created = Some(created.clone()),
            MigrationEvent::RunnerStarted(runner) => self.runs.push(run_of(runner, at)),
            MigrationEvent::ClusterChecked { findings } => self.findings.clone_from(findings),
            MigrationEvent::RunnerStopped { ending, .. } => {
                if let Some(run) = self.runs.last_mut() {
                    run.ending = Some(format!("{ending:?}").to_lowercase());
                }
            }
            MigrationEvent::DatabasesSelected { .. } | MigrationEvent::CheckAccepted { .. } => {}
        }
    }

    /// Keeps an event that somebody decided, or that is trouble, in words. Findings have a list of their own.
    fn tell(&mut self, envelope: &Envelope, event: &Event) {
        let weight = weight(event);
        let is_decision = match event {
            // One after a run that was killed is no decision.
            Event::Migration(MigrationEvent::RunnerStarted(runner)) => runner.took_over,
            Event::Migration(MigrationEvent::CheckAccepted { .. })
            | Event::Database(
                _,
                DatabaseEvent::DiscardStarted { .. } | DatabaseEvent::RemovalStarted { .. },
            ) => true,
            _ => false,
        };
        let is_finding = matches!(
            event,
            Event::Migration(MigrationEvent::ClusterChecked { .. })
                | Event::Database(_, DatabaseEvent::Checked { .. })
        );
        if weight == Weight::Note || is_finding {
            return;
        }
        let entry = Entry {
            seq: envelope.seq.0,
            at: envelope.at.clone(),
            database: event.database().cloned(),
            step: event.step().map(|step| step.as_str().to_owned()),
            weight,
            text: anstream::adapter::strip_str(&sentence::of(event)).to_string(),
        };
        if is_decision {
            self.decisions.push(entry);
        } else {
            self.troubles.push(entry);
        }
    }
}

fn run_of(runner: &Runner, at: Option<Moment>) -> Run {
    let invocation = runner.invocation.as_deref();
    let mut span = Span::default();
    span.add(at);
    Run {
        epoch: runner.epoch.to_string(),
        command: runner.command.clone(),
        who: runner.identity(),
        version: runner.pghaul.clone().unwrap_or_default(),
        command_line: invocation.map(|i| typed(&i.command_line)).unwrap_or_default(),
        reason: runner.reason(),
        span,
        ending: None,
    }
}

/// As somebody would type it into a shell.
fn typed(command_line: &[String]) -> String {
    let words: Vec<_> = command_line.iter().map(|word| shell_word(word)).collect();
    words.join(" ")
}

impl Progress {
    fn add(&mut self, event: &DatabaseEvent, at: Option<Moment>) {
        if let Some(last) = self.times.phases.last_mut()
            && *event != DatabaseEvent::Resumed
        {
            last.add(at, false);
        }
        if let Some(phase) = phase_of(event) {
            self.begin(phase, at);
        }
        match event {
            // It waits for its turn until its schema is created.
            DatabaseEvent::Planned { .. } => self.begin("planned", at),
            DatabaseEvent::Checked { findings } => self.times.findings.clone_from(findings),
            DatabaseEvent::Failed { .. } => self.mark_failed(),
            DatabaseEvent::Resumed => self.resume(at),
            DatabaseEvent::DataDiscarded => {
                self.times.tables.clear();
                self.places.clear();
            }
            _ => {}
        }
    }

    fn begin(&mut self, phase: &str, at: Option<Moment>) {
        if self.times.phases.last().is_some_and(|last| last.name == phase) {
            return;
        }
        self.times.phases.push(Bar::new(phase, at));
    }

    fn mark_failed(&mut self) {
        if let Some(last) = self.times.phases.last_mut() {
            last.failed = true;
        }
    }

    /// What a database failed in goes on.
    fn resume(&mut self, at: Option<Moment>) {
        if let Some(last) = self.times.phases.last_mut() {
            last.failed = false;
            last.spans.push(Span { from: at, to: at });
        }
    }

    fn add_step(&mut self, step: &str, event: &StepEvent, at: Option<Moment>) {
        if let Some(last) = self.times.phases.last_mut() {
            last.add(at, false);
        }
        self.steps.add(step, event, at);
        if let StepEvent::ItemFinished { outcome, .. } = event
            && let Some(table) = self.table(&outcome.value(), at)
        {
            self.put(table);
        }
    }

    /// A copied table, for items that say so, as those of the steps that copy do.
    fn table(&self, outcome: &Value, at: Option<Moment>) -> Option<Table> {
        let copied = Copied::of(outcome)?;
        let before = |to: Moment| Some(Moment(to.0 - copied.took?));
        let begun = self.begun.get(copied.table).copied();
        Some(Table {
            name: copied.name(),
            by_workers: copied.by_workers,
            span: Span {
                from: begun.or_else(|| at.and_then(before)),
                to: at,
            },
            rows: copied.rows,
            bytes: copied.bytes.unwrap_or_default(),
            together: copied.together,
        })
    }

    /// A table that was copied once more counts once.
    fn put(&mut self, table: Table) {
        let end = self.times.tables.len();
        let place = *self.places.entry(table.name.clone()).or_insert(end);
        match self.times.tables.get_mut(place) {
            Some(known) => *known = table,
            None => self.times.tables.push(table),
        }
    }

    /// A phase that a database is still in lasts until the journal's end; one that it failed in, until it failed.
    fn finished(mut self, whole: Span) -> DatabaseTimes {
        let mut next = whole.to;
        for phase in self.times.phases.iter_mut().rev() {
            if !phase.failed {
                phase.add(next, false);
            }
            next = phase.began();
        }
        self.times.steps = self.steps.bars;
        self.times
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: u8) -> Option<Moment> {
        Moment::of_event(&format!("2026-11-30T12:00:{second:02}Z"))
    }

    #[test]
    fn a_step_that_is_undone_long_after_its_end_has_not_worked_until_then() {
        let mut steps = Steps::default();
        let finished = StepEvent::StepFinished {
            output: Value::Null.into(),
            version: 1,
            found: false,
        };
        for (event, second) in [
            (&StepEvent::StepStarted, 1),
            (&finished, 4),
            (&StepEvent::StepUndone, 50),
            (&StepEvent::StepStarted, 51),
            (&StepEvent::StepUndone, 53),
        ] {
            steps.add("schema", event, at(second));
        }
        let [bar] = steps.bars.as_slice() else {
            panic!("one step")
        };
        assert_eq!(bar.spans.len(), 2);
        assert_eq!(bar.took(), Some(Duration::from_secs(5)));
    }
}
