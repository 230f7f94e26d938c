//! `--keep-finished-tables`: a dump of a source at rest goes on with the tables that it has not finished.

use crate::failures::await_copy;
use crate::migration::Migration;
use pghaul_testkit::{ClusterPair, Kind, compare, shared_pair, wait_until};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);

/// One table that is large enough to be copied in parts, which come first, and another one.
const ROWS: &str = "
    create table large (id int, filler text);
    insert into large select n, repeat('x', 1000) from generate_series(1, 140000) n;
    create table later (id int, filler text);
    insert into later select n, repeat('y', 1000) from generate_series(1, 50000) n;
";

fn migration(pair: &ClusterPair, label: &str) -> (Migration, String) {
    let name = pair.fresh_database(label);
    pair.source.psql(&name, ROWS);
    let migration = Migration::of(&pair.source, &pair.target, &name).options([
        "--method",
        "dump",
        "--jobs",
        "2",
        "--rate-limit",
        "60MiB",
    ]);
    (migration, name)
}

/// The generations of the copies of the large table that are finished.
fn finished(migration: &Migration) -> Vec<u64> {
    let events = migration.events();
    let outcomes = events
        .iter()
        .filter(|event| event["kind"] == "item_finished")
        .map(|event| &event["payload"]["outcome"]);
    outcomes
        .filter(|outcome| outcome["table"] == "\"public\".\"large\"")
        .filter_map(|outcome| outcome["generation"].as_u64())
        .collect()
}

/// Kills a run when the large table is finished and the other one is not.
fn kill_in_between(migration: &Migration) {
    let run = migration.with_options("run").spawn();
    wait_until("the large table is finished", PATIENCE, || {
        let begun = migration.command(&["history"]).run().status.success();
        begun && !finished(migration).is_empty()
    });
    run.kill9();
}

#[test]
fn a_finished_table_is_not_copied_again() {
    let pair = shared_pair(Kind::Ordinary);
    let (migration, name) = migration(pair, "kept");
    kill_in_between(&migration);
    let run = migration.with_options("run").args(["--keep-finished-tables"]);
    run.run().succeeded();
    compare::same(&pair.source, &pair.target, &name);
    assert_eq!(finished(&migration), [1, 1], "it was copied again");
}

#[test]
fn a_table_that_a_later_run_has_emptied_is_copied_again() {
    let pair = shared_pair(Kind::Ordinary);
    let (migration, name) = migration(pair, "emptied");
    kill_in_between(&migration);
    let run = migration.with_options("run").spawn();
    await_copy(&pair.target, &name, "large");
    run.kill9();
    let run = migration.with_options("run").args(["--keep-finished-tables"]);
    run.run().succeeded();
    compare::same(&pair.source, &pair.target, &name);
    assert_eq!(finished(&migration), [1, 3], "it was taken for finished");
}
