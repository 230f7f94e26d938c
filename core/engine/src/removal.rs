//! `remove`: takes every object of ours off both servers, and never a row.

use crate::database::Journey;
use crate::run::Engine;
use pghaul_core::event::{Incomplete, Selection};
use pghaul_core::{
    Code, DatabaseEvent, DatabaseName, DatabaseState, Event, Failure, Method, MigrationEvent, Phase,
};
use pghaul_step::{Repeats, StepPhase};

/// What a removal may leave undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Allowed {
    /// Nothing: everything up to now is on the target.
    #[default]
    Nothing,
    /// What the proof lists as incomplete, for the user to complete, and databases that were never moved; the rest is on the
    /// target.
    Incomplete,
    /// Anything: the user gives the migration up, or knows better.
    Anything,
}

/// Why a database should not be removed now, one sentence each.
#[derive(Debug, Default)]
struct Reasons {
    /// It is not, or not known to be, on the target.
    at_risk: Vec<String>,
    /// Something of it is to be completed by hand.
    incomplete: Vec<String>,
}

impl Engine {
    /// Removes every object of ours from both servers.
    ///
    /// From `syncing`, the state is proven once more and the sequences are set after it; where anything is allowed, as far
    /// as that is possible. Where more would be left undone than is allowed, nothing is removed at all.
    ///
    /// # Errors
    /// [`Code::NotSafeToRemove`] with the list of what would be left undone; or what stopped the removal.
    pub async fn remove(&self, allowed: Allowed) -> Result<(), Failure> {
        self.fence().await?;
        let databases = self.run.recorder.read(|m| {
            let mut all: Vec<_> = m.databases.iter().map(|(n, d)| (d.number, n.clone())).collect();
            all.sort();
            all.into_iter().map(|(_, name)| name).collect::<Vec<_>>()
        });
        if allowed != Allowed::Anything {
            self.refuse_unless_safe(&databases, allowed).await?;
        }
        if databases.is_empty() {
            // Stopped before anything was selected: nothing is, now, and so nothing is left.
            self.select_nothing().await?;
        }
        for database in &databases {
            let journey = self.journey(database);
            if let Err(failure) = self.remove_database(&journey, allowed).await {
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

    async fn refuse_unless_safe(&self, databases: &[DatabaseName], allowed: Allowed) -> Result<(), Failure> {
        let mut all = Reasons::default();
        for database in databases {
            let of_one = self.reasons_against(database).await?;
            let named = |reason: String| format!("{database}: {reason}");
            all.at_risk.extend(of_one.at_risk.into_iter().map(named));
            all.incomplete.extend(of_one.incomplete.into_iter().map(named));
        }
        if self.has_moved_any() {
            all.add(self.look_at_cluster().await?.proof.incomplete);
        }
        if allowed == Allowed::Incomplete {
            all.incomplete.clear();
        }
        let hint = match (all.at_risk.is_empty(), all.incomplete.is_empty()) {
            (true, true) => return Ok(()),
            (true, false) => {
                "complete this by hand, before or after; `pghaul remove --incomplete` leaves it to you, and still sees to it that all else is on the target"
            }
            (false, _) => {
                "see what `pghaul run` says: it goes on, and proves the state anew; `pghaul remove --force` removes all the same: what is on the target stays, what it lacks it lacks for good"
            }
        };
        let refusal = Failure::new(
            Code::NotSafeToRemove,
            "removing now would leave the target incomplete",
        )
        .with_hint(hint);
        let reasons = all.at_risk.into_iter().chain(all.incomplete);
        Err(reasons.fold(refusal, Failure::with_cause))
    }

    async fn reasons_against(&self, database: &DatabaseName) -> Result<Reasons, Failure> {
        let state = self.state(database);
        let mut reasons = Reasons::default();
        match (state.work().phase(), &state) {
            (Phase::Removing | Phase::Removed, _) => {}
            (Phase::Pending | Phase::Checking, _) => {
                // With nothing moved at all, there is nothing to lose.
                if self.has_moved_any() {
                    let why = self.why_failed(database);
                    reasons.incomplete.push(format!("it was not moved{why}"));
                }
            }
            (_, DatabaseState::Done) => {
                let proof = self
                    .run
                    .recorder
                    .read(|m| m.databases.get(database).and_then(|d| d.proof.clone()));
                reasons.add(proof.map(|proof| proof.incomplete).unwrap_or_default());
            }
            (_, DatabaseState::Syncing) => {
                let standing = self.journey(database).standing(Method::Replication).await?;
                let problems = standing.problems.into_iter().map(|p| p.message);
                reasons.at_risk.extend(problems);
                reasons.add(standing.proof.incomplete);
            }
            _ => {
                let why = self.why_failed(database);
                reasons.at_risk.push(format!("it is {}{why}", state.phase()));
            }
        }
        Ok(reasons)
    }

    fn why_failed(&self, database: &DatabaseName) -> String {
        let failure = self
            .run
            .recorder
            .read(|m| m.databases.get(database).and_then(|d| d.failure.clone()));
        failure.map(|f| format!(": {}", f.message)).unwrap_or_default()
    }

    /// Whether any database has been moved, or begun to be.
    fn has_moved_any(&self) -> bool {
        self.run.recorder.read(|m| {
            m.databases
                .values()
                .any(|d| !matches!(d.state.work().phase(), Phase::Pending | Phase::Checking))
        })
    }

    async fn remove_database(&self, journey: &Journey<'_>, allowed: Allowed) -> Result<(), Failure> {
        let state = self.state(journey.database);
        if state == DatabaseState::Removed {
            return Ok(());
        }
        let forced = allowed != Allowed::Nothing;
        let started = |despite| DatabaseEvent::RemovalStarted { forced, despite };
        let Some(method) = self.method(journey.database) else {
            journey.append(started(None)).await?;
            return journey.append(DatabaseEvent::Removed).await;
        };
        journey.claim().await?;
        let mut despite = None;
        if state == DatabaseState::Syncing {
            match self.settle(journey).await {
                // The user insists: what can be completed is, the rest is as it is.
                Err(failure) if allowed == Allowed::Anything => {
                    tracing::warn!(database = %journey.database, %failure, "removed all the same");
                    despite = Some(Box::new(failure));
                }
                outcome => outcome?,
            }
        }
        if state != DatabaseState::Removing {
            journey.append(started(despite)).await?;
        }
        // After a fallback, steps of the other method may have left something too: undo is idempotent.
        if method == Method::Dump {
            journey.undo_steps(Method::Replication, StepPhase::Data).await?;
        }
        journey.undo_steps(method, StepPhase::Schema).await?;
        journey.append(DatabaseEvent::Removed).await
    }

    /// What must be true at the moment of removal: everything up to now is on the target, materialized views and sequences
    /// too.
    async fn settle(&self, journey: &Journey<'_>) -> Result<(), Failure> {
        self.warn_of_applications(journey.database).await;
        let mut proof = journey.proven_standing(Method::Replication).await?.proof;
        let repeated = journey.repeat_steps(Repeats::Removal).await;
        if let Ok(1..) = repeated {
            // That may have taken hours.
            proof = journey.proven_standing(Method::Replication).await?.proof;
        }
        // Also where that failed: a forced removal goes on.
        journey.repeat_steps(Repeats::EveryRun).await?;
        repeated?;
        journey.note_proof(proof).await
    }

    /// Whoever is still connected to the source may write to it after the proof.
    async fn warn_of_applications(&self, database: &DatabaseName) {
        let sessions = self.run.source.read(database.as_str(), async |session| {
            let row = session
                .doing("look for sessions of applications")
                .query_one(include_str!("applications.sql"), &[])
                .await?;
            Ok(row.get::<_, i64>(0))
        });
        match sessions.await {
            Ok(0) => {}
            Ok(sessions) => tracing::warn!(
                %database,
                sessions,
                "applications are still connected to the source; what they write from now on is not moved"
            ),
            Err(failure) => tracing::debug!(%failure, "sessions of applications could not be looked for"),
        }
    }
}

impl Reasons {
    fn add(&mut self, incomplete: Vec<Incomplete>) {
        let sentences = incomplete.into_iter().map(|i| format!("{}: {}", i.object, i.why));
        self.incomplete.extend(sentences);
    }
}
