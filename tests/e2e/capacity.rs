//! What the servers have room for: workers of the target, connections of the source; and what is said where it is too
//! little.

use crate::failures::Holder;
use crate::migration::Migration;
use pghaul_testkit::{ClusterPair, Settings, compare};
use std::sync::atomic::{AtomicBool, Ordering};

const TOO_FEW_CONNECTIONS: i32 = 4;

#[test]
fn four_workers_replicate_four_databases_and_the_fifth_is_named() {
    let target = Settings::new()
        .set("max_logical_replication_workers", "4")
        .set("max_worker_processes", "8")
        .set("max_sync_workers_per_subscription", "2");
    let pair = ClusterPair::start(Settings::new(), target);
    let names = ["app1", "app2", "app3", "app4", "app5"];
    for name in names {
        pair.source.create_database(name);
        pair.source.psql(
            name,
            "create table t (id int primary key); insert into t select generate_series(1, 100)",
        );
    }
    let migration = Migration::between(
        &pair.source.conninfo("postgres"),
        &pair.target.conninfo("postgres"),
    );
    // Ready, but with something that may surprise.
    let check = migration.with_options("check").run().failed_with(11);
    assert!(
        check.stdout.contains("SET max_logical_replication_workers = 5"),
        "{check}"
    );
    let run = migration.run().succeeded();
    let (before, _) = run.stderr.split_once("app5: copying once").expect("it copies");
    assert!(before.contains("app5: planned: pg_dump"), "{run}");
    assert!(
        before.contains("SET max_logical_replication_workers = 5"),
        "{run}"
    );
    for name in &names[..4] {
        assert_eq!(migration.status_of(name)["method"], "replication", "{run}");
    }
    assert!(run.stdout.contains("does not follow the source"), "{run}");
    assert!(run.stdout.contains("--restart-data app5 "), "{run}");

    // Doing what is printed loses nothing.
    for name in names {
        pair.source
            .psql(name, "insert into t select generate_series(101, 200)");
    }
    migration.remove().failed_with(8);
    let restart = migration.with_options("run").args(["--restart-data", "app5"]);
    restart.run().succeeded();
    migration.remove().succeeded();
    for name in names {
        compare::same(&pair.source, &pair.target, name);
    }
}

/// An application that connects again and again while a run copies.
#[test]
fn connections_are_left_to_the_applications() {
    let pair = ClusterPair::start(Settings::new().set("max_connections", "20"), Settings::new());
    pair.source
        .psql("postgres", "create role app login password 'app'");
    for number in 1..=3 {
        let name = format!("d{number}");
        pair.source.create_database(&name);
        pair.source.psql(
            &name,
            "create table t (id int primary key, filler text);
             insert into t select n, repeat('x', 300) from generate_series(1, 20000) n;
             create table u as select * from t; alter table u add primary key (id)",
        );
    }
    let mut sessions: Vec<Holder> = (0..8)
        .map(|_| Holder::start(&pair.source, "postgres", "begin; commit"))
        .collect();
    let migration = Migration::between(
        &pair.source.conninfo("postgres"),
        &pair.target.conninfo("postgres"),
    );
    let over = AtomicBool::new(false);
    let refused = std::thread::scope(|scope| {
        let application = scope.spawn(|| {
            let mut refused = Vec::new();
            while !over.load(Ordering::Relaxed) {
                refused.extend(pair.source.try_psql_as("app", "app", "d1", "select 1").err());
            }
            refused
        });
        let outcome = migration.run();
        over.store(true, Ordering::Relaxed);
        outcome.succeeded();
        application.join().expect("the application ends")
    });
    assert_eq!(refused, Vec::<String>::new());

    // With too few, nothing is begun.
    sessions.extend((0..4).map(|_| Holder::start(&pair.source, "postgres", "begin; commit")));
    let refusal = migration.run().failed_with(TOO_FEW_CONNECTIONS);
    assert!(refusal.stderr.contains("connections left"), "{refusal}");
}
