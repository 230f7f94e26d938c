//! Watches how much WAL the source keeps for pghaul's slots, so that none ever fills its disk.
//!
//! A slot keeps WAL for as long as the target has not confirmed it: while it copies, while it lags, while it is down.
//! The watch looks every few seconds, beside everything else and over a connection of its own. Over the limit it warns, once
//! a run and in the journal; or, where the user wants that, the slot is dropped at once and the database's copy is
//! given up, as after `run --restart-data`: changes are missing, and nobody could tell which.

mod slots;

use self::slots::{Kept, OurSlots};
use crate::budget::connections_within;
use pghaul_core::{DatabaseEvent, DatabaseState, Event, Failure};
use pghaul_postgres::{ReadOnly, Server, Session, Source};
use pghaul_step::RunContext;
use pghaul_step::check::maintenance_for_reading;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use strum::{Display, EnumString};
use tokio::sync::watch;

/// How often the slots are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// The share of `max_slot_wal_keep_size`, in percent, at which there is still time to do something.
const SHARE: u64 = 80;

/// Without any limit, so many times `max_wal_size` is more than the server's owner reckons with.
const TIMES_WAL_SIZE: u64 = 8;

/// What happens when a slot keeps more WAL than it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Display, EnumString)]
#[strum(serialize_all = "kebab-case")]
pub enum OnWalLimit {
    /// It is said, once, and journaled.
    #[default]
    Warn,
    /// The slot is dropped and the database fails; its copy begins anew with the next run.
    Drop,
}

/// How much WAL a slot may keep, and what happens then.
#[derive(Debug, Clone, Copy, Default)]
pub struct WalPolicy {
    /// In bytes; by default what the source's settings suggest.
    pub most: Option<u64>,
    /// What happens then.
    pub action: OnWalLimit,
}

/// What the source's settings say, in bytes.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Limits {
    /// `max_slot_wal_keep_size`, where it is set.
    pub(crate) keep_size: Option<u64>,
    /// `max_wal_size`.
    wal_size: Option<u64>,
}

impl WalPolicy {
    /// The limit in use. Nobody's slot is dropped for a limit that is only guessed.
    fn limit(&self, found: Limits) -> Option<u64> {
        let share = found.keep_size.map(|size| size / 100 * SHARE);
        let guess = found.wal_size.map(|size| size.saturating_mul(TIMES_WAL_SIZE));
        match self.action {
            OnWalLimit::Warn => self.most.or(share).or(guess),
            OnWalLimit::Drop => self.most.or(share),
        }
    }
}

/// What is over the limit in one database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Over {
    /// The slot that keeps the most.
    pub(crate) worst: String,
    /// What it keeps.
    pub(crate) retained: u64,
    pub(crate) limit: u64,
    /// All slots of the database, over the limit or not: they go together.
    pub(crate) slots: Vec<String>,
}

/// The watch of one run.
pub(crate) struct WalWatch {
    run: Arc<RunContext>,
    /// A budget of its own: it must be able to look when all other connections are in use.
    pub(crate) source: Server<Source>,
    slots: OurSlots,
    policy: WalPolicy,
    over: watch::Sender<BTreeMap<u32, Over>>,
}

impl WalWatch {
    pub(crate) fn new(run: &Arc<RunContext>, policy: WalPolicy) -> Self {
        let (resolved, name) = (run.source.resolved().clone(), run.source.application_name());
        let of_target = (run.target.resolved().clone(), run.target.application_name());
        let identity = run.recorder.read(|m| {
            m.created
                .as_ref()
                .map(|created| created.target.system_identifier.clone())
        });
        Self {
            run: Arc::clone(run),
            source: Server::new(resolved, name, 1),
            slots: OurSlots::new(
                &run.migration,
                Server::new(of_target.0, of_target.1, 1),
                identity.filter(|identity| !identity.is_empty()),
            ),
            policy,
            over: watch::Sender::new(BTreeMap::new()),
        }
    }

