//! Reading one migration: its events, its state, and whether they are as they were written.

use crate::chain::Hash;
use crate::damage::DamageReason;
use crate::error::StoreError;
use crate::file::{JournalFile, MigrationEntry};
use crate::format;
use crate::stored::{Links, StoredEvent};
use pghaul_core::journal::Head;
use pghaul_core::{DatabaseName, Envelope, Migration, MigrationId, Seq, StepVersions, hex};
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How many events an iterator reads at once.
const PAGE: i64 = 256;

/// A migration open for reading. It takes no lock and sees what is durable.
#[derive(Debug)]
pub struct OpenMigration {
    connection: Connection,
    path: PathBuf,
    entry: MigrationEntry,
    versions: Arc<StepVersions>,
}

/// The state of a migration and the event that it is as of.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// The state: the fold of all events.
    pub migration: Migration,
    /// The end of the journal.
    pub head: Head,
}

impl JournalFile {
    /// Opens a migration for reading.
    ///
    /// # Errors
    /// [`StoreError::UnknownMigration`], or when the file can't be read.
    pub fn read_migration(&self, id: &MigrationId) -> Result<OpenMigration, StoreError> {
        self.migration_on(self.read()?, id)
    }

    pub(crate) fn migration_on(
        &self,
        connection: Connection,
        id: &MigrationId,
    ) -> Result<OpenMigration, StoreError> {
        let found = self
            .find_in(&connection, id.as_str())?
            .filter(|entry| entry.id == *id);
        let entry = found.ok_or_else(|| StoreError::UnknownMigration { name: id.to_string() })?;
        Ok(OpenMigration::new(connection, self, entry))
    }
}

impl OpenMigration {
    pub(crate) fn new(connection: Connection, file: &JournalFile, entry: MigrationEntry) -> Self {
        Self {
            connection,
            path: file.path().to_owned(),
            entry,
            versions: file.versions(),
        }
    }

    /// The migration's id, its name and when it was created.
    pub fn entry(&self) -> &MigrationEntry {
        &self.entry
    }

    /// Reads all events, checks their hashes and their order, and folds them into the state.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] names the first event that is not as it was written or can't be read.
    pub fn load(&self) -> Result<Loaded, StoreError> {
        let (migration, end) = self.fold(None)?;
        Ok(Loaded {
            migration,
            head: end.head(),
        })
    }

    /// Checks everything that can be checked: SQLite's own structure, every hash, the order, and that every event
    /// makes sense after those before it.
    ///
    /// # Errors
    /// See [`Self::load`]; [`StoreError::DamagedFile`] when SQLite finds its structure damaged.
    pub fn verify(&self) -> Result<Head, StoreError> {
        self.check_structure()?;
        self.load().map(|loaded| loaded.head)
    }

    /// The same, and that the journal continues from a head that was seen earlier: only so a cut tail or a
    /// rewritten journal shows.
    ///
    /// # Errors
    /// See [`Self::verify`]; also [`DamageReason::Cut`] and [`DamageReason::Rewritten`].
    pub fn verify_since(&self, earlier: &Head) -> Result<Head, StoreError> {
        self.check_structure()?;
        self.fold(Some(earlier)).map(|(_, end)| end.head())
    }

    /// The hash of an event as lower-case hexadecimal digits, or `None` beyond the journal's end.
    ///
    /// # Errors
    /// When the file can't be read.
    pub fn hash_at(&self, seq: Seq) -> Result<Option<String>, StoreError> {
        Ok(self.stored_hash(seq)?.map(|hash| hex(&hash)))
    }

    fn stored_hash(&self, seq: Seq) -> Result<Option<Hash>, StoreError> {
        let number = i64::try_from(seq.0).unwrap_or(i64::MAX);
        self.connection
            .query_row(
                "SELECT hash FROM events WHERE migration = ?1 AND seq = ?2",
                params![self.entry.id.as_str(), number],
                |row| row.get::<_, Hash>(0),
            )
            .optional()
            .map_err(|e| StoreError::sqlite("read an event", &self.path, e))
    }

