//! `status`: a fresh look at the databases that are `syncing`. It reads, and journals nothing.

use crate::run::Engine;
use async_trait::async_trait;
use pghaul_core::journal::Head;
use pghaul_core::{
    DatabaseName, DatabaseState, Event, Failure, Journal, JournalError, Migration, MigrationId, Seq,
};
use pghaul_step::Standing;
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
}
