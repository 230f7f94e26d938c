//! The migration: the fold of its journal.

use super::{DatabaseState, IllegalTransition, StepState};
use crate::acceptance::Acceptance;
use crate::event::{
    Created, DatabaseEvent, Event, Incomplete, MigrationEvent, Proof, Runner, Selection, StepEvent,
};
use crate::failure::Failure;
use crate::finding::Finding;
use crate::id::{DatabaseName, Epoch, StepName};
use crate::json::JsonText;
use crate::plan::{DatabasePlan, Method};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What the journal knows of a step.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StepRecord {
    /// Where it is.
    pub state: StepState,
    /// How often it was started.
    pub starts: u32,
    /// What it noted, in order, over all its starts.
    pub facts: Vec<JsonText>,
    /// Its finished items and what is remembered of them.
    pub items: BTreeMap<String, JsonText>,
    /// Its output, once it has finished.
    pub output: Option<JsonText>,
    /// The newest version of the step that noted any of this; 0 while it has noted nothing.
    pub version: u32,
    /// Why it failed last.
    pub failure: Option<Failure>,
}

impl StepRecord {
    fn apply(&mut self, event: &StepEvent) -> Option<()> {
        self.state = self.state.apply(event)?;
        match event {
            StepEvent::StepStarted => {
                self.starts += 1;
                self.failure = None;
            }
            StepEvent::StepRecorded { version, facts } => {
                self.version = self.version.max(*version);
                self.facts.push(facts.clone());
            }
            StepEvent::ItemFinished {
                item,
                outcome,
                version,
            } => {
                self.version = self.version.max(*version);
                self.items.insert(item.clone(), outcome.clone());
            }
            StepEvent::StepFinished { output, version, .. } => {
                self.version = self.version.max(*version);
                self.output = Some(output.clone());
            }
            StepEvent::StepFailed { failure } => self.failure = Some((**failure).clone()),
            StepEvent::StepUndone => {
                self.items.clear();
                self.output = None;
            }
        }
        Some(())
    }
}

/// What the journal knows of a database.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DatabaseRecord {
    /// Its number in the migration, from 1.
    pub number: u32,
    /// Where it is.
    pub state: DatabaseState,
    /// What its checks found last.
    pub findings: Vec<Finding>,
    /// Its frozen plan.
    pub plan: Option<Arc<DatabasePlan>>,
    /// Why it fell back from replication to dump, if it did.
    pub fell_back: Option<Failure>,
    /// Its steps.
    pub steps: BTreeMap<StepName, StepRecord>,
    /// The last evidence for `syncing` or `done`.
    pub proof: Option<Proof>,
    /// Why it failed last, while it is failed.
    pub failure: Option<Failure>,
    /// What the target lacked, or may have lacked, when the removal began.
    pub left: Vec<Incomplete>,
    /// Whether the removal began from `syncing` or `done`, with nothing wrong: it ends the migration, and does not give it up.
    pub completed: bool,
}

impl DatabaseRecord {
    /// The method in use: the plan's, unless it fell back.
    pub fn method(&self) -> Option<Method> {
        match (&self.plan, &self.fell_back) {
            (Some(_), Some(_)) => Some(Method::Dump),
            (Some(plan), None) => Some(plan.method),
            (None, _) => None,
        }
    }

    /// Where a step is; one that was never started is idle.
    pub fn step_state(&self, step: &StepName) -> StepState {
        self.steps
            .get(step)
            .map_or(StepState::Idle, |record| record.state)
    }

