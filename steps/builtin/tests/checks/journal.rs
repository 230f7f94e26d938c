//! A journal in memory, for one step.

use pghaul_core::event::{Created, Endpoint};
use pghaul_core::journal::Head;
use pghaul_core::{
    Event, Journal, JournalError, Migration, MigrationEvent, MigrationId, Seq, StepEvent, StepName,
};
use pghaul_step::async_trait;
use std::sync::Mutex;

pub(crate) struct InMemory {
    id: MigrationId,
    state: Mutex<(Migration, u64)>,
}

impl InMemory {
    /// A migration in which the step has started.
    pub(crate) fn with_step(step: &str) -> Self {
        let mut migration = Migration::default();
        let created = Created {
            name: "test".into(),
            source: endpoint(),
            target: endpoint(),
            pghaul: "0".into(),
        };
        migration
            .apply(&Event::Migration(MigrationEvent::MigrationCreated(created)))
            .unwrap();
        migration
            .apply(&Event::ClusterStep(StepName::from(step), StepEvent::StepStarted))
            .unwrap();
        Self {
            id: MigrationId::new("testtest"),
            state: Mutex::new((migration, 2)),
        }
    }
}

fn endpoint() -> Endpoint {
    Endpoint {
        conninfo: String::new(),
        system_identifier: "1".into(),
        version: 150_000,
    }
}

#[async_trait]
impl Journal for InMemory {
    fn migration(&self) -> &MigrationId {
        &self.id
    }

    async fn append(&self, events: Vec<Event>) -> Result<Seq, JournalError> {
        let mut state = self.state.lock().unwrap();
        for event in events {
            state.0.apply(&event)?;
            state.1 += 1;
        }
        Ok(Seq(state.1))
    }

    fn look(&self, look: &mut dyn FnMut(&Migration)) {
        look(&self.state.lock().unwrap().0);
    }

    fn head(&self) -> Head {
        Head {
            seq: Seq(self.state.lock().unwrap().1),
            hash: String::new(),
        }
    }
}
