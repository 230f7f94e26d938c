//! A server that is in an earlier state than one that was proven, or may be: `syncing` is not claimed, and copying again helps.

use crate::migration::{Migration, assert_nothing_is_left};
use pghaul_testkit::{Cluster, ClusterPair, Settings, Stop, compare, wait_until};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);

fn in_step() -> (ClusterPair, Migration) {
    let pair = ClusterPair::start(Settings::new(), Settings::new());
    pair.source.create_database("shop");
    pair.source.psql(
        "shop",
        "create table t (id int primary key); insert into t select generate_series(1, 100)",
    );
    let migration = Migration::of(&pair.source, &pair.target, "shop").options(["--method", "replication"]);
    migration.run().succeeded();
    (pair, migration)
}

/// Writes a row to the source, and waits until it has arrived.
pub(crate) fn write(pair: &ClusterPair, id: u32) {
    pair.source.psql("shop", &format!("insert into t values ({id})"));
    let arrived = format!("select count(*) from t where id = {id}");
    wait_until("the row has arrived", PATIENCE, || {
        pair.target.psql("shop", &arrived) == "1"
    });
}

pub(crate) fn cp(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-a").args([from, to]).status().unwrap();
    assert!(copied.success());
}

/// A copy of a server's files, taken while it is stopped.
fn keep(cluster: &Cluster) -> PathBuf {
    let kept = cluster.data_dir().with_extension("kept");
    cluster.stop(Stop::Fast);
    cp(&cluster.data_dir(), &kept);
    cluster.start_again();
    kept
}

fn put_back(cluster: &Cluster, kept: &Path) {
    cluster.stop(Stop::Fast);
    std::fs::remove_dir_all(cluster.data_dir()).unwrap();
    std::fs::rename(kept, cluster.data_dir()).unwrap();
    cluster.start_again();
}

/// As a standby that loses its primary: nothing is missing, but nobody could tell.
fn promote(cluster: &Cluster) {
    cluster.stop(Stop::Fast);
    let signal = cluster.data_dir().join("standby.signal");
    std::fs::write(&signal, "").unwrap();
    let owner = Command::new("chown")
        .arg("--reference")
        .args([cluster.data_dir(), signal])
        .status()
        .unwrap();
    assert!(owner.success());
    cluster.start_again();
    assert_eq!(cluster.psql("postgres", "select pg_promote()"), "t");
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

    let kept = keep(&pair.target);
    write(&pair, 1002);
    let written = pair.source.psql("shop", "select pg_current_wal_insert_lsn()");
    let confirmed = format!("select bool_and(confirmed_flush_lsn >= '{written}') from pg_replication_slots");
    wait_until("the row is confirmed", PATIENCE, || {
        pair.source.psql("shop", &confirmed) == "t"
    });
    put_back(&pair.target, &kept);
    // By then, no position shows that a row is missing.
    write(&pair, 1003);
    assert_eq!(
        pair.target.psql("shop", "select count(*) from t where id = 1002"),
        "0"
    );
    is_named_until_the_data_are_restarted(&pair, &migration, "target-went-back");

    let kept = keep(&pair.source);
    write(&pair, 1004);
    put_back(&pair.source, &kept);
    pair.source.psql("shop", "insert into t values (1005)");
    is_named_until_the_data_are_restarted(&pair, &migration, "source-went-back");

    promote(&pair.target);
    is_named_until_the_data_are_restarted(&pair, &migration, "target-went-back");
    promote(&pair.source);
    is_named_until_the_data_are_restarted(&pair, &migration, "source-went-back");

    migration.remove().succeeded();
    assert_nothing_is_left(&pair.source, &pair.target);
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
