//! `remove`: completes the target, and takes every object of pghaul off both servers.
//!
//! It closes with a proof or not at all: everything that the source holds is on the target, and nobody writes to the
//! source meanwhile; or the user accepts what is left, which the journal then keeps.

mod bookkeeping;
mod following;
mod reasons;
mod writers;

use crate::database::Journey;
use crate::run::Engine;
use pghaul_core::event::{Incomplete, Runner};
use pghaul_core::{
    Code, DatabaseEvent, DatabaseName, DatabaseState, Event, Failure, Method, MigrationEvent, Phase,
};
use pghaul_step::{Accepted, Repeats, StepPhase, UndoReason};
use reasons::Reasons;
use std::collections::{BTreeMap, BTreeSet};

/// What a removal may leave undone.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Allowed {
    /// Nothing: everything up to now is on the target.
    #[default]
    Nothing,
    /// Objects that the proof lists as incomplete, by their names there.
    Named(Vec<String>),
    /// What the proof lists as incomplete, for the user to complete, and databases that were never moved; the rest is on the
    /// target.
    Incomplete,
    /// Anything: the user gives the migration up, or knows better.
    Anything,
}

/// What a removal is asked to do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Removal {
    /// What it may leave undone.
    pub allowed: Allowed,
    /// Whether it may leave behind what is written to the source, now and after a one-time copy.
    pub applications_still_write: bool,
}

impl Removal {
    /// Whether whatever is incomplete may be left, named or not.
    fn leaves_incomplete(&self) -> bool {
        matches!(self.allowed, Allowed::Incomplete | Allowed::Anything)
    }

    fn leaves_anything(&self) -> bool {
        self.allowed == Allowed::Anything
    }

    /// The options that let something be left undone.
    fn overrides(&self) -> Vec<String> {
        let allowed = match &self.allowed {
            Allowed::Nothing => None,
            Allowed::Named(_) => Some("--accept-incomplete"),
            Allowed::Incomplete => Some("--incomplete"),
            Allowed::Anything => Some("--force"),
        };
        let writes = self
            .applications_still_write
            .then_some("--applications-still-write");
        allowed.into_iter().chain(writes).map(str::to_owned).collect()
    }

    /// The objects that are accepted by name.
    fn accepted(&self) -> &[String] {
        match &self.allowed {
            Allowed::Named(names) => names,
            _ => &[],
        }
    }
}

/// What a removal leaves of each database.
#[derive(Debug, Default)]
struct Left {
    items: Vec<Incomplete>,
    connected: Option<u64>,
}

impl Engine {
    /// Removes every object of pghaul from both servers.
    ///
    /// From `syncing`, the state is proven once more and the sequences are set after it; where anything is allowed, as far
    /// as that is possible. Where more would be left undone than is allowed, nothing is removed at all.
    ///
    /// # Errors
    /// [`Code::NotSafeToRemove`] with the list of what would be left undone; or what stopped the removal.
    pub async fn remove(&self, removal: &Removal) -> Result<(), Failure> {
        self.fence().await?;
        let done = self.all_at_their_end();
        let over =
            |m: &pghaul_core::Migration| m.databases.values().all(|d| d.state == DatabaseState::Removed);
        if self.run.recorder.read(over) {
            return self.remove_all(removal).await;
        }
        match self.lend_again().await {
            Err(failure) if removal.leaves_anything() => {
                tracing::warn!(%failure, "pghaul's role was not made a member of the owners again");
            }
            lent => lent?,
        }
        let outcome = self.remove_all(removal).await;
        if outcome.is_err()
            && done
            && let Err(failure) = self.give_back().await
        {
            tracing::warn!(%failure, "memberships of pghaul's role are left: run the command again");
        }
        outcome
    }

