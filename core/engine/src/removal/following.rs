//! What the steps of one database are asked before its end: what was written behind their copies, and to stop following.

use crate::database::Journey;
use pghaul_core::event::Incomplete;
use pghaul_core::{DatabaseState, Failure, Method};
use pghaul_step::UndoReason;

impl Journey<'_> {
    /// What was written on the source after the method's steps have copied it, and does not reach the target by itself.
    pub(crate) async fn written_since(
        &self,
        method: Method,
        read_rows: bool,
    ) -> Result<Vec<Incomplete>, Failure> {
        let mut all = Vec::new();
        for (step, ctx) in self.steps_with_contexts(self.route(method)?)? {
            all.extend(step.written_since(&ctx, read_rows).await?);
        }
        Ok(all)
    }

    /// What the steps of a dump have completed, and is not on the target any more.
    pub(crate) async fn lost(&self) -> Result<Vec<Failure>, Failure> {
        let mut all = Vec::new();
        for (step, ctx) in self.steps_with_contexts(self.route(Method::Dump)?)? {
            all.extend(step.lost(&ctx).await?);
        }
        Ok(all)
    }

    /// Stops following the source. Returns how many changes it had committed since the last proof.
    pub(crate) async fn stop_following(&self) -> Result<u64, Failure> {
        let mut changes = 0;
        for (step, ctx) in self.steps_with_contexts(self.route(Method::Replication)?)? {
            changes += step.stop_following(&ctx).await?;
        }
        Ok(changes)
    }

    /// Follows the source again where a removal, of this process or of one that was killed, has stopped that.
    pub(crate) async fn follow_again(&self) -> Result<(), Failure> {
        if self.state()? != DatabaseState::Syncing {
            return Ok(());
        }
        self.claim().await?;
        for (step, ctx) in self.steps_with_contexts(self.route(Method::Replication)?)? {
            step.follow_again(&ctx).await?;
        }
        Ok(())
    }

    /// Undoes, in reverse order, the steps of a dump that are done once more when its rows are copied again.
    pub(crate) async fn undo_steps_of_rows(&self) -> Result<(), Failure> {
        self.undo_steps_that(Method::Dump, UndoReason::Restarted, |step| step.follows_rows)
            .await
    }
}