    /// Looks until it is dropped. A look that fails is made again: whoever works on the databases notices what is
    /// wrong with the source.
    pub(crate) async fn look_for_ever(&self) -> std::convert::Infallible {
        let mut warned = BTreeSet::new();
        loop {
            match self.look().await {
                Ok(over) => {
                    for (number, over) in &over {
                        if self.policy.action == OnWalLimit::Warn && warned.insert(*number) {
                            self.warn(*number, over).await;
                        }
                    }
                    self.over.send_replace(over);
                }
                Err(failure) => {
                    tracing::debug!(%failure, "the WAL that pghaul's slots keep could not be looked at")
                }
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    async fn look(&self) -> Result<BTreeMap<u32, Over>, Failure> {
        let session = maintenance_for_reading(&self.source).await?;
        self.leave_room(&session).await?;
        let found = limits(&session).await?;
        let over = match self.policy.limit(found) {
            Some(limit) => over(self.slots.look(&session).await?, limit),
            None => BTreeMap::new(),
        };
        Ok(over)
    }

    /// Takes no more connections of the source than its applications leave: they may have more by now, or fewer.
    async fn leave_room(&self, session: &Session<Source, ReadOnly>) -> Result<(), Failure> {
        let room = session.room(&format!("pghaul/{}/", self.run.migration)).await?;
        self.run.source.limit_connections(connections_within(room));
        Ok(())
    }

    async fn warn(&self, number: u32, over: &Over) {
        let database = self.run.recorder.read(|m| {
            let at_work = m.databases.iter().find(|(_, d)| {
                let state = d.state.work();
                d.number == number
                    && matches!(state, DatabaseState::Replicating { .. } | DatabaseState::Syncing)
                    && d.state == *state
            });
            at_work.map(|(name, _)| name.clone())
        });
        let Some(database) = database else { return };
        let event = DatabaseEvent::WalLimitReached {
            retained_bytes: over.retained,
            limit_bytes: over.limit,
        };
        // The state may have changed meanwhile; then there is nothing to warn of here.
        if let Err(failure) = self.run.recorder.append(Event::Database(database, event)).await {
            tracing::debug!(%failure, "the warning was not journaled");
        }
    }

    /// Waits until the slot of a database has to be dropped.
    pub(crate) async fn must_drop(&self, number: u32) -> Over {
        let mut over = self.over.subscribe();
        loop {
            let found = over.borrow_and_update().get(&number).cloned();
            if let (Some(found), OnWalLimit::Drop) = (found, self.policy.action) {
                return found;
            }
            if over.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}

/// The databases of which a slot keeps as much as the limit or more.
fn over(kept: Vec<Kept>, limit: u64) -> BTreeMap<u32, Over> {
    let mut over: BTreeMap<u32, Over> = BTreeMap::new();
    for kept in kept {
        let of_database = over.entry(kept.number).or_insert_with(|| Over {
            worst: kept.slot.clone(),
            retained: 0,
            limit,
            slots: Vec::new(),
        });
        if kept.retained > of_database.retained {
            of_database.worst.clone_from(&kept.slot);
            of_database.retained = kept.retained;
        }
        of_database.slots.push(kept.slot);
    }
    over.retain(|_, over| over.retained >= limit);
    over
}

pub(crate) async fn limits(session: &Session<Source, ReadOnly>) -> Result<Limits, Failure> {
    let doing = session.doing("read the limits of WAL");
    let row = doing.query_one(include_str!("limits.sql"), &[]).await?;
    let bytes = |column| {
        row.get::<_, Option<i64>>(column)
            .and_then(|n| u64::try_from(n).ok())
    };
    Ok(Limits {
        keep_size: bytes("keep_size"),
        wal_size: bytes("wal_size"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_what_was_given_else_a_share_of_what_is_known() {
        let none = Limits::default();
        let both = Limits {
            keep_size: Some(1000),
            wal_size: Some(100),
        };
        let guess = Limits {
            keep_size: None,
            wal_size: Some(100),
        };
        let limit = |action, most, found| WalPolicy { most, action }.limit(found);
        for action in [OnWalLimit::Warn, OnWalLimit::Drop] {
            assert_eq!(limit(action, Some(7), both), Some(7));
            assert_eq!(limit(action, None, both), Some(800));
            assert_eq!(limit(action, None, none), None);
        }
        assert_eq!(limit(OnWalLimit::Warn, None, guess), Some(800));
        assert_eq!(limit(OnWalLimit::Drop, None, guess), None, "not for a guess");
    }

    #[test]
    fn the_slot_that_keeps_the_most_decides_and_all_of_its_database_go() {
        let kept = |number, slot: &str, retained| Kept {
            number,
            slot: slot.to_owned(),
            retained,
        };
        let slots = vec![
            kept(1, "pg_7_sync_8_9", 100),
            kept(1, "main", 5),
            kept(2, "other", 99),
        ];
        let over = over(slots, 100);
        let expected = Over {
            worst: "pg_7_sync_8_9".to_owned(),
            retained: 100,
            limit: 100,
            slots: vec!["pg_7_sync_8_9".to_owned(), "main".to_owned()],
        };
        assert_eq!(over, BTreeMap::from([(1, expected)]));
    }
}
