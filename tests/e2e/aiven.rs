//! A role that owns nothing and is no superuser, with the functions of aiven_extras, for which a stand-in is there.

use crate::migration::{Migration, assert_nothing_is_left};
use pghaul_testkit::{ClusterPair, compare, fixtures, postgres, wait_until};
use std::time::Duration;

#[test]
fn with_aiven_extras_a_role_without_rights_replicates() {
    let settings = || fixtures::with_aiven_extras(true);
    let pair = ClusterPair::start(settings(), settings());
    pair.source.psql(
        "postgres",
        "create role avn login replication bypassrls password 'avnpass'; grant pg_read_all_data to avn; create database app",
    );
    pair.source.psql(
        "app",
        "create extension aiven_extras; grant usage on schema aiven_extras to avn;
         create table t (i int primary key, what text); insert into t select n, 'row' from generate_series(1, 500) n;
         create table p (i int primary key) partition by range (i);
         create table p1 partition of p for values from (1) to (100);
         insert into p select n from generate_series(1, 50) n;
         alter table t owner to avn; alter table t owner to postgres",
    );
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
