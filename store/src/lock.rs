//! One runner per migration: a lock of the operating system on a file beside the journal.
//!
//! The kernel gives the lock back when the process dies, however it dies. The file itself stays: removing it would
//! let two processes lock two different files of the same name. Rust opens files close-on-exec, so that no child
//! keeps the lock.

use crate::clock::Clock;
use crate::error::StoreError;
use pghaul_core::MigrationId;
use rustix::fs::OFlags;
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::fmt;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// No holder's description is longer: what stands in a lock file may be anything.
const LONGEST_HOLDER: u64 = 4096;

/// The process that holds a migration's lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Its process id.
    pub pid: u32,
    /// Its host.
    pub host: String,
    /// The operating system's user.
    pub user: String,
    /// When it took the lock: RFC 3339, UTC.
    pub since: String,
}

impl Holder {
    /// This process, now.
    pub fn this_process(clock: &Clock) -> Self {
        let user = std::env::var("USER").or_else(|_| std::env::var("LOGNAME"));
        Self {
            pid: std::process::id(),
            host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
            user: user.unwrap_or_else(|_| format!("uid {}", rustix::process::geteuid().as_raw())),
            since: clock.now(),
        }
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            pid,
            host,
            user,
            since,
        } = self;
        write!(f, "pid {pid} of user {user} on host {host} since {since}")
    }
}

/// The lock, held until it is dropped or the process dies.
#[derive(Debug)]
pub(crate) struct RunnerLock(File);

impl RunnerLock {
    /// Takes the lock of a migration, or says who has it. It never waits.
    pub(crate) fn take(journal: &Path, migration: &MigrationId, clock: &Clock) -> Result<Self, StoreError> {
        let path = lock_path(journal, migration);
        let failed = |e| StoreError::io("lock", &path, e);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            // What a link leads to would be emptied, and a named pipe may wait for its other end.
            .custom_flags(i32::try_from((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits()).unwrap_or_default())
            .open(&path)
            .map_err(|e| match e.kind() {
                ErrorKind::PermissionDenied => StoreError::ReadOnly {
                    path: journal.to_owned(),
                },
                _ if e.raw_os_error() == Some(Errno::LOOP.raw_os_error()) => {
                    failed(not_ours("a symbolic link"))
                }
                _ => failed(e),
            })?;
        if !file.metadata().map_err(failed)?.is_file() {
            return Err(failed(not_ours("no regular file")));
        }
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                let holder = (&mut file)
                    .take(LONGEST_HOLDER)
                    .read_to_string(&mut text)
                    .ok()
                    .and_then(|_| serde_json::from_str(&text).ok());
                return Err(StoreError::Locked {
                    migration: migration.clone(),
                    holder,
                });
            }
            Err(TryLockError::Error(e)) => return Err(failed(e)),
        }
        let text = serde_json::to_string(&Holder::this_process(clock)).unwrap_or_default();
        file.set_len(0).and_then(|()| file.rewind()).map_err(failed)?;
        writeln!(file, "{text}").map_err(failed)?;
        Ok(Self(file))
    }
}

impl Drop for RunnerLock {
    fn drop(&mut self) {
        // A name in an unlocked file misleads nobody but a person who reads it, so a failure does no harm.
        let _ = self.0.set_len(0);
    }
}

/// What stands in the place of the lock was put there by another program, or another user.
fn not_ours(what: &str) -> std::io::Error {
    std::io::Error::other(format!("it is {what}; see who has made it, and remove it"))
}

/// The file that is locked: `<journal>.<migration>.lock`.
fn lock_path(journal: &Path, migration: &MigrationId) -> PathBuf {
    let mut name = OsString::from(journal);
    name.push(format!(".{migration}.lock"));
    PathBuf::from(name)
}
