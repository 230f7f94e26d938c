//! What administrators do to servers, databases and roles while a migration lasts for weeks.

use crate::migration::{Migration, assert_nothing_is_left, assert_nothing_of_it_is_left};
use pghaul_testkit::{ClusterPair, Kind, Settings, compare, shared_pair, wait_until};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);
/// The exit codes of a refused removal and of a failed migration.
const NOT_SAFE_TO_REMOVE: i32 = 8;
const FAILED: i32 = 9;

const ROWS: &str =
    "create table t (id int primary key, a text[]); insert into t values (1, array['a', null])";

pub(crate) fn syncing(pair: &ClusterPair, label: &str) -> (Migration, String) {
    let database = pair.fresh_database(label);
    pair.source.psql(&database, ROWS);
    let migration = Migration::of(&pair.source, &pair.target, &database);
    migration.run().succeeded();
    (migration, database)
}

pub(crate) fn subscription(pair: &ClusterPair, database: &str) -> String {
    let own = "select subname from pg_subscription where subdbid = (select oid from pg_database where datname = current_database())";
    pair.target.psql(database, own)
}

fn arrives(pair: &ClusterPair, database: &str, query: &str) {
    let there = pair.source.psql(database, query);
    wait_until(query, PATIENCE, || pair.target.psql(database, query) == there);
}

/// The objects that a fresh look lists for a database.
fn listed(migration: &Migration, database: &str) -> Vec<String> {
    let incomplete = migration.status_of(database)["incomplete"].clone();
    let all = incomplete.as_array().cloned().unwrap_or_default();
    all.iter()
        .filter_map(|one| one["object"].as_str().map(str::to_owned))
        .collect()
}

/// `array_nulls = off` makes a word of a null in an array, without any error.
#[test]
fn settings_that_change_values_do_not_reach_the_workers_of_a_subscription() {
    let pair = shared_pair(Kind::Versions(15, 18));
    let (migration, database) = syncing(pair, "later_settings");
    for side in [&pair.source, &pair.target] {
        side.psql(
            "postgres",
            &format!("alter database {database} set array_nulls = off"),
        );
    }
    let end = format!(
        "select pg_terminate_backend(pid) from pg_stat_subscription where subname = '{}'",
        subscription(pair, &database)
    );
    pair.target.psql(&database, &end);
    pair.source
        .psql(&database, "insert into t values (2, array['a', null])");
    arrives(pair, &database, "select count(*) from t");

    // What ends workers is set by the next run.
    let alter = format!("alter database {database} set default_transaction_isolation = serializable");
    for side in [&pair.source, &pair.target] {
        side.psql("postgres", &alter);
    }
    migration.run().succeeded();
    let set = "select count(*) from pg_db_role_setting where 'default_transaction_isolation=read committed' = any (setconfig)
                and setrole <> 0 and setdatabase = (select oid from pg_database where datname = current_database())";
    assert_eq!(pair.target.psql(&database, set), "1");
    pair.source.psql(&database, "insert into t values (3, null)");
    arrives(pair, &database, "select count(*) from t");
    migration.remove().succeeded();
    compare::same(&pair.source, &pair.target, &database);
    assert_nothing_of_it_is_left(&migration, pair, &database);
}

#[test]
fn a_subscription_that_leaves_out_changes_is_no_proof_and_another_owner_of_a_publication_is_listed() {
    let pair = &ClusterPair::start(Settings::new().major(15), Settings::new().major(16));
    let (migration, database) = syncing(pair, "options");
    let subscription = subscription(pair, &database);
    let alter = |origin| format!("alter subscription {subscription} set (origin = {origin})");
    pair.target.psql(&database, &alter("none"));
    let status = migration.status_of(&database);
    assert_eq!(status["failure"]["code"], "publication-changed", "{status:#}");
    let run = migration.run().failed_with(FAILED);
    assert!(run.stderr.contains("SET (origin = any)"), "{run}");
    migration.remove().failed_with(NOT_SAFE_TO_REMOVE);
    pair.target.psql(&database, &alter("any"));
    migration.run().succeeded();

    // Only the user knows whether that was all.
    let publication = pair.source.psql(&database, "select pubname from pg_publication");
    let publication = format!("publication {publication}");
    for statements in [
        "create role another superuser; alter {} owner to another",
        "alter {} owner to postgres; drop role another",
    ] {
        let statements = statements.replace("{}", &publication);
        pair.source.psql(&database, &statements);
        assert_eq!(migration.status_of(&database)["status"], "syncing");
        assert!(listed(&migration, &database).contains(&publication));
    }
    migration.run().succeeded();

    let alter = format!("alter {publication} set (publish = 'insert')");
    pair.source.psql(&database, &alter);
    let status = migration.status_of(&database);
    assert_eq!(status["failure"]["code"], "publication-changed", "{status:#}");
    migration.command(&["remove", "--force"]).run().succeeded();
    assert_nothing_is_left(&pair.source, &pair.target);
}

/// Commits on the source would wait for the target, also when it is no longer there.
#[test]
fn a_subscription_that_counts_as_a_synchronous_standby_is_listed() {
    let pair = &ClusterPair::start(Settings::new(), Settings::new());
    let (migration, database) = syncing(pair, "standby");
    let setting = "setting synchronous_standby_names".to_owned();
    let set = |value| {
        let alter = format!("alter system set synchronous_standby_names = '{value}'");
        pair.source.psql("postgres", &alter);
        pair.source.psql("postgres", "select pg_reload_conf()");
    };
    assert!(!listed(&migration, &database).contains(&setting));
    set("*");
    assert!(listed(&migration, &database).contains(&setting));
    migration.remove().failed_with(NOT_SAFE_TO_REMOVE);
    set("");
    migration.remove().succeeded();
    assert_nothing_is_left(&pair.source, &pair.target);
}

/// As the target's log suggests where it says that the slot does not exist.
#[test]
fn a_slot_that_was_dropped_and_created_again_is_no_proof() {
    let pair = shared_pair(Kind::Ordinary);
    let (migration, database) = syncing(pair, "slot_again");
    for id in 2..20 {
        let insert = format!("insert into t select {id}, array_agg(g) from generate_series(1, 500) g");
        pair.source.psql(&database, &insert);
    }
    arrives(pair, &database, "select count(*) from t");
    migration.run().succeeded();
    let able = |how: &str| {
        let statement = format!("alter subscription {} {how}", subscription(pair, &database));
        pair.target.psql(&database, &statement);
    };
    able("disable");
    let own = "pg_replication_slots where database = current_database()";
    wait_until("the slot is free", PATIENCE, || {
        pair.source.psql(&database, &format!("select active from {own}")) == "f"
    });
    let slot = pair
        .source
        .psql(&database, &format!("select slot_name from {own}"));
    pair.source.psql(&database, "insert into t values (100, null)");
    for function in [
        "pg_drop_replication_slot('{}')",
        "pg_create_logical_replication_slot('{}', 'pgoutput')",
    ] {
        let function = function.replace("{}", &slot);
        pair.source.psql(&database, &format!("select {function}"));
    }
    able("enable");
    pair.source.psql(&database, "insert into t values (101, null)");
    arrives(pair, &database, "select max(id) from t");
    let status = migration.status_of(&database);
    assert_eq!(status["failure"]["code"], "slot-lost", "{status:#}");
    migration.remove().failed_with(NOT_SAFE_TO_REMOVE);
    let again = ["run", "--restart-data", &database];
    migration.command(&again).run().succeeded();
    migration.remove().succeeded();
    compare::same(&pair.source, &pair.target, &database);
}