    /// The events in order, read in small portions: memory stays flat however long the journal is.
    ///
    /// Hashes are checked on the way. After an error the iterator ends.
    pub fn events(&self) -> Events<'_> {
        Events {
            migration: self,
            links: Links::new(&self.entry.id),
            page: VecDeque::new(),
            failure: None,
            ended: false,
        }
    }

    /// The events after one that was read before. Their hashes are checked from that of that event on.
    ///
    /// # Errors
    /// When the file can't be read.
    pub fn events_after(&self, seq: Seq) -> Result<Events<'_>, StoreError> {
        let mut events = self.events();
        if let Some(before) = self.stored_hash(seq)? {
            events.links = Links { seq: seq.0, before };
        }
        Ok(events)
    }

    /// When the state of each database was proven last, up to an event or the end. Nothing is checked: [`Self::load`] does that.
    ///
    /// # Errors
    /// When the file can't be read.
    pub fn proven_at(&self, until: Option<Seq>) -> Result<BTreeMap<DatabaseName, String>, StoreError> {
        let until = until
            .and_then(|until| i64::try_from(until.0).ok())
            .unwrap_or(i64::MAX);
        let read = || {
            let mut statement = self
                .connection
                .prepare_cached(include_str!("sql/proven_at.sql"))?;
            let rows = statement.query_map(params![self.entry.id.as_str(), until], |row| {
                Ok((DatabaseName::new(row.get::<_, String>(0)?), row.get(1)?))
            })?;
            rows.collect::<rusqlite::Result<_>>()
        };
        read().map_err(|e| StoreError::sqlite("read the events", &self.path, e))
    }

    /// The state as it was after an event, or at the end where there are fewer.
    ///
    /// # Errors
    /// See [`Self::load`].
    pub fn load_until(&self, seq: Seq) -> Result<Loaded, StoreError> {
        let mut migration = Migration::default();
        let mut links = Links::new(&self.entry.id);
        let limit = i64::try_from(seq.0).unwrap_or(i64::MAX);
        self.scan(&mut links, limit, |_, row| {
            row.replay(&mut migration, &self.versions)
        })?;
        let head = links.head();
        Ok(Loaded { migration, head })
    }

    /// The file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Gives each of the first events to a function, once its place in the chain is checked.
    pub(crate) fn scan_from_start(
        &self,
        most: i64,
        mut each: impl FnMut(&StoredEvent<'_>),
    ) -> Result<i64, StoreError> {
        let mut links = Links::new(&self.entry.id);
        self.scan(&mut links, most, |_, event| {
            each(event);
            Ok(())
        })
    }

    pub(crate) fn into_connection(self) -> Connection {
        self.connection
    }

    /// What the chain can't show: a damaged key or page can hide the journal's tail from a search by migration.
    pub(crate) fn check_structure(&self) -> Result<(), StoreError> {
        let failed = |e| StoreError::sqlite("check the structure", &self.path, e);
        let damaged = |reason| StoreError::DamagedFile {
            path: self.path.clone(),
            reason,
        };
        let verdict: String = self
            .connection
            .query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))
            .map_err(failed)?;
        if verdict != "ok" {
            return Err(damaged(verdict));
        }
        let mut strangers = self
            .connection
            .prepare("PRAGMA foreign_key_check")
            .map_err(failed)?;
        if strangers.exists([]).map_err(failed)? {
            return Err(damaged("an event belongs to no migration".to_owned()));
        }
        match format::foreign_object(&self.connection).map_err(failed)? {
            Some(object) => Err(damaged(format!("{object} is not pghaul's"))),
            None => Ok(()),
        }
    }

    pub(crate) fn fold(&self, earlier: Option<&Head>) -> Result<(Migration, Links), StoreError> {
        let mut migration = Migration::default();
        let mut links = Links::new(&self.entry.id);
        self.scan(&mut links, -1, |links, row| {
            row.replay(&mut migration, &self.versions)?;
            match earlier {
                Some(earlier) if earlier.seq.0 == links.seq => same_hash(earlier, &links.before),
                _ => Ok(()),
            }
        })?;
        if let Some(earlier) = earlier.filter(|earlier| earlier.seq.0 > links.seq) {
            return Err(self.damaged(
                links.seq + 1,
                DamageReason::Cut {
                    expected: earlier.clone(),
                },
            ));
        }
        self.check_entry()?;
        Ok((migration, links))
    }

    /// Whether the list names the migration as its first event does: another one's events could be shown under its name.
    fn check_entry(&self) -> Result<(), StoreError> {
        let (mut first, mut begun) = (Migration::default(), None);
        self.scan(&mut Links::new(&self.entry.id), 1, |_, row| {
            begun = Some(row.at()?.to_owned());
            row.replay(&mut first, &self.versions)
        })?;
        self.entry
            .fits(&first, begun)
            .map_err(|reason| self.damaged(1, reason))
    }

    /// Gives every event after the last checked one to a function, after checking its place in the chain.
    /// `limit` is a number of events, -1 for all. Returns how many there were.
    fn scan(
        &self,
        links: &mut Links,
        limit: i64,
        mut each: impl FnMut(&Links, &StoredEvent<'_>) -> Result<(), DamageReason>,
    ) -> Result<i64, StoreError> {
        let failed = |e| StoreError::sqlite("read the events", &self.path, e);
        let mut statement = self
            .connection
            .prepare_cached(include_str!("sql/events.sql"))
            .map_err(failed)?;
        let after = i64::try_from(links.seq).unwrap_or(i64::MAX);
        let mut rows = statement
            .query(params![self.entry.id.as_str(), after, limit])
            .map_err(failed)?;
        let mut count = 0;
        while let Some(row) = rows.next().map_err(failed)? {
            let stored = StoredEvent::read(row).map_err(failed)?;
            let seq = links.seq + 1;
            links.check(&stored).map_err(|reason| self.damaged(seq, reason))?;
            each(links, &stored).map_err(|reason| self.damaged(seq, reason))?;
            count += 1;
        }
        Ok(count)
    }

    fn damaged(&self, seq: u64, reason: DamageReason) -> StoreError {
        StoreError::at_event(&self.entry.id, Seq(seq), reason)
    }
}

fn same_hash(earlier: &Head, found: &Hash) -> Result<(), DamageReason> {
    let found = hex(found);
    if found == earlier.hash {
        return Ok(());
    }
    Err(DamageReason::Rewritten {
        expected: earlier.hash.clone(),
        found,
    })
}

/// The events of a migration, in order. See [`OpenMigration::events`].
#[derive(Debug)]
pub struct Events<'a> {
    migration: &'a OpenMigration,
    links: Links,
    page: VecDeque<Envelope>,
    failure: Option<StoreError>,
    ended: bool,
}

impl Iterator for Events<'_> {
    type Item = Result<Envelope, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.page.is_empty() && !self.ended {
            let page = &mut self.page;
            let checked = match self.links.seq {
                0 => self.migration.check_entry(),
                _ => Ok(()),
            };
            let read = checked.and_then(|()| {
                self.migration.scan(&mut self.links, PAGE, |_, row| {
                    page.push_back(row.envelope(&self.migration.versions)?);
                    Ok(())
                })
            });
            self.ended = !read.as_ref().is_ok_and(|count| *count == PAGE);
            self.failure = read.err();
        }
        match self.page.pop_front() {
            Some(envelope) => Some(Ok(envelope)),
            None => self.failure.take().map(Err),
        }
    }
}
