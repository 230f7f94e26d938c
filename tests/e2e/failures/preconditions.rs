//! Tools that are missing, and servers that are not fit for replication.

use super::{Holder, PATIENCE, ROWS, completes, database, error, inventory, servers};
use crate::migration::Migration;
use pghaul_testkit::{ClusterPair, Pghaul, Settings, compare, postgres, wait_until};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

const CHECK_FAILED: i32 = 3;
const MIGRATION_FAILED: i32 = 9;

/// A program in the place of pg_dump.
fn fake_pg_dump(script: &str) -> (Pghaul, PathBuf) {
    let pghaul = Pghaul::new();
    let path = pghaul.home().join("pg_dump");
    std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("write the script");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("make it executable");
    (pghaul, path)
}

#[test]
fn pg_dump_is_needed_and_must_be_new_enough() {
    let pair = servers();
    let name = database(pair, "tools");
    let before = inventory(&pair.target, &name);
    let (old_home, old) = fake_pg_dump("echo 'pg_dump (PostgreSQL) 9.6.24'");
    let (_odd_home, odd) = fake_pg_dump("echo 'hello'");
    let wrong = [
        (PathBuf::from("/nonexistent/pg_dump"), "which is no pg_dump"),
        (odd, "which is no pg_dump"),
        (old, "too old: version 9"),
    ];
    let migration = Migration::of(&pair.source, &pair.target, &name);
    for (program, expected) in wrong {
        let run = migration
            .with_options("run")
            .env("PATH", "")
            .env("PGHAUL_PG_DUMP", program);
        let outcome = run.run();
        let text = error(&outcome, CHECK_FAILED, "check-failed");
        assert!(text.contains(expected), "{expected:?} is missing\n{outcome}");
        assert_eq!(inventory(&pair.target, &name), before);
    }
    drop(old_home);
    completes(&migration, pair, &name);
}

#[test]
fn a_pg_dump_that_breaks_off_is_started_anew() {
    let pair = servers();
    let name = database(pair, "broken_tool");
    let (_home, broken) = fake_pg_dump(
        "[ \"$1\" = --version ] && echo 'pg_dump (PostgreSQL) 18.0' && exit 0
         for argument do last=$argument; done; mkdir -p \"$last\"; echo half > \"$last/toc.dat\"
         echo 'pg_dump: error: the dog ate it' >&2; exit 1",
    );
    let migration = Migration::of(&pair.source, &pair.target, &name);
    let outcome = migration.with_options("run").env("PGHAUL_PG_DUMP", broken).run();
    let text = error(&outcome, MIGRATION_FAILED, "tool-failed");
    assert!(text.contains("the dog ate it"), "{outcome}");
    completes(&migration, pair, &name);
}

/// A pg_dump waits for a table, and its session is ended meanwhile, as a restart or a broken network would.
#[test]
fn a_pg_dump_that_loses_its_connection_is_started_again() {
    let pair = servers();
    let name = database(pair, "lost_tool");
    // The first of them begins when it is told to.
    let (_home, pg_dump) = fake_pg_dump(&format!(
        "[ \"$1\" = --version ] || [ -e \"$0.began\" ] || {{
             touch \"$0.began\"; until [ -e \"$0.go\" ]; do sleep 0.05; done
         }}
         exec '{}' \"$@\"",
        postgres::client("pg_dump").display()
    ));
    let signal = |what| pg_dump.with_extension(what);
    let migration = Migration::of(&pair.source, &pair.target, &name);
    let run = migration.with_options("run").env("PGHAUL_PG_DUMP", &pg_dump);
    let mut run = run.spawn();
    wait_until("pg_dump is started", PATIENCE, || signal("began").exists());
    let lock = "begin; lock table book in access exclusive mode";
    let holder = Holder::start(&pair.source, &name, lock);
    std::fs::write(signal("go"), "").expect("let pg_dump begin");
    let end = format!(
        "select count(pg_terminate_backend(pid)) > 0 from pg_stat_activity where datname = '{name}' and query like 'LOCK TABLE%'"
    );
    wait_until("pg_dump waits for the table", PATIENCE, || {
        pair.source.psql("postgres", &end) == "t"
    });
    drop(holder);
    run.wait_for_line("lost its connection");
    run.wait(PATIENCE).succeeded();
    completes(&migration, pair, &name);
}

/// The archive of the schema is believed only when it is as pg_dump wrote it; else the schema is dumped again.
#[test]
fn a_damaged_archive_of_the_schema_is_dumped_again() {
    let pair = servers();
    let damages: [fn(&mut Vec<u8>); 3] = [
        |bytes| bytes.truncate(bytes.len() / 2),
        |bytes| bytes.clear(),
        // In the statements, which end the file: still an archive, but another one.
        |bytes| {
            let place = bytes.len() - 100;
            bytes[place] ^= 1;
        },
    ];
    for damage in damages {
        let name = database(pair, "damaged_archive");
        let migration = killed_in_schema(pair, &name);
        let archive = archive_of(&migration);
        let mut bytes = std::fs::read(&archive).expect("read the archive");
        damage(&mut bytes);
        std::fs::write(&archive, bytes).expect("damage the archive");
        let outcome = migration.run().succeeded();
        assert!(
            outcome.stderr.contains("dumping the schema again"),
            "nothing is said of it\n{outcome}"
        );
        completes(&migration, pair, &name);
    }
    let name = database(pair, "damaged_archive");
    let migration = killed_in_schema(pair, &name);
    std::fs::write(archive_of(&migration), "").expect("damage the archive");
    pair.source
        .psql(&name, "create view later as select id from book");
    let outcome = migration.run();
    let text = error(&outcome, MIGRATION_FAILED, "plan-changed");
    assert!(
        text.contains("its archive of then is gone or damaged"),
        "{outcome}"
    );
    pair.source.psql(&name, "drop view later");
    completes(&migration, pair, &name);
}

