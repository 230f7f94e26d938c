//! `remove` while the target's workers hang in a lock queue: they are ended, and it takes seconds.

use crate::failures::Holder;
use crate::migration::{Migration, assert_nothing_is_left};
use pghaul_testkit::{ClusterPair, Settings, wait_until};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(60);

/// A position between the step that makes the slot and the one that subscribes.
const BEFORE_SUBSCRIPTION: &str = "52";
const ROWS: &str = "
    create table book (id int primary key, title text);
    insert into book select n, 'book ' || n from generate_series(1, 500) n;
    create table log (id int primary key, line text);
    insert into log select n from generate_series(1, 50) n;
";

fn servers() -> ClusterPair {
    let pair = ClusterPair::start(Settings::new(), Settings::new());
    pair.source.create_database("shop");
    pair.source.psql("shop", ROWS);
    pair
}

/// Waits until a worker of the subscription waits for a lock.
fn await_hanging_worker(pair: &ClusterPair) {
    let sql =
        "select count(*) > 0 from pg_stat_subscription s join pg_locks l on l.pid = s.pid and not l.granted";
    wait_until("a worker waits for a lock", PATIENCE, || {
        pair.target.psql("shop", sql) == "t"
    });
}

fn removed_in_seconds(migration: &Migration, pair: &ClusterPair) {
    let begin = Instant::now();
    migration.command(&["remove", "--force"]).run().succeeded();
    let took = begin.elapsed();
    assert_eq!(migration.status_of("shop")["status"], "removed");
    assert_nothing_is_left(&pair.source, &pair.target);
    assert_eq!(pair.target.psql("shop", "select count(*) from log"), "50");
    assert!(took < Duration::from_secs(50), "it took {took:?}");
}

#[test]
fn a_worker_that_applies_is_ended() {
    let pair = servers();
    let migration = Migration::of(&pair.source, &pair.target, "shop").options(["--method", "replication"]);
    migration.run().succeeded();
    let _holder = Holder::start(&pair.target, "shop", "begin; lock table book");
    pair.source
        .psql("shop", "update book set title = 'new' where id = 1");
    await_hanging_worker(&pair);
    removed_in_seconds(&migration, &pair);
}

/// The worker that copies a table has a slot of its own on the source, which it can't drop any more.
#[test]
fn a_worker_that_copies_is_ended() {
    let pair = servers();
    let migration = Migration::of(&pair.source, &pair.target, "shop").options([
        "--method",
        "replication",
        "--initial-copy",
        "server",
    ]);
    // The first run dies when the tables are there and nobody fills them yet.
    let subscribed = "select count(*) from pg_subscription";
    let died = migration
        .with_options("run")
        .env("PGHAUL_CRASH_AT", BEFORE_SUBSCRIPTION)
        .run();
    assert!(died.status.code().is_none(), "it did not die\n{died}");
    assert_eq!(pair.target.psql("shop", subscribed), "0", "it died too late");
    // Subscribing waits for no such lock, filling the table does.
    let lock = "begin; lock table book in share mode";
    let _holder = Holder::start(&pair.target, "shop", lock);
    let run = migration.with_options("run").spawn();
    await_hanging_worker(&pair);
    run.kill9();
    removed_in_seconds(&migration, &pair);
}
