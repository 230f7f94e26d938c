//! The check `disk`: each way in which the free space becomes known.

use crate::{Bench, kinds};
use pghaul_step::Severity;
use pghaul_testkit::{ClusterPair, Kind, Settings, fixtures, shared_pair};

#[tokio::test]
async fn too_little_room_is_an_error_with_all_figures() {
    let pair = shared_pair(Kind::Ordinary);
    let database = pair.fresh_database("roomy");
    fixtures::shop(&pair.source, &database);
    let mut bench = Bench::new(pair, &[&database]);
    assert_eq!(
        bench.cluster("disk").await,
        [],
        "this machine has room for a shop"
    );

    let size = format!("select pg_database_size('{database}')");
    let size: u64 = pair.source.psql("postgres", &size).parse().unwrap();
    bench.landscape.disk.target_free_bytes = Some(size);
    let findings = bench.cluster("disk").await;
    assert_eq!(kinds(&findings), ["too-little-space"]);
    assert_eq!(findings[0].facts["free_bytes"], size);
    assert_eq!(findings[0].facts["told_by"], "user");
    let needed = findings[0].facts["needed_bytes"].as_u64().unwrap();
    assert!(
        needed > size * 129 / 100 && needed < size * 132 / 100,
        "{needed} of {size}"
    );
    assert_eq!(bench.all().await, ["disk: too-little-space"]);

    bench.landscape.disk.margin_percent = 100;
    bench.landscape.disk.target_free_bytes = Some(size + size / 100);
    assert_eq!(bench.cluster("disk").await, [], "the margin is the user's");

    bench.landscape.disk.margin_percent = u32::MAX;
    bench.landscape.disk.target_free_bytes = None;
    let findings = bench.cluster("disk").await;
    assert_eq!(kinds(&findings), ["too-little-space"]);
    assert_eq!(findings[0].facts["told_by"], "file-system");
}

#[tokio::test]
async fn the_target_s_server_is_asked_where_the_role_may() {
    let pair = ClusterPair::start(Settings::new(), Settings::new());
    pair.source.create_database("app");
    pair.target.psql(
        "postgres",
        "create role mover login createdb createrole password 'm'",
    );
    let target = pair.target.conninfo_as("mover", "m", "postgres");
    let mut bench = Bench::of(&pair.source.conninfo("postgres"), &target, &["app"]);
    let findings = bench.cluster("disk").await;
    assert_eq!(kinds(&findings), ["free-space-unknown"]);
    assert_eq!(findings[0].severity, Severity::Warning);
    assert!(findings[0].facts["needed_bytes"].as_u64().unwrap() > 1 << 20);

    pair.target
        .psql("postgres", "grant pg_execute_server_program to mover");
    assert_eq!(bench.cluster("disk").await, [], "df has answered");
    bench.landscape.disk.margin_percent = u32::MAX;
    let findings = bench.cluster("disk").await;
    assert_eq!(findings[0].facts["told_by"], "server");
    let relations = "select count(*) from pg_class where relname = 'pghaul_df'";
    assert_eq!(pair.target.psql("postgres", relations), "0");
}