/// A run that died when some of the schema was restored.
fn killed_in_schema(pair: &ClusterPair, name: &str) -> Migration {
    let migration = Migration::of(&pair.source, &pair.target, name).options(["--method", "dump"]);
    let died = migration.with_options("run").env("PGHAUL_CRASH_AT", "36").run();
    assert!(died.status.code().is_none(), "it did not die\n{died}");
    let restored = "select count(*) > 0 from pghaul.effect where key like 'schema/%'";
    assert_eq!(pair.target.psql(name, restored), "t");
    migration
}

fn archive_of(migration: &Migration) -> PathBuf {
    let state = migration.command(&[]).home().join("state/pghaul");
    let migrations = std::fs::read_dir(state.join("journal.db.d")).expect("read the state directory");
    let mut archives = migrations.map(|entry| entry.expect("an entry").path().join("schema-1/toc.dat"));
    archives.find(|path| path.is_file()).expect("an archive")
}

/// What the source must still be able to do, and must not have.
fn assert_untouched(pair: &ClusterPair, name: &str) {
    assert_eq!(pair.source.psql(name, "select count(*) from pg_publication"), "0");
    pair.source.psql(
        name,
        "update plain set what = what || '!'; delete from plain where what is null",
    );
}

fn falls_to_dump(pair: &ClusterPair, reason: &str) {
    let name = database(pair, "dumped");
    pair.source.psql(
        &name,
        "create table plain (what text); insert into plain values ('a'), ('b')",
    );
    let slots = pair
        .source
        .psql("postgres", "select count(*) from pg_replication_slots");
    let migration = Migration::of(&pair.source, &pair.target, &name);
    let plan = migration.with_options("plan").run().succeeded();
    assert!(
        plan.stdout.contains(reason),
        "{reason:?} is not in the plan\n{plan}"
    );
    assert_untouched(pair, &name);
    migration.run().succeeded();
    let status = migration.status_of(&name);
    assert_eq!(
        (&status["status"], &status["method"]),
        (&"done".into(), &"pg_dump".into()),
        "{status:#}"
    );
    assert!(status["reasons"].to_string().contains(reason), "{status:#}");
    compare::same(&pair.source, &pair.target, &name);
    assert_untouched(pair, &name);
    assert_eq!(
        pair.source
            .psql("postgres", "select count(*) from pg_replication_slots"),
        slots
    );
    let forced = Migration::of(&pair.source, &pair.target, &database(pair, "forced"))
        .options(["--method", "replication"]);
    error(&forced.run(), CHECK_FAILED, "check-failed");
}

#[test]
fn without_wal_level_logical_databases_are_dumped() {
    let pair = ClusterPair::start(Settings::new().set("wal_level", "replica"), Settings::new());
    falls_to_dump(&pair, "wal_level");
}

#[test]
fn without_a_free_slot_databases_are_dumped() {
    let pair = ClusterPair::start(Settings::new().set("max_replication_slots", "1"), Settings::new());
    pair.source
        .psql("postgres", "select pg_create_physical_replication_slot('taken')");
    falls_to_dump(&pair, "slot");
}

#[test]
fn unlogged_tables_are_moved_and_listed() {
    let pair = servers();
    let name = database(pair, "unlogged");
    pair.source.psql(
        &name,
        "create unlogged table cache (id int primary key); insert into cache values (1), (2)",
    );
    let migration = Migration::of(&pair.source, &pair.target, &name);
    completes(&migration, pair, &name);
    let status = migration.status_of(&name);
    assert_eq!(status["status"], "syncing", "{status:#}");
    assert!(
        status["incomplete"].to_string().contains("public.cache"),
        "{status:#}"
    );
}

#[test]
fn an_older_target_is_refused() {
    if std::panic::catch_unwind(|| pghaul_testkit::postgres::find(13)).is_err() {
        println!("skipped: PostgreSQL 13 can't be fetched");
        return;
    }
    let pair = ClusterPair::start(Settings::new(), Settings::new().major(13));
    pair.source.create_database("newer");
    pair.source.psql("newer", ROWS);
    let before = inventory(&pair.target, "newer");
    let migration = Migration::of(&pair.source, &pair.target, "newer");
    let outcome = migration.run();
    let text = error(&outcome, CHECK_FAILED, "check-failed");
    assert!(text.contains("version") && text.contains("13"), "{outcome}");
    assert_eq!(inventory(&pair.target, "newer"), before);
}
