//! What is selected, and what becomes of the rest.

use crate::{Bench, kinds};
use pghaul_core::Severity;
use pghaul_core::selection::{ProviderObjects, Rule};
use pghaul_testkit::{Kind, shared_pair};

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