    fn apply(&mut self, event: &DatabaseEvent) -> Option<()> {
        let forced = self.plan.as_ref().is_some_and(|plan| plan.forced);
        if forced && matches!(event, DatabaseEvent::FellBack { .. }) {
            return None;
        }
        let before = std::mem::take(&mut self.state);
        match before.apply(event) {
            Some(state) => self.state = state,
            None => {
                self.state = before;
                return None;
            }
        }
        match event {
            DatabaseEvent::Checked { findings } => {
                self.findings.clone_from(findings);
                // A plan rests on what was found before it was made.
                self.plan = None;
            }
            DatabaseEvent::CheckingStarted => self.plan = None,
            DatabaseEvent::Planned { plan } => self.plan = Some(Arc::clone(plan)),
            DatabaseEvent::FellBack { failure } => self.fell_back = Some((**failure).clone()),
            DatabaseEvent::SyncingProven { proof } | DatabaseEvent::DoneProven { proof } => {
                self.proof = Some(proof.clone());
            }
            DatabaseEvent::Failed { failure } => self.failure = Some((**failure).clone()),
            DatabaseEvent::DataDiscarded => self.proof = None,
            DatabaseEvent::Resumed => self.failure = None,
            DatabaseEvent::RemovalStarted { left, despite, .. } => {
                self.failure = None;
                if !matches!(before.work(), DatabaseState::Removing) {
                    let arrived = matches!(before, DatabaseState::Syncing | DatabaseState::Done);
                    self.completed = arrived && despite.is_none();
                }
                self.leave(left);
            }
            DatabaseEvent::SchemaStarted
            | DatabaseEvent::ReplicatingStarted
            | DatabaseEvent::DumpingStarted
            | DatabaseEvent::CopyBegan
            | DatabaseEvent::DiscardStarted { .. }
            | DatabaseEvent::WalLimitReached { .. }
            | DatabaseEvent::Removed => {}
        }
        Some(())
    }

    /// What is left incomplete stays known: a removal that is begun again adds to it. What a removal completes itself is no longer
    /// incomplete, unless the user insisted on one that could not.
    fn leave(&mut self, left: &[Incomplete]) {
        if self.left.is_empty() {
            let proven = self.proof.iter().flat_map(|proof| &proof.incomplete);
            let open = proven.filter(|item| !(self.completed && item.by_removal));
            self.left = open.cloned().collect();
        }
        for item in left {
            match self.left.iter_mut().find(|known| known.object == item.object) {
                Some(known) => known.clone_from(item),
                None => self.left.push(item.clone()),
            }
        }
    }

    /// Steps act only while their database is at work, and only undo themselves while it is removed or its rows are
    /// discarded.
    fn lets_steps(&self, event: &StepEvent) -> bool {
        match &self.state {
            DatabaseState::Schema { .. }
            | DatabaseState::Replicating { .. }
            | DatabaseState::Dumping
            | DatabaseState::Syncing => true,
            DatabaseState::Removing | DatabaseState::Discarding { .. } => {
                !matches!(event, StepEvent::ItemFinished { .. })
            }
            // What the target had refused is tried again.
            DatabaseState::Done => self.proof.as_ref().is_some_and(Proof::has_refused),
            DatabaseState::Pending
            | DatabaseState::Checking { .. }
            | DatabaseState::Failed { .. }
            | DatabaseState::Removed => false,
        }
    }
}

/// Everything that the journal knows of a migration.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Migration {
    /// What it was created with.
    pub created: Option<Created>,
    /// The epoch of the last runner.
    pub epoch: Epoch,
    /// The last runner.
    pub runner: Option<Runner>,
    /// Whether the last runner ended in order.
    pub stopped: bool,
    /// Why the last runner ended, when it failed; the next one that ends says it anew.
    pub failure: Option<Failure>,
    /// What was selected.
    pub selection: Option<Selection>,
    /// The checks whose errors the user takes upon himself.
    pub accepted: BTreeSet<Acceptance>,
    /// What the checks of the servers as a whole found last.
    pub findings: Vec<Finding>,
    /// The steps of the cluster.
    pub steps: BTreeMap<StepName, StepRecord>,
    /// The databases.
    pub databases: BTreeMap<DatabaseName, DatabaseRecord>,
}

impl Migration {
    /// Whether nothing of pghaul is left anywhere: every selected database is removed.
    pub fn is_removed(&self) -> bool {
        self.selection.is_some() && self.databases.values().all(|d| d.state == DatabaseState::Removed)
    }

    /// The name of a database on the target.
    pub fn target_database(&self, database: &DatabaseName) -> DatabaseName {
        let mapping = self.selection.as_ref().map(|selection| &selection.mapping);
        mapping
            .map_or(database, |mapping| mapping.database(database))
            .clone()
    }

    /// Whether pghaul may have made anything on a server for it: only steps do.
    pub fn has_acted(&self) -> bool {
        let started = |steps: &BTreeMap<StepName, StepRecord>| steps.values().any(|step| step.starts > 0);
        started(&self.steps) || self.databases.values().any(|database| started(&database.steps))
    }

