//! What is selected, and what becomes of the rest.

use crate::{Bench, kinds};
use pghaul_core::Severity;
use pghaul_core::selection::{ProviderObjects, Rule};
use pghaul_testkit::{ClusterPair, Kind, Settings, shared_pair};

#[tokio::test]
async fn a_table_that_is_lost_by_a_dependency_and_one_that_comes_along() {
    let pair = shared_pair(Kind::Ordinary);
    let database = pair.fresh_database("selection");
    pair.source.psql(
        &database,
        "create schema host; create table host.users (id int primary key); create type public.size as enum ('s');
         create schema own; create table own.profiles (id int references host.users, size public.size)",
    );
    let mut bench = Bench::new(pair, &[&database]);
    assert_eq!(kinds(&bench.database("selection", &database).await), [""; 0]);

    let objects = &mut bench.landscape.selection.objects;
    objects.add(Rule::ExcludeSchema, "public".to_owned());
    let found = bench.database("selection", &database).await;
    assert_eq!(kinds(&found), ["tables-need-what-is-left-out"]);
    assert_eq!(found[0].severity, Severity::Warning);
    assert!(
        found[0]
            .message
            .contains("table own.profiles (it needs type public.size, which is left out)"),
        "{}",
        found[0].message
    );

    bench.landscape.selection = Default::default();
    bench.landscape.selection.provider = Some(Box::new(ProviderObjects {
        title: "Host".to_owned(),
        schemas: vec!["host".to_owned()],
        ..ProviderObjects::default()
    }));
    let found = bench.database("selection", &database).await;
    assert_eq!(kinds(&found), ["tables-of-provider-needed"]);
    assert!(
        found[0].message.contains("table host.users"),
        "{}",
        found[0].message
    );
    assert_eq!(kinds(&bench.cluster("provider").await), ["provider-recognised"]);
}

#[tokio::test]
async fn databases_that_are_left_out_by_default_may_hold_something() {
    let pair = ClusterPair::start(Settings::new(), Settings::new());
    pair.source.create_database("app");
    let mut bench = Bench::new(&pair, &["app"]);
    let check = "left-out-databases";
    assert_eq!(bench.cluster(check).await, []);
    pair.source.psql(
        "template1",
        "create extension hstore; create table countries (id int)",
    );
    pair.source.psql(
        "postgres",
        "create type mood as enum ('fine'); select lo_create(4711); create role plain login password 'p';
         revoke connect on database template1 from public",
    );
    let found = bench.cluster(check).await;
    assert_eq!(kinds(&found), ["left-out-with-objects", "left-out-with-objects"]);
    let objects = |of: usize| found[of].facts["objects"].clone();
    assert_eq!(
        objects(0),
        serde_json::json!(["type public.mood", "large object 4711"])
    );
    assert_eq!(
        objects(1),
        serde_json::json!(["table public.countries", "extension hstore"])
    );
    pair.source.create_database("while_nobody_is_in_template1");

    let source = pair.source.conninfo_as("plain", "p", "postgres");
    let target = pair.target.conninfo("postgres");
    let found = Bench::of(&source, &target, &["app"]).cluster(check).await;
    assert_eq!(kinds(&found), ["left-out-with-objects", "left-out-unseen"]);

    bench.landscape.migration = Some("k3v9x2ab".to_owned());
    for finding in bench.cluster(check).await {
        let hint = finding.hint.unwrap();
        assert!(
            !hint.contains("'*'") && !hint.contains("--exclude"),
            "it is refused once a migration has begun: {hint}"
        );
    }
    bench.landscape.selection.exclude = vec!["template1".to_owned()];
    bench.landscape.selected.push("postgres".into());
    assert_eq!(bench.cluster(check).await, [], "the hints are right");
    bench.landscape.selection = Default::default();
    bench.landscape.selection.include = vec!["app".to_owned()];
    assert_eq!(bench.cluster(check).await, [], "others are not asked for");
}
