//! A bank that goes on working while its database is moved, by a program that is killed all the time.

use crate::kills::killed_until_done;
use crate::migration::{Migration, assert_nothing_of_it_is_left};
use pghaul_testkit::{Kind, Load, compare, fill, shared_pair};
use std::time::Duration;

const KILLS: u32 = 10;

/// Hundred thousand accounts each; 20 makes a database of 300 MB.
fn scale() -> u32 {
    let scale = std::env::var("PGHAUL_E2E_SCALE").unwrap_or_else(|_| "5".to_owned());
    scale.parse().expect("PGHAUL_E2E_SCALE is a number")
}

/// What a copy takes at least on a fast machine; on a slower one the kills come early in it.
fn expected() -> Duration {
    Duration::from_millis(500) + Duration::from_millis(150) * scale()
}

#[test]
fn replication_loses_nothing_of_what_is_written_meanwhile() {
    let pair = shared_pair(Kind::Ordinary);
    let database = pair.fresh_database("pgbench_live");
    fill::pgbench_with_keys(&pair.source, &database, scale());
    let migration = Migration::of(&pair.source, &pair.target, &database).options(["--method", "replication"]);
    // Each has two clients.
    let loads = [
        Load::start(&pair.source, &database),
        Load::start(&pair.source, &database),
    ];
    // Besides copying it has to catch up.
    killed_until_done(&migration.with_options("run"), expected() * 2, KILLS);
    for report in loads.map(Load::stop) {
        assert_eq!((report.errors, report.messages.as_str()), (0, ""));
        assert!(report.transactions > 0, "{report:?}");
    }
    // Its proof is one of everything written until now.
    migration.run().succeeded();
    assert_eq!(migration.status_of(&database)["status"], "syncing");
    compare::same(&pair.source, &pair.target, &database);
    migration.remove().succeeded();
    assert_nothing_of_it_is_left(&migration, pair, &database);
    compare::same(&pair.source, &pair.target, &database);
}

#[test]
fn a_dump_doubles_nothing() {
    let pair = shared_pair(Kind::Ordinary);
    let database = pair.fresh_database("pgbench_dump");
    fill::pgbench_with_keys(&pair.source, &database, scale());
    let migration = Migration::of(&pair.source, &pair.target, &database).options(["--method", "dump"]);
    killed_until_done(&migration.with_options("run"), expected(), KILLS);
    assert_eq!(migration.status_of(&database)["status"], "done");
    assert_nothing_of_it_is_left(&migration, pair, &database);
    compare::same(&pair.source, &pair.target, &database);
}
