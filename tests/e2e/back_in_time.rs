//! A server that is in an earlier state than one that was proven, or may be: `syncing` is not claimed, and copying again helps.

use crate::migration::{Migration, assert_nothing_is_left};
use pghaul_testkit::postgres::client_from;
use pghaul_testkit::{ClusterPair, Settings, Stop, compare, wait_until};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);

fn in_step() -> (ClusterPair, Migration) {
    let pair = ClusterPair::start(Settings::new(), Settings::new());
    let migration = moved(&pair, "replication");
    (pair, migration)
}

fn moved(pair: &ClusterPair, method: &str) -> Migration {
    pair.source.create_database("shop");
    pair.source.psql(
        "shop",
        "create table t (id int primary key); insert into t select generate_series(1, 100)",
    );
    let migration = Migration::of(&pair.source, &pair.target, "shop").options(["--method", method]);
    migration.run().succeeded();
    migration
}

/// Writes a row to the source, and waits until it has arrived.
pub(crate) fn write(pair: &ClusterPair, id: u32) {
    pair.source.psql("shop", &format!("insert into t values ({id})"));
    let arrived = format!("select count(*) from t where id = {id}");
    wait_until("the row has arrived", PATIENCE, || {
        pair.target.psql("shop", &arrived) == "1"
    });
}

fn is_named_until_the_data_are_restarted(pair: &ClusterPair, migration: &Migration, code: &str) {
    let status = migration.status_of("shop");
    assert_eq!(status["failure"]["code"], code, "{status:#}");
    assert_eq!(status["status"], "failed");
    let run = migration.run().failed_with(10);
    assert!(run.stderr.contains(&format!("error[{code}]")), "{run}");
    migration.remove().failed_with(8);
    migration
        .with_options("run")
        .args(["--restart-data", "shop"])
        .run()
        .succeeded();
    migration.run().succeeded();
    compare::same(&pair.source, &pair.target, "shop");
}

#[test]
fn a_server_that_was_put_back_or_promoted_is_named() {
    let (pair, migration) = in_step();
    // Restarts and crashes are nothing.
    for how in [Stop::Fast, Stop::Immediate] {
        pair.target.stop(how);
        pair.target.start_again();
        pair.source.stop(how);
        pair.source.start_again();
    }
    write(&pair, 1001);
    migration.run().succeeded();

    let kept = pair.target.keep(&[]);
    write(&pair, 1002);
    let written = pair.source.psql("shop", "select pg_current_wal_insert_lsn()");
    let confirmed = format!("select bool_and(confirmed_flush_lsn >= '{written}') from pg_replication_slots");
    wait_until("the row is confirmed", PATIENCE, || {
        pair.source.psql("shop", &confirmed) == "t"
    });
    pair.target.put_back(kept);
    // By then, no position shows that a row is missing.
    write(&pair, 1003);
    assert_eq!(
        pair.target.psql("shop", "select count(*) from t where id = 1002"),
        "0"
    );
    is_named_until_the_data_are_restarted(&pair, &migration, "target-went-back");

    let kept = pair.source.keep(&[]);
    write(&pair, 1004);
    pair.source.put_back(kept);
    pair.source.psql("shop", "insert into t values (1005)");
    is_named_until_the_data_are_restarted(&pair, &migration, "source-went-back");

    pair.target.promote();
    is_named_until_the_data_are_restarted(&pair, &migration, "target-went-back");
    pair.source.promote();
    is_named_until_the_data_are_restarted(&pair, &migration, "source-went-back");

    migration.remove().succeeded();
    assert_nothing_is_left(&pair.source, &pair.target);
}

