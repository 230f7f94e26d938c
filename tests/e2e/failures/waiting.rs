//! What a run waits for, and tables that are emptied under a copy.

use super::{Holder, MANY_ROWS, PATIENCE, completes, database, the_error};
use crate::migration::Migration;
use pghaul_testkit::{ClusterPair, Settings, leftovers};
use std::time::{Duration, Instant};

const MIGRATION_FAILED: i32 = 9;
const HUNG_UP: i32 = 129;
const INTERRUPTED: i32 = 130;

#[test]
fn a_long_transaction_is_waited_for_and_named() {
    // A transaction holds back the slots of all databases: servers of its own.
    let pair = ClusterPair::start(Settings::new(), Settings::new());
    let name = database(&pair, "long");
    let migration = Migration::of(&pair.source, &pair.target, &name).options(["--method", "replication"]);
    let holder = Holder::start(
        &pair.source,
        &name,
        "begin; insert into book (title) values ('open')",
    );

    let mut run = migration.with_options("run").spawn();
    let line = run.wait_for_line("transactions on the source");
    assert!(line.contains(&holder.pid), "{line}");

    // Ctrl-C does not wait for the transaction, and takes back what was waiting.
    let interrupted = Instant::now();
    run.interrupt();
    let outcome = run.wait(PATIENCE).failed_with(INTERRUPTED);
    assert!(!outcome.stderr.contains("error["), "{outcome}");
    assert!(
        interrupted.elapsed() < Duration::from_secs(20),
        "{:?}",
        interrupted.elapsed()
    );
    super::await_no_session(&pair.source, &name);
    assert_eq!(
        pair.source
            .psql("postgres", "select count(*) from pg_replication_slots"),
        "0"
    );

    // A terminal that is closed sends SIGHUP, and its shell another one: that too ends the run in order.
    let mut run = migration.with_options("run").spawn();
    run.wait_for_line("transactions on the source");
    run.hang_up();
    run.hang_up();
    run.wait(PATIENCE).failed_with(HUNG_UP);
    let last = migration.events().pop().expect("an event");
    assert_eq!(last["kind"], "runner_stopped", "{last}");
    assert_eq!(last["payload"]["ending"], "interrupted", "{last}");

    let mut run = migration.with_options("run").spawn();
    run.wait_for_line("transactions on the source");
    drop(holder);
    run.wait(PATIENCE).succeeded();
    completes(&migration, &pair, &name);
    migration.remove().succeeded();
    assert_eq!(leftovers(&pair.source), [""; 0]);
    assert_eq!(leftovers(&pair.target), [""; 0]);
}

#[test]
fn a_killed_run_leaves_no_slot_that_nobody_reads() {
    let pair = ClusterPair::start(Settings::new(), Settings::new());
    let name = database(&pair, "killed");
    let migration = Migration::of(&pair.source, &pair.target, &name).options(["--method", "replication"]);
    let holder = Holder::start(
        &pair.source,
        &name,
        "begin; insert into book (title) values ('open')",
    );
    let mut run = migration.with_options("run").spawn();
    run.wait_for_line("transactions on the source");
    run.kill9();
    // The source's server notices by itself that nobody waits for the slot any more.
    super::await_no_session(&pair.source, &name);
    drop(holder);
    assert_eq!(
        pair.source
            .psql("postgres", "select count(*) from pg_replication_slots"),
        "0"
    );
    completes(&migration, &pair, &name);
    migration.remove().succeeded();
    assert_eq!(leftovers(&pair.source), [""; 0]);
}

#[test]
fn a_truncate_during_a_dump_is_never_an_empty_table() {
    let pair = super::servers();
    let name = database(pair, "truncate");
    pair.source.psql(&name, MANY_ROWS);
    let migration =
        Migration::of(&pair.source, &pair.target, &name).options(["--method", "dump", "--jobs", "1"]);
    let run = migration.with_options("run").spawn();
    super::await_copy(&pair.source, &name, "many");
    // The largest table is copied first: `loan` is still to come, out of a snapshot that no longer sees its rows.
    pair.source
        .psql(&name, "truncate loan; insert into loan values (1, 1)");
    let outcome = run.wait(Duration::from_secs(120));
    let text = the_error(&outcome, MIGRATION_FAILED, "plan-changed");
    assert!(text.contains("loan"), "{outcome}");
    completes(&migration, pair, &name);
}
