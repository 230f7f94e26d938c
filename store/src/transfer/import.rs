//! Into a file.

use super::line::{Ending, FORMAT, Heading, Line};
use crate::chain;
use crate::damage::DamageReason;
use crate::error::StoreError;
use crate::file::{JournalFile, MigrationEntry};
use crate::format;
use crate::lock::RunnerLock;
use crate::stored::{Links, StoredEvent};
use pghaul_core::journal::Head;
use pghaul_core::{Migration, MigrationId, Seq, StepVersions};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior, params};
use serde::de::DeserializeOwned;
use std::io::{BufRead, Read as _};
use std::path::Path;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// No line of an export is longer: a file without line feeds must not fill the memory.
const LONGEST_LINE: u64 = 1 << 28;

/// What an import has done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// The migration.
    pub id: MigrationId,
    /// Its name.
    pub name: String,
    /// The end of its journal now.
    pub head: Head,
    /// How many events the file did not have before.
    pub added: u64,
}

impl JournalFile {
    /// Reads an export into the journal file at a path, which is made where there is none: of a text that is refused
    /// nothing stays behind, no empty journal either.
    ///
    /// # Errors
    /// As [`Self::import`], and when the file can't be made.
    pub fn import_at(
        path: impl AsRef<Path>,
        versions: StepVersions,
        from: &mut dyn BufRead,
    ) -> Result<Imported, StoreError> {
        let path = path.as_ref();
        // What is no file is for `open` to refuse.
        if std::fs::metadata(path).is_ok_and(|found| !found.is_file() || found.len() > 0) {
            return Self::open(path)?.with_versions(versions).import(from);
        }
        let directory = format::directory_of(path)?;
        let scratch = tempfile::Builder::new()
            .prefix(".pghaul-import-")
            .tempdir_in(directory)
            .map_err(|e| StoreError::io("create a directory beside", path, e))?;
        let beside = scratch.path().join("journal");
        let imported = Self::create(&beside)?.with_versions(versions).import(from)?;
        // The last connection has taken what was written out of the WAL, which would be left behind here.
        if std::fs::metadata(format::beside(&beside, "-wal")).is_ok_and(|wal| wal.len() > 0) {
            return Err(StoreError::NeedsRecovery { path: beside });
        }
        format::move_to(
            tempfile::TempPath::try_from_path(beside).map_err(|e| StoreError::io("move", path, e))?,
            path,
        )?;
        Ok(imported)
    }

    /// Reads an export into this file: a migration that it does not hold, or later events of one that it does.
    ///
    /// All of it is verified before any of it is committed.
    ///
    /// # Errors
    /// [`StoreError::BadExport`] when the text is not a whole export; [`StoreError::Damaged`] at the first event that
    /// is not as it was written; [`StoreError::Ahead`] when the file holds later events than the text;
    /// [`StoreError::Parted`] when both went on from a common event in different ways; [`StoreError::Locked`] while
    /// a runner works on the migration.
    pub fn import(&self, from: &mut dyn BufRead) -> Result<Imported, StoreError> {
        let mut lines = Lines { from, number: 0 };
        let heading = lines.heading()?;
        let id = MigrationId::new(heading.migration.as_str());
        let _lock = RunnerLock::take(self.path(), &id, self.clock())?;
        let mut connection = format::open_for_writing(self.path())?;
        let failed = |e| StoreError::sqlite("import into the events", self.path(), e);
        let transaction = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(failed)?;
        let known = self.known(&transaction, &heading)?;
        let mut reading = Reading {
            file: self,
            transaction: &transaction,
            migration: id.clone(),
            known,
            state: Migration::default(),
            links: Links::new(&id),
            begun: None,
            added: 0,
        };
        let ending = loop {
            match lines.next()? {
                Next::Event(line) => reading.take(&line)?,
                Next::Ending(ending) => break ending,
            }
        };
        let (head, added) = reading.finish(&ending, &heading)?;
        transaction.commit().map_err(failed)?;
        let name = heading.name;
        Ok(Imported {
            id,
            name,
            head,
            added,
        })
    }

