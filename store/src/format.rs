//! The file's format: how it is recognised, created and opened.

use crate::error::StoreError;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};
use rustix::fs::OFlags;
use std::fs::{DirBuilder, File};
use std::io::{ErrorKind, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The newest version of the format that this pghaul reads, and the one that it writes.
pub(crate) const FORMAT: u32 = 1;

/// The bytes `pghl`: SQLite keeps them in the file's header, `file` and `sqlite3` show them.
const APPLICATION_ID: u32 = 0x7067_686c;

/// How long to wait for another process's transaction. Ours last milliseconds.
const PATIENCE: Duration = Duration::from_secs(10);

/// Creates the file, private to the user, unless it is there; and its directory.
pub(crate) fn create(path: &Path) -> Result<(), StoreError> {
    match std::fs::metadata(path) {
        Ok(found) if found.is_file() && found.len() == 0 => move_to(filled_beside(path)?, path),
        Ok(_) => Ok(()),
        Err(e) if e.kind() == ErrorKind::NotFound => match move_to(filled_beside(path)?, path) {
            // Another process was quicker, and did the same.
            Err(StoreError::Io { source, .. }) if source.kind() == ErrorKind::AlreadyExists => Ok(()),
            other => other,
        },
        Err(e) => Err(StoreError::io("look at", path, e)),
    }
}

/// Gives a journal that is whole its name. Only an empty file, which somebody made for us, is replaced.
pub(crate) fn move_to(journal: tempfile::TempPath, path: &Path) -> Result<(), StoreError> {
    let made_for_us = std::fs::metadata(path).is_ok_and(|found| found.is_file() && found.len() == 0);
    let moved = if made_for_us {
        journal.persist(path)
    } else {
        journal.persist_noclobber(path)
    };
    moved.map_err(|e| StoreError::io("create", path, e.error))
}

/// The directory of a journal; made, private to the user, where there is none.
pub(crate) fn directory_of(path: &Path) -> Result<&Path, StoreError> {
    let Some(directory) = path.parent().filter(|d| !d.as_os_str().is_empty()) else {
        return Ok(Path::new("."));
    };
    if !directory.exists() {
        let mut builder = DirBuilder::new();
        builder.recursive(true).mode(0o700);
        builder
            .create(directory)
            .map_err(|e| StoreError::io("create the directory", directory, e))?;
    }
    Ok(directory)
}

/// A whole, empty journal under a name of its own, in the directory of the path: whoever is killed meanwhile
/// leaves no half-made journal behind.
fn filled_beside(path: &Path) -> Result<tempfile::TempPath, StoreError> {
    let directory = directory_of(path)?;
    // Private to the user from the first moment: temporary files are.
    let file = tempfile::Builder::new()
        .prefix(".pghaul-journal-")
        .tempfile_in(directory)
        .map_err(|e| StoreError::io("create", path, e))?;
    let temporary = file.into_temp_path();
    fill(&temporary)?;
    Ok(temporary)
}

/// Writes the schema into an empty file, in one transaction.
fn fill(path: &Path) -> Result<(), StoreError> {
    let failed = |e| StoreError::sqlite("write the schema", path, e);
    let mut connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(failed)?;
    connection
        .pragma_update(None, "synchronous", "FULL")
        .map_err(failed)?;
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(failed)?;
    transaction
        .execute_batch(include_str!("sql/schema.sql"))
        .map_err(failed)?;
    transaction
        .pragma_update(None, "application_id", APPLICATION_ID)
        .map_err(failed)?;
    transaction
        .pragma_update(None, "user_version", FORMAT)
        .map_err(failed)?;
    transaction.commit().map_err(failed)
}

/// Opens the file for writing. A newer or foreign file is refused before anything is written.
pub(crate) fn open_for_writing(path: &Path) -> Result<Connection, StoreError> {
    recognise(path)?;
    let failed = |e| StoreError::sqlite("open the file", path, e);
    let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(failed)?;
    if connection.is_readonly("main").map_err(failed)? {
        return Err(StoreError::ReadOnly {
            path: path.to_owned(),
        });
    }
    recognise_inside(&connection, path)?;
    connection
        .pragma_update(None, "journal_mode", "WAL")
        .map_err(failed)?;
    connection
        .pragma_update(None, "synchronous", "FULL")
        .map_err(failed)?;
    connection
        .pragma_update(None, "foreign_keys", true)
        .map_err(failed)?;
    Ok(connection)
}

/// Opens the file for reading, also while another process writes, also on a read-only disk.
pub(crate) fn open_for_reading(path: &Path) -> Result<Connection, StoreError> {
    recognise(path)?;
    let failed = |e| StoreError::sqlite("open the file", path, e);
    let first = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)
        .map_err(failed)
        .and_then(|connection| recognise_inside(&connection, path).map(|()| connection));
    let (Err(StoreError::ReadOnly { .. }) | Err(StoreError::Sqlite { .. })) = &first else {
        return first;
    };
    // A reader of a file in WAL mode wants to make a shared-memory file beside it. Where it can't, the file can
    // be read as one that nobody changes: if nobody could be changing it, because no WAL waits beside it.
    if std::fs::metadata(beside(path, "-wal")).is_ok_and(|wal| wal.len() > 0) {
        return match first {
            Err(StoreError::Sqlite { source, .. }) if !cannot_open(&source) => {
                Err(StoreError::sqlite("open the file", path, source))
            }
            _ => Err(StoreError::NeedsRecovery {
                path: path.to_owned(),
            }),
        };
    }
    let uri = immutable_uri(path);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
    let connection = connect(Path::new(&uri), flags).map_err(failed)?;
    recognise_inside(&connection, path)?;
    Ok(connection)
}

