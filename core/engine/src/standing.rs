//! `status`: a fresh look at the databases that are `syncing`, and at the slots of those on their way there. It reads, and
//! journals nothing.

use crate::run::Engine;
use async_trait::async_trait;
use pghaul_core::journal::Head;
use pghaul_core::{
    Code, DatabaseName, DatabaseState, Event, Failure, Journal, JournalError, Migration, MigrationId, Seq,
    Side, StepName,
};
use pghaul_postgres::{ReadOnly, Session, Source};
use pghaul_step::Standing;
use pghaul_step::check::maintenance;
use std::collections::BTreeMap;

/// A migration as its journal was when it was read: nothing can be appended to it.
pub struct Replayed {
    migration: MigrationId,
    state: Migration,
    head: Head,
}

impl Replayed {
    /// Wraps a state that was folded from a journal.
    pub fn new(migration: MigrationId, state: Migration, head: Head) -> Self {
        Self {
            migration,
            state,
            head,
        }
    }
}

#[async_trait]
impl Journal for Replayed {
    fn migration(&self) -> &MigrationId {
        &self.migration
    }

    async fn append(&self, _: Vec<Event>) -> Result<Seq, JournalError> {
        Err(JournalError::NotWritten {
            reason: "it was opened for reading".to_owned(),
        })
    }

    fn look(&self, look: &mut dyn FnMut(&Migration)) {
        look(&self.state);
    }

    fn head(&self) -> Head {
        self.head.clone()
    }
}

impl Engine {
    /// Proves every database once more that the journal says is `syncing`.
    ///
    /// A database whose servers can't be asked has an error in place of a standing.
    pub async fn look(&self) -> BTreeMap<DatabaseName, Result<Standing, Failure>> {
        let databases: Vec<DatabaseName> = self.run.recorder.read(|m| {
            m.databases
                .iter()
                .filter(|(_, d)| d.state == DatabaseState::Syncing)
                .map(|(name, _)| name.clone())
                .collect()
        });
        let mut standings = BTreeMap::new();
        for database in databases {
            let method = self.method(&database).unwrap_or(pghaul_core::Method::Replication);
            let standing = self.journey(&database).standing(method).await;
            standings.insert(database, standing);
        }
        standings
    }

    /// The WAL in bytes that the source keeps for each database that is not in step yet and has a slot; where the slot can't
    /// be used any more, that.
    ///
    /// # Errors
    /// When the source can't be asked.
    pub async fn look_at_slots(&self) -> Result<BTreeMap<DatabaseName, Result<u64, Failure>>, Failure> {
        let slots = self.run.recorder.read(|m| {
            let copying = m
                .databases
                .iter()
                .filter(|(_, d)| matches!(d.state, DatabaseState::Replicating { .. }));
            copying
                .filter_map(|(name, d)| {
                    let output = d.steps.get(&StepName::from(SLOT))?.output.as_ref()?;
                    Some((name.clone(), output.get("name")?.as_str()?.to_owned()))
                })
                .collect::<Vec<_>>()
        });
        if slots.is_empty() {
            return Ok(BTreeMap::new());
        }
        let source: Session<Source, ReadOnly> = maintenance(&self.run.source).await?;
        let now = source.wal_insert_lsn().await?;
        let mut found = BTreeMap::new();
        for (database, name) in slots {
            let slot = source.slot(&name).await?;
            let lost = slot
                .as_ref()
                .is_none_or(|slot| slot.wal_status.as_deref() == Some("lost"));
            let kept = match slot.and_then(|slot| slot.restart_lsn) {
                _ if lost => Err(unusable(&name)),
                restart => Ok(restart.map_or(0, |restart| now.bytes_since(restart))),
            };
            found.insert(database, kept);
        }
        Ok(found)
    }
}

/// The step whose output names the slot of a database.
const SLOT: &str = "slot";

fn unusable(slot: &str) -> Failure {
    Failure::new(
        Code::SlotLost,
        format!("the replication slot {slot} is gone, or has lost WAL that was still needed"),
    )
    .with_side(Side::Source)
    .with_hint("`pghaul run` says what is possible")
}
