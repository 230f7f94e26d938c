//! A `remove` that was interrupted is only ever finished: `run` does not go on where it stopped.

use crate::migration::{Migration, assert_nothing_is_left};
use pghaul_testkit::{ClusterPair, Settings, compare};

const ROWS: &str = "
    create table book (id int primary key, title text);
    insert into book select n, 'book ' || n from generate_series(1, 500) n;
";

#[test]
fn a_run_in_between_says_what_to_do_and_changes_nothing() {
    let pair = ClusterPair::start(Settings::new(), Settings::new());
    pair.source.create_database("shop");
    pair.source.psql("shop", ROWS);
    let migration = Migration::of(&pair.source, &pair.target, "shop").options(["--method", "replication"]);
    migration.run().succeeded();
    let begun = || {
        let events = migration.events();
        events.iter().any(|event| event["kind"] == "removal_started")
    };
    // Each removal dies a little later than the one before, from its beginning and then from where it goes on, and a run
    // comes between any two.
    let mut interrupted = 0;
    let mut position = 2;
    loop {
        position += 2;
        let remove = migration.command(&["remove"]);
        let outcome = remove.env("PGHAUL_CRASH_AT", position.to_string()).run();
        if outcome.status.code().is_some() {
            outcome.succeeded();
            break;
        }
        if !begun() {
            continue;
        }
        if migration.status()["status"] == "removed" {
            // It died behind its last event; a run would begin anew.
            break;
        }
        if interrupted == 0 {
            position = 4;
        }
        interrupted += 1;
        let before = migration.events().len();
        let refused = migration.run();
        assert!(!refused.status.success(), "{refused}");
        assert!(!refused.stderr.contains("error[bug]"), "{refused}");
        assert!(refused.stderr.contains("pghaul remove"), "{refused}");
        let kinds = |event: &serde_json::Value| event["kind"].as_str().expect("a kind").to_owned();
        let new: Vec<String> = migration.events()[before..].iter().map(kinds).collect();
        assert!(new.iter().all(|kind| kind.starts_with("runner_")), "{new:?}");
    }
    assert!(interrupted > 2, "only {interrupted} removals were interrupted");
    assert_eq!(migration.status()["status"], "removed");
    assert_nothing_is_left(&pair.source, &pair.target);
    compare::same(&pair.source, &pair.target, "shop");
}
