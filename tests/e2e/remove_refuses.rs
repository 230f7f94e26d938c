//! `remove` does not leave a target behind that lacks something, unless it is told to.

use crate::migration::{Migration, assert_nothing_of_it_is_left};
use pghaul_testkit::compare::{Options, databases};
use pghaul_testkit::{Kind, fixtures, shared_pair, wait_until};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);

/// The exit code of `remove` when it refuses.
const NOT_SAFE_TO_REMOVE: i32 = 8;

#[test]
fn what_is_incomplete_is_listed_and_left_only_to_who_says_so() {
    let pair = shared_pair(Kind::Ordinary);
    let (source, target) = (&pair.source, &pair.target);
    let database = pair.fresh_database("refuses");
    fixtures::shop(source, &database);
    source.psql(
        &database,
        "create table visit (customer bigint references customer, page text);
         insert into visit select i, 'page ' || i from generate_series(1, 100) i;
         set session_replication_role = replica;
         insert into visit values (424242, 'of nobody')",
    );
    let migration = Migration::of(source, target, &database);
    migration.run().succeeded();

    let refusal = migration.remove().failed_with(NOT_SAFE_TO_REMOVE);
    for listed in [
        "foreign key visit_customer_fkey of table public.visit: `pghaul remove` can only create it NOT VALID",
        "--incomplete",
    ] {
        assert!(
            refusal.stderr.contains(listed),
            "{listed:?} is missing\n{refusal}"
        );
    }
    // It refuses as a whole: everything still follows, and the key that would refuse a TRUNCATE is gone again.
    let keys = "select count(*) from pg_constraint where conname = 'visit_customer_fkey'";
    assert_eq!(target.psql(&database, keys), "0");
    assert_eq!(migration.status_of(&database)["status"], "syncing");
    source.psql(
        &database,
        "insert into customer (email) values ('late@example.org')",
    );
    migration.run().succeeded();
    assert_eq!(
        target.psql(
            &database,
            "select count(*) from customer where email like 'late@%'"
        ),
        "1"
    );

    // What is not up to date is another matter than what is known to be incomplete.
    let subscription = target.psql(
        &database,
        "select subname from pg_subscription join pg_database d on d.oid = subdbid and datname = current_database()",
    );
    target.psql(&database, &format!("alter subscription {subscription} disable"));
    let incomplete = || migration.command(&["remove", "--incomplete"]).run();
    let refusal = incomplete().failed_with(NOT_SAFE_TO_REMOVE);
    assert!(refusal.stderr.contains("is disabled"), "{refusal}");
    assert!(!refusal.stderr.contains("visit_customer_fkey"), "{refusal}");
    source.psql(&database, "insert into visit values (1, 'without a key')");
    target.psql(&database, &format!("alter subscription {subscription} enable"));

    incomplete().succeeded();
    assert_eq!(migration.status()["status"], "removed");
    let events = migration.events();
    let begun = events.iter().filter(|event| event["kind"] == "removal_started");
    assert_eq!(begun.count(), 1);
    assert_nothing_of_it_is_left(&migration, pair, &database);
    let differences = databases((source, &database), (target, &database), &Options::default());
    let subjects: Vec<&str> = differences.iter().map(|one| one.subject.as_str()).collect();
    // All rows are there; only the foreign key that one of them violates is not valid.
    assert_eq!(subjects.len(), 1, "{differences:#?}");
    assert!(subjects[0].contains("visit_customer_fkey"), "{differences:#?}");
}

#[test]
fn what_is_copied_once_and_what_was_never_moved_is_not_forgotten() {
    let pair = shared_pair(Kind::Ordinary);
    let (source, target) = (&pair.source, &pair.target);
    let [first, second] = ["moves", "stays"].map(|label| pair.fresh_database(label));
    source.psql(
        &first,
        "create table t (id int primary key); create table keyless (id int)",
    );
    source.psql(&second, "create schema pghaul");
    let migration = Migration::of(source, target, &first).options([
        "--database",
        &second,
        "--on-check-failure",
        "database",
    ]);
    let outcome = migration.run();
    assert!(
        outcome.stdout.contains("table public.keyless: not replicated"),
        "{outcome}"
    );
    source.psql(&first, "insert into keyless values (1), (1)");
    let refusal = migration.remove().failed_with(NOT_SAFE_TO_REMOVE);
    let listed = format!("{second}: the database: it was not moved: check reserved-schema");
    assert!(refusal.stderr.contains(&listed), "{refusal}");
    // The removal sees to it itself.
    assert!(!refusal.stderr.contains("keyless"), "{refusal}");
    // Unless somebody uses the table on the target already.
    target.psql(&first, "insert into keyless values (9)");
    let remove = || migration.command(&["remove", "--incomplete"]).run();
    let refusal = remove().failed_with(NOT_SAFE_TO_REMOVE);
    for said in [
        "written to on the target",
        "--accept-incomplete 'table public.keyless'",
    ] {
        assert!(refusal.stderr.contains(said), "{refusal}");
    }
    // Also where somebody begins to, between the look and the copy.
    target.psql(
        &first,
        "truncate keyless; begin; insert into keyless values (9); prepare transaction 'late'",
    );
    let running = migration.command(&["remove", "--incomplete"]).spawn();
    let waits = "select count(*) from pg_locks where not granted and relation = 'keyless'::regclass";
    wait_until("the removal waits for it", PATIENCE, || {
        target.psql(&first, waits) == "1"
    });
    target.psql(&first, "commit prepared 'late'");
    let refusal = running.wait(PATIENCE).failed_with(NOT_SAFE_TO_REMOVE);
    assert!(refusal.stderr.contains("written to on the target"), "{refusal}");
    assert_eq!(target.psql(&first, "select id from keyless"), "9");
    target.psql(&first, "truncate keyless");
    remove().succeeded();
    assert_nothing_of_it_is_left(&migration, pair, &first);
    assert_eq!(target.psql(&first, "select count(*) from keyless"), "2");
}