fn cannot_open(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(rusqlite::ErrorCode::CannotOpen)
}

fn connect(path: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(PATIENCE)?;
    // A damaged page is found when it is read, and a tampered schema can't call functions with side effects.
    connection.execute_batch("PRAGMA cell_size_check = ON; PRAGMA trusted_schema = OFF")?;
    Ok(connection)
}

/// Looks at the first bytes of the file, without SQLite, so that a file that is not ours is not even locked.
fn recognise(path: &Path) -> Result<(), StoreError> {
    let foreign = |why: &str| StoreError::NotAJournal {
        path: path.to_owned(),
        why: why.to_owned(),
    };
    let mut file = open_regular(path)?.ok_or_else(|| foreign("it is not a regular file"))?;
    let mut header = [0; 100];
    match file.read_exact(&mut header) {
        Ok(()) => {}
        Err(e) if e.kind() == ErrorKind::UnexpectedEof => return Err(foreign("it is too short")),
        Err(e) => return Err(StoreError::io("read", path, e)),
    }
    if !header.starts_with(b"SQLite format 3\0") {
        return Err(foreign("it is not an SQLite file"));
    }
    judge(number_at(&header, 68), number_at(&header, 60), path)
}

/// Opens a regular file; `None` for anything else. To open a named pipe waits for its other end, for ever perhaps,
/// and to open a device may have effects.
fn open_regular(path: &Path) -> Result<Option<File>, StoreError> {
    let failed = |e: std::io::Error| match e.kind() {
        ErrorKind::NotFound => StoreError::NotFound {
            path: path.to_owned(),
        },
        _ => StoreError::io("open", path, e),
    };
    if !std::fs::metadata(path).map_err(failed)?.is_file() {
        return Ok(None);
    }
    // Another file may have come in its place meanwhile.
    let nonblocking = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
    let mut options = File::options();
    let file = options.read(true).custom_flags(nonblocking).open(path);
    let file = file.map_err(failed)?;
    let regular = file.metadata().map_err(failed)?.is_file();
    Ok(regular.then_some(file))
}

/// Looks again through SQLite, which also sees what is still in the WAL.
fn recognise_inside(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let read = |name: &str| {
        connection
            .pragma_query_value(None, name, |row| row.get::<_, i64>(0))
            .map(|number| u32::try_from(number).unwrap_or(u32::MAX))
            .map_err(|e| StoreError::sqlite("read the format", path, e))
    };
    judge(read("application_id")?, read("user_version")?, path)?;
    let sql = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name IN ('migrations', 'events')";
    match connection.query_row(sql, [], |row| row.get::<_, i64>(0)) {
        Ok(2) => Ok(()),
        Ok(_) => Err(StoreError::NotAJournal {
            path: path.to_owned(),
            why: "it lacks pghaul's tables".to_owned(),
        }),
        Err(e) => Err(StoreError::sqlite("read the format", path, e)),
    }
}

fn judge(application: u32, format: u32, path: &Path) -> Result<(), StoreError> {
    let path = path.to_owned();
    if application != APPLICATION_ID {
        return Err(StoreError::NotAJournal {
            path,
            why: "another application wrote it".to_owned(),
        });
    }
    match format {
        FORMAT => Ok(()),
        0 => Err(StoreError::NotAJournal {
            path,
            why: "it has no format version".to_owned(),
        }),
        found => Err(StoreError::NewerFormat {
            path,
            found,
            known: FORMAT,
        }),
    }
}

/// An object in the file that pghaul does not make: a trigger runs with each event that is appended, a view may stand for a table.
/// Triggers that are missing keep nothing from being found.
pub(crate) fn foreign_object(file: &Connection) -> rusqlite::Result<Option<String>> {
    let objects = |connection: &Connection| -> rusqlite::Result<Vec<[String; 3]>> {
        let sql = "SELECT type, name, coalesce(sql, '') FROM sqlite_schema WHERE name NOT LIKE 'sqlite!_stat%' ESCAPE '!'";
        let mut statement = connection.prepare(sql)?;
        let rows = statement.query_map([], |row| Ok([row.get(0)?, row.get(1)?, row.get(2)?]))?;
        rows.collect()
    };
    let sound = Connection::open_in_memory()?;
    sound.execute_batch(include_str!("sql/schema.sql"))?;
    let sound = objects(&sound)?;
    let mut found = objects(file)?.into_iter();
    let foreign = found.find(|object| !sound.contains(object));
    Ok(foreign.map(|[kind, name, _]| format!("{kind} {name:?}")))
}

fn number_at(header: &[u8; 100], offset: usize) -> u32 {
    header
        .iter()
        .skip(offset)
        .take(4)
        .fold(0, |number, byte| number << 8 | u32::from(*byte))
}

/// A file beside the journal, such as its WAL.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn immutable_uri(path: &Path) -> String {
    let mut uri = String::from("file:");
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'/' | b'.' | b'-' | b'_' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => {
                uri.push(char::from(*byte))
            }
            other => uri.push_str(&format!("%{other:02X}")),
        }
    }
    uri.push_str("?immutable=1");
    uri
}
