//! A role that owns nothing and is no superuser, with the functions of aiven_extras, for which a stand-in is there.

use crate::migration::{Migration, assert_nothing_is_left};
use pghaul_testkit::{ClusterPair, compare, fixtures, postgres, wait_until};
use std::time::Duration;

/// Servers with a database `app`, whose tables are not those of the role that migrates it.
fn as_on_aiven(tables: &str) -> (ClusterPair, Migration) {
    let settings = || fixtures::with_aiven_extras(true);
    let pair = ClusterPair::start(settings(), settings());
    pair.source.psql(
        "postgres",
        "create role avn login replication bypassrls password 'avnpass'; grant pg_read_all_data to avn; create database app",
    );
    pair.source.psql(
        "app",
        "create extension aiven_extras; grant usage on schema aiven_extras to avn",
    );
    pair.source.psql("app", tables);
    pair.target.psql(
        "postgres",
        "create role avn login createdb createrole password 'avnpass'; grant postgres to avn with inherit true, set true",
    );
    let (source, target) = (
        pair.source.conninfo_as("avn", "avnpass", "postgres"),
        pair.target.conninfo_as("avn", "avnpass", "postgres"),
    );
    let pg_dump = postgres::client_from("pg_dump", 18);
    let migration = Migration::between(&source, &target)
        .options(["--database", "app"])
        .env("PGHAUL_PG_DUMP", pg_dump.to_str().expect("a path in UTF-8"));
    (pair, migration)
}

#[test]
fn with_aiven_extras_a_role_without_rights_replicates() {
    let (pair, migration) = as_on_aiven(
        "create table t (i int primary key, what text); insert into t select n, 'row' from generate_series(1, 500) n;
         create table p (i int primary key) partition by range (i);
         create table p1 partition of p for values from (1) to (100);
         insert into p select n from generate_series(1, 50) n;
         alter table t owner to avn; alter table t owner to postgres",
    );
    migration.run().succeeded();
    let status = migration.status_of("app");
    assert_eq!(
        (&status["method"], &status["status"]),
        (&"replication".into(), &"syncing".into()),
        "{status:#}"
    );
    pair.source.psql(
        "app",
        "update t set what = 'changed' where i < 10; insert into p values (99)",
    );
    wait_until("the changes have arrived", Duration::from_secs(60), || {
        pair.target.psql(
            "app",
            "select (select count(*) from t where what = 'changed') + (select count(*) from p)",
        ) == "60"
    });
    migration.run().succeeded();
    migration.remove().succeeded();
    compare::same(&pair.source, &pair.target, "app");
    assert_nothing_is_left(&pair.source, &pair.target);
}

/// A role that does not own a table can't put it back into a publication.
#[test]
fn killed_in_the_middle_it_copies_the_rest_itself() {
    let (pair, migration) = as_on_aiven(
        "create table large (i int primary key, filling text);
         alter table large alter filling set storage plain;
         insert into large select n, repeat(md5(n::text), 30) from generate_series(1, 8000) n;
         create table middle (i int primary key, filling text);
         alter table middle alter filling set storage plain;
         insert into middle select n, repeat(md5(n::text), 30) from generate_series(1, 4000) n",
    );
    let migration = migration.options(["--jobs", "1", "--rate-limit", "4MB"]);
    let running = migration.with_options("run").spawn();
    wait_until("the second table is copied", Duration::from_secs(60), || {
        let copies = "select count(*) > 0 from pg_stat_activity where datname = current_database() and query like 'COPY%middle%'";
        pair.source.try_psql("app", copies).as_deref() == Ok("t")
    });
    running.kill9();
    pair.source
        .psql("app", "update middle set filling = 'changed' where i < 10");
    migration.run().succeeded();
    let slots = "select count(*) from pg_replication_slots where slot_name like 'pghaul%'";
    assert_eq!(pair.source.psql("app", slots), "2");
    migration.remove().succeeded();
    compare::same(&pair.source, &pair.target, "app");
    assert_nothing_is_left(&pair.source, &pair.target);
}
