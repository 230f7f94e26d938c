//! Publishing and subscribing with the functions of aiven_extras, for which a stand-in extension is there.

use crate::{Bench, kinds};
use pghaul_core::{Method, Severity};
use pghaul_engine::Surveyor;
use pghaul_step::Registry;
use pghaul_testkit::{ClusterPair, fixtures, wait_until};
use std::sync::Arc;
use std::time::Duration;

const ROLE: &str = "avn";

/// Both servers have the files. The role replicates on the source, where it owns no table, and creates databases
/// on the target.
fn pair(as_on_aiven: bool) -> ClusterPair {
    let settings = || fixtures::with_aiven_extras(as_on_aiven);
    let pair = ClusterPair::start(settings(), settings());
    pair.source.psql(
        "postgres",
        "create role avn login replication password 'avnpass'; create database app",
    );
    pair.source.psql(
        "app",
        "create table t (i int primary key); insert into t values (1); grant select on t to avn",
    );
    pair.target.psql(
        "postgres",
        "create role avn login createdb createrole password 'avnpass'",
    );
    pair
}

fn bench(pair: &ClusterPair) -> Bench {
    let source = pair.source.conninfo_as(ROLE, "avnpass", "postgres");
    let target = pair.target.conninfo_as(ROLE, "avnpass", "postgres");
    Bench::of(&source, &target, &["app"])
}

async fn found(bench: &Bench) -> Vec<String> {
    let of_interest = |finding: &String| finding.starts_with("replication");
    bench.all().await.into_iter().filter(of_interest).collect()
}

#[tokio::test]
async fn only_usage_on_its_schema_opens_it() {
    let pair = pair(false);
    let bench = bench(&pair);
    let closed = [
        "replication-target: cannot-subscribe",
        "replication-database: not-owner",
        "replication-database: no-create-privilege",
    ];
    assert_eq!(found(&bench).await, closed);

    // Installed alone it changes nothing.
    pair.source.psql("app", "create extension aiven_extras");
    pair.target.psql("postgres", "create extension aiven_extras");
    let still = ["replication-target: aiven-extras-closed", closed[1], closed[2]];
    assert_eq!(found(&bench).await, still);

    pair.source
        .psql("app", "grant usage on schema aiven_extras to avn");
    let hint = bench.cluster("replication-target").await[0].hint.clone().unwrap();
    pair.target.psql("postgres", &hint);
    let missing = [
        "replication-database: by-aiven-extras",
        "replication-database: aiven-extras-missing",
    ];
    assert_eq!(found(&bench).await, missing, "a new database would not have it");

    pair.target.psql("postgres", "create database app owner avn");
    pair.target.psql(
        "app",
        "create extension aiven_extras; grant usage on schema aiven_extras to avn",
    );
    assert_eq!(found(&bench).await, [missing[0], missing[0]]);
    let subscriptions = "select count(*) from pg_subscription";
    assert_eq!(
        pair.target.psql("postgres", subscriptions),
        "0",
        "it was only tried"
    );
}

#[tokio::test]
async fn what_can_be_installed_helps_as_well() {
    let pair = pair(true);
    let mut bench = bench(&pair);
    // The owner of the table is a superuser on the target.
    bench.landscape.accepted.insert("owners".parse().unwrap());
    pair.source
        .psql("postgres", "grant create on database app to avn");
    pair.target
        .psql("postgres", "grant create on database postgres to avn");
    let registry = pghaul_steps::builtin(Registry::new());
    let surveyor = Surveyor {
        source: crate::server(&bench.source),
        target: crate::server(&bench.target),
        registry: &registry,
        landscape: Arc::new(bench.landscape.clone()),
    };
    let survey = surveyor.survey(&[(1, "app".into())]).await.unwrap();
    let database = &survey.databases[0];
    let help: Vec<_> = database
        .findings
        .iter()
        .filter(|f| f.kind == "by-aiven-extras")
        .collect();
    assert_eq!(help.len(), 2, "{survey:?}");
    for (finding, side) in help.iter().zip(["source", "target"]) {
        assert_eq!(finding.severity, Severity::Note);
        assert_eq!(finding.facts["side"], side);
        assert_eq!(finding.facts["state"], "installable");
    }
    let plan = database.plan.as_ref().expect("nothing stops it");
    assert_eq!(plan.method, Method::Replication, "{:?}", plan.reasons);
    let installed = "select count(*) from pg_extension where extname = 'aiven_extras'";
    assert_eq!(pair.source.psql("app", installed), "0", "it was only tried");
    assert_eq!(pair.target.psql("postgres", installed), "0");
}

#[tokio::test]
async fn a_password_must_be_asked_for() {
    let pair = pair(false);
    pair.target.psql(
        "postgres",
        "grant pg_create_subscription to avn; grant create on database postgres to avn",
    );
    pair.source.psql(
        "app",
        "alter table t owner to avn; grant create on database app to avn",
    );
    let mut bench = bench(&pair);
    assert_eq!(bench.cluster("replication-target").await, []);
    let hba = pair.source.data_dir().join("pg_hba.conf");
    let rules = std::fs::read_to_string(&hba).unwrap();
    std::fs::write(&hba, format!("host all avn all trust\n{rules}")).unwrap();
    pair.source.restart_with(&[]);
    assert_eq!(
        kinds(&bench.cluster("replication-target").await),
        ["password-not-asked"]
    );
    let without = format!(
        "host=127.0.0.1 port={} user=avn dbname=postgres",
        pair.source.port()
    );
    bench.landscape.source_from_target = Some(pghaul_step::check::Secret(without));
    assert_eq!(
        kinds(&bench.cluster("replication-target").await),
        ["password-missing"]
    );
}

/// The stand-in does what checks and steps expect of the real one.
#[tokio::test]
async fn the_stand_in_publishes_and_subscribes() {
    let pair = pair(false);
    pair.target.psql("postgres", "create database app owner avn");
    pair.target.psql("app", "create table t (i int primary key)");
    for cluster in [&pair.source, &pair.target] {
        cluster.psql("app", "create extension aiven_extras");
        let denied = cluster.try_psql_as(
            ROLE,
            "avnpass",
            "app",
            "select aiven_extras.pg_list_all_subscriptions()",
        );
        let denied = denied.unwrap_err();
        assert!(denied.contains("permission denied for schema"), "{denied}");
        cluster.psql("app", "grant usage on schema aiven_extras to avn");
    }
    let on = |cluster: &pghaul_testkit::Cluster, sql: &str| {
        cluster.try_psql_as(ROLE, "avnpass", "app", sql).unwrap()
    };
    on(
        &pair.source,
        "select aiven_extras.pg_create_publication('p', 'INSERT,UPDATE', 'public.t')",
    );
    let publish = "select pubowner::regrole, pubdelete from pg_publication";
    assert_eq!(pair.source.psql("app", publish), "avn|f");
    let conninfo = pair
        .source
        .conninfo_as(ROLE, "avnpass", "app")
        .replace('\'', "''");
    on(
        &pair.target,
        &format!("select aiven_extras.pg_create_subscription('s', '{conninfo}', 'p', 's', true)"),
    );
    wait_until("the row has arrived", Duration::from_secs(60), || {
        pair.target.psql("app", "select count(*) from t") == "1"
    });
    let password = on(
        &pair.target,
        "select subconninfo from aiven_extras.pg_list_all_subscriptions()",
    );
    assert!(password.contains("password"), "as the real one does");
    on(&pair.target, "select aiven_extras.pg_drop_subscription('s')");
    let slots = "select count(*) from pg_replication_slots";
    assert_eq!(pair.source.psql("app", slots), "0");
}
