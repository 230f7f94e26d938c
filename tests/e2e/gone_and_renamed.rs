//! Databases that get another name or are dropped, and servers that never come back: what is left can be cleaned and proven.

use crate::meanwhile::{subscription, syncing};
use crate::migration::assert_nothing_is_left;
use pghaul_testkit::{ClusterPair, Settings, Stop, leftovers, wait_until};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);
/// The exit codes of a usage error, of a server or database that can't be reached, and of a refused removal.
const BAD_INPUT: i32 = 2;
const UNREACHABLE: i32 = 4;
const NOT_SAFE_TO_REMOVE: i32 = 8;

#[test]
fn what_is_gone_or_has_another_name_is_named_and_keeps_nothing_from_being_cleaned() {
    let pair = &ClusterPair::start(Settings::new(), Settings::new());

    // A database that gets another name, on the target and on the source.
    let (migration, database) = syncing(pair, "renamed");
    for (side, name) in [(&pair.target, "target"), (&pair.source, "source")] {
        let is_on_target = name == "target";
        let subscription = subscription(pair, &database);
        let able = |database: &str, how: &str| {
            let statement = format!("alter subscription {subscription} {how}");
            pair.target.psql(database, &statement);
        };
        able(&database, "disable");
        let rename = |from: &str, to: &str| {
            let others = format!("select count(*) from pg_stat_activity where datname = '{from}'");
            wait_until("nobody is in the database", PATIENCE, || {
                side.psql("postgres", &others) == "0"
            });
            side.psql("postgres", &format!("alter database {from} rename to {to}"));
        };
        rename(&database, "other");
        let is_named = format!("database {database} is called other on the {name} now");
        for command in [&["run"][..], &["remove", "--force"]] {
            let outcome = migration.command(command).run().failed_with(UNREACHABLE);
            assert!(outcome.stderr.contains(&is_named), "{outcome}");
        }
        rename("other", &database);
        able(&database, "enable");
        if is_on_target {
            migration.run().succeeded();
        }
    }
    // The removal had been forced by then.
    migration.command(&["remove", "--force"]).run().succeeded();

    // One that the source drops: all others can still be proven.
    let (migration, database) = syncing(pair, "dropped");
    let disable = format!("alter subscription {} disable", subscription(pair, &database));
    pair.target.psql(&database, &disable);
    let active = "select count(*) from pg_replication_slots where active";
    wait_until("the slot is free", PATIENCE, || {
        pair.source.psql("postgres", active) == "0"
    });
    pair.source
        .psql("postgres", &format!("drop database {database} with (force)"));
    let refused = migration.remove().failed_with(NOT_SAFE_TO_REMOVE);
    assert!(refused.stderr.contains("was dropped on the source"), "{refused}");
    let accepted = format!("database {database}");
    let accept = ["remove", "--accept-incomplete", &accepted];
    migration.command(&accept).run().succeeded();
    assert_eq!(pair.target.psql(&database, "select count(*) from t"), "1");
    assert_nothing_is_left(&pair.source, &pair.target);

    // A target that never comes back.
    let (migration, database) = syncing(pair, "gone");
    let gone = |side| migration.command(&["remove", "--force", "--gone", side]).run();
    gone("target").failed_with(BAD_INPUT);
    pair.target.stop(Stop::Fast);
    let refused = migration
        .command(&["remove", "--force"])
        .run()
        .failed_with(UNREACHABLE);
    assert!(refused.stderr.contains("--gone target"), "{refused}");
    gone("source").failed_with(BAD_INPUT);
    gone("target").succeeded();
    assert_eq!(leftovers(&pair.source), [""; 0]);
    assert_eq!(migration.status_of(&database)["status"], "removed");
}
