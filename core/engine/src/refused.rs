//! What the target refused is tried again: by every run, and by the removal.

use crate::database::Journey;
use pghaul_core::{DatabaseEvent, DatabaseState, Failure, Method};
use pghaul_step::Occasion;

impl Journey<'_> {
    /// A database that is `done` is not looked at by any proof: whether it still is on the target; then what the target had refused is
    /// tried again.
    pub(crate) async fn look_at_the_end(&self) -> Result<(), Failure> {
        let mut lost = self.lost().await?.into_iter();
        if let Some(first) = lost.next() {
            return Err(lost.map(|more| more.message).fold(first, Failure::with_cause));
        }
        self.try_refused_again().await
    }

    fn has_refused(&self) -> bool {
        self.run.recorder.read(|m| {
            let proof = m.databases.get(self.database).and_then(|d| d.proof.as_ref());
            proof.is_some_and(pghaul_core::event::Proof::has_refused)
        })
    }

    /// Tries again what the target had refused when the database was last proven to be at its end, and proves it once more.
    pub(crate) async fn try_refused_again(&self) -> Result<(), Failure> {
        if !self.has_refused() {
            return Ok(());
        }
        let method = match self.state()? {
            DatabaseState::Syncing => Method::Replication,
            DatabaseState::Done => Method::Dump,
            _ => return Ok(()),
        };
        self.claim().await?;
        if method == Method::Replication {
            // What was changed on the source for this has then arrived.
            self.proven_standing(method).await?;
        }
        let subject = self.subject()?;
        for step in self.steps_to_ask(method)? {
            if step.descriptor().tries_again {
                let occasion = Some(Occasion::Refused);
                self.complete_step(step.as_ref(), &subject, occasion).await?;
            }
        }
        let proof = self.proven_standing(method).await?.proof;
        match method {
            Method::Replication => self.note_proof(proof).await,
            Method::Dump => self.append(DatabaseEvent::DoneProven { proof }).await,
        }
    }
}
