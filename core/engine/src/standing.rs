//! `status`: a fresh look at the databases that are `syncing`, and at the slots of those on their way there. It reads, and
//! journals nothing.

use crate::database::merge;
use crate::executor::Execution;
use crate::run::{Engine, candidates};
use crate::selection::select;
use async_trait::async_trait;
use pghaul_core::event::Incomplete;
use pghaul_core::journal::Head;
use pghaul_core::{
    DatabaseName, DatabaseState, Event, Failure, Journal, JournalError, Migration, MigrationId, Seq, failures,
};
use pghaul_postgres::{Lsn, ReadOnly, Session, Source};
use pghaul_step::check::maintenance_for_reading;
use pghaul_step::{Cluster, Standing, ownership};
use std::collections::{BTreeMap, BTreeSet};

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

/// Whether the target's database may have an owner row, in this or a later state.
pub fn knows_the_journal(state: &DatabaseState) -> bool {
    !matches!(state, DatabaseState::Done | DatabaseState::Removed)
}

/// What a fresh look says about a database that is `done`.
#[derive(Debug, Default)]
pub struct Copied {
    /// What was written on the source after the one-time copy, as far as the counters of the server show it.
    pub written: Vec<Incomplete>,
    /// What is not on the target any more.
    pub lost: Vec<Failure>,
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

    /// Looks at the databases that are `done`.
    pub async fn look_at_copies(&self) -> BTreeMap<DatabaseName, Result<Copied, Failure>> {
        let databases: Vec<DatabaseName> = self.run.recorder.read(|m| {
            let all = m.databases.iter();
            all.filter(|(_, d)| d.state == DatabaseState::Done)
                .map(|(name, _)| name.clone())
                .collect()
        });
        let mut all = BTreeMap::new();
        for database in databases {
            let journey = self.journey(&database);
            let look = async {
                Ok(Copied {
                    lost: journey.lost().await?,
                    written: journey.written_since(pghaul_core::Method::Dump, false).await?,
                })
            };
            let copied = look.await;
            all.insert(database, copied);
        }
        all
    }

    /// What has changed in the cluster as a whole, as the steps of the cluster see it.
    ///
    /// # Errors
    /// When the servers can't be asked.
    pub async fn look_at_cluster(&self) -> Result<Standing, Failure> {
        let mut all = Standing::default();
        for step in self.registry.cluster_steps()? {
            let execution = Execution::<Cluster> {
                run: &self.run,
                step: step.as_ref(),
                subject: &(),
                occasion: None,
            };
            if let Some(standing) = step.standing(&execution.context()).await? {
                merge(&mut all, standing);
            }
        }
        all.proof.incomplete.extend(self.look_at_databases().await?);
        Ok(all)
    }

    /// The databases that the user would have selected had they been there, and those that are gone.
    async fn look_at_databases(&self) -> Result<Vec<Incomplete>, Failure> {
        let Some(selection) = self.run.recorder.read(|m| m.selection.clone()) else {
            return Ok(Vec::new());
        };
        let known: BTreeSet<DatabaseName> = self.run.recorder.read(|m| m.databases.keys().cloned().collect());
        let candidates = candidates(&self.run.source).await?;
        let listed = |name: &DatabaseName, why: &str| Incomplete {
            object: format!("database {name}"),
            why: why.to_owned(),
            ..Incomplete::default()
        };
        // An error says that nothing is selected any more: then nothing is new.
        let selected = select(&candidates, &selection).unwrap_or_default();
        let new = selected.iter().filter(|name| !known.contains(name));
        let gone = known
            .iter()
            .filter(|name| candidates.iter().all(|c| c.name != **name));
        let new = new.map(|name| listed(name, "was not there, or not in use, when the databases were selected; move it with a migration of its own"));
        let gone = gone.map(|name| listed(name, "was dropped or renamed on the source"));
        Ok(new.chain(gone).collect())
    }

    /// The ends of the journal that the target's databases last heard of. One that is not there, or can't be asked, has
    /// heard of none.
    pub async fn heads_seen(&self) -> BTreeMap<DatabaseName, Head> {
        let databases: Vec<DatabaseName> = self.run.recorder.read(|m| {
            let all = m.databases.iter();
            all.filter(|(_, d)| knows_the_journal(&d.state))
                .map(|(name, _)| name.clone())
                .collect()
        });
        let mut heads = BTreeMap::new();
        for database in databases {
            let read = async {
                let session = self
                    .run
                    .target
                    .reader(self.run.target_database(&database).as_str())
                    .await?;
                ownership::head_seen(&*session, &self.run.migration).await
            };
            match read.await {
                Ok(head) => heads.extend(head.map(|head| (database, head))),
                Err(failure) => tracing::debug!(%database, %failure, "pghaul.owner could not be read"),
            }
        }
        heads
    }

    /// The WAL in bytes that the source retains for each database that is not up to date yet and has a slot; where a slot can't
    /// be used any more, that.
    ///
    /// # Errors
    /// When the source can't be asked.
    pub async fn look_at_slots(&self) -> Result<BTreeMap<DatabaseName, Result<u64, Failure>>, Failure> {
        let copying: Vec<DatabaseName> = self.run.recorder.read(|m| {
            m.databases
                .iter()
                .filter(|(_, d)| matches!(d.state, DatabaseState::Replicating { .. }))
                .map(|(name, _)| name.clone())
                .collect()
        });
        let mut slots = Vec::new();
        for database in copying {
            let names = self.journey(&database).slots()?;
            slots.extend((!names.is_empty()).then_some((database, names)));
        }
        if slots.is_empty() {
            return Ok(BTreeMap::new());
        }
        let source = maintenance_for_reading(&self.run.source).await?;
        let now = source.wal_insert_lsn().await?;
        let mut found = BTreeMap::new();
        for (database, names) in slots {
            let mut most = Ok(0);
            for name in &names {
                most = match (most, retained(&database, &source, name, now).await?) {
                    (Ok(most), Ok(retained)) => Ok(most.max(retained)),
                    (Err(failure), _) | (_, Err(failure)) => Err(failure),
                };
            }
            found.insert(database, most);
        }
        Ok(found)
    }
}

/// The WAL in bytes that a slot retains, or why it can't be used any more.
async fn retained(
    database: &DatabaseName,
    source: &Session<Source, ReadOnly>,
    name: &str,
    now: Lsn,
) -> Result<Result<u64, Failure>, Failure> {
    Ok(match source.slot(name).await? {
        None => Err(failures::slot_gone(database, name)),
        Some(slot) if slot.wal_status.as_deref() == Some("lost") => {
            Err(failures::slot_lost_wal(database, name))
        }
        Some(slot) => Ok(slot.restart_lsn.map_or(0, |restart| now.bytes_since(restart))),
    })
}
