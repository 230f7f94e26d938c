//! `remove --force` from wherever a killed run left the migration: both servers are clean, the journal says so, and no
//! row of anybody is gone.

use crate::migration::{Migration, assert_nothing_of_it_is_left};
use pghaul_testkit::{Kind, shared_pair};

const ROWS: &str = "
    create table book (id int primary key, title text);
    insert into book select n, 'book ' || n from generate_series(1, 200) n;
    create table log (line text);
    insert into log select n from generate_series(1, 50) n;
    create index on book (title);
";

/// Lets `run` die at every so-many-th position until one comes to its end; removes each.
fn removed_from_everywhere(method: &str, first: u32, step: usize) {
    let pair = shared_pair(Kind::Ordinary);
    let mut states = Vec::new();
    for position in (first..400).step_by(step) {
        let name = pair.fresh_database("forced");
        pair.source.psql(&name, ROWS);
        let migration = Migration::of(&pair.source, &pair.target, &name).options(["--method", method]);
        let outcome = migration
            .with_options("run")
            .env("PGHAUL_CRASH_AT", position.to_string())
            .run();
        if outcome.status.code().is_some() {
            break;
        }
        let before = migration.status_of(&name)["status"].clone();
        // The removal dies too, as often as not.
        let remove = migration.command(&["remove", "--force"]);
        let _ = remove
            .clone()
            .env("PGHAUL_CRASH_AT", (position % 23).to_string())
            .run();
        remove.run().succeeded();
        assert_eq!(migration.status_of(&name)["status"], "removed", "from {before}");
        assert_nothing_of_it_is_left(&migration, pair, &name);
        assert_eq!(
            pair.source.psql(&name, "select count(*) from book"),
            "200",
            "from {before}"
        );
        migration.command(&["journal", "verify"]).run().succeeded();
        states.push(before);
    }
    states.dedup();
    let named = |state: &str| states.iter().any(|s| s == state);
    let last = if method == "dump" {
        "dumping"
    } else {
        "replicating"
    };
    for state in ["schema", last] {
        assert!(named(state), "never removed from {state}: {states:?}");
    }
}

#[test]
fn a_dump() {
    removed_from_everywhere("dump", 11, 13);
}

#[test]
fn a_replication() {
    removed_from_everywhere("replication", 9, 13);
}
