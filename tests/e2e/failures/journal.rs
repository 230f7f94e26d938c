//! Journals that can't be written, are in use, or are not the newest.

use super::{Holder, completes, database, error, inventory, servers};
use crate::migration::Migration;
use pghaul_testkit::{Pghaul, compare, wait_until};
use std::path::{Path, PathBuf};
use std::process::Command;

const CHECK_FAILED: i32 = 3;
const JOURNAL: i32 = 6;
const ALREADY_RUNNING: i32 = 7;
const STATE_LOST: i32 = 10;

/// A file system of its own, small. Dropped, it is taken away.
struct SmallDisk {
    path: PathBuf,
    /// Holds the directory that it is mounted in.
    _home: Pghaul,
}

impl SmallDisk {
    /// `None`, with a message, where mounting is not permitted.
    fn mount(kilobytes: u32) -> Option<Self> {
        let home = Pghaul::new();
        let path = home.home().join("disk");
        std::fs::create_dir(&path).expect("create the mount point");
        let size = format!("size={kilobytes}k");
        let mounted = mount(&["-t", "tmpfs", "-o", &size, "tmpfs"], &path);
        if !mounted {
            println!("skipped: a tmpfs can't be mounted here");
        }
        mounted.then_some(Self { path, _home: home })
    }

    fn remount(&self, option: &str) {
        assert!(
            mount(&["-o", &format!("remount,{option}")], &self.path),
            "remount {option}"
        );
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.path).status();
    }
}

fn mount(arguments: &[&str], path: &Path) -> bool {
    Command::new("mount")
        .args(arguments)
        .arg(path)
        .output()
        .is_ok_and(|output| output.status.success())
}

#[test]
fn a_full_disk_stops_the_run_and_room_lets_it_go_on() {
    let Some(disk) = SmallDisk::mount(2048) else {
        return;
    };
    let pair = servers();
    let (journal, filler) = (disk.path.join("journal.db"), disk.path.join("filler"));
    let mut stopped = Vec::new();
    // The first finds no room to begin, the others some, at ever later instants.
    for room in [0, 40, 100, 160, 220, 300] {
        for file in ["", "-wal", "-shm", ".lock"] {
            let _ = std::fs::remove_file(disk.path.join(format!("journal.db{file}")));
        }
        let name = database(pair, "full_disk");
        let migration = Migration::of(&pair.source, &pair.target, &name).options([
            "--method",
            "dump",
            "--journal",
            journal.to_str().expect("UTF-8"),
        ]);
        fill(&filler, room);
        let outcome = migration.run();
        if !outcome.status.success() {
            let text = error(&outcome, JOURNAL, "journal-unusable");
            assert!(text.contains("full") || text.contains("space"), "{outcome}");
            stopped.push(room);
        }
        std::fs::remove_file(&filler).expect("remove the filler");
        completes(&migration, pair, &name);
    }
    assert!(
        stopped.len() > 2,
        "only with room for {stopped:?} kB was the disk full"
    );
}

/// Leaves this much room.
fn fill(filler: &Path, kilobytes: usize) {
    use std::io::Write as _;
    let mut file = std::fs::File::create(filler).expect("create the filler");
    let block = [0_u8; 4096];
    let mut written = 0_u64;
    while file.write_all(&block).is_ok() {
        written += 4096;
    }
    let room = u64::try_from(kilobytes * 1024).expect("fits");
    file.set_len(written.saturating_sub(room)).expect("make room");
}

#[test]
fn a_read_only_journal_stops_the_run_before_it_begins() {
    let Some(disk) = SmallDisk::mount(4096) else {
        return;
    };
    let pair = servers();
    let name = database(pair, "read_only");
    let journal = disk.path.join("journal.db");
    let migration = Migration::of(&pair.source, &pair.target, &name)
        .options(["--journal", journal.to_str().expect("UTF-8")]);
    let before = inventory(&pair.target, &name);
    disk.remount("ro");
    // No journal yet, then one that can't be written.
    error(&migration.run(), JOURNAL, "journal-unusable");
    assert_eq!(inventory(&pair.target, &name), before);
    disk.remount("rw");
    migration.run().succeeded();
    disk.remount("ro");
    error(&migration.run(), JOURNAL, "journal-unusable");
    let journal = ["--journal", journal.to_str().expect("UTF-8")];
    let status = migration.command(&["status"]).args(journal).run().succeeded();
    assert!(
        status.stdout.contains("syncing"),
        "it can still be read\n{status}"
    );
    disk.remount("rw");
    completes(&migration, pair, &name);
}

#[test]
fn a_second_run_is_refused_and_the_first_goes_on() {
    let pair = servers();
    let name = database(pair, "second");
    let migration = Migration::of(&pair.source, &pair.target, &name).options(["--method", "dump"]);
    // The first run waits for this lock as soon as it looks at the sizes of the tables.
    let holder = Holder::start(
        &pair.source,
        &name,
        "begin; lock table book in access exclusive mode",
    );
    let mut first = migration.with_options("run").spawn();
    first.wait_for_line(" begins");
    for command in ["run", "remove"] {
        let outcome = migration.command(&[command]).run();
        let text = error(&outcome, ALREADY_RUNNING, "already-running");
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").expect("the host's name");
        for part in ["process ", host.trim(), "since"] {
            assert!(text.contains(part), "{part:?} is missing\n{outcome}");
        }
    }
    assert!(first.is_running());
    drop(holder);
    first.wait(super::PATIENCE).succeeded();
    compare::same(&pair.source, &pair.target, &name);
}

