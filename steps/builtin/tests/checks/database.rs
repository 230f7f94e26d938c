//! Checks of one database: each breaks one thing.

use crate::{Bench, kinds};
use pghaul_core::Severity;
use pghaul_testkit::{ClusterPair, Kind, fixtures, identifier, shared_pair};

/// What all checks find in a shop in which `sql` was run on the source.
async fn broken_by(label: &str, sql: &str) -> Vec<String> {
    let (pair, database) = shop(label);
    pair.source.psql(&database, sql);
    Bench::new(pair, &[&database]).all().await
}

fn shop(label: &str) -> (&'static ClusterPair, String) {
    let pair = shared_pair(Kind::Ordinary);
    let database = pair.fresh_database(label);
    fixtures::shop(&pair.source, &database);
    (pair, database)
}

#[tokio::test]
async fn large_objects() {
    let found = broken_by("large", "select lo_create(0), lo_create(0)").await;
    assert_eq!(found, ["large-objects: large-objects-not-moved"]);
}

#[tokio::test]
async fn a_schema_of_our_name() {
    assert_eq!(
        broken_by("taken", "create schema pghaul").await,
        ["reserved-schema: schema-pghaul-exists"]
    );
}

#[tokio::test]
async fn tables_that_are_not_replicated() {
    let found = broken_by(
        "tables",
        "create table \"No Key\" (); create unlogged table u (i int primary key)",
    )
    .await;
    assert_eq!(found, ["tables: no-replica-identity", "tables: unlogged"]);
    let deferrable = "create table d (i int primary key deferrable); alter table d replica identity default";
    assert_eq!(
        broken_by("deferrable", deferrable).await,
        ["tables: no-replica-identity"]
    );
    let others = "create materialized view m as select 1 as one; create foreign data wrapper w;
                  create server s foreign data wrapper w; create foreign table f (i int) server s";
    assert_eq!(
        broken_by("others", others).await,
        ["tables: foreign-tables", "tables: materialized-views"]
    );
}

#[tokio::test]
async fn tables_with_an_identity_are_fine() {
    let fine = "create table f (i int); alter table f replica identity full;
                create table x (i int not null unique); alter table x replica identity using index x_i_key;
                create table p (i int primary key) partition by range (i);
                create table p1 partition of p for values from (0) to (9);
                create temp table t ()";
    assert_eq!(broken_by("identity", fine).await, [""; 0]);
}

#[tokio::test]
async fn triggers_that_replication_fires() {
    let sql = "create table t (i int primary key);
               create function f() returns trigger language plpgsql as 'begin return new; end';
               create function e() returns event_trigger language plpgsql as 'begin end';
               create trigger normal before insert on t for each row execute procedure f();
               create trigger always before insert on t for each row execute procedure f();
               alter table t enable always trigger always;
               create event trigger e on ddl_command_end execute procedure e()";
    let found = broken_by("triggers", sql).await;
    let wanted = [
        "triggers-always: triggers-held-back",
        "triggers-always: event-triggers-held-back",
    ];
    assert_eq!(found, wanted);
}

#[tokio::test]
async fn what_the_target_lacks() {
    let renamed = "set allow_system_table_mods = on; update pg_extension set extname = 'nonesuch' where extname = 'plpgsql'";
    assert_eq!(
        broken_by("extension", renamed).await,
        ["extensions: extension-not-available"]
    );
    let language = "create language nonesuch handler plpgsql_call_handler";
    assert_eq!(
        broken_by("language", language).await,
        ["languages: language-not-available"]
    );
    let pair = shared_pair(Kind::Ordinary);
    pair.source.psql(
        "postgres",
        "set allow_in_place_tablespaces = on; create tablespace fast location ''",
    );
    let table =
        "create table in_it (i int primary key) tablespace fast; create index on in_it (i) tablespace fast";
    assert_eq!(
        broken_by("tablespace", table).await,
        ["tablespaces: tablespace-missing"]
    );
}

#[tokio::test]
async fn a_closed_database() {
    let (pair, database) = shop("closed");
    pair.source.psql(
        "postgres",
        &format!("alter database {} allow_connections false", identifier(&database)),
    );
    let bench = Bench::new(pair, &[&database]);
    let findings = bench.database("database-connection", &database).await;
    assert_eq!(kinds(&findings), ["connections-not-allowed"]);
    assert_eq!(
        findings[0].hint,
        Some(format!("ALTER DATABASE {database} WITH ALLOW_CONNECTIONS true;"))
    );
    assert_eq!(
        bench.all().await,
        ["database-connection: connections-not-allowed"]
    );
}

#[tokio::test]
async fn an_existing_target_must_be_empty() {
    let (pair, database) = shop("existing");
    pair.target.create_database(&database);
    let mut bench = Bench::new(pair, &[&database]);
    assert_eq!(bench.all().await, [""; 0], "an empty one is fine");
    pair.target
        .psql(&database, "create extension pg_trgm; create schema app");
    assert_eq!(bench.all().await, [""; 0], "extensions and schemas are nothing");
    pair.target.psql(
        &database,
        "create type app.mood as enum ('fine'); create table app.\"T\" (m app.mood)",
    );
    assert_eq!(bench.all().await, ["target-empty: not-empty"]);
    let findings = bench.database("target-empty", &database).await;
    assert_eq!(
        findings[0].facts["first"],
        serde_json::json!(["table app.\"T\"", "type app.mood"])
    );
    pair.target.psql(
        &database,
        "create schema pghaul; create table pghaul.owner (migration text); insert into pghaul.owner values ('k3v9x2ab')",
    );
    assert_eq!(bench.all().await, ["target-empty: belongs-to-another"]);
    bench.landscape.migration = Some("k3v9x2ab".to_owned());
    assert_eq!(bench.all().await, [""; 0], "it is ours");
}

#[tokio::test]
async fn notes_stop_nothing() {
    let (pair, database) = shop("notes");
    pair.source.psql(&database, "create table keyless ()");
    let findings = Bench::new(pair, &[&database]).database("tables", &database).await;
    assert_eq!(findings[0].severity, Severity::Note);
    assert_eq!(
        findings[0].message,
        "tables without a usable replica identity are copied once, not replicated (1): public.keyless"
    );
}
