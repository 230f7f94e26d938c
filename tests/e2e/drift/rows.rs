//! Changes after which rows may differ, each in a database of its own.

use super::changes::{Answer, ROWS};
use crate::migration::Migration;
use pghaul_testkit::{Cluster, ClusterPair, Settings, compare, wait_until};
use serde_json::Value;
use std::time::Duration;

const SCHEMA: &str = "
    create table orders (id int primary key, total numeric, n int);
    create table returns (id int primary key, total numeric, n int);
    create table prices (id int primary key, price int default 1);
    insert into prices values (1, 1);
    alter table prices add later int default 5;
    create table tree (id int primary key) partition by range (id);
    create table leaf partition of tree for values from (0) to (100);
    create schema other;
    create function touch() returns trigger language plpgsql as 'begin return new; end';
    create trigger touched before update on orders for each row execute procedure touch();
    insert into orders values (1, 1, 1)";

#[test]
fn changes_of_tables_on_the_source_are_reported() {
    let changes: Vec<_> = ROWS
        .iter()
        .map(|(change, answer, _)| (*change, *answer))
        .collect();
    each_is_reported(|pair| &pair.source, &changes);
}

#[test]
fn changes_of_tables_on_the_target_are_reported() {
    let changes: Vec<_> = ROWS
        .iter()
        .map(|(change, _, answer)| (*change, *answer))
        .collect();
    each_is_reported(|pair| &pair.target, &changes);
}

fn each_is_reported(side: fn(&ClusterPair) -> &Cluster, changes: &[(&str, Answer)]) {
    let room = [("max_replication_slots", "40"), ("max_wal_senders", "40")];
    let workers = [
        ("max_logical_replication_workers", "40"),
        ("max_worker_processes", "60"),
    ];
    let settings = || {
        let all = room.iter().chain(&workers);
        all.fold(Settings::new(), |settings, (name, value)| {
            settings.set(name, value)
        })
    };
    let pair = ClusterPair::start(settings(), settings());
    let mut migration = Migration::between(
        &pair.source.conninfo("postgres"),
        &pair.target.conninfo("postgres"),
    )
    .options(["--method", "replication"]);
    let mut tried = Vec::new();
    for (change, answer) in changes.iter().filter(|(_, answer)| *answer != Answer::Impossible) {
        let database = pair.fresh_database("rows");
        pair.source.psql(&database, SCHEMA);
        migration = migration.options(["--database", &database]);
        tried.push((database, *change, *answer));
    }
    migration.run().succeeded();
    let changed = side(&pair);
    for (database, change, _) in &tried {
        changed.psql(database, &named(changed, database, change));
    }
    let status = migration.status();
    let details = status["migration_detail"]
        .as_array()
        .expect("a list of databases");
    for (database, change, answer) in &tried {
        let detail = details.iter().find(|detail| detail["dbname"] == **database);
        assert_eq!(
            reported(detail.expect("the database")),
            *answer,
            "{change}: {detail:#?}"
        );
    }
    migration.remove().failed_with(8);
}

/// The change, with the names of what pghaul has made in the database.
fn named(cluster: &Cluster, database: &str, change: &str) -> String {
    let publication = "select pubname from pg_publication";
    let subscription = "select subname from pg_subscription \
                        where subdbid = (select oid from pg_database where datname = current_database())";
    let mut change = change.to_owned();
    for (place, sql) in [("{publication}", publication), ("{subscription}", subscription)] {
        if change.contains(place) {
            change = change.replace(place, &cluster.psql(database, sql));
        }
    }
    change
}

fn reported(detail: &Value) -> Answer {
    let failed = |code: &str| {
        let answers = ROWS.iter().flat_map(|(_, source, target)| [*source, *target]);
        let mut with_code =
            answers.filter(|answer| matches!(answer, Answer::Failed(known) if *known == code));
        with_code.next().unwrap_or(Answer::Failed("another code"))
    };
    match detail["failure"]["code"].as_str() {
        Some(code) => failed(code),
        None if detail["incomplete"]
            .as_array()
            .is_some_and(|items| !items.is_empty()) =>
        {
            Answer::Listed
        }
        None => Answer::Nothing,
    }
}

#[test]
fn a_transaction_that_was_skipped_is_listed() {
    let retry = Settings::new().set("wal_retrieve_retry_interval", "200ms");
    let pair = ClusterPair::start(Settings::new(), retry);
    let database = pair.fresh_database("skipped");
    pair.source.psql(&database, "create table t (id int primary key)");
    let migration = Migration::of(&pair.source, &pair.target, &database).options(["--method", "replication"]);
    migration.run().succeeded();
    pair.target.psql(&database, "insert into t values (1)");
    pair.source.psql(&database, "insert into t values (1), (2)");
    let mut position = String::new();
    wait_until(
        "the target has logged the conflict",
        Duration::from_secs(60),
        || {
            let log = pair.target.log();
            let at = log.split("finished at ").nth(1);
            let digits = |text: &str| {
                text.split(|c: char| !c.is_ascii_hexdigit() && c != '/')
                    .next()
                    .map(str::to_owned)
            };
            position = at.and_then(digits).unwrap_or_default();
            !position.is_empty()
        },
    );
    let skip = format!("alter subscription {{subscription}} skip (lsn = '{position}')");
    pair.target
        .psql(&database, &named(&pair.target, &database, &skip));
    wait_until("the transaction is skipped", Duration::from_secs(60), || {
        migration.status_of(&database)["status"] == "syncing"
    });
    let incomplete = migration.status_of(&database)["incomplete"].to_string();
    assert!(incomplete.contains("SKIP"), "{incomplete}");
    migration.remove().failed_with(8);
    let restart = ["--restart-data", &database];
    migration.with_options("run").args(restart).run().succeeded();
    compare::same(&pair.source, &pair.target, &database);
    migration.remove().succeeded();
}
