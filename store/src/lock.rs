//! One runner per migration: a lock of the operating system on a file beside the journal.
//!
//! The kernel gives the lock back when the process dies, however it dies. The file itself stays: removing it would
//! let two processes lock two different files of the same name. Rust opens files close-on-exec, so that no child
//! keeps the lock.

use crate::clock::Clock;
use crate::error::StoreError;
use crate::holder::Holder;
use pghaul_core::MigrationId;
use rustix::fs::OFlags;
use rustix::io::Errno;
use std::ffi::OsString;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often a lock is tried that a process which only looks at it may hold for a moment.
const TRIES: u32 = 5;

/// How long such a moment is at most.
const MOMENT: Duration = Duration::from_millis(20);

/// No holder's description is longer: what stands in a lock file may be anything.
const LONGEST_HOLDER: u64 = 4096;

/// Whether a process of this host works on a migration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LockState {
    /// No process does.
    Free,
    /// One does; it is named where the lock file can be read.
    Held(Option<Holder>),
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
            .custom_flags(without_detours())
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
        let mut tries = 1;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if tries < TRIES => {
                    tries += 1;
                    std::thread::sleep(MOMENT);
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(StoreError::Locked {
                        migration: migration.clone(),
                        holder: named_in(&mut file),
                    });
                }
                Err(TryLockError::Error(e)) => return Err(failed(e)),
            }
        }
        let text = serde_json::to_string(&Holder::this_process(clock)).unwrap_or_default();
        file.set_len(0).and_then(|()| file.rewind()).map_err(failed)?;
        writeln!(file, "{text}").map_err(failed)?;
        Ok(Self(file))
    }
}

/// Whether the lock of a migration is held. It is tried for a moment, so that a process that was killed is not taken for one that
/// works.
pub(crate) fn state(journal: &Path, migration: &MigrationId) -> Result<LockState, StoreError> {
    let path = lock_path(journal, migration);
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags(without_detours())
        .open(&path);
    let mut file = match opened {
        Ok(file) => file,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(LockState::Free),
        Err(e) => return Err(StoreError::io("read", &path, e)),
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(LockState::Free),
        Err(TryLockError::WouldBlock) => Ok(LockState::Held(named_in(&mut file))),
        Err(TryLockError::Error(e)) => Err(StoreError::io("lock", &path, e)),
    }
}

/// How the file is opened: what a link leads to would be emptied, and a named pipe may wait for its other end.
fn without_detours() -> i32 {
    i32::try_from((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits()).unwrap_or_default()
}

/// The process that a lock file names.
fn named_in(file: &mut File) -> Option<Holder> {
    let mut text = String::new();
    file.take(LONGEST_HOLDER).read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
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

#[cfg(test)]
mod tests {
    use super::{LockState, RunnerLock, state};
    use crate::clock::Clock;
    use pghaul_core::MigrationId;

    #[test]
    fn a_lock_is_seen_as_long_as_it_is_held_and_looking_at_it_keeps_nobody_out() {
        let directory = tempfile::tempdir().unwrap();
        let (journal, id) = (directory.path().join("journal.db"), MigrationId::new("aaaaaaaa"));
        assert_eq!(state(&journal, &id).unwrap(), LockState::Free, "no file");
        let lock = RunnerLock::take(&journal, &id, &Clock::system()).unwrap();
        let LockState::Held(Some(holder)) = state(&journal, &id).unwrap() else {
            panic!("it is held");
        };
        assert_eq!(holder.pid, std::process::id());
        assert!(RunnerLock::take(&journal, &id, &Clock::system()).is_err());
        drop(lock);
        assert_eq!(state(&journal, &id).unwrap(), LockState::Free);
        RunnerLock::take(&journal, &id, &Clock::system()).unwrap();
    }
}