    async fn remove_all(&self, removal: &Removal) -> Result<(), Failure> {
        let databases = self.run.recorder.read(|m| {
            let mut all: Vec<_> = m.databases.iter().map(|(n, d)| (d.number, n.clone())).collect();
            all.sort();
            all.into_iter().map(|(_, name)| name).collect::<Vec<_>>()
        });
        let mut left = if removal.leaves_anything() {
            self.left_of_all(&databases).await
        } else {
            self.refuse_unless_safe(&databases, removal).await?
        };
        if databases.is_empty() {
            // Stopped before anything was selected: nothing is, now, and so nothing is left.
            self.select_nothing().await?;
        }
        let mut removed: Vec<&str> = Vec::new();
        for database in &databases {
            let journey = self.journey(database);
            let left = left.remove(database).unwrap_or_default();
            if let Err(failure) = self.remove_database(&journey, removal, left).await {
                let mut failure = failure.with_database(database.as_str());
                if self.state(database).phase() == Phase::Removing
                    && !matches!(failure.code, Code::Interrupted | Code::JournalUnusable)
                {
                    journey
                        .append(DatabaseEvent::Failed {
                            failure: Box::new(failure.clone()),
                        })
                        .await?;
                }
                if !removed.is_empty() {
                    failure = failure.with_cause(format!("removed before: {}", removed.join(", ")));
                }
                return Err(failure);
            }
            removed.push(database.as_str());
        }
        Ok(())
    }

    async fn select_nothing(&self) -> Result<(), Failure> {
        if self.run.recorder.read(|m| m.selection.is_none()) {
            let (selection, databases) = (Box::default(), Vec::new());
            let event = MigrationEvent::DatabasesSelected { selection, databases };
            self.run.recorder.append(Event::Migration(event)).await?;
        }
        Ok(())
    }

    /// Whether rows of a database are expected to be complete on the target.
    fn has_arrived(&self, database: &DatabaseName) -> bool {
        matches!(self.state(database), DatabaseState::Syncing | DatabaseState::Done)
    }

    async fn refuse_unless_safe(
        &self,
        databases: &[DatabaseName],
        removal: &Removal,
    ) -> Result<BTreeMap<DatabaseName, Left>, Failure> {
        let arrived = self.still_there(databases).await?;
        for database in &arrived {
            let journey = self.journey(database);
            journey.follow_again().await?;
            // The fewer objects are refused, the fewer are to be accepted. Where that fails, what is missing stays so.
            if let Err(failure) = journey.try_refused_again().await {
                tracing::warn!(%database, %failure, "what the target had refused was not tried again");
            }
        }
        let mut seen = self.watch(&arrived).await?;
        let (mut all, mut left) = (Vec::new(), BTreeMap::new());
        let (mut listed, mut ambiguous) = (BTreeSet::new(), BTreeMap::new());
        for database in databases {
            let is_dropped = self.state(database) == DatabaseState::Syncing && !arrived.contains(database);
            let mut reasons = if is_dropped {
                self.dropped(database)
            } else {
                self.reasons_against(database).await?
            };
            ambiguous.insert(database.clone(), reasons.ambiguous());
            let sessions = seen.remove(database);
            let connected = sessions.as_ref().map(|sessions| sessions.connected);
            reasons
                .writing
                .extend(sessions.into_iter().flat_map(|sessions| sessions.writing));
            listed.extend(reasons.objects());
            let items = reasons.allow(removal);
            left.insert(database.clone(), Left { items, connected });
            all.push((Some(database.clone()), reasons));
        }
        if self.has_moved_any() {
            let mut of_cluster = Reasons {
                incomplete: self.look_at_cluster().await?.proof.incomplete,
                ..Reasons::default()
            };
            listed.extend(of_cluster.objects());
            let items = of_cluster.allow(removal);
            if let Some(first) = left.values_mut().next() {
                first.items.extend(items);
            }
            all.push((None, of_cluster));
        }
        let accepted = removal.accepted();
        reasons::refuse_unlisted(accepted, &listed)?;
        self.run
            .accepted
            .get_or_init(|| Accepted::new(accepted, ambiguous));
        match Reasons::refusal(&all) {
            Some(refusal) => Err(refusal),
            None => Ok(left),
        }
    }

