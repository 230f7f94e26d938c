//! A source with a standby that keeps copies of failover slots: after its promotion the migration goes on.

use crate::back_in_time::write;
use crate::migration::{Migration, assert_nothing_is_left};
use pghaul_testkit::{Cluster, ClusterPair, Settings, Stop, compare, copy_all, postgres, wait_until};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);

/// A standby that uses the slot `standby` of its primary, and keeps copies of failover slots.
fn standby_of(primary: &Cluster) -> Cluster {
    let settings = Settings::new()
        .major(primary.major())
        .set("primary_conninfo", &primary.conninfo_socket("postgres"))
        .set("primary_slot_name", "standby")
        .set("hot_standby_feedback", "on")
        .set("sync_replication_slots", "on");
    let standby = Cluster::start("standby", settings);
    standby.stop(Stop::Fast);
    primary.stop(Stop::Fast);
    std::fs::remove_dir_all(standby.data_dir()).unwrap();
    copy_all(&primary.data_dir(), &standby.data_dir());
    primary.start_again();
    primary.psql(
        "postgres",
        "select pg_create_physical_replication_slot('standby')",
    );
    // Any file that belongs to the servers' user does.
    copy_all(
        &standby.data_dir().join("PG_VERSION"),
        &standby.data_dir().join("standby.signal"),
    );
    standby.start_again();
    standby
}

#[test]
fn a_promoted_standby_that_had_everything_is_followed() {
    let settings = || Settings::new().major(17);
    let pair = ClusterPair::start(
        settings().set("synchronized_standby_slots", "standby"),
        settings(),
    );
    pair.source.create_database("shop");
    pair.source.psql(
        "shop",
        "create table t (id int primary key); insert into t select generate_series(1, 100)",
    );
    let standby = standby_of(&pair.source);
    let used = "select count(*) from pg_replication_slots where slot_name = 'standby' and active";
    wait_until("the standby is connected", PATIENCE, || {
        pair.source.psql("shop", used) == "1"
    });

    let pg_dump = postgres::client_from("pg_dump", 17);
    let migration = Migration::of(&pair.source, &pair.target, "shop")
        .options(["--method", "replication"])
        .env("PGHAUL_PG_DUMP", pg_dump.to_str().expect("a path in UTF-8"));
    migration.run().succeeded();
    // Its worker sleeps the longer the less it finds to do.
    standby.stop(Stop::Fast);
    standby.start_again();
    let copied = "select count(*) from pg_replication_slots where synced and not temporary";
    let mut id = 1000;
    wait_until("the standby has a copy of the slot", PATIENCE, || {
        id += 1;
        pair.source.psql("shop", "select pg_log_standby_snapshot()");
        write(&pair, id);
        standby.psql("postgres", copied) == "1"
    });
    migration.run().succeeded();

    pair.source.stop(Stop::Immediate);
    assert_eq!(standby.psql("postgres", "select pg_promote()"), "t");
    let pair = ClusterPair {
        source: standby,
        target: pair.target,
    };
    let migration = migration.again_between(&[
        pair.source.conninfo("postgres"),
        pair.target.conninfo("postgres"),
        pair.source.conninfo("postgres"),
    ]);
    migration.run().succeeded();
    write(&pair, 5000);
    assert_eq!(migration.status_of("shop")["status"], "syncing");
    migration.remove().succeeded();
    compare::same(&pair.source, &pair.target, "shop");
    assert_nothing_is_left(&pair.source, &pair.target);
}
