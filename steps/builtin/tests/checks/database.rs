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
    let (pair, database) = shop("large");
    pair.source.psql(
        &database,
        "select lo_create(0), lo_from_bytea(0, decode(repeat('00', 3000000), 'hex') || convert_to(repeat(md5('x'), 30000), 'utf8'))",
    );
    let bench = Bench::new(pair, &[&database]);
    assert_eq!(bench.all().await, ["large-objects: large-objects"]);
    let findings = bench.database("large-objects", &database).await;
    assert_eq!(findings[0].facts["count"], 2);
    assert!(
        findings[0].facts["bytes"].as_i64().unwrap() > 30_000,
        "{findings:?}"
    );
}

#[tokio::test]
async fn a_schema_of_our_name() {
    assert_eq!(
        broken_by("taken", "create schema pghaul").await,
        ["reserved-schema: schema-pghaul-exists"]
    );
    let (pair, database) = shop("bookkeeping");
    pair.source.psql(
        &database,
        "create schema pghaul; create table pghaul.owner (migration text); create table pghaul.effect (key text);
         create view of_a_user as select * from pghaul.owner",
    );
    let bench = Bench::new(pair, &[&database]);
    let findings = bench.database("reserved-schema", &database).await;
    let (_, statements) = findings[0]
        .hint
        .as_ref()
        .unwrap()
        .split_once("database: ")
        .unwrap();
    let refused = pair.source.try_psql(&database, statements).unwrap_err();
    assert!(refused.to_string().contains("of_a_user"), "{refused}");
    pair.source
        .psql(&database, &format!("drop view of_a_user; {statements}"));
    assert_eq!(bench.all().await, [""; 0], "the hint was right");
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
async fn why_tables_have_no_identity() {
    let (pair, database) = shop("reasons");
    pair.source.psql(
        &database,
        "create table a (); create table b (i int primary key); alter table b replica identity nothing;
         create table c (i int primary key deferrable);
         create table d (i int not null unique); alter table d replica identity using index d_i_key;
         alter table d drop constraint d_i_key",
    );
    let findings = Bench::new(pair, &[&database]).database("tables", &database).await;
    assert_eq!(
        findings[0].facts,
        serde_json::json!({
            "tables": ["public.a", "public.b", "public.c", "public.d"],
            "reasons": ["no primary key", "REPLICA IDENTITY NOTHING", "deferrable or invalid primary key",
                        "its REPLICA IDENTITY index is gone or not usable"],
        })
    );
}

#[tokio::test]
async fn identities_that_cannot_be_compared() {
    let fine = "create table f (i int primary key, j json); alter table f replica identity full;
                create domain amount as numeric; create type mood as enum ('fine'); create type pair as (a int, b text);
                create table g (v varchar, c char(3), o oid, e mood, p pair, n amount, ip cidr, t tsvector, u uuid,
                                b jsonb, a text[], range int4range, bits varbit); alter table g replica identity full";
    assert_eq!(broken_by("comparable", fine).await, [""; 0]);
    let sql = "create domain place as point;
               create table j (v json); alter table j replica identity full;
               create table x (v xml[]); alter table x replica identity full;
               create table p (v place); alter table p replica identity full";
    let (pair, database) = shop("incomparable");
    pair.source.psql(&database, sql);
    let bench = Bench::new(pair, &[&database]);
    assert_eq!(bench.all().await, ["tables: identity-not-comparable"]);
    let findings = bench.database("tables", &database).await;
    assert_eq!(findings[0].severity, Severity::Warning);
    assert_eq!(
        findings[0].facts["tables"],
        serde_json::json!(["public.j", "public.p", "public.x"])
    );
}

/// pg_cron is rarely installed where tests run: another extension gets its table.
#[tokio::test]
async fn jobs_that_both_servers_would_run() {
    let (pair, database) = shop("jobs");
    let sql = "create extension citext; create schema cron; create table cron.job (jobid int primary key, active bool);
               insert into cron.job values (1, true), (2, false), (3, true); set allow_system_table_mods = on;
               insert into pg_depend select 'pg_class'::regclass, 'cron.job'::regclass, 0, 'pg_extension'::regclass, oid, 0, 'e'
                 from pg_extension where extname = 'citext';
               update pg_extension set extconfig = array['cron.job'::regclass], extcondition = array[''] where extname = 'citext'";
    pair.source.psql(&database, sql);
    let mut bench = Bench::new(pair, &[&database]);
    let findings = bench.database("scheduled-jobs", &database).await;
    assert_eq!(kinds(&findings), ["jobs-run-twice"]);
    assert_eq!(findings[0].facts["jobs"], 2);

    bench.landscape.selection.objects.schema_only_tables = vec!["cron.job".to_owned()];
    assert_eq!(
        bench.database("scheduled-jobs", &database).await,
        [],
        "it is left out"
    );
}

#[tokio::test]
async fn sequences_and_identity_columns() {
    let (pair, database) = shop("sequences");
    let mut bench = Bench::new(pair, &[&database]);
    let findings = bench.database("sequences", &database).await;
    assert_eq!(kinds(&findings), ["sequences-not-followed"]);
    assert_eq!(findings[0].severity, Severity::Note);
    assert_eq!(
        findings[0].facts,
        serde_json::json!({ "sequences": 3, "identities": 2 })
    );
    bench.landscape.forced = Some(pghaul_core::Method::Dump);
    assert_eq!(
        bench.database("sequences", &database).await,
        [],
        "a dump moves them"
    );
    let empty = pair.fresh_database("empty");
    assert_eq!(
        Bench::new(pair, &[&empty]).database("sequences", &empty).await,
        []
    );
}

#[tokio::test]
async fn partitions_of_old_servers() {
    let tree = "create table \"P\" (i int) partition by range (i);
                create table p1 partition of \"P\" for values from (0) to (9)";
    let old = shared_pair(Kind::Versions(10, 18));
    let database = old.fresh_database("partitions");
    old.source.psql(&database, tree);
    let mut bench = Bench::new(old, &[&database]);
    let findings = bench.database("partitions", &database).await;
    assert_eq!(kinds(&findings), ["published-by-leaf"]);
    assert_eq!(findings[0].facts["tables"], serde_json::json!(["public.\"P\""]));
    assert_eq!(
        kinds(&bench.cluster("truncate").await),
        ["truncate-not-replicated"]
    );
    bench.landscape.forced = Some(pghaul_core::Method::Dump);
    assert_eq!(
        bench.database("partitions", &database).await,
        [],
        "a dump takes what is there"
    );
    assert_eq!(bench.cluster("truncate").await, []);
    let new = shared_pair(Kind::Versions(13, 16));
    let database = new.fresh_database("partitions");
    new.source.psql(&database, tree);
    let bench = Bench::new(new, &[&database]);
    assert_eq!(bench.database("partitions", &database).await, []);
    assert_eq!(bench.cluster("truncate").await, []);
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
    let removed = renamed.replace("nonesuch", "timetravel");
    assert_eq!(
        broken_by("extension", &removed).await,
        ["extensions: extension-removed"]
    );
    let language = "create language nonesuch handler plpgsql_call_handler";
    assert_eq!(
        broken_by("language", language).await,
        ["languages: language-not-available"]
    );
    let own = "create function own_handler() returns language_handler language c as '$libdir/plpgsql', 'plpgsql_call_handler';
               create language own handler own_handler";
    assert_eq!(broken_by("own language", own).await, [""; 0]);
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
        Some(format!(
            "on the source: ALTER DATABASE {database} WITH ALLOW_CONNECTIONS true;"
        ))
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
        "tables without a usable replica identity are copied once, not replicated (1): public.keyless \
         (no primary key)"
    );
}