    /// What a forced removal leaves, as far as it is known without a proof.
    async fn left_of_all(&self, databases: &[DatabaseName]) -> BTreeMap<DatabaseName, Left> {
        let mut all = BTreeMap::new();
        for database in databases {
            let mut left = Left::default();
            let state = self.state(database);
            match &state {
                DatabaseState::Done => {
                    let written = self.journey(database).written_since(Method::Dump, false).await;
                    left.items = written.unwrap_or_default();
                }
                DatabaseState::Syncing | DatabaseState::Removing | DatabaseState::Removed => {}
                _ => left.items.push(Incomplete {
                    object: "the database".to_owned(),
                    why: format!("it was {}{}", state.phase(), self.why_failed(database)),
                    ..Incomplete::default()
                }),
            }
            left.connected = self
                .sessions(database)
                .await
                .ok()
                .map(|sessions| sessions.connected);
            all.insert(database.clone(), left);
        }
        all
    }

    async fn reasons_against(&self, database: &DatabaseName) -> Result<Reasons, Failure> {
        let state = self.state(database);
        let journey = self.journey(database);
        let mut reasons = Reasons::default();
        match (state.work().phase(), &state) {
            (Phase::Removing | Phase::Removed, _) => {}
            (Phase::Pending | Phase::Checking, _) => {
                // With nothing moved at all, there is nothing to lose.
                if self.has_moved_any() {
                    reasons.incomplete.push(Incomplete {
                        object: "the database".to_owned(),
                        why: format!("it was not moved{}", self.why_failed(database)),
                        ..Incomplete::default()
                    });
                }
            }
            (_, DatabaseState::Done) => {
                let proof = self
                    .run
                    .recorder
                    .read(|m| m.databases.get(database).and_then(|d| d.proof.clone()));
                reasons.incomplete = proof.map(|proof| proof.incomplete).unwrap_or_default();
                let lost = journey.lost().await?;
                let sentence = |lost: &Failure| {
                    let causes = lost.causes.iter().map(String::as_str);
                    std::iter::once(lost.message.as_str())
                        .chain(causes)
                        .collect::<Vec<_>>()
                        .join(": ")
                };
                reasons.at_risk.extend(lost.iter().map(sentence));
                reasons.written = journey.written_since(Method::Dump, true).await?;
            }
            (_, DatabaseState::Syncing) => {
                let standing = journey.standing(Method::Replication).await?;
                let problems = standing.problems.into_iter().map(|p| p.message);
                reasons.at_risk.extend(problems);
                reasons.incomplete = standing.proof.incomplete;
                for written in journey.written_since(Method::Replication, false).await? {
                    let known = reasons
                        .incomplete
                        .iter_mut()
                        .find(|item| item.object == written.object);
                    if let Some(known) = known {
                        known.why = format!("{}; {}", known.why, written.why);
                    }
                }
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

    async fn remove_database(
        &self,
        journey: &Journey<'_>,
        removal: &Removal,
        mut left: Left,
    ) -> Result<(), Failure> {
        let state = self.state(journey.database);
        if state == DatabaseState::Removed {
            return Ok(());
        }
        let Some(method) = self.method(journey.database) else {
            journey.append(self.started(removal, None, left)).await?;
            self.give_back_before_the_last(journey.database).await?;
            return journey.append(DatabaseEvent::Removed).await;
        };
        journey.claim().await?;
        if removal.leaves_anything() {
            journey.refuse_renamed().await?;
            journey.establish_again().await?;
        }
        let mut despite = None;
        if state == DatabaseState::Syncing && !journey.is_dropped_on_source().await? {
            match self.settle(journey, removal, &mut left).await {
                // The user insists: what can be completed is, the rest is as it is.
                Err(failure) if removal.leaves_anything() => {
                    tracing::warn!(database = %journey.database, %failure, "removed all the same");
                    left.items.push(Incomplete {
                        object: "the database".to_owned(),
                        why: format!("it was removed although {}", failure.message),
                        ..Incomplete::default()
                    });
                    despite = Some(Box::new(failure));
                }
                Err(failure) => {
                    // What was done for the removal is taken back, as far as that is possible; a `run` would do it too.
                    if let Err(failure) = journey.follow_again().await {
                        tracing::warn!(database = %journey.database, %failure, "the source is not followed again yet");
                    }
                    return Err(failure);
                }
                Ok(()) => {}
            }
        }
        if state != DatabaseState::Removing {
            journey.append(self.started(removal, despite, left)).await?;
        }
        let reason = self.undo_reason(journey.database);
        // After a fallback, steps of the other method may have left something too: undo is idempotent.
        if method == Method::Dump {
            journey
                .undo_steps(Method::Replication, StepPhase::Data, reason)
                .await?;
        }
        journey.undo_steps(method, StepPhase::Schema, reason).await?;
        self.give_back_before_the_last(journey.database).await?;
        journey.append(DatabaseEvent::Removed).await
    }

    /// Whether the removal ends a migration or gives it up, as it was when the removal began.
    fn undo_reason(&self, database: &DatabaseName) -> UndoReason {
        let completed = self
            .run
            .recorder
            .read(|m| m.databases.get(database).is_some_and(|d| d.completed));
        match completed {
            true => UndoReason::Completed,
            false => UndoReason::Abandoned,
        }
    }

    /// Gives back what was lent pghaul's role, where this is the last database to be removed: once it is, nothing is left to
    /// continue with.
    async fn give_back_before_the_last(&self, database: &DatabaseName) -> Result<(), Failure> {
        let last = self.run.recorder.read(|m| {
            let mut others = m.databases.iter().filter(|(name, _)| *name != database);
            others.all(|(_, record)| record.state == DatabaseState::Removed)
        });
        if last { self.give_back().await } else { Ok(()) }
    }

    fn started(&self, removal: &Removal, despite: Option<Box<Failure>>, left: Left) -> DatabaseEvent {
        let (by, reason) = self.run.recorder.read(|m| {
            let runner = m.runner.as_ref();
            (runner.map(Runner::identity), runner.and_then(Runner::reason))
        });
        DatabaseEvent::RemovalStarted {
            // Where only what is listed may be left, a database without such a list is complete.
            forced: removal.leaves_anything() || (removal.leaves_incomplete() && !left.items.is_empty()),
            despite,
            accepted: removal.accepted().to_vec(),
            by: by.filter(|_| !left.items.is_empty()),
            reason,
            overrides: removal.overrides(),
            left: left.items,
            connected: left.connected.filter(|connected| *connected > 0),
        }
    }

    /// What must be true at the moment of removal: everything up to now is on the target, materialized views and sequences
    /// too, and nobody has written since. The subscription no longer follows then.
    async fn settle(&self, journey: &Journey<'_>, removal: &Removal, left: &mut Left) -> Result<(), Failure> {
        journey.proven_standing(Method::Replication).await?;
        let repeated = journey.repeat_steps(Repeats::Removal).await;
        // Also where that failed: a forced removal goes on.
        journey.repeat_steps(Repeats::EveryRun).await?;
        repeated?;
        // That may have taken hours: this proof is the one that counts.
        let proof = journey.proven_standing(Method::Replication).await?.proof;
        let incomplete = proof.incomplete.clone();
        journey.note_proof(proof).await?;
        let changes = journey.stop_following().await?;
        let mut reasons = Reasons {
            writing: self
                .sessions(journey.database)
                .await?
                .writing
                .into_iter()
                .collect(),
            // The repeated steps may have found more than was known before.
            incomplete,
            ..Reasons::default()
        };
        if changes > 0 {
            let changed = "the source has committed changes of rows after the last proof";
            reasons.writing.push(changed.to_owned());
        }
        let allowed = Removal {
            applications_still_write: removal.applications_still_write || removal.leaves_anything(),
            allowed: removal.allowed.clone(),
        };
        let was_written_to = !reasons.writing.is_empty();
        let mut accepted = reasons.allow(&allowed);
        accepted.retain(|item| left.items.iter().all(|known| known.object != item.object));
        if was_written_to {
            // What was applied meanwhile may be ahead of the sequences.
            journey.repeat_steps(Repeats::EveryRun).await?;
        }
        left.items.extend(accepted);
        match Reasons::refusal(&[(Some(journey.database.clone()), reasons)]) {
            None => Ok(()),
            Some(refusal) => Err(refusal),
        }
    }
}
