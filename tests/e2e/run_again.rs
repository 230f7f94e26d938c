//! A `run` that has nothing left to do.

use crate::migration::{Migration, assert_nothing_of_it_is_left};
use pghaul_testkit::{Kind, compare, fixtures, shared_pair};
use serde_json::Value;

/// What an event is about, without what differs from run to run.
fn kind(event: &Value) -> String {
    let part = |name: &str| {
        event[name]
            .as_str()
            .map(|text| format!("{text} "))
            .unwrap_or_default()
    };
    format!("{}{}", part("step"), event["kind"].as_str().expect("a kind"))
}

#[test]
fn a_database_in_step_is_only_proven_again() {
    let pair = shared_pair(Kind::Ordinary);
    let (source, target) = (&pair.source, &pair.target);
    let database = pair.fresh_database("run_again");
    fixtures::shop(source, &database);
    let migration = Migration::of(source, target, &database);
    migration.run().succeeded();
    let mut before = migration.events().len();
    for _ in 0..2 {
        migration.run().succeeded();
        let events = migration.events();
        // A wait is journaled where it is a long one, which depends on the machine.
        let new = events[before..]
            .iter()
            .map(kind)
            .filter(|kind| !kind.ends_with("waited"));
        let new: Vec<String> = new.collect();
        let expected = [
            "runner_started",
            "connection step_started",
            "connection step_finished",
            "sequences step_started",
            "sequences step_finished",
            "syncing_proven",
            "runner_stopped",
        ];
        assert_eq!(new, expected);
        before = events.len();
        compare::same(source, target, &database);
    }
    migration.remove().succeeded();
    assert_nothing_of_it_is_left(&migration, pair, &database);
    compare::same(source, target, &database);
}

#[test]
fn a_finished_copy_is_left_alone() {
    let pair = shared_pair(Kind::Ordinary);
    let (source, target) = (&pair.source, &pair.target);
    let database = pair.fresh_database("run_again");
    fixtures::shop(source, &database);
    let migration = Migration::of(source, target, &database).options(["--method", "dump"]);
    migration.run().succeeded();
    let before = migration.events();
    // The target is the user's now: another run must not take it back.
    target.psql(&database, "delete from note where customer = 1");
    for _ in 0..2 {
        migration.run().succeeded();
        assert_eq!(migration.events(), before);
    }
    assert_eq!(target.psql(&database, "select count(*) from note"), "19");
}
