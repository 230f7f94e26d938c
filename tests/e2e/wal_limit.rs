//! The WAL that the source keeps for a slot: said when it is more than it should be, and given back when that is wanted.

use crate::failures::Holder;
use crate::migration::{Migration, assert_nothing_is_left};
use pghaul_testkit::{ClusterPair, Load, Outcome, Settings, compare, wait_until};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(120);
const KEEP_SIZE: u64 = 1 << 30;

const ROWS: &str = "
    create table book (id int primary key, title text);
    insert into book select n, 'book ' || n from generate_series(1, 500) n;
    create table log (line text);
    insert into log select n from generate_series(1, 50) n;
";

/// More than the limit of these tests, in another database.
const NOISE: &str = "create table noise as select repeat(md5(n::text), 10) from generate_series(1, 30000) n";

fn in_step() -> (ClusterPair, Migration) {
    let limited = Settings::new().set("max_slot_wal_keep_size", "1GB");
    let pair = ClusterPair::start(limited, Settings::new());
    pair.source.create_database("shop");
    pair.source.psql("shop", ROWS);
    let migration = Migration::of(&pair.source, &pair.target, "shop").options(["--method", "replication"]);
    migration.run().succeeded();
    (pair, migration)
}

/// The target's worker waits for this, while the source writes on.
fn held_up(pair: &ClusterPair) -> Holder {
    let holder = Holder::start(
        &pair.target,
        "shop",
        "begin; lock table book in access exclusive mode",
    );
    pair.source
        .psql("shop", "update book set title = 'new' where id = 1");
    pair.source.psql("postgres", NOISE);
    holder
}

#[test]
fn a_limit_is_said_once_and_journaled_and_status_shows_it() {
    let (pair, migration) = in_step();
    let status = migration.status_of("shop");
    assert_eq!(status["retained_wal_limit_bytes"], KEEP_SIZE, "{status:#}");
    let holder = held_up(&pair);
    let run = migration.with_options("run").args(["--max-wal-retained", "1MiB"]);
    let mut run = run.spawn();
    run.wait_for_line("of WAL for its slot, more than 1.0 MiB");
    drop(holder);
    run.wait(PATIENCE).succeeded();
    migration.run().succeeded();
    let said = migration
        .events()
        .into_iter()
        .filter(|e| e["kind"] == "wal_limit_reached");
    assert_eq!(said.count(), 1);
    compare::same(&pair.source, &pair.target, "shop");
}

#[test]
fn a_slot_over_its_limit_is_dropped_and_the_next_run_copies_again() {
    let (pair, migration) = in_step();
    let load = Load::with_script(
        &pair.source,
        "shop",
        "update book set title = title || '.' where id = 2 + (random() * 400)::int;",
    );
    let holder = held_up(&pair);
    let limited = ["--max-wal-retained", "1MiB", "--on-wal-limit", "drop"];
    let run = migration.with_options("run").args(limited).spawn();
    // The target's worker still hangs: the source does not wait for it.
    wait_until("the slot is dropped", PATIENCE, || {
        pair.source
            .psql("postgres", "select count(*) from pg_replication_slots")
            == "0"
    });
    drop(holder);
    let failed = run.wait(PATIENCE).failed_with(9);
    assert!(failed.stderr.contains("error[wal-limit]"), "{failed}");
    let status = migration.status_of("shop");
    assert_eq!(
        [&status["status"], &status["failure"]["code"]],
        ["failed", "wal-limit"],
        "{status:#}"
    );
    migration.run().succeeded();
    assert_eq!(load.stop().errors, 0, "the source's application saw an error");
    migration.run().succeeded();
    compare::same(&pair.source, &pair.target, "shop");
    migration.command(&["remove", "--force"]).run().succeeded();
    assert_nothing_is_left(&pair.source, &pair.target);
}

/// A table worker of the target has a slot of its own, which may keep more than the subscription's.
#[test]
fn the_slot_of_a_table_worker_counts_and_those_of_others_do_not() {
    let (pair, migration) = in_step();
    let name = "select 'pg_' || s.oid || '_sync_4711_' || system_identifier from pg_subscription s, pg_control_system()";
    let worker = pair.target.psql("shop", name);
    // Of another target; of a subscription that is not ours.
    let strangers = [format!("{worker}1"), worker.replacen("pg_", "pg_9", 1)];
    let create = |name: &str| {
        let create = format!("select pg_create_logical_replication_slot('{name}', 'pgoutput')");
        pair.source.psql("shop", &create);
    };
    strangers.iter().for_each(|name| create(name));
    pair.source.psql("postgres", NOISE);
    let limited = || {
        migration
            .with_options("run")
            .args(["--max-wal-retained", "1MiB"])
            .run()
    };
    let said = |outcome: &Outcome| outcome.stderr.contains("of WAL for its slot, more than");
    await_moved_on(&pair);
    let outcome = limited().succeeded();
    assert!(!said(&outcome), "strangers were counted\n{outcome}");

    create(&worker);
    pair.source
        .psql("postgres", "create table more as select * from noise");
    await_moved_on(&pair);
    let dropping = ["--max-wal-retained", "1MiB", "--on-wal-limit", "drop"];
    let failed = migration.with_options("run").args(dropping).run().failed_with(9);
    assert!(failed.stderr.contains(&worker), "{failed}");
    let left = "select string_agg(slot_name, ' ' order by slot_name) from pg_replication_slots";
    let mut expected = strangers.to_vec();
    expected.sort();
    assert_eq!(pair.source.psql("postgres", left), expected.join(" "));
}

/// Waits until the subscription's slot keeps next to nothing.
fn await_moved_on(pair: &ClusterPair) {
    // A slot lets go of WAL when it passes a record that says which transactions run: a checkpoint writes one.
    let sql = "select pg_current_wal_insert_lsn() - restart_lsn < 500000 from pg_replication_slots where slot_name ~ '^pghaul'";
    wait_until("the slot has moved on", PATIENCE, || {
        pair.source.psql("postgres", "checkpoint");
        pair.source.psql("postgres", sql) == "t"
    });
}
