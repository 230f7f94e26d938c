//! A `remove` that was interrupted is only ever finished: `run` does not go on where it stopped.

use crate::migration::{Migration, assert_nothing_is_left};
use pghaul_testkit::{ClusterPair, Settings, compare};

const ROWS: &str = "
    create table book (id int primary key, title text);
    insert into book select n, 'book ' || n from generate_series(1, 500) n;
";

/// A database with these objects, which is replicated.
fn followed(objects: &str) -> (ClusterPair, Migration) {
    let pair = ClusterPair::start(Settings::new(), Settings::new());
    pair.source.create_database("shop");
    pair.source.psql("shop", objects);
    let migration = Migration::of(&pair.source, &pair.target, "shop").options(["--method", "replication"]);
    migration.run().succeeded();
    (pair, migration)
}

#[test]
fn a_run_in_between_says_what_to_do_and_changes_nothing() {
    let (pair, migration) = followed(ROWS);
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

/// What the removal completes: a table without a key, its foreign key, a materialized view, a trigger, large objects, sequences.
const TO_COMPLETE: &str = "
    create table customer (id int primary key);
    create table log (customer int references customer, what text);
    insert into customer select generate_series(1, 50);
    insert into log select n, 'x' from generate_series(1, 50) n;
    create materialized view logged as select count(*) from log;
    create sequence ticket;
    select lo_from_bytea(30001, 'old');
    create function stamp() returns trigger language plpgsql as 'begin return new; end';
    create trigger stamp before insert on customer for each row execute function stamp();
    alter table customer enable always trigger stamp;
";

/// Whatever of its effects is there already, the source is followed further: also by a TRUNCATE, which a foreign key would refuse.
#[test]
fn killed_while_it_completes_the_source_is_followed_further() {
    let (pair, migration) = followed(TO_COMPLETE);
    let step: usize = std::env::var("PGHAUL_REMOVE_STEP").map_or(9, |step| step.parse().expect("a number"));
    let mut killed = 0;
    for position in (1..).step_by(step) {
        let change = format!(
            "begin; truncate customer cascade; insert into customer select generate_series(1, 20 + {position});
             insert into log select n, 'y' from generate_series(1, 10 + {position}) n; commit;
             select nextval('ticket'), lo_put(30001, 0, '{position}')"
        );
        pair.source.psql("shop", &change);
        let remove = migration.command(&["remove"]);
        let outcome = remove.env("PGHAUL_CRASH_AT", position.to_string()).run();
        if outcome.status.code().is_some() {
            outcome.succeeded();
            break;
        }
        let events = migration.events();
        if events.iter().any(|event| event["kind"] == "removal_started") {
            migration.remove().succeeded();
            break;
        }
        killed += 1;
        // Every other time a run comes first, after a change that the foreign key would refuse.
        if killed % 2 == 0 {
            pair.source.psql("shop", &change);
            migration.run().succeeded();
        }
    }
    assert!(killed > 3, "only {killed} removals were killed");
    assert_eq!(migration.status()["status"], "removed");
    assert_nothing_is_left(&pair.source, &pair.target);
    // The target's is as of the removal.
    pair.source.psql("shop", "refresh materialized view logged");
    compare::same(&pair.source, &pair.target, "shop");
}
