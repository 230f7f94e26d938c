//! `doctor`: what is ours is found, whosever it is; what is wrong is named; what is left is dropped, and nothing else.

use crate::migration::{Migration, assert_nothing_is_left};
use pghaul_testkit::{ClusterPair, Outcome, Settings, wait_until};
use serde_json::Value;
use std::time::Duration;

const AILING: i32 = 12;
const ROWS: &str = "
    create table book (id int primary key, title text);
    insert into book select n, 'book ' || n from generate_series(1, 500) n;
";

fn in_step() -> (ClusterPair, Migration) {
    let pair = ClusterPair::start(Settings::new(), Settings::new());
    pair.source.create_database("shop");
    pair.source.psql("shop", ROWS);
    let migration = Migration::of(&pair.source, &pair.target, "shop").options(["--method", "replication"]);
    migration.run().succeeded();
    (pair, migration)
}

fn doctor(migration: &Migration, arguments: &[&str]) -> (Outcome, Vec<Value>) {
    let arguments = [&["doctor", "--json"], arguments].concat();
    let outcome = migration.command(&arguments).run();
    let answer: Value =
        serde_json::from_str(&outcome.stdout).unwrap_or_else(|error| panic!("{error}\n{outcome}"));
    assert_eq!(answer["unseen"], serde_json::json!([]), "{outcome}");
    let found = answer["found"].as_array().expect("a list").clone();
    (outcome, found)
}

/// The kinds of trouble of each thing that has some, as `what: kind, kind`.
fn troubles(found: &[Value]) -> Vec<String> {
    let kinds = |one: &Value| {
        let troubles = one["troubles"].as_array().expect("a list");
        let kinds: Vec<&str> = troubles.iter().filter_map(|t| t["kind"].as_str()).collect();
        kinds.join(", ")
    };
    let told = |one: &Value| format!("{}: {}", one["what"].as_str().expect("text"), kinds(one));
    found
        .iter()
        .filter(|one| !kinds(one).is_empty())
        .map(told)
        .collect()
}

#[test]
fn everything_of_ours_is_found_and_what_is_wrong_is_named() {
    let (pair, migration) = in_step();
    let (outcome, found) = doctor(&migration, &[]);
    outcome.succeeded();
    let mut kinds: Vec<&str> = found.iter().filter_map(|one| one["what"].as_str()).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, ["origin", "publication", "schema", "slot", "subscription"]);
    assert!(found.iter().all(|one| one["standing"] == "open"), "{found:#?}");

    let subscription = pair.target.psql("shop", "select subname from pg_subscription");
    pair.target
        .psql("shop", &format!("alter subscription {subscription} disable"));
    let inactive = "select count(*) from pg_replication_slots where not active";
    wait_until("the worker has ended", Duration::from_secs(60), || {
        pair.source.psql("postgres", inactive) == "1"
    });
    let (outcome, found) = doctor(&migration, &[]);
    outcome.failed_with(AILING);
    assert_eq!(troubles(&found), ["slot: inactive", "subscription: disabled"]);
    pair.target
        .psql("shop", &format!("alter subscription {subscription} enable"));

    // Somebody drops the slot; then the migration is removed, and somebody makes a publication of that name.
    let drop = "select pg_terminate_backend(active_pid), pg_drop_replication_slot(slot_name) from pg_replication_slots";
    wait_until("the slot is dropped", Duration::from_secs(60), || {
        pair.source.try_psql("postgres", drop).is_ok()
            && pair
                .source
                .psql("postgres", "select count(*) from pg_replication_slots")
                == "0"
    });
    let (_, found) = doctor(&migration, &[]);
    let subscription = troubles(&found);
    assert!(
        subscription
            .iter()
            .any(|t| t.starts_with("subscription: ") && t.contains("alone")),
        "{subscription:?}"
    );
    migration.command(&["remove", "--force"]).run().succeeded();
    let (outcome, found) = doctor(&migration, &[]);
    outcome.succeeded();
    assert!(found.is_empty(), "{found:#?}");
    let id = migration.status()["id"].as_str().expect("an id").to_owned();
    pair.source
        .psql("shop", &format!("create publication pghaul_{id}_1_g1a1"));
    let (outcome, found) = doctor(&migration, &[]);
    outcome.failed_with(AILING);
    assert_eq!(troubles(&found), ["publication: orphaned"]);
}

