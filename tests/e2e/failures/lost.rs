//! What somebody else does to a database that is up to date.

use super::{PATIENCE, completes, database, error};
use crate::migration::Migration;
use pghaul_testkit::{ClusterPair, Settings, leftovers, wait_until};

const MIGRATION_FAILED: i32 = 9;
const STATE_LOST: i32 = 10;

/// Servers of their own: in the end nothing may be left on them.
fn in_step() -> (ClusterPair, Migration, String) {
    let pair = ClusterPair::start(Settings::new(), Settings::new());
    let name = database(&pair, "lost");
    let migration = Migration::of(&pair.source, &pair.target, &name).options(["--method", "replication"]);
    migration.run().succeeded();
    (pair, migration, name)
}

/// `status` says failed, and why; `run` fails for good; `remove` refuses, `remove --force` cleans.
fn is_lost(pair: &ClusterPair, migration: &Migration, name: &str, what: &str, code: &str) {
    let status = migration.command(&["status"]).run().failed_with(MIGRATION_FAILED);
    assert!(
        status.stdout.contains("failed") && status.stdout.contains(what),
        "{status}"
    );
    let outcome = migration.run();
    let text = error(&outcome, STATE_LOST, code);
    assert!(text.contains(what) && text.contains(name), "{outcome}");
    assert!(
        outcome.stderr.contains("--restart-data") && !outcome.stderr.contains("drop the target"),
        "the hint destroys more than it has to\n{outcome}"
    );
    error(&migration.run(), STATE_LOST, code);
    let refusal = migration.remove();
    assert!(
        error(&refusal, 8, "not-safe-to-remove").contains(what),
        "{refusal}"
    );
    migration.command(&["remove", "--force"]).run().succeeded();
    assert_eq!(leftovers(&pair.source), [""; 0]);
    assert_eq!(leftovers(&pair.target), [""; 0]);
    let rows = |cluster: &pghaul_testkit::Cluster| cluster.psql(name, "select count(*) from book");
    assert_eq!(rows(&pair.source), rows(&pair.target), "data was lost");
}

#[test]
fn the_subscription() {
    let (pair, migration, name) = in_step();
    let subscription = pair.target.psql(&name, "select subname from pg_subscription");
    for statement in ["disable", "set (slot_name = none)"] {
        pair.target
            .psql(&name, &format!("alter subscription {subscription} {statement}"));
    }
    pair.target
        .psql(&name, &format!("drop subscription {subscription}"));
    is_lost(&pair, &migration, &name, "subscription", "state-lost");
}

#[test]
fn the_slot() {
    let (pair, migration, name) = in_step();
    wait_until("the slot is dropped", PATIENCE, || {
        pair.source.psql(
            "postgres",
            "select pg_terminate_backend(active_pid) from pg_replication_slots",
        );
        let drop = "select pg_drop_replication_slot(slot_name) from pg_replication_slots";
        pair.source.try_psql("postgres", drop).is_ok()
    });
    is_lost(&pair, &migration, &name, "slot", "slot-lost");
}

#[test]
fn the_publication() {
    let (pair, migration, name) = in_step();
    let publication = pair.source.psql(&name, "select pubname from pg_publication");
    pair.source
        .psql(&name, &format!("drop publication {publication}"));
    is_lost(&pair, &migration, &name, "publication", "state-lost");
}

#[test]
fn a_table_that_is_new_on_the_source() {
    let (pair, migration, name) = in_step();
    pair.source
        .psql(&name, "create table surprise (id int primary key)");
    let status = migration.command(&["status"]).run().failed_with(MIGRATION_FAILED);
    assert!(status.stdout.contains("surprise"), "{status}");
    let detail = migration.status_of(&name);
    assert_eq!(detail["status"], "failed", "{detail:#}");
    let outcome = migration.run();
    assert!(
        error(&outcome, MIGRATION_FAILED, "plan-changed").contains("surprise"),
        "{outcome}"
    );

    pair.source.psql(&name, "drop table surprise");
    completes(&migration, &pair, &name);
    assert_eq!(migration.status_of(&name)["status"], "syncing");
}

#[test]
fn a_column_of_the_target_or_one_that_is_new_on_the_source() {
    let (pair, migration, name) = in_step();
    pair.source
        .psql(&name, "alter table book add column surprise int default 7");
    let missing = |column: &str| {
        let status = migration.command(&["status"]).run().failed_with(MIGRATION_FAILED);
        assert!(status.stdout.contains(column), "{status}");
        let outcome = migration.run();
        let text = error(&outcome, MIGRATION_FAILED, "plan-changed");
        assert!(
            text.contains(&format!("column {column} of table public.book")),
            "{outcome}"
        );
    };
    missing("surprise");
    pair.target
        .psql(&name, "alter table book add column surprise int default 7");
    completes(&migration, &pair, &name);

    // No change of that table arrives: no worker fails.
    pair.target
        .psql(&name, "alter table book rename column surprise to gone");
    missing("surprise");
    pair.target
        .psql(&name, "alter table book rename column gone to surprise");
    completes(&migration, &pair, &name);
}

/// A view that is not filled as long as the column of the table is there: it holds the run up behind the copy.
const HELD_UP: &str = "
    create function held_up() returns text language plpgsql as $$ begin
        while exists (select from pg_attribute where attrelid = to_regclass('public.note') and attname = 'words') loop
            perform pg_sleep(0.05);
        end loop;
        return 'no longer';
    end $$;
    create materialized view held_up as select held_up();
    create table note (words text);
    insert into note values ('x')";

/// A table or a column that is dropped behind the copy takes its values with it: a dump must not call itself done.
#[test]
fn what_was_dumped_already() {
    for (statement, code, exit_code, what) in [
        ("drop table note", "state-lost", STATE_LOST, "table public.note"),
        (
            "alter table note drop column words",
            "plan-changed",
            MIGRATION_FAILED,
            "column words of table public.note",
        ),
    ] {
        let pair = ClusterPair::start(Settings::new(), Settings::new());
        let name = database(&pair, "altered");
        pair.source.psql(&name, HELD_UP);
        let migration = Migration::of(&pair.source, &pair.target, &name).options(["--method", "dump"]);
        let running = migration.with_options("run").spawn();
        let refreshed = format!(
            "select count(*) from pg_stat_activity where datname = '{name}' and state = 'active' and query like 'REFRESH MATERIALIZED VIEW%'"
        );
        wait_until("the view is filled", PATIENCE, || {
            pair.target.psql("postgres", &refreshed) != "0"
        });
        pair.target.psql(&name, statement);
        let outcome = running.wait(PATIENCE);
        assert!(error(&outcome, exit_code, code).contains(what), "{outcome}");
        error(&migration.run(), exit_code, code);
        migration.command(&["remove", "--force"]).run().succeeded();
        pair.target
            .psql("postgres", &format!("drop database {name} (force)"));
        pair.source.psql(&name, "drop materialized view held_up");
        let again = Migration::of(&pair.source, &pair.target, &name).options(["--method", "dump"]);
        completes(&again, &pair, &name);
    }
}
