//! Disks that are full or read-only.

#![expect(clippy::unwrap_used, reason = "functions that tests share")]

#[cfg(test)]
mod support;

use pghaul_core::Journal;
use pghaul_core::journal::JournalError;
use pghaul_store::{JournalFile, StoreError};
use std::fs::{Permissions, set_permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use support::*;

/// A real file system of one megabyte. Only root may mount one; the same with SQLite's page limit runs for all.
#[tokio::test]
async fn a_disk_that_fills_up_is_reported_and_changes_nothing() {
    let mount = tempfile::tempdir().unwrap();
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"])
        .arg(mount.path())
        .output()
        .is_ok_and(|done| done.status.success());
    if !mounted {
        return;
    }
    let outcome = fill_up(mount.path()).await;
    assert!(
        Command::new("umount")
            .arg(mount.path())
            .status()
            .unwrap()
            .success()
    );
    outcome.unwrap();
}

async fn fill_up(directory: &Path) -> Result<(), String> {
    let file = JournalFile::create(directory.join("journal")).map_err(|e| e.to_string())?;
    let writer = begin(&file, &id(), "app").await;
    let mut told = 0;
    let refused = loop {
        match writer.append(vec![fact("x".repeat(5000))]).await {
            Ok(_) => told += 1,
            Err(error) => break error,
        }
    };
    let JournalError::NotWritten { reason } = &refused else {
        return Err(refused.to_string());
    };
    assert!(reason.starts_with("disk full"), "{reason}");
    assert!(writer.append(vec![fact("small")]).await.is_err());
    let (head, before) = (writer.head(), state(&writer));
    assert_eq!(facts(&before).len(), told);
    drop(writer);
    // Room is made by a larger disk.
    assert!(
        Command::new("mount")
            .args(["-o", "remount,size=4m"])
            .arg(directory)
            .status()
            .unwrap()
            .success()
    );
    let again = file.write_migration(&id()).map_err(|e| e.to_string())?;
    assert_eq!((again.head(), state(&again)), (head, before));
    again
        .append(vec![fact("room")])
        .await
        .map_err(|e| e.to_string())?;
    Ok(())
}

/// Root may write anything, so these tests go on as a process of another user.
fn as_ordinary_user(test: &str, path: &Path) {
    let mut command = again(test, path);
    if rustix::process::geteuid().is_root() {
        command.uid(65534).gid(65534);
    }
    let done = command.output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stdout));
}

fn mode(path: &Path, mode: u32) {
    set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// A journal of three events where nobody may write; `writable` says whether its directory stays writable.
async fn read_only(writable: bool) -> (tempfile::TempDir, std::path::PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("journal ?#%");
    let file = JournalFile::create(&path).unwrap();
    drop(begin(&file, &id(), "app").await);
    mode(&path, 0o444);
    std::fs::remove_file(directory.path().join("journal ?#%.k3v9x2ab.lock")).unwrap();
    mode(directory.path(), if writable { 0o777 } else { 0o555 });
    (directory, path)
}

#[tokio::test]
async fn a_read_only_journal_is_read_but_not_written() {
    if let Some(path) = told() {
        let file = JournalFile::open(path).unwrap();
        assert_eq!(file.migrations().unwrap().len(), 1);
        assert_eq!(events(&file, &id()).len(), 3);
        let refused = file.write_migration(&id()).unwrap_err();
        assert!(matches!(refused, StoreError::ReadOnly { .. }), "{refused}");
        let refused = file
            .begin(&pghaul_core::MigrationId::new("new00000"), created("new"))
            .unwrap_err();
        assert!(matches!(refused, StoreError::ReadOnly { .. }), "{refused}");
        return;
    }
    for writable in [true, false] {
        let (directory, path) = read_only(writable).await;
        as_ordinary_user("a_read_only_journal_is_read_but_not_written", &path);
        mode(directory.path(), 0o700);
    }
}

/// What a killed runner left in the WAL is read, too, where nothing may be written.
#[tokio::test]
async fn a_killed_runners_last_events_are_read_from_a_read_only_directory() {
    if let Some(path) = told() {
        let file = JournalFile::open(path).unwrap();
        assert_eq!(events(&file, &id()).len(), 5);
        return;
    }
    let (directory, path) = (tempfile::tempdir().unwrap(), "journal");
    let scratch = Scratch::new();
    let writer = begin(&scratch.file, &id(), "app").await;
    writer.append(vec![fact("in the"), fact("WAL")]).await.unwrap();
    // The files as a kill leaves them.
    for suffix in ["", "-wal", "-shm"] {
        let copy = directory.path().join(format!("{path}{suffix}"));
        std::fs::copy(scratch.directory.path().join(format!("journal{suffix}")), &copy).unwrap();
        mode(&copy, 0o444);
    }
    mode(directory.path(), 0o555);
    let path = directory.path().join(path);
    as_ordinary_user(
        "a_killed_runners_last_events_are_read_from_a_read_only_directory",
        &path,
    );
    mode(directory.path(), 0o755);

    // Without the shared memory there is no way, and that is said.
    std::fs::remove_file(directory.path().join("journal-shm")).unwrap();
    mode(directory.path(), 0o555);
    as_ordinary_user("a_waiting_wal_without_its_shared_memory_is_named", &path);
    mode(directory.path(), 0o700);
}

/// Not a test by itself: the second half of the one above.
#[test]
fn a_waiting_wal_without_its_shared_memory_is_named() {
    let Some(path) = told() else { return };
    let refused = JournalFile::open(path).unwrap_err();
    assert!(matches!(refused, StoreError::NeedsRecovery { .. }), "{refused}");
}
