//! Takes one database through its states.

use crate::executor::Execution;
use crate::release;
use futures_util::future::{try_join, try_join_all};
use pghaul_core::{
    Code, DatabaseEvent, DatabaseName, DatabaseState, Event, Failure, Method, Route, StepName, StepState,
};
use pghaul_step::ownership::Claim;
use pghaul_step::scope::{Database, DatabaseSubject};
use pghaul_step::step::ErasedStep;
use pghaul_step::{
    Context, Descriptor, Notes, Occasion, Ownership, Proof, Registry, Repeats, RunContext, Standing,
    StepPhase, UndoReason,
};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How often one run takes another snapshot where one is lost with its connection.
const SNAPSHOTS: u32 = 3;

/// How often the journal's head is noted in the target while steps finish one after the other: each note is a session of
/// its own, and a small database has dozens of steps.
const BETWEEN_NOTES: Duration = Duration::from_secs(1);

/// A step, and the context in which it answers.
pub(crate) type AskedStep = (Arc<dyn ErasedStep<Database>>, Context<Database>);

/// One database of a running migration.
pub(crate) struct Journey<'a> {
    pub(crate) run: &'a Arc<RunContext>,
    pub(crate) registry: &'a Registry,
    pub(crate) database: &'a DatabaseName,
}

