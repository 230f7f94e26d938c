//! What replication needs of the servers. Settings belong to all databases, so these tests start their own pairs.

use crate::{Bench, kinds};
use pghaul_core::Severity;
use pghaul_step::Subject;
use pghaul_step::check::Secret;
use pghaul_testkit::{ClusterPair, Kind, Settings, shared_pair, wait_until};
use std::time::Duration;

#[tokio::test]
async fn the_source_must_decode_its_wal() {
    let pair = ClusterPair::start(Settings::new().set("wal_level", "replica"), Settings::new());
    pair.source.create_database("app");
    let bench = Bench::new(&pair, &["app"]);
    assert_eq!(bench.all().await, ["replication-source: wal-level"]);
}

#[tokio::test]
async fn the_source_must_allow_the_output_plugin() {
    let pair = ClusterPair::start(Settings::new(), Settings::new());
    let known = "select count(*) from pg_settings where name = 'output_plugin_libraries'";
    if pair.source.psql("postgres", known) == "0" {
        return;
    }
    pair.source.create_database("app");
    let set = "alter system set output_plugin_libraries = test_decoding, \"Our Plugin\"";
    pair.source.psql("postgres", set);
    pair.source.psql("postgres", "select pg_reload_conf()");
    let bench = Bench::new(&pair, &["app"]);
    wait_until("the setting is in use", Duration::from_secs(10), || {
        pair.source
            .psql("postgres", "show output_plugin_libraries")
            .contains("Our")
    });
    assert_eq!(bench.all().await, ["replication-source: output-plugin"]);
    let findings = bench.cluster("replication-source").await;
    let hint = findings[0].hint.as_ref().unwrap().replace("; ", ";\n");
    for statement in hint.lines().filter_map(|line| line.strip_suffix(';')) {
        pair.source.psql("postgres", statement);
    }
    pair.source.psql("postgres", "select pg_reload_conf()");
    wait_until("the setting is in use", Duration::from_secs(10), || {
        pair.source
            .psql("postgres", "show output_plugin_libraries")
            .contains("pgoutput")
    });
    assert_eq!(bench.all().await, [""; 0], "the hint was right");
}

#[tokio::test]
async fn databases_selected_first_get_what_is_left() {
    let source = Settings::new()
        .set("max_replication_slots", "4")
        .set("max_wal_senders", "4");
    let target = Settings::new().set("max_logical_replication_workers", "3");
    let pair = ClusterPair::start(source, target);
    for database in ["a", "b", "c"] {
        pair.source.create_database(database);
    }
    pair.source.psql(
        "a",
        "select pg_create_logical_replication_slot('other', 'pgoutput')",
    );
    let mut bench = Bench::new(&pair, &["a", "b", "c"]);
    assert_eq!(bench.database("replication-database", "b").await, []);
    let findings = bench.database("replication-database", "c").await;
    let settings: Vec<&str> = findings
        .iter()
        .filter_map(|f| f.facts["setting"].as_str())
        .collect();
    assert_eq!(
        settings,
        ["max_replication_slots", "max_logical_replication_workers"]
    );
    assert_eq!(
        findings[0].message,
        "max_replication_slots of the source is 4, of which 1 are in use and 2 databases selected before this one \
         need the rest; the workers that copy tables need one more"
    );

    pair.source.psql(
        "a",
        "select pg_create_logical_replication_slot('pghaul_k3v9x2ab_1_g1a1', 'pgoutput')",
    );
    assert_eq!(
        bench.database("replication-database", "b").await.len(),
        1,
        "somebody else's"
    );
    bench.landscape.migration = Some("k3v9x2ab".to_owned());
    assert_eq!(
        bench.database("replication-database", "b").await,
        [],
        "pghaul's own"
    );

    pair.target
        .restart_with(&[("max_logical_replication_workers", "0")]);
    let findings = bench.cluster("replication-target").await;
    assert_eq!(kinds(&findings), ["no-workers"]);
    assert_eq!(
        bench.database("replication-database", "a").await,
        [],
        "said once for all"
    );

    pair.target.restart_with(&[
        ("max_logical_replication_workers", "4"),
        ("max_sync_workers_per_subscription", "0"),
    ]);
    let findings = bench.cluster("replication-target").await;
    assert_eq!(kinds(&findings), ["no-sync-workers"]);
}

