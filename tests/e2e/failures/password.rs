//! A password that is changed while the target follows.

use super::{completes, database, error};
use crate::migration::Migration;
use pghaul_testkit::{ClusterPair, Settings, Stop};

const PERMISSION: i32 = 5;

#[test]
fn a_new_password_reaches_the_subscription_with_the_next_run() {
    let pair = ClusterPair::start(Settings::new(), Settings::new());
    let name = database(&pair, "password");
    let source = |password| pair.source.conninfo_as("mover", password, "postgres");
    let target = pair.target.conninfo("postgres");
    pair.source.psql(
        "postgres",
        "create role mover superuser login password 'the old one'",
    );
    let migration = Migration::between(&source("the old one"), &target).options([
        "--database",
        &name,
        "--method",
        "replication",
    ]);
    completes(&migration, &pair, &name);

    pair.source
        .psql("postgres", "alter role mover password 'the new one'");
    // The subscription, too, has to come in anew.
    let end = "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'mover'";
    pair.source.psql("postgres", end);
    pair.source.psql(
        &name,
        "insert into book (title) select 'late' from generate_series(1, 50)",
    );
    error(&migration.run(), PERMISSION, "authentication-failed");

    let new = source("the new one");
    let migration = migration.again_between(&[new.clone(), target, new]);
    completes(&migration, &pair, &name);
}

/// A subscription that is connected does not notice; it is to follow on when it has to connect again.
#[test]
fn a_new_password_reaches_a_subscription_that_is_connected() {
    let pair = ClusterPair::start(Settings::new(), Settings::new());
    let name = database(&pair, "rotated");
    let source = |password| pair.source.conninfo_as("mover", password, "postgres");
    let target = pair.target.conninfo("postgres");
    let alter = "create role mover superuser login password 'the old one'";
    pair.source.psql("postgres", alter);
    let migration = Migration::between(&source("the old one"), &target).options(["--database", &name]);
    completes(&migration, &pair, &name);
    pair.source
        .psql("postgres", "alter role mover password 'the new one'");
    let new = source("the new one");
    let migration = migration.again_between(&[new, target, String::new()]);
    completes(&migration, &pair, &name);
    let conninfo = pair
        .target
        .psql("postgres", "select subconninfo from pg_subscription");
    assert!(conninfo.contains("the new one"), "{conninfo}");
    pair.source.stop(Stop::Fast);
    pair.source.start_again();
    pair.source
        .psql(&name, "insert into book (title) values ('late')");
    completes(&migration, &pair, &name);
}