#[test]
fn after_a_lost_journal_everything_of_it_is_dropped_and_no_row() {
    let (pair, migration) = in_step();
    let id = migration.status()["id"].as_str().expect("an id").to_owned();
    let settings = "select string_agg(array_to_string(setconfig, ','), ',') from pg_db_role_setting where setdatabase <> 0";
    assert!(pair.target.psql("shop", settings).contains("array_nulls"));
    // What is not of this migration stays; what a worker and a killed run may leave goes.
    pair.target.psql("shop", "create publication mine for all tables");
    let sync_slot = pair.target.psql(
        "shop",
        "select 'pg_' || s.oid || '_sync_4711_' || system_identifier from pg_subscription s, pg_control_system()",
    );
    let identifier = sync_slot.rsplit('_').next().expect("an identifier");
    let strangers = ["mine".to_owned(), format!("pg_1_sync_4711_{}", &identifier[1..])];
    for name in strangers.iter().chain([&sync_slot]) {
        let create = format!("select pg_create_logical_replication_slot('{name}', 'pgoutput')");
        pair.source.psql("shop", &create);
    }
    pair.target.create_database(&format!("pghaul_{id}_7_new"));
    std::fs::remove_dir_all(migration.command(&[]).home().join("state")).expect("lose the journal");

    let (outcome, found) = doctor(&migration, &[]);
    outcome.failed_with(AILING);
    assert!(found.iter().all(|one| one["standing"] == "unknown"), "{found:#?}");
    let asked = migration.command(&["doctor", "--drop", &id]).run().failed_with(2);
    assert!(asked.stderr.contains("--yes"), "{asked}");
    assert_eq!(
        doctor(&migration, &[]).1.len(),
        found.len(),
        "nothing was dropped"
    );
    let drop = ["doctor", "--drop", id.as_str(), "--yes"];
    pair.target
        .psql("shop", "create table pghaul.notes as select 1 as mine");
    let refused = migration.command(&drop).run().failed_with(10);
    assert!(refused.stderr.contains("pghaul.notes"), "{refused}");
    pair.target
        .psql("shop", "alter table pghaul.notes set schema public");
    migration.command(&drop).run().succeeded();
    migration.command(&drop).run().succeeded();

    for name in &strangers {
        pair.source
            .psql("postgres", &format!("select pg_drop_replication_slot('{name}')"));
    }
    pair.target.psql("shop", "drop publication mine");
    assert_eq!(pair.target.psql("shop", settings), "", "for the workers");
    assert_nothing_is_left(&pair.source, &pair.target);
    let books = "select count(*), sum(id), sum(length(title)) from book";
    assert_eq!(pair.source.psql("shop", books), pair.target.psql("shop", books));
    assert_eq!(pair.target.psql("shop", "select mine from notes"), "1");
}

#[test]
fn an_open_migration_is_not_dropped_and_a_server_that_is_down_is_told() {
    let (pair, migration) = in_step();
    let id = migration.status()["id"].as_str().expect("an id").to_owned();
    let refused = migration
        .command(&["doctor", "--drop", &id, "--yes"])
        .run()
        .failed_with(2);
    assert!(refused.stderr.contains("pghaul remove"), "{refused}");
    pair.target.stop(pghaul_testkit::Stop::Fast);
    let outcome = migration.command(&["doctor", "--json"]).run();
    let answer: Value = serde_json::from_str(&outcome.stdout).expect("JSON");
    assert_eq!(answer["unseen"][0]["side"], "target", "{outcome}");
    let found = answer["found"].as_array().expect("a list");
    assert_eq!(troubles(found), ["slot: inactive"], "{outcome}");
    pair.target.start_again();
}