impl Journey<'_> {
    pub(crate) fn state(&self) -> Result<DatabaseState, Failure> {
        self.run
            .recorder
            .read(|m| m.databases.get(self.database).map(|d| d.state.clone()))
            .ok_or_else(|| Failure::bug(format!("database {} is not selected", self.database)))
    }

    pub(crate) async fn append(&self, event: DatabaseEvent) -> Result<(), Failure> {
        self.run
            .recorder
            .append(Event::Database(self.database.clone(), event))
            .await?;
        Ok(())
    }

    /// What its steps work on; only a database with a plan has one.
    pub(crate) fn subject(&self) -> Result<DatabaseSubject, Failure> {
        self.run
            .recorder
            .read(|m| {
                let record = m.databases.get(self.database)?;
                Some(DatabaseSubject {
                    plan: record.plan.clone()?,
                    method: record.method()?,
                })
            })
            .ok_or_else(|| Failure::bug(format!("database {} has no plan", self.database)))
    }

    /// Goes on until the database is `syncing` or `done`. What stops it is journaled, unless the user or the
    /// journal itself stopped it.
    pub(crate) async fn complete(&self) -> Result<(), Failure> {
        if self.run.cancel.is_cancelled() {
            return Err(Failure::new(Code::Interrupted, "the run was stopped"));
        }
        match self.state()? {
            DatabaseState::Removed => return Ok(()),
            DatabaseState::Removing => {
                return Err(Failure::new(Code::BadInput, "the database is being removed")
                    .with_hint("finish that with `pghaul remove`")
                    .with_database(self.database.as_str()));
            }
            _ => {}
        }
        let Err(failure) = self.proceed().await else {
            return Ok(());
        };
        // Other databases may go on for hours: nothing is to be held for this one meanwhile, least of all a snapshot.
        self.run.kept.forget(self.database);
        let failure = self.with_new_name(failure).await;
        match failure.code {
            Code::Interrupted | Code::JournalUnusable | Code::JournalDamaged => {}
            // What the target had refused could not be tried again: the database is as it was.
            _ if self.state()? == DatabaseState::Done => {}
            // It has failed before, and was not begun again.
            _ if matches!(self.state()?, DatabaseState::Failed { .. }) => {}
            _ => {
                self.append(DatabaseEvent::Failed {
                    failure: Box::new(failure.clone()),
                })
                .await?
            }
        }
        Err(failure)
    }

    /// Rows that were applied to the wrong table stay there when the tables have their names again.
    fn refuse_wrong_rows(&self) -> Result<(), Failure> {
        let failure = self
            .run
            .recorder
            .read(|m| m.databases.get(self.database).and_then(|d| d.failure.clone()));
        match failure {
            Some(failure) if failure.code == Code::TablesExchanged => Err(failure),
            _ => Ok(()),
        }
    }

    async fn proceed(&self) -> Result<(), Failure> {
        if let DatabaseState::Failed { .. } = self.state()? {
            self.refuse_wrong_rows()?;
            self.append(DatabaseEvent::Resumed).await?;
        }
        if let DatabaseState::Schema { .. }
        | DatabaseState::Replicating { .. }
        | DatabaseState::Dumping
        | DatabaseState::Discarding { .. }
        | DatabaseState::Syncing = self.state()?
        {
            self.claim().await?;
        } else if self.state()? == DatabaseState::Done {
            return self.look_at_the_end().await;
        }
        // A database that becomes `syncing` in this run has just been proven to be.
        let proven = self.state()? != DatabaseState::Syncing;
        loop {
            match self.state()? {
                DatabaseState::Checking { planned: Some(_) } => {
                    self.append(DatabaseEvent::SchemaStarted).await?;
                }
                DatabaseState::Schema { method } => {
                    self.run_steps(method, StepPhase::Schema).await?;
                    self.append(match method {
                        Method::Replication => DatabaseEvent::ReplicatingStarted,
                        Method::Dump => DatabaseEvent::DumpingStarted,
                    })
                    .await?;
                }
                DatabaseState::Replicating { .. } => self.replicate().await?,
                DatabaseState::Discarding { method } => self.discard(method).await?,
                DatabaseState::Dumping => self.dump().await?,
                DatabaseState::Syncing if proven => return Ok(()),
                DatabaseState::Syncing => return self.keep_in_step().await,
                DatabaseState::Done | DatabaseState::Removed => return Ok(()),
                DatabaseState::Pending
                | DatabaseState::Removing
                | DatabaseState::Checking { planned: None }
                | DatabaseState::Failed { .. } => {
                    return Err(Failure::bug(format!(
                        "database {} has not been checked",
                        self.database
                    )));
                }
            }
        }
    }

    /// The name of the database on the target.
    pub(crate) fn target_database(&self) -> DatabaseName {
        self.run.target_database(self.database)
    }

    /// Raises pghaul's epoch in the target database, where it already exists.
    pub(crate) async fn claim(&self) -> Result<(), Failure> {
        let ownership = Ownership::new(self.run.migration.clone(), self.run.epoch);
        let notes = Notes::about(&self.run.recorder, Some(self.database), None);
        let _waiting = notes.waiting("the claim of the target database for this run");
        let claim = ownership
            .claim(&self.run.target, &self.target_database(), &self.run.recorder)
            .await?;
        if claim == Claim::Absent {
            tracing::debug!(database = %self.database, "the target has no schema pghaul (yet, or any more)");
        }
        Ok(())
    }

    /// The steps of a method in their order, but those that a later release brought and whose place is passed.
    pub(crate) fn steps_to_ask(&self, method: Method) -> Result<Vec<Arc<dyn ErasedStep<Database>>>, Failure> {
        let mut steps = self.registry.database_steps(self.route(method)?)?;
        let order: Vec<Descriptor> = steps.iter().map(|step| step.descriptor()).collect();
        let passed = self.run.recorder.read(|m| {
            let record = m.databases.get(self.database);
            record
                .map(|record| release::passed(record, &order))
                .unwrap_or_default()
        });
        steps.retain(|step| !passed.contains(step.descriptor().name));
        Ok(steps)
    }

    async fn run_steps(&self, method: Method, phase: StepPhase) -> Result<(), Failure> {
        let subject = self.subject()?;
        let steps = self.steps_to_ask(method)?;
        let mut noted = Instant::now();
        for step in steps.iter().filter(|step| step.descriptor().phase == phase) {
            // What every run repeats follows the source. A dump is one copy: what it has finished stays as it is,
            // all the more since its last step takes pghaul's schema out of the target.
            let name = step.descriptor().name;
            let holds = self.holds_something(&step.descriptor(), &steps);
            if method == Method::Dump && self.has_finished(name) && !holds {
                continue;
            }
            let company = steps
                .iter()
                .filter(|other| other.descriptor().beside == Some(name));
            let company = company.map(|other| self.complete_step(other.as_ref(), &subject, None));
            // The first failure ends both; the other one is then as if it had been killed.
            try_join(
                self.complete_step(step.as_ref(), &subject, None),
                try_join_all(company),
            )
            .await?;
            if noted.elapsed() >= BETWEEN_NOTES {
                self.note_progress().await;
                noted = Instant::now();
            }
        }
        self.note_progress().await;
        Ok(())
    }

    pub(crate) async fn complete_step(
        &self,
        step: &dyn ErasedStep<Database>,
        subject: &DatabaseSubject,
        occasion: Option<Occasion>,
    ) -> Result<(), Failure> {
        let steps = self.steps_to_ask(subject.method)?;
        let again = occasion.is_some() || self.holds_something(&step.descriptor(), &steps);
        let execution = Execution {
            run: self.run,
            step,
            subject,
            occasion,
        };
        if step.is_needed(&execution.context())? {
            execution.complete(again).await?;
        }
        Ok(())
    }

    /// Whether a step holds something for another one: then it is asked again until that one has finished.
    fn holds_something(&self, step: &Descriptor, steps: &[Arc<dyn ErasedStep<Database>>]) -> bool {
        let waits =
            |name: &str| steps.iter().any(|s| s.descriptor().name == name) && !self.has_finished(name);
        step.holds_for.is_some_and(waits)
    }

    /// The steps of a route in their order, to ask each something. Nothing of that is journaled.
    pub(crate) fn steps_with_contexts(&self, route: Route) -> Result<Vec<AskedStep>, Failure> {
        let subject = self.subject()?;
        let steps = self.registry.database_steps(route)?;
        let with_context = |step: Arc<dyn ErasedStep<Database>>| {
            let name = StepName::from(step.descriptor().name);
            let context = Context::new(Arc::clone(self.run), name, subject.clone());
            (step, context)
        };
        Ok(steps.into_iter().map(with_context).collect())
    }

    /// The way of a method in this database.
    pub(crate) fn route(&self, method: Method) -> Result<Route, Failure> {
        Ok(Route::of(method, self.subject()?.plan.initial_copy))
    }

    fn step_state(&self, step: &str) -> StepState {
        let step = StepName::from(step);
        self.run.recorder.read(|m| {
            let record = m.databases.get(self.database);
            record.map_or(StepState::Idle, |record| record.step_state(&step))
        })
    }

    fn has_finished(&self, step: &str) -> bool {
        self.step_state(step) == StepState::Finished
    }

    /// Writes the journal's head into the target, so that a stale copy of the journal is noticed. Best effort:
    /// a head that lags behind only makes that notice later.
    async fn note_progress(&self) {
        let ownership = Ownership::new(self.run.migration.clone(), self.run.epoch);
        let head = self.run.recorder.head();
        if let Err(failure) = ownership
            .note(&self.run.target, &self.target_database(), &head)
            .await
        {
            tracing::debug!(%failure, "the journal's head was not noted in the target");
        }
    }

    async fn replicate(&self) -> Result<(), Failure> {
        let result = self.run_data_steps(Method::Replication).await;
        if let Err(failure) = result {
            if !self.may_fall_back(&failure)? {
                return Err(failure);
            }
            self.undo_steps(Method::Replication, StepPhase::Data, UndoReason::FellBack)
                .await?;
            return self
                .append(DatabaseEvent::FellBack {
                    failure: Box::new(failure),
                })
                .await;
        }
        let standing = self.proven_standing(Method::Replication).await?;
        self.note_proof(standing.proof).await
    }

    /// Marks the proof of `syncing` on the servers, then journals it.
    pub(crate) async fn note_proof(&self, proof: Proof) -> Result<(), Failure> {
        for (step, ctx) in self.steps_with_contexts(self.route(Method::Replication)?)? {
            step.mark(&ctx, &proof).await?;
        }
        self.append(DatabaseEvent::SyncingProven { proof }).await
    }

    /// The steps that move rows. Where a snapshot ends with its connection, what holds it is asked again, and the
    /// copy goes on with another one.
    async fn run_data_steps(&self, method: Method) -> Result<(), Failure> {
        let mut lost = 0;
        loop {
            match self.run_steps(method, StepPhase::Data).await {
                Err(failure) if failure.code == Code::SnapshotLost && lost < SNAPSHOTS => {
                    lost += 1;
                    let notes = Notes::about(&self.run.recorder, Some(self.database), None);
                    notes.retried("the copy from a snapshot", &failure, lost, Duration::ZERO);
                    tracing::warn!(database = %self.database, %failure, "going on with another snapshot");
                }
                result => return result,
            }
        }
    }

    fn may_fall_back(&self, failure: &Failure) -> Result<bool, Failure> {
        let forced = self.subject()?.plan.forced;
        let early = self.state()? == DatabaseState::Replicating { copy_began: false };
        Ok(failure.rules_out == Some(Method::Replication) && early && !forced && !self.has_ever_copied()?)
    }

    /// Whether a copy was begun before the data were discarded: the schema is then that of replication, without what it
    /// holds back.
    fn has_ever_copied(&self) -> Result<bool, Failure> {
        let steps = self.registry.database_steps(self.route(Method::Replication)?)?;
        Ok(steps
            .iter()
            .map(|step| step.descriptor())
            .any(|descriptor| descriptor.copies_rows && self.step_state(descriptor.name) != StepState::Idle))
    }

    async fn dump(&self) -> Result<(), Failure> {
        self.run_steps(Method::Dump, StepPhase::Schema).await?;
        self.run_data_steps(Method::Dump).await?;
        let standing = self.proven_standing(Method::Dump).await?;
        self.append(DatabaseEvent::DoneProven {
            proof: standing.proof,
        })
        .await
    }

    /// Another `run` of a database that is up to date: what every run repeats, then the proof once more.
    async fn keep_in_step(&self) -> Result<(), Failure> {
        self.follow_again().await?;
        self.try_refused_again().await?;
        self.repeat_steps(Repeats::EveryRun).await?;
        let proof = self.proven_standing(Method::Replication).await?.proof;
        self.note_proof(proof).await
    }

    /// The steps that are done once more on this occasion while the database is replicated. Returns how many.
    pub(crate) async fn repeat_steps(&self, occasion: Repeats) -> Result<usize, Failure> {
        let subject = self.subject()?;
        let steps = self.registry.database_steps(self.route(Method::Replication)?)?;
        let mut repeated = 0;
        let why = match occasion {
            Repeats::Never => return Ok(repeated),
            Repeats::EveryRun => Occasion::EveryRun,
            Repeats::Removal => Occasion::Removal,
        };
        for step in &steps {
            if step.descriptor().repeats == occasion {
                self.complete_step(step.as_ref(), &subject, Some(why)).await?;
                repeated += 1;
            }
        }
        Ok(repeated)
    }

    /// A fresh look that has nothing to complain of, and a fence. A target that lags gets time to catch up as
    /// long as it does.
    pub(crate) async fn proven_standing(&self, method: Method) -> Result<Standing, Failure> {
        let mut least_lag = u64::MAX;
        loop {
            let standing = self.standing(method).await?;
            if let Some(problem) = standing.problems.first() {
                let others = standing.problems.iter().skip(1).map(|p| p.message.clone());
                let mut problem = problem.clone();
                problem.causes.extend(others);
                return Err(problem);
            }
            if standing.proof.fence.is_some() {
                return Ok(standing);
            }
            let lag = standing.lag_bytes.unwrap_or(0);
            if lag >= least_lag {
                return Err(Failure::new(
                    Code::ApplyFailed,
                    format!("the target does not catch up: it is {lag} bytes of WAL behind"),
                )
                .with_hint(
                    "the source writes faster than the target applies; wait for a quieter time and run again",
                ));
            }
            least_lag = lag;
        }
    }

    /// A fresh look at what the method's steps have promised.
    pub(crate) async fn standing(&self, method: Method) -> Result<Standing, Failure> {
        let mut all = Standing::default();
        let steps = self.steps_with_contexts(self.route(method)?)?;
        // One that has not begun, since a later release brought it, has promised nothing.
        let begun = |name| !matches!(self.step_state(name), StepState::Idle | StepState::Undone);
        for (step, ctx) in steps.iter().filter(|(step, _)| begun(step.descriptor().name)) {
            if let Some(standing) = self.naming(step.standing(ctx).await).await? {
                merge(&mut all, standing);
            }
        }
        // What is known precisely stands before what only says that something changed.
        all.problems.sort_by_key(|problem| {
            (
                problem.code != Code::TablesExchanged,
                problem.code == Code::PlanChanged,
            )
        });
        Ok(all)
    }

    /// The slots on the source that its steps have made.
    pub(crate) fn slots(&self) -> Result<Vec<String>, Failure> {
        let mut slots = Vec::new();
        for (step, ctx) in self.steps_with_contexts(self.subject()?.route())? {
            slots.extend(step.slots(&ctx)?);
        }
        Ok(slots)
    }

    /// Undoes the steps of a method in reverse order: all that ever began.
    pub(crate) async fn undo_steps(
        &self,
        method: Method,
        from: StepPhase,
        reason: UndoReason,
    ) -> Result<(), Failure> {
        self.undo_steps_that(method, reason, |step| step.phase >= from)
            .await
    }

    /// Undoes those of the steps of a method that are meant, in reverse order.
    pub(crate) async fn undo_steps_that(
        &self,
        method: Method,
        reason: UndoReason,
        meant: impl Fn(&Descriptor) -> bool + Send,
    ) -> Result<(), Failure> {
        let subject = self.subject()?;
        let steps: Vec<Arc<dyn ErasedStep<Database>>> = self.registry.database_steps(self.route(method)?)?;
        for step in steps.into_iter().rev().filter(|s| meant(&s.descriptor())) {
            Execution {
                run: self.run,
                step: step.as_ref(),
                subject: &subject,
                occasion: None,
            }
            .undo(reason)
            .await?;
        }
        Ok(())
    }
}

pub(crate) fn merge(all: &mut Standing, one: Standing) {
    all.proof.tables += one.proof.tables;
    all.proof.rows = match (all.proof.rows, one.proof.rows) {
        (Some(a), Some(b)) => Some(a + b),
        (a, b) => a.or(b),
    };
    all.proof.fence = one.proof.fence.or(all.proof.fence.take());
    all.proof.positions = one.proof.positions.or(all.proof.positions.take());
    all.proof.incomplete.extend(one.proof.incomplete);
    all.problems.extend(one.problems);
    all.lag_bytes = one.lag_bytes.or(all.lag_bytes);
    all.retained_bytes = one.retained_bytes.or(all.retained_bytes);
}
