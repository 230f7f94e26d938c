//! Stopped at each fault position, as `kill -9` would: those that the engine tries, in a step by itself.

use super::{Trial, Violation, failed};
use crate::fault::Stopped;
use crate::reason::UndoReason;
use crate::scope::Database;
use crate::step::Step;
use pghaul_core::Failure;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::pin;
use std::task::Poll;

const IN_RUN: &str = "after run was stopped at a fault position";
const IN_UNDO: &str = "after undo was stopped at a fault position";

impl<T: Step<Scope = Database>> Trial<'_, T> {
    /// `run` is stopped at its first position, then at its second, until it comes to its end before.
    pub(super) async fn stopped_in_run(&mut self) -> Result<(), Violation> {
        let mut position = 1;
        loop {
            self.start(IN_RUN).await?;
            let context = self.context();
            self.faults().unwind_after(position);
            let outcome = until_stopped(self.step.run(&context)).await;
            let stopped = self.was_stopped(outcome).map_err(failed("run", IN_RUN))?;
            drop(context);
            self.next_runner().await.map_err(failed("the battery", IN_RUN))?;
            self.complete(IN_RUN).await?;
            self.undo(IN_RUN).await?;
            if !stopped {
                return Ok(());
            }
            position += 1;
        }
    }

    /// The same for `undo`, of what has run to its end.
    pub(super) async fn stopped_in_undo(&mut self) -> Result<(), Violation> {
        let mut position = 1;
        loop {
            self.start(IN_UNDO).await?;
            let output = self.act(IN_UNDO).await?;
            self.note(self.finished(output), IN_UNDO).await?;
            let context = self.context().undone_because(UndoReason::Abandoned);
            self.faults().unwind_after(position);
            let outcome = until_stopped(self.step.undo(&context)).await;
            let stopped = self.was_stopped(outcome).map_err(failed("undo", IN_UNDO))?;
            drop(context);
            self.next_runner().await.map_err(failed("the battery", IN_UNDO))?;
            self.undo(IN_UNDO).await?;
            if !stopped {
                return Ok(());
            }
            position += 1;
        }
    }

    /// A task of the step's own may have been stopped in its place; then the step was told so, as a failure.
    fn was_stopped<O>(&self, outcome: Option<Result<O, Failure>>) -> Result<bool, Failure> {
        let reached = self.faults().calm();
        match outcome {
            Some(outcome) if !reached => outcome.map(|_| false),
            _ => Ok(true),
        }
    }

    fn faults(&self) -> &crate::fault::Faults {
        self.run.recorder.faults()
    }
}

/// Drives a future until it ends, or is stopped at a position.
async fn until_stopped<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    std::future::poll_fn(|context| {
        // After a stop, the future is dropped and never polled again.
        match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
            Ok(poll) => poll.map(Some),
            Err(payload) if payload.is::<Stopped>() => Poll::Ready(None),
            Err(payload) => resume_unwind(payload),
        }
    })
    .await
}
