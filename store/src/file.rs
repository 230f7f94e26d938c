//! The journal file and the migrations in it.

use crate::clock::Clock;
use crate::damage::DamageReason;
use crate::error::StoreError;
use crate::format;
use crate::lock::{self, LockState};
use crate::row::NewRow;
use crate::stored::Links;
use pghaul_core::event::Created;
use pghaul_core::id::is_migration_name;
use pghaul_core::{Event, Migration, MigrationEvent, MigrationId, StepVersions};
use rusqlite::{Connection, OptionalExtension, Row, TransactionBehavior, params};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A journal file. It holds no connection: each operation opens its own, so it may be shared freely.
#[derive(Debug, Clone)]
pub struct JournalFile {
    path: PathBuf,
    clock: Clock,
    versions: Arc<StepVersions>,
}

/// How a migration is found: by its id or its name. What happened in it, only its events know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MigrationEntry {
    /// The id.
    pub id: MigrationId,
    /// The name, unique in the file.
    pub name: String,
    /// When it was created: RFC 3339, UTC.
    pub created_at: String,
}

impl MigrationEntry {
    /// Whether the list says of a migration what its events say: its name, and when it began, which is the time of its first event.
    pub(crate) fn fits(&self, migration: &Migration, begun: Option<String>) -> Result<(), DamageReason> {
        let (Some(created), Some(begun)) = (&migration.created, begun) else {
            return Err(DamageReason::NoEvent);
        };
        if created.name != self.name {
            let (in_event, in_list) = (created.name.clone(), self.name.clone());
            return Err(DamageReason::Name { in_event, in_list });
        }
        if !is_migration_name(&self.name) {
            return Err(DamageReason::Column { column: "name" });
        }
        if begun != self.created_at {
            let (in_event, in_list) = (begun, self.created_at.clone());
            return Err(DamageReason::CreatedAt { in_event, in_list });
        }
        Ok(())
    }
}

impl JournalFile {
    /// Opens a journal file, or creates it, private to the user, with its directory.
    ///
    /// # Errors
    /// When the file is not a journal, has a newer format, or can't be created.
    pub fn create(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        format::create(path.as_ref())?;
        Self::open(path)
    }

    /// Opens a journal file that exists. Nothing is written.
    ///
    /// # Errors
    /// When there is none, or it is not a journal, has a newer format, or can't be read.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let path = path.as_ref();
        // The lock's name follows the journal's: two ways to the same journal must lead to the same lock.
        let path = path.canonicalize().map_err(|e| match e.kind() {
            std::io::ErrorKind::NotFound => StoreError::NotFound {
                path: path.to_owned(),
            },
            _ => StoreError::io("open", path, e),
        })?;
        format::open_for_reading(&path)?;
        Ok(Self {
            path,
            clock: Clock::system(),
            versions: Arc::default(),
        })
    }

    /// Reads what steps noted as these versions have it.
    #[must_use]
    pub fn with_versions(mut self, versions: StepVersions) -> Self {
        self.versions = Arc::new(versions);
        self
    }

    pub(crate) fn versions(&self) -> Arc<StepVersions> {
        Arc::clone(&self.versions)
    }

    /// Stamps events with another clock than the system's.
    #[must_use]
    pub fn with_clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// The file, without symbolic links.
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    pub(crate) fn entries(&self) -> Result<Vec<MigrationEntry>, StoreError> {
        let failed = |e| StoreError::sqlite("list the migrations", &self.path, e);
        let connection = self.read()?;
        let sql = "SELECT id, name, created_at FROM migrations ORDER BY created_at, id";
        let mut statement = connection.prepare(sql).map_err(failed)?;
        let entries = statement.query_map([], entry).map_err(failed)?;
        entries.collect::<Result<_, _>>().map_err(failed)
    }

    /// The migration with a name or, failing that, an id.
    ///
    /// # Errors
    /// When the file can't be read.
    pub fn find(&self, name: &str) -> Result<Option<MigrationEntry>, StoreError> {
        let connection = self.read()?;
        self.find_in(&connection, name)
    }

    pub(crate) fn find_in(
        &self,
        connection: &Connection,
        name: &str,
    ) -> Result<Option<MigrationEntry>, StoreError> {
        let sql =
            "SELECT id, name, created_at FROM migrations WHERE name = ?1 OR id = ?1 ORDER BY name = ?1 DESC";
        connection
            .query_row(sql, [name], entry)
            .optional()
            .map_err(|e| StoreError::sqlite("find a migration", &self.path, e))
    }

    /// Begins a migration: its name and its first event are durable when this returns, or neither is written.
    ///
    /// # Errors
    /// [`StoreError::NameTaken`] when the file has a migration of that name or id; or when it can't be written.
    pub fn begin(&self, id: &MigrationId, created: Created) -> Result<(), StoreError> {
        let failed = |e| StoreError::sqlite("begin a migration", &self.path, e);
        let mut connection = format::open_for_writing(&self.path)?;
        let transaction = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(failed)?;
        let name = created.name.clone();
        for taken in [name.as_str(), id.as_str()] {
            if self.find_in(&transaction, taken)?.is_some() {
                return Err(StoreError::NameTaken {
                    name: taken.to_owned(),
                });
            }
        }
        let at = self.clock.now();
        transaction
            .execute(
                "INSERT INTO migrations (id, name, created_at) VALUES (?1, ?2, ?3)",
                params![id.as_str(), name, at],
            )
            .map_err(failed)?;
        let event = Event::Migration(MigrationEvent::MigrationCreated(created));
        let row =
            NewRow::new(&mut Links::new(id), id, Migration::default().epoch, at, &event).map_err(|e| {
                StoreError::NotAJournal {
                    path: self.path.clone(),
                    why: e.to_string(),
                }
            })?;
        row.insert(&transaction).map_err(failed)?;
        transaction.commit().map_err(failed)
    }

    /// Whether a process of this host works on a migration now.
    ///
    /// # Errors
    /// When the lock file can't be read.
    pub fn lock_state(&self, id: &MigrationId) -> Result<LockState, StoreError> {
        lock::state(&self.path, id)
    }

    pub(crate) fn read(&self) -> Result<Connection, StoreError> {
        format::open_for_reading(&self.path)
    }
}

fn entry(row: &Row<'_>) -> rusqlite::Result<MigrationEntry> {
    Ok(MigrationEntry {
        id: MigrationId::new(row.get::<_, String>(0)?),
        name: row.get(1)?,
        created_at: row.get(2)?,
    })
}