#[tokio::test]
async fn the_target_s_server_must_reach_the_source() {
    let pair = shared_pair(Kind::Ordinary);
    let database = pair.fresh_database("reach");
    let mut bench = Bench::new(pair, &[&database]);
    let mut with = async |secret: Option<&str>| {
        bench.landscape.source_from_target = secret.map(|text| Secret(text.to_owned()));
        bench.cluster("replication-target").await
    };
    assert_eq!(kinds(&with(None).await), ["conninfo-not-usable"]);

    let findings = with(Some(
        "host=127.0.0.1 port=1 user=postgres password=sesame dbname=postgres",
    ))
    .await;
    assert_eq!(kinds(&findings), ["source-not-reached"]);
    assert_eq!(findings[0].subject, Subject::Cluster);
    assert!(!format!("{findings:?}").contains("sesame"));

    // As with `localhost`, which on the target's machine is the target.
    let itself = pair.target.conninfo("postgres");
    let findings = with(Some(&itself)).await;
    assert_eq!(kinds(&findings), ["another-server-reached"]);
    assert_eq!(findings[0].facts["database"], database.as_str());

    assert_eq!(
        pair.target
            .psql("postgres", "select count(*) from pg_subscription"),
        "0"
    );
    assert!(
        !pair.target.log().contains("sesame"),
        "nor is it in the target's log"
    );
}

#[tokio::test]
async fn a_database_that_the_target_alone_is_kept_out_of() {
    let pair = ClusterPair::start(Settings::new(), Settings::new());
    pair.source.create_database("app");
    pair.source
        .psql("app", "create role replicator login replication password 'r'");
    let hba = pair.source.data_dir().join("pg_hba.conf");
    let rules = std::fs::read_to_string(&hba).unwrap();
    std::fs::write(&hba, format!("host app replicator all reject\n{rules}")).unwrap();
    pair.source.psql("postgres", "select pg_reload_conf()");
    let mut bench = Bench::new(&pair, &["app"]);
    let way_back = pair.source.conninfo_as("replicator", "r", "postgres");
    bench.landscape.source_from_target = Some(Secret(way_back));
    wait_until("the source rejects it", Duration::from_secs(20), || {
        pair.source
            .try_psql_as("replicator", "r", "app", "select")
            .is_err()
    });
    let findings = bench.cluster("replication-target").await;
    assert_eq!(kinds(&findings), ["source-not-reached"]);
    assert_eq!(
        findings[0].subject,
        Subject::Database("app".into()),
        "others can be replicated"
    );
}

#[tokio::test]
async fn old_and_new_versions_can_be_checked() {
    for (source, target) in [(10, 18), (13, 16)] {
        let pair = shared_pair(Kind::Versions(source, target));
        let database = pair.fresh_database("versions");
        let bench = Bench::new(pair, &[&database]);
        assert_eq!(bench.all().await, [""; 0], "{source} to {target}");
        pair.source.psql(&database, "create table t (i int primary key)");
        let expected: &[&str] = match source {
            10 => &["truncate: truncate-not-replicated"],
            _ => &[],
        };
        assert_eq!(bench.all().await, expected, "{source} to {target}");
    }
}

#[tokio::test]
async fn a_downgrade_is_refused() {
    let pair = shared_pair(Kind::Versions(10, 18));
    let bench = Bench::of(
        &pair.target.conninfo("postgres"),
        &pair.source.conninfo("postgres"),
        &[],
    );
    assert_eq!(kinds(&bench.cluster("version").await), ["downgrade"]);
}

