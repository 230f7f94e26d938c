//! Reading one migration: its events, its state, and whether they are as they were written.

use crate::chain::{self, Columns, Hash};
use crate::damage::{Damage, DamageReason};
use crate::error::StoreError;
use crate::file::MigrationEntry;
use pghaul_core::journal::Head;
use pghaul_core::{DatabaseName, Envelope, Epoch, Event, Migration, MigrationId, Seq, StepName};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::collections::VecDeque;
use std::path::{Path, PathBuf};

/// How many events an iterator reads at once.
const PAGE: i64 = 256;

/// A migration open for reading. It takes no lock and sees what is durable.
#[derive(Debug)]
pub struct OpenMigration {
    connection: Connection,
    path: PathBuf,
    entry: MigrationEntry,
}

/// The state of a migration and the event that it is as of.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// The state: the fold of all events.
    pub migration: Migration,
    /// The end of the journal.
    pub head: Head,
}

impl OpenMigration {
    pub(crate) fn new(connection: Connection, path: PathBuf, entry: MigrationEntry) -> Self {
        Self {
            connection,
            path,
            entry,
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
        let number = i64::try_from(seq.0).unwrap_or(i64::MAX);
        self.connection
            .query_row(
                "SELECT hash FROM events WHERE migration = ?1 AND seq = ?2",
                params![self.entry.id.as_str(), number],
                |row| row.get::<_, Hash>(0),
            )
            .optional()
            .map(|hash| hash.as_ref().map(chain::hex))
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
        Ok(())
    }

    pub(crate) fn fold(&self, earlier: Option<&Head>) -> Result<(Migration, Links), StoreError> {
        let mut migration = Migration::default();
        let mut links = Links::new(&self.entry.id);
        self.scan(&mut links, -1, |links, row| {
            let event = row.event()?;
            migration.apply(&event).map_err(DamageReason::Illegal)?;
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
        if let Some(created) = migration.created.as_ref().filter(|c| c.name != self.entry.name) {
            let (in_event, in_list) = (created.name.clone(), self.entry.name.clone());
            return Err(self.damaged(1, DamageReason::Name { in_event, in_list }));
        }
        Ok((migration, links))
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
        let damage = Box::new(Damage {
            seq: Seq(seq),
            reason,
        });
        StoreError::Damaged {
            migration: self.entry.id.clone(),
            damage,
        }
    }
}

fn same_hash(earlier: &Head, found: &Hash) -> Result<(), DamageReason> {
    let found = chain::hex(found);
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
            let read = self.migration.scan(&mut self.links, PAGE, |_, row| {
                page.push_back(row.envelope()?);
                Ok(())
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

/// The part of the chain that has been checked.
#[derive(Debug, Clone)]
pub(crate) struct Links {
    /// The last event.
    pub(crate) seq: u64,
    /// Its hash.
    pub(crate) before: Hash,
}

impl Links {
    /// Before the first event.
    pub(crate) fn new(migration: &MigrationId) -> Self {
        Self {
            seq: 0,
            before: chain::genesis(migration),
        }
    }

    /// The end as the rest of pghaul knows it.
    pub(crate) fn head(&self) -> Head {
        let hash = if self.seq == 0 {
            String::new()
        } else {
            chain::hex(&self.before)
        };
        Head {
            seq: Seq(self.seq),
            hash,
        }
    }

    fn check(&mut self, event: &StoredEvent<'_>) -> Result<(), DamageReason> {
        let seq = self.seq + 1;
        let found = event.integer(SEQ)?;
        if u64::try_from(found) != Ok(seq) {
            return Err(DamageReason::Gap { found });
        }
        let hash = chain::link(&self.before, &event.columns);
        if event.hash != ValueRef::Blob(&hash) {
            return Err(DamageReason::HashMismatch);
        }
        self.seq = seq;
        self.before = hash;
        Ok(())
    }
}

/// The columns by their place and name.
type Column = (usize, &'static str);
const MIGRATION: Column = (0, "migration");
const SEQ: Column = (1, "seq");
const EPOCH: Column = (2, "epoch");
const AT: Column = (3, "at");
const DATABASE: Column = (4, "database");
const STEP: Column = (5, "step");
const ITEM: Column = (6, "item");
const KIND: Column = (7, "kind");
const VERSION: Column = (8, "version");
const PAYLOAD: Column = (9, "payload");
const HASH: usize = 10;

/// One row, as it is stored.
pub(crate) struct StoredEvent<'a> {
    columns: Columns<'a>,
    hash: ValueRef<'a>,
}

impl<'a> StoredEvent<'a> {
    fn read(row: &'a Row<'_>) -> rusqlite::Result<Self> {
        let mut columns = [ValueRef::Null; 10];
        for (place, column) in columns.iter_mut().enumerate() {
            *column = row.get_ref(place)?;
        }
        Ok(Self {
            columns,
            hash: row.get_ref(HASH)?,
        })
    }

    fn column(&self, (place, _): Column) -> ValueRef<'a> {
        self.columns.get(place).copied().unwrap_or(ValueRef::Null)
    }

    fn integer(&self, column: Column) -> Result<i64, DamageReason> {
        self.column(column)
            .as_i64()
            .map_err(|_| DamageReason::Column { column: column.1 })
    }

    fn number(&self, column: Column) -> Result<u32, DamageReason> {
        u32::try_from(self.integer(column)?).map_err(|_| DamageReason::Column { column: column.1 })
    }

    fn text(&self, column: Column) -> Result<&'a str, DamageReason> {
        self.column(column)
            .as_str()
            .map_err(|_| DamageReason::Column { column: column.1 })
    }

    fn optional(&self, column: Column) -> Result<Option<&'a str>, DamageReason> {
        self.column(column)
            .as_str_or_null()
            .map_err(|_| DamageReason::Column { column: column.1 })
    }

    pub(crate) fn seq(&self) -> Result<i64, DamageReason> {
        self.integer(SEQ)
    }

    pub(crate) fn epoch(&self) -> Result<i64, DamageReason> {
        self.integer(EPOCH)
    }

    pub(crate) fn at(&self) -> Result<&'a str, DamageReason> {
        self.text(AT)
    }

    pub(crate) fn database(&self) -> Result<Option<&'a str>, DamageReason> {
        self.optional(DATABASE)
    }

    pub(crate) fn step(&self) -> Result<Option<&'a str>, DamageReason> {
        self.optional(STEP)
    }

