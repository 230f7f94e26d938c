//! What can go wrong with a journal file.

use crate::damage::{Damage, DamageReason};
use crate::holder::Holder;
use pghaul_core::event::UnknownRecord;
use pghaul_core::{Code, Failure, MigrationId, Seq};
use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};

/// Why a journal file can't be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no file.
    #[error("there is no journal at {path}")]
    NotFound {
        /// The file.
        path: PathBuf,
    },
    /// The file is something else.
    #[error("{path} is not a pghaul journal: {why}")]
    NotAJournal {
        /// The file.
        path: PathBuf,
        /// How it can be told.
        why: String,
    },
    /// A newer pghaul wrote the file. It was not touched.
    #[error("the journal {path} has format {found}; this pghaul knows formats up to {known}")]
    NewerFormat {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The newest format that this pghaul knows.
        known: u32,
    },
    /// A newer pghaul wrote an event. Nothing was changed.
    #[error("event {seq} of migration {migration}, about {subject}, is of a newer pghaul: {record}")]
    NewerEvent {
        /// The migration.
        migration: MigrationId,
        /// The event's number.
        seq: Seq,
        /// What it is about.
        subject: String,
        /// What is not known here.
        record: UnknownRecord,
        /// The release that wrote it, where it has said so.
        release: Option<String>,
    },
    /// An event is not as it was written.
    #[error("the journal of migration {migration} is {damage}")]
    Damaged {
        /// The migration.
        migration: MigrationId,
        /// Which event, and why.
        damage: Box<Damage>,
    },
    /// SQLite can't make sense of the file.
    #[error("the journal file {path} is damaged: {reason}")]
    DamagedFile {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        reason: String,
    },
    /// Another process works on the migration.
    #[error("migration {migration} is locked by {}", holder.as_ref().map_or_else(|| "another process".to_owned(), ToString::to_string))]
    Locked {
        /// The migration.
        migration: MigrationId,
        /// The process, unless it has not written its name yet.
        holder: Option<Holder>,
    },
    /// The file or its directory can't be written.
    #[error("the journal {path} is read-only")]
    ReadOnly {
        /// The file.
        path: PathBuf,
    },
    /// The file could be read only by first writing beside it, and its directory is read-only.
    #[error("the journal {path} needs recovery, but its directory is read-only")]
    NeedsRecovery {
        /// The file.
        path: PathBuf,
    },
    /// No space is left where the file is.
    #[error("disk full at the journal {path}")]
    DiskFull {
        /// The file.
        path: PathBuf,
    },
    /// Other processes kept the file busy for too long.
    #[error("the journal {path} is kept busy by another process")]
    Busy {
        /// The file.
        path: PathBuf,
    },
    /// The file is no longer where it was opened.
    #[error("the journal {path} was moved, removed or replaced while it was in use")]
    Moved {
        /// Where it was.
        path: PathBuf,
    },
    /// No migration has this name or id.
    #[error("the journal has no migration {name:?}")]
    UnknownMigration {
        /// The name or id asked for.
        name: String,
    },
    /// A migration has this name or id already.
    #[error("the journal already has a migration {name:?}")]
    NameTaken {
        /// The name.
        name: String,
    },
    /// A text is not a whole export of a journal.
    #[error("this is not a whole export of a journal: line {line}: {why}")]
    BadExport {
        /// The line, from 1.
        line: u64,
        /// What is wrong with it.
        why: String,
    },
    /// A newer pghaul wrote an export. Nothing was changed.
    #[error("the export has format {found}; this pghaul reads formats up to {known}")]
    NewerExport {
        /// Its format.
        found: u32,
        /// The newest format that this pghaul knows.
        known: u32,
    },
    /// An export is older than what the file holds.
    #[error("the journal holds migration {migration} up to event {held}; the export ends at {offered}")]
    Ahead {
        /// The migration.
        migration: MigrationId,
        /// The last event of the file.
        held: Seq,
        /// The last event of the export.
        offered: Seq,
    },
    /// An export and the file went different ways.
    #[error("the export and the journal hold different events {seq} of migration {migration}")]
    Parted {
        /// The migration.
        migration: MigrationId,
        /// The first event that differs.
        seq: Seq,
    },
    /// The operating system refused something.
    #[error("can't {operation} {path}")]
    Io {
        /// What was tried, as an infinitive.
        operation: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// SQLite refused something.
    #[error("can't {operation} of the journal {path}")]
    Sqlite {
        /// What was tried, as an infinitive.
        operation: &'static str,
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
}

impl StoreError {
    /// An error of the operating system.
    pub(crate) fn io(operation: &'static str, path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull { path },
            io::ErrorKind::ReadOnlyFilesystem => Self::ReadOnly { path },
            _ => Self::Io {
                operation,
                path,
                source,
            },
        }
    }

    /// An error of SQLite.
    pub(crate) fn sqlite(operation: &'static str, path: &Path, source: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode as Kind;
        let path = path.to_owned();
        match source.sqlite_error_code() {
            Some(Kind::DiskFull) => Self::DiskFull { path },
            // The index of the write-ahead log is beside the file, and could not grow.
            Some(_) if extended_code(&source) == Some(rusqlite::ffi::SQLITE_IOERR_SHMSIZE) => {
                Self::DiskFull { path }
            }
            Some(Kind::ReadOnly) => Self::ReadOnly { path },
            Some(Kind::DatabaseBusy | Kind::DatabaseLocked) => Self::Busy { path },
            Some(Kind::DatabaseCorrupt | Kind::NotADatabase) => Self::DamagedFile {
                path,
                reason: source.to_string(),
            },
            _ => Self::Sqlite {
                operation,
                path,
                source,
            },
        }
    }

    /// What is wrong with an event.
    pub(crate) fn at_event(migration: &MigrationId, seq: Seq, reason: DamageReason) -> Self {
        let migration = migration.clone();
        match reason {
            DamageReason::Newer {
                subject,
                record,
                release,
            } => Self::NewerEvent {
                migration,
                seq,
                subject,
                record,
                release,
            },
            reason => Self::Damaged {
                migration,
                damage: Box::new(Damage { seq, reason }),
            },
        }
    }

    /// The message and those of its causes in one line.
    pub(crate) fn in_full(&self) -> String {
        let mut text = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            text = format!("{text}: {error}");
            cause = error.source();
        }
        text
    }

    fn code(&self) -> Code {
        match self {
            Self::Locked { .. } => Code::AlreadyRunning,
            Self::Damaged { damage, .. } => match damage.reason {
                DamageReason::Cut { .. } => Code::JournalStale,
                _ => Code::JournalDamaged,
            },
            Self::DamagedFile { .. } | Self::BadExport { .. } | Self::Parted { .. } => Code::JournalDamaged,
            Self::Ahead { .. } => Code::JournalStale,
            Self::UnknownMigration { .. } | Self::NameTaken { .. } => Code::BadInput,
            Self::NewerFormat { .. } | Self::NewerEvent { .. } | Self::NewerExport { .. } => {
                Code::OtherRelease
            }
            Self::NotFound { .. }
            | Self::NotAJournal { .. }
            | Self::ReadOnly { .. }
            | Self::NeedsRecovery { .. }
            | Self::DiskFull { .. }
            | Self::Busy { .. }
            | Self::Moved { .. }
            | Self::Io { .. }
            | Self::Sqlite { .. } => Code::JournalUnusable,
        }
    }

    fn hint(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => {
                "begin a migration with `pghaul run`, or name another file with --journal"
            }
            Self::NotAJournal { .. } => "name another file with --journal; this one was not touched",
            Self::NewerFormat { .. } => {
                "use the pghaul that wrote it, or a newer one; the file was not touched"
            }
            Self::NewerEvent { .. } => "use the pghaul that wrote it, or a newer one; nothing was changed",
            Self::NewerExport { .. } => {
                "import it with the pghaul that wrote it, or a newer one; nothing was changed"
            }
            Self::Damaged { damage, .. } => match damage.reason {
                DamageReason::Cut { .. } => "this is an old copy of the journal; use the newest one",
                _ => "restore the journal from a backup; nothing after this event can be trusted",
            },
            Self::DamagedFile { .. } => "restore the journal, with its -wal file, from a backup",
            Self::Locked { .. } => "wait until the other process has ended, or stop it",
            Self::ReadOnly { .. } => "give yourself the right to write the file and its directory",
            Self::NeedsRecovery { .. } => {
                "copy the journal and its -wal file to a directory that you may write, and name the copy"
            }
            Self::DiskFull { .. } => "make room, then run again: it continues after the last event written",
            Self::Busy { .. } => "run again when the other process has ended",
            Self::Moved { .. } => "put the journal back where it was, then run again",
            Self::UnknownMigration { .. } => "list the migrations with `pghaul status`",
            Self::NameTaken { .. } => "choose another name, or continue that migration",
            Self::BadExport { .. } => "export the journal again, and carry the file over whole",
            Self::Ahead { .. } => {
                "nothing was changed: the journal is newer than the export; go on with the journal"
            }
            Self::Parted { .. } => {
                "two machines worked on this migration; the target knows the right journal: a run with the other one is refused"
            }
            Self::Io { .. } | Self::Sqlite { .. } => {
                "see the cause; run again when it is fixed: it continues after the last event written"
            }
        }
    }
}

fn extended_code(error: &rusqlite::Error) -> Option<i32> {
    error.sqlite_error().map(|error| error.extended_code)
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let mut failure = Self::new(error.code(), error.to_string()).with_hint(error.hint());
        if let StoreError::NewerEvent {
            release: Some(release),
            ..
        } = &error
        {
            failure = failure.with_hint(format!(
                "use pghaul {release}, which wrote it, or a newer one; nothing was changed"
            ));
        }
        let mut cause = error.source();
        while let Some(inner) = cause {
            failure = failure.with_cause(inner);
            cause = inner.source();
        }
        failure
    }
}