#[tokio::test]
async fn a_role_with_pg_create_subscription_may_subscribe() {
    let pair = &ClusterPair::start(Settings::new().major(10), Settings::new().major(18));
    let database = pair.fresh_database("granted");
    pair.source.psql(
        "postgres",
        "set password_encryption = 'scram-sha-256'; create role replicator login replication password 'r'",
    );
    pair.target.psql(
        "postgres",
        "create role subscriber login password 's'; grant pg_create_subscription to subscriber",
    );
    let target = pair.target.conninfo_as("subscriber", "s", "postgres");
    let source = pair.source.conninfo_as("replicator", "r", "postgres");
    let bench = Bench::of(&source, &target, &[&database]);
    assert_eq!(kinds(&bench.cluster("replication-target").await), ["not-tried"]);
    // A membership without INHERIT lets nobody subscribe.
    let grant = "grant pg_create_subscription to subscriber with inherit false";
    pair.target.psql("postgres", grant);
    let findings = bench.cluster("replication-target").await;
    assert_eq!(kinds(&findings), ["cannot-subscribe"]);
    let hint = findings[0].hint.as_ref().unwrap();
    pair.target.psql(
        "postgres",
        hint.strip_prefix("as a superuser of the target: ").unwrap(),
    );
    assert_eq!(
        kinds(&bench.cluster("replication-target").await),
        ["not-tried"],
        "the hint was right"
    );
    pair.target
        .psql("postgres", "grant create on database postgres to subscriber");
    assert_eq!(bench.cluster("replication-target").await, []);
}

#[tokio::test]
async fn owners_who_may_not_do_what_replication_does() {
    let pair = &ClusterPair::start(Settings::new().major(13), Settings::new().major(16));
    let database = pair.fresh_database("apply_rights");
    let owner = format!("owner_of_{database}");
    pair.source.psql(
        &database,
        &format!("create role {owner}; create table t (id int primary key); alter table t owner to {owner}"),
    );
    let bench = Bench::new(pair, &[&database]);
    assert_eq!(bench.database("apply-rights", &database).await, []);
    pair.source
        .psql(&database, &format!("revoke delete on t from {owner}"));
    let found = bench.database("apply-rights", &database).await;
    assert_eq!(kinds(&found), ["acts-as-pghaul"]);
    assert_eq!(found[0].severity, Severity::Warning);
    pair.target
        .psql("postgres", &format!("create role {owner} login password 'x'"));
    let target = pair.target.conninfo_as(&owner, "x", "postgres");
    let bench = Bench::of(&pair.source.conninfo("postgres"), &target, &[&database]);
    let found = bench.database("apply-rights", &database).await;
    assert_eq!(kinds(&found), ["owners-powerless"]);
    assert!(found[0].stops_replication() && !found[0].stops_migration());
}

#[tokio::test]
async fn functions_of_others_that_a_superusers_copy_and_subscription_run() {
    let pair = &ClusterPair::start(Settings::new(), Settings::new());
    let database = pair.fresh_database("owners_code");
    let owner = format!("owner_of_{database}");
    pair.source.psql(
        &database,
        &format!(
            "create role {owner}; create schema m authorization {owner};
             create function public.of_superuser(int) returns int language sql immutable as 'select $1';
             create table public.t (i int primary key check (public.of_superuser(i) > 0))"
        ),
    );
    let bench = Bench::new(pair, &[&database]);
    assert_eq!(bench.database("apply-rights", &database).await, []);
    pair.source.psql(
        &database,
        &format!(
            "set role {owner}; create function m.f(int) returns int language sql immutable as 'select $1';
             create table m.generated (i int primary key, g int generated always as (m.f(i)) stored);
             create table m.checked (i int primary key check (m.f(i) > 0));
             create table m.indexed (i int primary key); create index on m.indexed (m.f(i));
             create domain m.d as int check (m.f(value) > 0); create table m.of_domain (i m.d primary key);
             create table m.partitioned (i int) partition by range (m.f(i))"
        ),
    );
    let found = bench.database("apply-rights", &database).await;
    assert_eq!(kinds(&found), ["copy-runs-code-of-owners", "runs-code-of-owners"]);
    assert_eq!([found[0].severity, found[1].severity], [Severity::Warning; 2]);
    let tables = |names: &[&str]| {
        let of = |name: &&str| format!("m.{name} (function m.f(integer) of role {owner})");
        serde_json::Value::from(names.iter().map(of).collect::<Vec<_>>())
    };
    let by_copy = ["checked", "generated", "of_domain", "partitioned"];
    assert_eq!(found[0].facts["tables"], tables(&by_copy));
    let by_changes = ["checked", "generated", "indexed", "of_domain"];
    assert_eq!(found[1].facts["tables"], tables(&by_changes));
}
