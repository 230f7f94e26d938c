//! `remove`: takes every object of ours off both servers, and never a row.

use crate::database::Journey;
use crate::run::Engine;
use pghaul_core::event::Selection;
use pghaul_core::{
    Code, DatabaseEvent, DatabaseName, DatabaseState, Event, Failure, Method, MigrationEvent, Phase,
};
use pghaul_step::StepPhase;

impl Engine {
    /// Removes every object of ours from both servers.
    ///
    /// From `syncing`, the state is proven once more and the sequences are set after it; with `force` too, as far
    /// as that is possible. Where something would be left incomplete, nothing is removed at all without `force`.
    ///
    /// # Errors
    /// [`Code::NotSafeToRemove`] with the list of what is incomplete; or what stopped the removal.
    pub async fn remove(&self, force: bool) -> Result<(), Failure> {
        self.fence().await?;
        let databases = self.run.recorder.read(|m| {
            let mut all: Vec<_> = m.databases.iter().map(|(n, d)| (d.number, n.clone())).collect();
            all.sort();
            all.into_iter().map(|(_, name)| name).collect::<Vec<_>>()
        });
        if !force {
            self.refuse_unless_safe(&databases).await?;
        }
        if databases.is_empty() {
            // Stopped before anything was selected: nothing is, now, and so nothing is left.
            self.select_nothing().await?;
        }
        for database in &databases {
            let journey = self.journey(database);
            if let Err(failure) = self.remove_database(&journey, force).await {
                let failure = failure.with_database(database.as_str());
                if self.state(database).phase() == Phase::Removing
                    && !matches!(failure.code, Code::Interrupted | Code::JournalUnusable)
                {
                    journey
                        .append(DatabaseEvent::Failed {
                            failure: Box::new(failure.clone()),
                        })
                        .await?;
                }
                return Err(failure);
            }
        }
        Ok(())
    }

    async fn select_nothing(&self) -> Result<(), Failure> {
        if self.run.recorder.read(|m| m.selection.is_none()) {
            let (selection, databases) = (Selection::default(), Vec::new());
            let event = MigrationEvent::DatabasesSelected { selection, databases };
            self.run.recorder.append(Event::Migration(event)).await?;
        }
        Ok(())
    }

    async fn refuse_unless_safe(&self, databases: &[DatabaseName]) -> Result<(), Failure> {
        let mut reasons = Vec::new();
        for database in databases {
            reasons.extend(
                self.reasons_against(database)
                    .await?
                    .into_iter()
                    .map(|r| format!("{database}: {r}")),
            );
        }
        if reasons.is_empty() {
            return Ok(());
        }
        let refusal = Failure::new(Code::NotSafeToRemove, "removing now would leave the target incomplete")
            .with_hint("wait until `pghaul status` shows syncing or done for every database; what stays incomplete must be completed by hand; `pghaul remove --force` removes all the same, and keeps all data");
        Err(reasons.into_iter().fold(refusal, Failure::with_cause))
    }

    /// Why a database should not be removed now, one sentence each.
    async fn reasons_against(&self, database: &DatabaseName) -> Result<Vec<String>, Failure> {
        let state = self.state(database);
        match &state {
            DatabaseState::Pending
            | DatabaseState::Checking { .. }
            | DatabaseState::Done
            | DatabaseState::Removing
            | DatabaseState::Removed => Ok(Vec::new()),
            DatabaseState::Failed { during } if during.phase() == Phase::Removing => Ok(Vec::new()),
            DatabaseState::Failed { during } if during.phase() == Phase::Checking => Ok(Vec::new()),
            DatabaseState::Syncing => {
                let standing = self.journey(database).standing(Method::Replication).await?;
                let problems = standing.problems.into_iter().map(|p| p.message);
                let incomplete = standing
                    .proof
                    .incomplete
                    .into_iter()
                    .map(|i| format!("{}: {}", i.object, i.why));
                Ok(problems.chain(incomplete).collect())
            }
            DatabaseState::Schema { .. }
            | DatabaseState::Replicating { .. }
            | DatabaseState::Discarding
            | DatabaseState::Dumping
            | DatabaseState::Failed { .. } => {
                let failure = self
                    .run
                    .recorder
                    .read(|m| m.databases.get(database).and_then(|d| d.failure.clone()));
                let why = failure.map(|f| format!(": {}", f.message)).unwrap_or_default();
                Ok(vec![format!("it is {}{why}", state.phase())])
            }
        }
    }

    async fn remove_database(&self, journey: &Journey<'_>, force: bool) -> Result<(), Failure> {
        let state = self.state(journey.database);
        if state == DatabaseState::Removed {
            return Ok(());
        }
        let Some(method) = self.method(journey.database) else {
            journey
                .append(DatabaseEvent::RemovalStarted { forced: force })
                .await?;
            return journey.append(DatabaseEvent::Removed).await;
        };
        journey.claim().await?;
        if state == DatabaseState::Syncing {
            match self.settle(journey).await {
                Err(failure) if !force => return Err(failure),
                // The user insists: what can be completed is, the rest is as it is.
                Err(failure) => {
                    tracing::warn!(database = %journey.database, %failure, "removed all the same")
                }
                Ok(()) => {}
            }
        }
        if state != DatabaseState::Removing {
            journey
                .append(DatabaseEvent::RemovalStarted { forced: force })
                .await?;
        }
        // After a fallback, steps of the other method may have left something too: undo is idempotent.
        if method == Method::Dump {
            journey.undo_steps(Method::Replication, StepPhase::Data).await?;
        }
        journey.undo_steps(method, StepPhase::Schema).await?;
        journey.append(DatabaseEvent::Removed).await
    }

    /// What must be true at the moment of removal: everything up to now is on the target, sequences too.
    async fn settle(&self, journey: &Journey<'_>) -> Result<(), Failure> {
        journey.proven_standing(Method::Replication).await?;
        journey.repeat_steps().await
    }
}
