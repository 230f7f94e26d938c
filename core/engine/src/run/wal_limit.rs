//! A database whose slot keeps more WAL than it may.

use super::Engine;
use crate::doctor::drop_slot;
use crate::wal_watch::{Over, WalWatch, limits};
use pghaul_core::{Code, DatabaseEvent, DatabaseName, Failure, Method, Side};
use pghaul_postgres::{ReadWrite, Session, Target};
use pghaul_step::check::{maintenance, maintenance_for_reading};
use pghaul_step::{StepPhase, UndoReason};
use std::time::Duration;

/// How long what was broken off in a database may take to end.
const BROKEN_OFF: Duration = Duration::from_secs(5);

impl Engine {
    /// `max_slot_wal_keep_size` of the source in bytes, where there is such a limit: what `status` shows beside the WAL
    /// that is kept.
    ///
    /// # Errors
    /// When the source can't be asked.
    pub async fn wal_keep_size(&self) -> Result<Option<u64>, Failure> {
        let session = maintenance_for_reading(&self.run.source).await?;
        Ok(limits(&session).await?.keep_size)
    }

    /// Completes a database, unless its slot has to be dropped before.
    pub(crate) async fn complete_within_limit(
        &self,
        watch: &WalWatch,
        database: &DatabaseName,
    ) -> Option<Failure> {
        let journey = self.journey(database);
        let number = self
            .run
            .recorder
            .read(|m| m.databases.get(database).map_or(0, |d| d.number));
        tokio::select! {
            outcome = journey.complete() => outcome.err(),
            over = watch.must_drop(number) => match self.give_up_slot(watch, database, &over).await {
                Ok(failure) | Err(failure) => Some(failure),
            },
        }
    }

    /// Ends what was broken off on the target: a subscription whose COMMIT is on its way would come after it was looked for.
    /// Best effort: the target may be the very reason.
    async fn end_sessions_in(&self, database: &DatabaseName) {
        let ending = async {
            let target: Session<Target, ReadWrite> = maintenance(&self.run.target).await?;
            let name = self.run.target_database(database);
            let ended = target.terminate_in_database(&self.run.migration, name.as_str(), BROKEN_OFF);
            ended.await?;
            Ok::<(), Failure>(())
        };
        if !matches!(tokio::time::timeout(BROKEN_OFF, ending).await, Ok(Ok(()))) {
            tracing::debug!(%database, "sessions of this run may be left on the target for a while");
        }
    }

    /// Drops the slots at once, then what belongs to it as far as that is possible, and lets the database fail.
    async fn give_up_slot(
        &self,
        watch: &WalWatch,
        database: &DatabaseName,
        over: &Over,
    ) -> Result<Failure, Failure> {
        let failure = limit_reached(over).with_database(database.as_str());
        let journey = self.journey(database);
        self.begin_discard(database, Some(failure.clone())).await?;
        // The target may be the very reason: the source does not wait for it.
        let mut ends = Vec::new();
        for slot in &over.slots {
            ends.push(drop_slot(&watch.source, slot).await);
        }
        self.end_sessions_in(database).await;
        ends.push(
            journey
                .undo_steps(Method::Replication, StepPhase::Data, UndoReason::Restarted)
                .await,
        );
        let failure = ends
            .into_iter()
            .filter_map(Result::err)
            .fold(failure, |failure, left| {
                failure.with_cause(format!("left behind: {left}"))
            });
        let event = DatabaseEvent::Failed {
            failure: Box::new(failure.clone()),
        };
        journey.append(event).await?;
        Ok(failure)
    }
}

fn limit_reached(over: &Over) -> Failure {
    let Over {
        worst,
        retained,
        limit,
        ..
    } = over;
    Failure::new(
        Code::WalLimit,
        format!("the replication slot {worst} kept {retained} bytes of WAL, the limit is {limit}: it was dropped"),
    )
    .with_side(Side::Source)
    .with_hint("find out why the target does not keep up, or allow more with --max-wal-retained; then run again: what was copied is discarded, and the copy begins anew")
}
