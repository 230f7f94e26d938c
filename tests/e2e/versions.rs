//! From every version to every newer one: `tests/matrix.sh` tries all pairs, the ordinary run one.

use crate::migration::{Migration, assert_nothing_of_it_is_left};
use pghaul_testkit::{ClusterPair, Settings, compare, fixtures, postgres, wait_until};
use std::time::Duration;

/// The pairs to be tried: `PGHAUL_MATRIX="10:18 13:17"`.
pub(crate) fn pairs(ordinary: &str) -> Vec<(u32, u32)> {
    let matrix = std::env::var("PGHAUL_MATRIX").unwrap_or_else(|_| ordinary.to_owned());
    let pair = |text: &str| {
        let (source, target) = text.split_once(':').expect("a pair is SOURCE:TARGET");
        (
            source.parse().expect("a major version"),
            target.parse().expect("a major version"),
        )
    };
    matrix.split_whitespace().map(pair).collect()
}

/// `doctor` can look at both versions; when the slot is gone, what could not be copied again is named, and nothing discarded.
fn is_looked_at(migration: &Migration, pair: &ClusterPair, database: &str) {
    let doctor = migration.command(&["doctor", "--json"]).run().succeeded();
    assert!(doctor.stdout.contains("\"unseen\": []"), "{doctor}");
    let drop = format!(
        "select pg_terminate_backend(active_pid), pg_drop_replication_slot(slot_name) from pg_replication_slots where database = '{database}'"
    );
    let left = format!("select count(*) from pg_replication_slots where database = '{database}'");
    wait_until("the slot is dropped", Duration::from_secs(60), || {
        let _ = pair.source.try_psql("postgres", &drop);
        pair.source.psql("postgres", &left) == "0"
    });
    let run = migration.with_options("run").args(["--restart-data", database]);
    let refused = run.run().failed_with(2);
    assert!(refused.stderr.contains("NOT VALID"), "{refused}");
}

/// Moves a database with objects of every kind, and compares it.
fn moves(source: u32, target: u32, method: &str) {
    println!("{source} to {target} by {method}");
    let pair = &ClusterPair::start(Settings::new().major(source), Settings::new().major(target));
    let database = pair.fresh_database(&format!("versions_{method}"));
    fixtures::hostile_contents(&pair.source, &database);
    let pg_dump = postgres::client_from("pg_dump", source);
    let migration = Migration::of(&pair.source, &pair.target, &database)
        .options(["--method", method])
        .env("PGHAUL_PG_DUMP", pg_dump.to_str().expect("a path in UTF-8"));
    migration.run().succeeded();
    if method == "replication" {
        is_looked_at(&migration, pair, &database);
        // Tables that can't be replicated, and what is held back for them, are left as they are.
        migration.command(&["remove", "--force"]).run().succeeded();
    } else {
        migration.remove().succeeded();
    }
    let options = compare::Options::default();
    let found = compare::databases((&pair.source, &database), (&pair.target, &database), &options);
    let held_back = |subject: &str| {
        let kinds = ["FK CONSTRAINT", "TRIGGER", "EVENT TRIGGER"];
        method == "replication" && kinds.iter().any(|kind| subject.starts_with(kind))
    };
    let unexpected: Vec<_> = found.iter().filter(|d| !held_back(&d.subject)).collect();
    assert!(
        unexpected.is_empty(),
        "{source} to {target} by {method}: {unexpected:#?}"
    );
    assert_nothing_of_it_is_left(&migration, pair, &database);
}

#[test]
fn a_database_goes_to_a_newer_server() {
    for (source, target) in pairs("10:18") {
        // In the ordinary run, the zoo is dumped.
        let methods: &[&str] = match std::env::var("PGHAUL_MATRIX") {
            Ok(_) => &["dump", "replication"],
            Err(_) => &["replication"],
        };
        for method in methods {
            moves(source, target, method);
        }
    }
}