#[test]
fn a_journal_that_is_deleted_under_a_run_stops_it_and_nothing_is_adopted() {
    let pair = servers();
    let name = database(pair, "deleted");
    let migration = Migration::of(&pair.source, &pair.target, &name).options(["--method", "dump"]);
    // It dies when the target is ours; the next one waits for this lock.
    let died = migration.with_options("run").env("PGHAUL_CRASH_AT", "36").run();
    assert!(died.status.code().is_none(), "it did not die\n{died}");
    let id = migration.status()["id"].as_str().expect("an id").to_owned();
    let holder = Holder::start(
        &pair.source,
        &name,
        "begin; lock table book in access exclusive mode",
    );
    let run = migration.with_options("run").spawn();
    let waits = "select count(*) > 0 from pg_stat_activity where application_name like 'pghaul/%' \
                 and wait_event_type = 'Lock'";
    wait_until("the run waits", super::PATIENCE, || {
        pair.source.psql(&name, waits) == "t"
    });
    let state = migration.command(&[]).home().join("state/pghaul");
    for entry in std::fs::read_dir(&state)
        .expect("read the state directory")
        .flatten()
    {
        if entry.path().is_file() {
            std::fs::remove_file(entry.path()).expect("delete the journal");
        }
    }
    drop(holder);
    error(&run.wait(super::PATIENCE), JOURNAL, "journal-unusable");
    // Without its journal nobody goes on with the half of a database: it is told, and can be given back.
    let outcome = migration.run();
    assert_eq!(outcome.status.code(), Some(CHECK_FAILED), "{outcome}");
    assert!(outcome.stderr.contains(&name), "{outcome}");
    let doctor = migration.command(&["doctor", "--drop", &id, "--yes"]).run();
    doctor.succeeded();
    pair.target.psql("postgres", &format!("drop database {name}"));
    completes(&migration, pair, &name);
}

/// Where it is.
fn copy_of_the_journal(migration: &Migration, to: &Pghaul) -> PathBuf {
    let state = migration.command(&[]).home().join("state/pghaul");
    let files = std::fs::read_dir(&state).expect("read the state directory");
    for file in files.flatten().filter(|entry| entry.path().is_file()) {
        std::fs::copy(file.path(), to.home().join(file.file_name())).expect("copy the journal");
    }
    to.home().join("journal.db")
}

/// Both have then the same number of events, and the same epoch: only the hashes tell them apart.
#[test]
fn an_old_copy_of_the_journal_is_refused_however_often_it_is_run() {
    let pair = servers();
    let name = database(pair, "older");
    let migration = Migration::of(&pair.source, &pair.target, &name);
    let dies = |at: &str| {
        let died = migration.with_options("run").env("PGHAUL_CRASH_AT", at).run();
        assert!(died.status.code().is_none(), "it did not die\n{died}");
    };
    dies("36");
    let copy = Pghaul::new();
    let older = copy_of_the_journal(&migration, &copy);
    dies("6");
    let status = |journal: &Path, arguments: &[&str]| {
        let command = migration
            .command(&[])
            .arg("status")
            .args(arguments.iter().copied());
        command.env("PGHAUL_JOURNAL", journal).run()
    };
    for _ in 0..4 {
        let outcome = migration.with_options("run").env("PGHAUL_JOURNAL", &older).run();
        error(&outcome, JOURNAL, "journal-stale");
        // `status` does not believe it either.
        let told = status(&older, &[]).failed_with(JOURNAL);
        assert!(told.stdout.contains("is an older copy"), "{told}");
        let told = status(&older, &["--json"]).failed_with(JOURNAL);
        assert!(told.stdout.contains(r#""code": "journal-stale""#), "{told}");
    }
    let newest = migration.status();
    assert!(newest["older_copy"].is_null(), "{newest}");
    migration.run().succeeded();
    compare::same(&pair.source, &pair.target, &name);
}

#[test]
fn an_old_copy_of_the_journal_is_refused() {
    let pair = servers();
    for (method, exit_code, code) in [
        ("replication", JOURNAL, "journal-stale"),
        ("dump", STATE_LOST, "state-lost"),
    ] {
        let name = database(pair, "stale");
        let migration = Migration::of(&pair.source, &pair.target, &name).options(["--method", method]);
        let died = migration.with_options("run").env("PGHAUL_CRASH_AT", "36").run();
        assert!(died.status.code().is_none(), "it did not die\n{died}");
        let copy = Pghaul::new();
        let stale = copy_of_the_journal(&migration, &copy);
        completes(&migration, pair, &name);
        let outcome = migration.with_options("run").env("PGHAUL_JOURNAL", &stale).run();
        error(&outcome, exit_code, code);
        compare::same(&pair.source, &pair.target, &name);
        migration.run().succeeded();
    }
}