    /// The transition function. After an error nothing has changed.
    ///
    /// # Errors
    /// [`IllegalTransition`] when the event makes no sense in the present state.
    pub fn apply(&mut self, event: &Event) -> Result<(), IllegalTransition> {
        if self.created.is_none() != matches!(event, Event::Migration(MigrationEvent::MigrationCreated(_))) {
            let state = if self.created.is_none() {
                "not created"
            } else {
                "created"
            };
            return Err(illegal("the migration", state, event));
        }
        match event {
            Event::Note(..) => Ok(()),
            Event::Migration(inner) => self.apply_own(inner, event),
            Event::ClusterStep(step, inner) => {
                // A step record that does not exist yet is idle: only a start may create it.
                let record = self.steps.get(step).map_or(StepState::Idle, |r| r.state);
                if record.apply(inner).is_none() {
                    return Err(illegal(format!("step {step}"), record, event));
                }
                self.steps.entry(step.clone()).or_default().apply(inner);
                Ok(())
            }
            Event::Database(name, inner) => {
                let record = self.database_mut(name, event)?;
                if let DatabaseEvent::Planned { plan } = inner
                    && let Some(why) = plan.contradiction(name, record.number)
                {
                    return Err(illegal(format!("the plan of database {name}"), why, event));
                }
                let state = record.state.phase();
                record
                    .apply(inner)
                    .ok_or_else(|| illegal(format!("database {name}"), state, event))
            }
            Event::DatabaseStep(name, step, inner) => {
                let record = self.database_mut(name, event)?;
                if !record.lets_steps(inner) {
                    return Err(illegal(format!("database {name}"), record.state.phase(), event));
                }
                let state = record.step_state(step);
                if state.apply(inner).is_none() {
                    return Err(illegal(format!("step {step} of database {name}"), state, event));
                }
                record.steps.entry(step.clone()).or_default().apply(inner);
                Ok(())
            }
        }
    }

    fn apply_own(&mut self, inner: &MigrationEvent, event: &Event) -> Result<(), IllegalTransition> {
        match inner {
            MigrationEvent::MigrationCreated(created) => self.created = Some(created.clone()),
            MigrationEvent::RunnerStarted(runner) => {
                if runner.epoch != self.epoch.next() {
                    return Err(illegal(
                        "the migration",
                        format!("in epoch {}", self.epoch),
                        event,
                    ));
                }
                self.epoch = runner.epoch;
                self.runner = Some(runner.clone());
                self.stopped = false;
            }
            MigrationEvent::DatabasesSelected { selection, databases } => {
                if self.selection.is_some() {
                    return Err(illegal("the migration", "already selected", event));
                }
                if databases.iter().collect::<BTreeSet<_>>().len() != databases.len() {
                    return Err(illegal("the migration", "given a database twice", event));
                }
                self.selection = Some((**selection).clone());
                for (number, name) in (1..).zip(databases) {
                    let record = DatabaseRecord {
                        number,
                        ..DatabaseRecord::default()
                    };
                    self.databases.insert(name.clone(), record);
                }
            }
            MigrationEvent::CheckAccepted { check, database, .. } => {
                if self.runner.is_none() || self.stopped {
                    return Err(illegal("the migration", "without a runner", event));
                }
                self.accepted.insert(Acceptance {
                    check: check.clone(),
                    database: database.clone(),
                });
            }
            MigrationEvent::ClusterChecked { findings } => self.findings.clone_from(findings),
            MigrationEvent::RunnerStopped { failure, .. } => {
                if self.runner.is_none() || self.stopped {
                    return Err(illegal("the migration", "without a runner", event));
                }
                self.stopped = true;
                self.failure = failure.as_deref().cloned();
            }
        }
        Ok(())
    }

    fn database_mut(
        &mut self,
        name: &DatabaseName,
        event: &Event,
    ) -> Result<&mut DatabaseRecord, IllegalTransition> {
        self.databases
            .get_mut(name)
            .ok_or_else(|| illegal(format!("database {name}"), "not selected", event))
    }
}

fn illegal(subject: impl Into<String>, state: impl ToString, event: &Event) -> IllegalTransition {
    IllegalTransition {
        subject: subject.into(),
        state: state.to_string(),
        event: event.kind(),
    }
}
