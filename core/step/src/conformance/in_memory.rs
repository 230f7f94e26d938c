//! A journal for tests.

use async_trait::async_trait;
use pghaul_core::journal::Head;
use pghaul_core::{Event, Journal, JournalError, Migration, MigrationId, Seq};
use std::sync::{Mutex, PoisonError};

/// A journal that is gone with the process.
#[derive(Debug)]
pub struct InMemory {
    id: MigrationId,
    state: Mutex<(Migration, u64)>,
}

impl InMemory {
    /// An empty one.
    pub fn new(id: MigrationId) -> Self {
        Self {
            id,
            state: Mutex::default(),
        }
    }
}

#[async_trait]
impl Journal for InMemory {
    fn migration(&self) -> &MigrationId {
        &self.id
    }

    async fn append(&self, events: Vec<Event>) -> Result<Seq, JournalError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut migration = state.0.clone();
        let mut last = state.1;
        for event in &events {
            migration.apply(event)?;
            last += 1;
        }
        *state = (migration, last);
        Ok(Seq(last))
    }

    fn look(&self, look: &mut dyn FnMut(&Migration)) {
        look(&self.state.lock().unwrap_or_else(PoisonError::into_inner).0);
    }

    fn head(&self) -> Head {
        let seq = self.state.lock().unwrap_or_else(PoisonError::into_inner).1;
        Head {
            seq: Seq(seq),
            hash: String::new(),
        }
    }
}