    /// The number of the last event that the file holds of the migration; it is put on the list when it is new.
    fn known(&self, connection: &Connection, heading: &Heading) -> Result<u64, StoreError> {
        let failed = |e| StoreError::sqlite("import into the list", self.path(), e);
        let id = MigrationId::new(heading.migration.as_str());
        let held = self.find_in(connection, id.as_str())?;
        if held.is_some_and(|entry| entry.id == id) {
            let sql = "SELECT coalesce(max(seq), 0) FROM events WHERE migration = ?1";
            let last: i64 = connection
                .query_row(sql, [id.as_str()], |row| row.get(0))
                .map_err(failed)?;
            return Ok(u64::try_from(last).unwrap_or_default());
        }
        for taken in [heading.name.as_str(), id.as_str()] {
            if self.find_in(connection, taken)?.is_some() {
                let name = taken.to_owned();
                return Err(StoreError::NameTaken { name });
            }
        }
        let sql = "INSERT INTO migrations (id, name, created_at) VALUES (?1, ?2, ?3)";
        connection
            .execute(sql, params![id.as_str(), heading.name, heading.created_at])
            .map_err(failed)?;
        Ok(0)
    }
}

/// The part of an export that was read and found sound.
struct Reading<'a> {
    file: &'a JournalFile,
    transaction: &'a Transaction<'a>,
    migration: MigrationId,
    /// How many events the file holds already.
    known: u64,
    state: Migration,
    links: Links,
    /// The time of the first event.
    begun: Option<String>,
    added: u64,
}

impl Reading<'_> {
    fn take(&mut self, line: &Line) -> Result<(), StoreError> {
        let seq = self.links.seq + 1;
        self.check(line)
            .map_err(|reason| StoreError::at_event(&self.migration, Seq(seq), reason))?;
        let hash = self.links.before;
        if seq > self.known {
            self.added += 1;
            return self.insert(line, &hash);
        }
        match self.held(seq)? {
            Some(held) if held == hash => Ok(()),
            _ => Err(StoreError::Parted {
                migration: self.migration.clone(),
                seq: Seq(seq),
            }),
        }
    }

    /// Takes the event as the next one, when it has its place in the chain and makes sense after those before it.
    fn check(&mut self, line: &Line) -> Result<(), DamageReason> {
        let hash = line.hash();
        let hash = hash.as_ref().map_or(ValueRef::Null, |hash| ValueRef::Blob(hash));
        let stored = StoredEvent::of(line.columns(self.migration.as_str()), hash);
        self.links.check(&stored)?;
        stored.replay(&mut self.state, &self.file.versions())?;
        // Nothing is decided by it, but readers choose events by it.
        OffsetDateTime::parse(&line.at, &Rfc3339).map_err(|_| DamageReason::Column { column: "at" })?;
        self.begun.get_or_insert_with(|| line.at.clone());
        Ok(())
    }

    fn insert(&self, line: &Line, hash: &chain::Hash) -> Result<(), StoreError> {
        let insert = || -> rusqlite::Result<usize> {
            self.transaction
                .prepare_cached(include_str!("../sql/append.sql"))?
                .execute(params![
                    self.migration.as_str(),
                    line.seq,
                    line.epoch,
                    line.at,
                    line.database,
                    line.step,
                    line.item,
                    line.kind,
                    line.version,
                    line.payload,
                    hash,
                ])
        };
        insert()
            .map(drop)
            .map_err(|e| StoreError::sqlite("import an event", self.file.path(), e))
    }

    fn held(&self, seq: u64) -> Result<Option<chain::Hash>, StoreError> {
        let sql = "SELECT hash FROM events WHERE migration = ?1 AND seq = ?2";
        let number = i64::try_from(seq).unwrap_or(i64::MAX);
        self.transaction
            .query_row(sql, params![self.migration.as_str(), number], |row| row.get(0))
            .optional()
            .map_err(|e| StoreError::sqlite("read an event", self.file.path(), e))
    }

    fn finish(self, ending: &Ending, heading: &Heading) -> Result<(Head, u64), StoreError> {
        let head = self.links.head();
        if ending.head != head.to_string() {
            return Err(StoreError::BadExport {
                line: head.seq.0 + 2,
                why: format!(
                    "it ends at event {}, but names the head {}",
                    head.seq, ending.head
                ),
            });
        }
        if self.known > self.links.seq {
            return Err(StoreError::Ahead {
                migration: self.migration,
                held: Seq(self.known),
                offered: head.seq,
            });
        }
        if head.seq.0 == 0 {
            return Err(StoreError::BadExport {
                line: 2,
                why: "it has no event".to_owned(),
            });
        }
        let entry = MigrationEntry {
            id: self.migration,
            name: heading.name.clone(),
            created_at: heading.created_at.clone(),
        };
        entry
            .fits(&self.state, self.begun)
            .map_err(|reason| StoreError::at_event(&entry.id, Seq(1), reason))?;
        Ok((head, self.added))
    }
}

