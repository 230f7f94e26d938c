//! The checks and the plan judge tables alike: they ask the same function. Each tree here was once judged in two ways.

use crate::{Bench, kinds};
use pghaul_core::plan::{RelationKind, classify};
use pghaul_core::{Finding, TableClass, TablePlan};
use pghaul_step::postgres::ReadWrite;
use pghaul_testkit::{ClusterPair, Settings};
use std::collections::BTreeSet;

const OBJECTS: &str = "
create role plain login password 'plain' replication;
create table keyed (i int primary key);
create table keyless (i int);
create table one_keyless (i int not null) partition by list (i);
create table one_keyless_1 partition of one_keyless (primary key (i)) for values in (1);
create table one_keyless_2 partition of one_keyless for values in (2);
create table no_key_of_root (i int not null) partition by list (i);
create table no_key_of_root_1 partition of no_key_of_root (primary key (i)) for values in (1);
create table one_unlogged (i int primary key) partition by list (i);
create table one_unlogged_1 partition of one_unlogged for values in (1);
create unlogged table one_unlogged_2 partition of one_unlogged for values in (2);
create table whole (i int primary key) partition by list (i);
create table whole_1 partition of whole for values in (1);
create table root_of_plain (i int primary key) partition by list (i);
create table root_of_plain_1 partition of root_of_plain for values in (1);
create table of_extension (i int);
create table configuration (i int primary key);
create materialized view computed as select 1 as i;
alter extension plpgsql add table of_extension;
alter extension plpgsql add table configuration;
update pg_extension set extconfig = array['configuration'::regclass], extcondition = array['where i > 9'] where extname = 'plpgsql';
alter table of_extension enable row level security;
alter table root_of_plain owner to plain;
grant create on database app to plain";

/// The lists of tables in the facts of findings of a kind.
fn tables(findings: &[Finding], kind: &str) -> BTreeSet<String> {
    let of_kind = findings.iter().filter(|finding| finding.kind == kind);
    of_kind
        .flat_map(|finding| finding.facts.get("tables").unwrap().as_array().unwrap().clone())
        .map(|table| table.as_str().unwrap().to_owned())
        .collect()
}

fn names<'p>(plan: &'p [TablePlan], fits: impl Fn(&TablePlan) -> bool + 'p) -> BTreeSet<String> {
    plan.iter()
        .filter(|table| fits(table))
        .map(|table| table.name.to_string())
        .collect()
}

#[tokio::test]
async fn the_checks_judge_tables_as_the_plan_does() {
    let pair = ClusterPair::start(Settings::new(), Settings::new());
    pair.source.create_database("app");
    pair.source.psql("app", OBJECTS);
    let source = pair.source.conninfo_as("plain", "plain", "postgres");
    let bench = Bench::of(&source, &pair.target.conninfo("postgres"), &["app"]);
    let catalog = bench.context().of_database("app".into()).catalog().await.unwrap();
    let plan = classify(&catalog);

    let found = bench.database("tables", "app").await;
    let no_identity = names(&plan, |t| matches!(t.class, TableClass::NoIdentity { .. }));
    assert_eq!(tables(&found, "no-replica-identity"), no_identity);
    assert!(
        no_identity.contains("public.one_keyless_1"),
        "with its tree: {no_identity:?}"
    );
    assert_eq!(
        tables(&found, "unlogged"),
        BTreeSet::from(["public.one_unlogged_2".to_owned()])
    );
    let computed = names(&plan, |t| t.kind == RelationKind::MaterializedView);
    assert_eq!(tables(&found, "materialized-views"), computed);

    // Of a tree that is published as its root only the root counts, of another one the leaves.
    let found = bench.database("replication-database", "app").await;
    let published = names(&plan, TablePlan::is_published);
    let expected = [
        "keyed",
        "no_key_of_root_1",
        "one_unlogged_1",
        "root_of_plain",
        "whole",
    ];
    assert_eq!(published, expected.map(|name| format!("public.{name}")).into());
    let mut not_owned = published;
    not_owned.remove("public.root_of_plain");
    assert_eq!(tables(&found, "not-owner"), not_owned);

    let found = bench.database("partitions", "app").await;
    let by_leaf = ["public.no_key_of_root", "public.one_unlogged"].map(str::to_owned);
    assert_eq!(tables(&found, "tree-published-by-leaf"), by_leaf.into());

    // Rows of an extension that are not the user's are not copied: neither right nor policy matters.
    let found = bench.database("privileges", "app").await;
    let unreadable: Vec<&str> = found.iter().filter_map(|f| f.facts["name"].as_str()).collect();
    assert!(unreadable.contains(&"configuration"), "{unreadable:?}");
    assert!(!unreadable.contains(&"of_extension"), "{unreadable:?}");
    assert_eq!(bench.database("row-security", "app").await, []);
}

#[tokio::test]
async fn a_detachment_that_was_interrupted_is_named() {
    let pair = ClusterPair::start(Settings::new(), Settings::new());
    pair.source.create_database("app");
    pair.source.psql(
        "app",
        "create table sales (i int primary key) partition by list (i);
         create table \"Old sales\" partition of sales for values in (1)",
    );
    let bench = Bench::new(&pair, &["app"]);
    assert_eq!(bench.database("partitions", "app").await, []);
    pair.source
        .psql("app", "alter database app set lock_timeout = '300ms'");
    let reader = crate::server::<pghaul_step::postgres::Source>(&bench.source)
        .connect::<ReadWrite>("app")
        .await
        .unwrap();
    reader
        .doing("hold up")
        .batch("begin; select from public.sales")
        .await
        .unwrap();
    let detach = "alter table sales detach partition \"Old sales\" concurrently";
    assert!(pair.source.try_psql("app", detach).is_err());
    reader.close().await;
    let findings = bench.database("partitions", "app").await;
    assert_eq!(kinds(&findings), ["detachment-pending"]);
    let hint = findings[0].hint.clone().unwrap();
    pair.source.psql("app", &hint);
    assert_eq!(
        bench.database("partitions", "app").await,
        [],
        "the hint was right"
    );
}
