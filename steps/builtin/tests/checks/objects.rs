//! What the target's version does not have: from PostgreSQL 10 to 18.

use crate::{Bench, kinds};
use pghaul_core::{Finding, Severity};
use pghaul_testkit::{ClusterPair, Kind, Settings, fixtures, shared_pair};

/// An empty database on PostgreSQL 10, to be moved to 18.
fn old(label: &str) -> (&'static ClusterPair, String) {
    let pair = shared_pair(Kind::Versions(10, 18));
    let database = pair.fresh_database(label);
    (pair, database)
}

/// What a check finds in a database on PostgreSQL 10 in which `sql` was run.
async fn found_by(check: &str, sql: &str) -> Vec<Finding> {
    let (pair, database) = old("objects");
    pair.source.psql(&database, sql);
    Bench::new(pair, &[&database]).database(check, &database).await
}

#[tokio::test]
async fn types_that_newer_versions_do_not_have() {
    let (pair, database) = old("types");
    pair.source.psql(
        &database,
        "create domain day as abstime; create type span as (name text, period tinterval[]);
         create table t (i int primary key, a abstime, \"B\" day, c span, fine timestamptz);
         create materialized view m as select null::reltime as r",
    );
    let bench = Bench::new(pair, &[&database]);
    let findings = bench.database("removed-types", &database).await;
    assert_eq!(kinds(&findings), ["removed-types"]);
    assert_eq!(
        findings[0].facts["columns"],
        serde_json::json!([
            "public.m.r (reltime)",
            "public.t.a (abstime)",
            "public.t.\"B\" (public.day)",
            "public.t.c (public.span)"
        ])
    );
    let rows = found_by(
        "removed-types",
        "create table t (i int primary key, c pg_catalog.pg_am, s information_schema.sql_identifier, a aclitem[])",
    )
    .await;
    assert_eq!(
        kinds(&rows),
        ["system-row-types"],
        "what only lies otherwise on the disk arrives as text"
    );
    let names = found_by(
        "removed-types",
        "create table t (i int primary key, c regclass[])",
    )
    .await;
    assert_eq!(kinds(&names), ["object-names"]);
    assert_eq!(names[0].severity, Severity::Note);
}

#[tokio::test]
async fn columns_without_a_type() {
    let pair = ClusterPair::start(
        Settings::new().major(10).set("allow_system_table_mods", "on"),
        Settings::new().major(10),
    );
    pair.source.create_database("app");
    pair.source.psql(
        "app",
        "create table t (i int primary key, u text);
         update pg_attribute set atttypid = 'unknown'::regtype, attcollation = 0 where attrelid = 't'::regclass and attname = 'u'",
    );
    let findings = Bench::new(&pair, &["app"]).database("removed-types", "app").await;
    assert_eq!(kinds(&findings), ["unknown-types"]);
}

#[tokio::test]
async fn objects_that_newer_versions_do_not_have() {
    let (pair, database) = old("removed");
    pair.source.psql(
        &database,
        "create table with_oids (i int primary key) with oids; create unique index by_oid on with_oids (oid);
         create function factorial_of(bigint) returns numeric language sql immutable as 'select $1::numeric';
         create operator public.!- (procedure = factorial_of, leftarg = bigint);
         create aggregate gathered (anyelement) (sfunc = array_append, stype = anyarray, initcond = '{}');
         create conversion own for 'LATIN1' to 'UTF8' from pg_catalog.iso8859_1_to_utf8;
         create function fires() returns opaque language plpgsql as 'begin return new; end';
         create function warned() returns int language sql set operator_precedence_warning = on as 'select 1';
         create view buffers as select checkpoints_timed, buffers_clean from pg_stat_bgwriter",
    );
    pair.source.psql(
        "postgres",
        &format!("alter database {database} set operator_precedence_warning = on"),
    );
    let bench = Bench::new(pair, &[&database]);
    let findings = bench.database("removed-objects", &database).await;
    let expected = [
        "tables-with-oids",
        "indexes-of-oids",
        "postfix-operators",
        "polymorphic-functions",
        "encoding-conversions",
        "opaque-functions",
        "system-columns-missing",
        "unknown-settings",
        "unknown-settings-of-functions",
    ];
    assert_eq!(kinds(&findings), expected);
    assert_eq!(findings[0].severity, Severity::Warning);
    assert_eq!(
        findings[6].facts["columns"],
        serde_json::json!(["pg_stat_bgwriter.checkpoints_timed"])
    );
    pair.source.psql(
        &database,
        &format!(
            "{}; {} drop operator !- (bigint, none); drop aggregate gathered (anyelement); drop conversion own;
             drop function fires(); {} {} {}",
            findings[1].hint.as_ref().unwrap().trim_end_matches(';'),
            findings[8].hint.as_ref().unwrap(),
            findings[0].hint.as_ref().unwrap().split_once(": ").unwrap().1,
            findings[6].hint.as_ref().unwrap().split_once(": ").unwrap().1,
            findings[7].hint.as_ref().unwrap(),
        ),
    );
    assert_eq!(
        bench.database("removed-objects", &database).await,
        [],
        "the hints were right"
    );
}

#[tokio::test]
async fn the_same_version_has_them() {
    let pair = ClusterPair::start(Settings::new().major(10), Settings::new().major(10));
    pair.source.create_database("app");
    pair.source.psql(
        "app",
        "create table t (i int primary key, a abstime, c pg_catalog.pg_am);
         create table with_oids (i int primary key) with oids; create unique index by_oid on with_oids (oid);
         create aggregate gathered (anyelement) (sfunc = array_append, stype = anyarray, initcond = '{}')",
    );
    pair.source.psql(
        "postgres",
        "alter database app set operator_precedence_warning = on",
    );
    let bench = Bench::new(&pair, &["app"]);
    assert_eq!(bench.database("removed-types", "app").await, []);
    let findings = bench.database("removed-objects", "app").await;
    assert_eq!(
        kinds(&findings),
        ["tables-with-oids"],
        "rows are copied without their oids"
    );
}

#[tokio::test]
async fn what_a_restore_does_not_bring_back() {
    let pair = shared_pair(Kind::Ordinary);
    let database = pair.fresh_database("conflicts");
    let bench = Bench::new(pair, &[&database]);
    pair.source.psql(
        &database,
        "create type mood as enum ('fine', 'bad'); create domain feeling as mood;
         create table by_list (m mood primary key) partition by list (m);
         create table by_hash (m feeling, i int, primary key (m, i)) partition by hash (m, i);
         create table by_hash_0 partition of by_hash for values with (modulus 1, remainder 0)",
    );
    assert_eq!(bench.all().await, ["restore-conflicts: hash-partitions-by-enum"]);
    let findings = bench.database("restore-conflicts", &database).await;
    assert_eq!(findings[0].facts["tables"], serde_json::json!(["public.by_hash"]));
    pair.source.psql(
        &database,
        "drop table by_hash;
         create table by_name (c regclass[], i int) partition by hash (c);
         create table by_name_0 partition of by_name for values with (modulus 1, remainder 0);
         create table by_range (c regtype primary key) partition by range (c);
         create table of_names (c regrole primary key) partition by list (c);
         create function pg_catalog.helper() returns int language sql as 'select 1';
         create table information_schema.kept (id serial);
         alter text search configuration simple drop mapping for url;
         create table of_extension (i int primary key); alter extension plpgsql add table of_extension",
    );
    pair.source.psql(
        &database,
        "create index added on of_extension ((i + 1)); create policy own on of_extension",
    );
    let findings = bench.database("restore-conflicts", &database).await;
    assert_eq!(
        kinds(&findings),
        [
            "partitions-by-object-names",
            "rows-in-system-schemas",
            "in-system-schemas",
            "added-to-extensions",
            "changed-text-search"
        ]
    );
    assert_eq!(
        findings[0].facts["tables"],
        serde_json::json!(["public.by_name", "public.by_range"])
    );
    assert_eq!(
        findings[1].facts["relations"],
        serde_json::json!(["table information_schema.kept"])
    );
    let hint = findings[1].hint.as_ref().unwrap();
    let (_, statement) = hint.split_once(": ").unwrap();
    pair.source.psql(&database, &statement.replace('…', "public"));
    assert_eq!(
        findings[2].facts["objects"],
        serde_json::json!(["function pg_catalog.helper()"])
    );
    assert_eq!(
        findings[3].facts["objects"],
        serde_json::json!([
            "index added on public.of_extension",
            "policy own on public.of_extension"
        ])
    );
    assert_eq!(findings[4].facts["configurations"], serde_json::json!(["simple"]));
    pair.source.psql(
        &database,
        "alter extension plpgsql drop table of_extension; drop table kept, by_name, by_range, of_names, of_extension;
         drop function pg_catalog.helper();
         alter text search configuration simple add mapping for url with simple;
         create table parent (i int primary key, \"No. \"\"Null\" text);
         create table child (primary key (i)) inherits (parent);
         alter table only parent alter \"No. \"\"Null\" set not null",
    );
    assert_eq!(bench.all().await, ["restore-conflicts: not-null-only-in-parent"]);
    let findings = bench.database("restore-conflicts", &database).await;
    let hint = findings[0].hint.as_ref().unwrap();
    pair.source
        .psql(&database, hint.strip_prefix("for each: ").unwrap());
    assert_eq!(bench.all().await, [""; 0], "the hint was right");
    pair.source
        .psql(&database, "insert into parent values (1, 'a'), (2, 'a')");
    pair.source
        .try_psql(
            &database,
            "create unique index concurrently twice on parent (\"No. \"\"Null\")",
        )
        .unwrap_err();
    assert_eq!(bench.all().await, ["restore-conflicts: invalid-indexes"]);
}

#[tokio::test]
async fn what_can_be_moved_is_not_refused() {
    for (from, to) in [(10, 18), (13, 16), (15, 15)] {
        // Its roles belong to all databases.
        let pair = ClusterPair::start(Settings::new().major(from), Settings::new().major(to));
        let database = pair.fresh_database("hostile contents");
        fixtures::hostile_contents(&pair.source, &database);
        let bench = Bench::new(&pair, &[&database]);
        let findings = bench.findings().await;
        let errors: Vec<&Finding> = findings
            .iter()
            .filter(|finding| finding.severity == Severity::Error)
            .collect();
        assert!(errors.is_empty(), "{from} to {to}: {errors:#?}");
    }
}