    pub(crate) fn item(&self) -> Result<Option<&'a str>, DamageReason> {
        self.optional(ITEM)
    }

    pub(crate) fn kind(&self) -> Result<&'a str, DamageReason> {
        self.text(KIND)
    }

    pub(crate) fn version(&self) -> Result<i64, DamageReason> {
        self.integer(VERSION)
    }

    pub(crate) fn payload(&self) -> Result<&'a str, DamageReason> {
        self.text(PAYLOAD)
    }

    /// The hash as lower-case hexadecimal digits.
    pub(crate) fn hash_hex(&self) -> Result<String, DamageReason> {
        let hash = self
            .hash
            .as_blob()
            .ok()
            .and_then(|blob| Hash::try_from(blob).ok());
        hash.as_ref()
            .map(chain::hex)
            .ok_or(DamageReason::Column { column: "hash" })
    }

    fn event(&self) -> Result<Event, DamageReason> {
        Event::from_text(
            self.optional(DATABASE)?.map(DatabaseName::new),
            self.optional(STEP)?.map(StepName::new),
            self.text(KIND)?,
            self.number(VERSION)?,
            self.text(PAYLOAD)?,
        )
        .map_err(DamageReason::Unreadable)
    }

    fn envelope(&self) -> Result<Envelope, DamageReason> {
        Ok(Envelope {
            migration: MigrationId::new(self.text(MIGRATION)?),
            seq: Seq(u64::try_from(self.integer(SEQ)?).unwrap_or_default()),
            epoch: Epoch(self.number(EPOCH)?),
            at: self.text(AT)?.to_owned(),
            event: self.event()?,
        })
    }
}