/// A role that may not ask how old the files are, on a source that has gone on by the time that somebody asks.
fn a_source_is_found_without_any_right(major: u32) {
    let settings = || Settings::new().major(major);
    let pair = ClusterPair::start(settings(), settings());
    for statement in [
        "create role mover login replication password 'm'",
        "create database shop owner mover",
    ] {
        pair.source.psql("postgres", statement);
    }
    pair.source.psql(
        "shop",
        "set role mover; create table t (id int primary key); insert into t select generate_series(1, 100)",
    );
    let may = "select has_function_privilege('mover', 'pg_stat_file(text)', 'execute')";
    assert_eq!(pair.source.psql("shop", may), "f");
    let source = pair.source.conninfo_as("mover", "m", "shop");
    let pg_dump = client_from("pg_dump", major);
    let migration = Migration::between(&source, &pair.target.conninfo("postgres"))
        .options(["--database", "shop", "--method", "replication"])
        .env("PGHAUL_PG_DUMP", pg_dump.to_str().expect("a path in UTF-8"));
    migration.run().succeeded();
    let kept = pair.source.keep(&[]);
    // A proof on the other side of the copy, and rows that nobody sends again.
    write(&pair, 1001);
    migration.run().succeeded();
    assert_eq!(migration.status_of("shop")["status"], "syncing");
    let end = pair.source.psql("shop", "select pg_current_wal_insert_lsn()");
    pair.source.put_back(kept);
    pair.source
        .psql("shop", "insert into t select generate_series(2001, 30000)");
    let beyond = format!("select pg_current_wal_insert_lsn() > '{end}'");
    assert_eq!(pair.source.psql("shop", &beyond), "t");
    is_named_until_the_data_are_restarted(&pair, &migration, "source-went-back");
    migration.remove().succeeded();
    assert_nothing_is_left(&pair.source, &pair.target);
}

#[test]
fn a_source_that_was_put_back_is_found_without_any_right() {
    a_source_is_found_without_any_right(15);
}

#[test]
fn so_it_is_on_a_newer_one() {
    a_source_is_found_without_any_right(18);
}

#[test]
fn a_target_without_the_mark_of_the_last_proof_is_named() {
    let (pair, migration) = in_step();
    write(&pair, 1001);
    let marks = "select count(*) from pghaul.effect where key like 'proven/%'";
    for _ in 0..3 {
        migration.run().succeeded();
        assert!(["1", "2"].contains(&pair.target.psql("shop", marks).as_str()));
    }
    pair.target
        .psql("shop", "delete from pghaul.effect where key like 'proven/%'");
    is_named_until_the_data_are_restarted(&pair, &migration, "target-went-back");
}

/// Once a one-time copy is complete, nothing of pghaul's is left on the target that could be missed.
#[test]
fn a_copy_that_is_not_on_the_target_any_more_is_named() {
    let pair = ClusterPair::start(Settings::new(), Settings::new());
    let before = pair.target.keep(&[]);
    let migration = moved(&pair, "dump");
    let is_named = |code: &str| {
        let status = migration.status_of("shop");
        assert_eq!(status["failure"]["code"], code, "{status:#}");
        assert_eq!(status["status"], "failed");
        let run = migration.run().failed_with(10);
        assert!(run.stderr.contains(&format!("error[{code}]")), "{run}");
        migration.remove().failed_with(8);
    };

    // As the target was just before the last transaction of the copy.
    pair.target.psql("shop", &owner_row(&migration));
    is_named("target-went-back");
    pair.target.psql("shop", "drop schema pghaul cascade");
    pair.target.psql("shop", "alter table t rename to u");
    is_named("state-lost");
    pair.target.psql("shop", "alter table u rename to t");
    assert_eq!(migration.status_of("shop")["status"], "done");
    migration.run().succeeded();

    pair.target.put_back(before);
    is_named("target-went-back");
    pair.target.create_database("shop");
    is_named("target-went-back");
    migration.command(&["remove", "--force"]).run().succeeded();
    assert_nothing_is_left(&pair.source, &pair.target);
}

fn owner_row(migration: &Migration) -> String {
    let id = migration.status()["id"].as_str().map(str::to_owned);
    format!(
        "create schema pghaul; create table pghaul.effect (key text primary key, epoch int);
         create table pghaul.owner (migration text, epoch int, journal_seq bigint, head text);
         insert into pghaul.owner values ('{}', 1, 0, '')",
        id.expect("the migration has an id")
    )
}
