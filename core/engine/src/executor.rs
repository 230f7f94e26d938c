//! Runs one step: probe, start, act, finish; again where that helps.

use crate::explain::explained;
use pghaul_core::{
    Code, DatabaseEvent, DatabaseState, Event, Failure, JsonText, StepEvent, StepName, StepState,
};
use pghaul_step::retry::{patiently, pause_before_retry};
use pghaul_step::scope::Scope;
use pghaul_step::step::ErasedStep;
use pghaul_step::{Context, Descriptor, Occasion, Probe, Progress, Repeats, RunContext, UndoReason};
use std::sync::Arc;

/// One step on one subject.
pub(crate) struct Execution<'a, S: Scope> {
    pub(crate) run: &'a Arc<RunContext>,
    pub(crate) step: &'a dyn ErasedStep<S>,
    pub(crate) subject: &'a S::Subject,
    /// Why it is done once more.
    pub(crate) occasion: Option<Occasion>,
}

impl<S: Scope> Execution<'_, S> {
    fn name(&self) -> StepName {
        StepName::from(self.step.descriptor().name)
    }

    /// The context that the step is given.
    pub(crate) fn context(&self) -> Context<S> {
        Context::new(Arc::clone(self.run), self.name(), self.subject.clone()).once_more(self.occasion)
    }

    fn state(&self) -> StepState {
        let name = self.name();
        self.run
            .recorder
            .read(|m| S::record(m, self.subject, &name).map_or(StepState::Idle, |record| record.state))
    }

    async fn append(&self, event: StepEvent) -> Result<(), Failure> {
        self.run
            .recorder
            .append(S::event(self.subject, self.name(), event))
            .await?;
        Ok(())
    }

    /// Brings the step to its end: does nothing where the journal says that it has finished, unless it is one
    /// that every run repeats or is asked `again`.
    pub(crate) async fn complete(&self, again: bool) -> Result<(), Failure> {
        let descriptor = self.step.descriptor();
        if self.state() == StepState::Finished && descriptor.repeats != Repeats::EveryRun && !again {
            return Ok(());
        }
        let context = self.context();
        let mut tries = 0;
        loop {
            context.check_cancelled()?;
            self.run.recorder.progress(
                S::database(self.subject),
                Progress::Step {
                    step: descriptor.name.to_owned(),
                },
            );
            let Err(failure) = self.attempt(&context, &descriptor).await else {
                return Ok(());
            };
            let failure = explained::<S>(self.run, self.subject, descriptor.phase, failure).await;
            if failure.code == Code::Interrupted || failure.code == Code::JournalUnusable {
                return Err(failure);
            }
            if self.state() == StepState::Running {
                self.append(StepEvent::StepFailed {
                    failure: Box::new(failure.clone()),
                })
                .await?;
            }
            tries += 1;
            let pause = pause_before_retry(failure.code, tries);
            let Some(pause) = pause.filter(|_| !descriptor.retries_itself) else {
                return Err(failure);
            };
            tracing::warn!(step = descriptor.name, %failure, tries, "trying again in {pause:?}");
            context.notes().retried("the step", &failure, tries, pause);
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.run.cancel.cancelled() => {}
            }
        }
    }

    async fn attempt(&self, context: &Context<S>, descriptor: &Descriptor) -> Result<(), Failure> {
        match self.step.probe(context).await? {
            Probe::Foreign(failure) | Probe::Lost(failure) => return Err(failure),
            Probe::Present(output) if descriptor.repeats == Repeats::Never => {
                if self.state() != StepState::Running {
                    self.append(StepEvent::StepStarted).await?;
                }
                return self.finish(descriptor, output, true).await;
            }
            Probe::Absent | Probe::Partial | Probe::Present(_) => {}
        }
        self.start(descriptor).await?;
        let output: JsonText = tokio::select! {
            output = self.step.run(context) => output?,
            () = self.run.cancel.cancelled() => {
                return Err(Failure::new(Code::Interrupted, "the run was stopped"));
            }
        };
        self.finish(descriptor, output, false).await
    }

    async fn finish(&self, descriptor: &Descriptor, output: JsonText, found: bool) -> Result<(), Failure> {
        let version = descriptor.version();
        self.append(StepEvent::StepFinished {
            output,
            version,
            found,
        })
        .await
    }

    /// Journals the start, and with it, where rows begin to move, that there is no falling back.
    async fn start(&self, descriptor: &Descriptor) -> Result<(), Failure> {
        let mut events = Vec::new();
        if descriptor.copies_rows
            && let Some(database) = S::database(self.subject)
        {
            let state = self
                .run
                .recorder
                .read(|m| m.databases.get(database).map(|d| d.state.clone()));
            if state == Some(DatabaseState::Replicating { copy_began: false }) {
                events.push(Event::Database(database.clone(), DatabaseEvent::CopyBegan));
            }
        }
        events.push(S::event(self.subject, self.name(), StepEvent::StepStarted));
        self.run.recorder.append_all(events).await?;
        Ok(())
    }

    /// Takes the step's effects back, where it ever began; for a completed migration, what the target needs no more.
    pub(crate) async fn undo(&self, reason: UndoReason) -> Result<(), Failure> {
        if matches!(self.state(), StepState::Idle | StepState::Undone) {
            return Ok(());
        }
        let context = self.context().undone_because(reason);
        patiently(&context.notes(), "the step's undo", || async {
            match reason {
                UndoReason::Completed => self.step.complete(&context).await,
                UndoReason::Abandoned | UndoReason::FellBack | UndoReason::Restarted => {
                    self.step.undo(&context).await
                }
            }
        })
        .await?;
        self.append(StepEvent::StepUndone).await
    }
}