/// What comes after the heading.
enum Next {
    Event(Box<Line>),
    Ending(Ending),
}

/// The lines of an export, one after the other.
struct Lines<'a> {
    from: &'a mut dyn BufRead,
    number: u64,
}

impl Lines<'_> {
    fn heading(&mut self) -> Result<Heading, StoreError> {
        /// The version alone: what else a newer heading holds does not matter.
        #[derive(serde::Deserialize)]
        struct Version {
            pghaul_journal: u32,
        }
        let text = self.line()?;
        let Version { pghaul_journal } = self.parse(&text)?;
        if pghaul_journal > FORMAT {
            return Err(StoreError::NewerExport {
                found: pghaul_journal,
                known: FORMAT,
            });
        }
        if pghaul_journal != FORMAT {
            return Err(self.bad(format!("{pghaul_journal} is no format of an export")));
        }
        let heading: Heading = self.parse(&text)?;
        // The id is part of file names.
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        if heading.migration.len() != 8 || !heading.migration.chars().all(plain) {
            return Err(self.bad(format!("{:?} is no id of a migration", heading.migration)));
        }
        Ok(heading)
    }

    fn next(&mut self) -> Result<Next, StoreError> {
        let text = self.line()?;
        if text.starts_with("{\"head\":") {
            let ending = self.parse(&text)?;
            let rest = self.from.fill_buf().map(<[u8]>::len);
            if rest.map_err(|e| self.bad(e.to_string()))? > 0 {
                return Err(self.bad("something follows its last line".to_owned()));
            }
            return Ok(Next::Ending(ending));
        }
        self.parse(&text).map(|line| Next::Event(Box::new(line)))
    }

    /// The next line, whole.
    fn line(&mut self) -> Result<String, StoreError> {
        self.number += 1;
        let mut text = String::new();
        (&mut *self.from)
            .take(LONGEST_LINE)
            .read_line(&mut text)
            .map_err(|e| self.bad(e.to_string()))?;
        match text.pop() {
            Some('\n') => Ok(text),
            Some(_) if text.len() as u64 >= LONGEST_LINE - 4 => {
                Err(self.bad(format!("it is longer than {LONGEST_LINE} bytes")))
            }
            _ => Err(self.bad("it was cut".to_owned())),
        }
    }

    fn parse<T: DeserializeOwned>(&self, text: &str) -> Result<T, StoreError> {
        serde_json::from_str(text).map_err(|e| self.bad(e.to_string()))
    }

    fn bad(&self, why: String) -> StoreError {
        StoreError::BadExport {
            line: self.number,
            why,
        }
    }
}
