//! Others who replicate.

use crate::{Bench, kinds};
use pghaul_core::{Finding, Severity};
use pghaul_step::check::Check;
use pghaul_testkit::{ClusterPair, Kind, Settings, shared_pair, wait_until};
use std::time::Duration;

#[tokio::test]
async fn who_else_replicates_the_database() {
    let pair = ClusterPair::start(Settings::new(), Settings::new());
    pair.source.create_database("app");
    pair.source.create_database("other");
    let bench = Bench::new(&pair, &["app"]);
    let elsewhere = "create publication p; select pg_create_logical_replication_slot('there', 'pgoutput')";
    pair.source.psql("other", elsewhere);
    assert_eq!(bench.all().await, [""; 0], "another database");
    let steps = [
        ("create publication \"To All\" for all tables", "publications"),
        (
            "select pg_create_logical_replication_slot('warehouse', 'pgoutput')",
            "consumers",
        ),
        (
            "create subscription feed connection 'host=nowhere.invalid' publication p with (connect = false)",
            "source-subscribes",
        ),
    ];
    let mut expected: Vec<String> = Vec::new();
    for (sql, kind) in steps {
        pair.source.psql("app", sql);
        expected.push(format!("replication-objects: {kind}"));
        assert_eq!(bench.all().await, expected);
    }
    let findings = bench.database("replication-objects", "app").await;
    assert_eq!(findings[0].severity, Severity::Note);
    assert_eq!(findings[0].facts["publications"], serde_json::json!(["To All"]));
    pair.target.create_database("app");
    pair.target.psql(
        "app",
        "create subscription feed connection 'host=nowhere.invalid' publication p with (connect = false)",
    );
    expected.push("replication-objects: target-subscribes".to_owned());
    assert_eq!(bench.all().await, expected);
}

#[tokio::test]
async fn what_another_migration_left_behind() {
    let pair = ClusterPair::start(Settings::new(), Settings::new());
    pair.source.create_database("app");
    pair.target.create_database("app");
    let name = "pghaul_k3v9x2ab_1_g1a1";
    pair.source.psql(
        "app",
        &format!(
            "create publication {name}; select pg_create_logical_replication_slot('{name}', 'pgoutput')"
        ),
    );
    pair.target.psql(
        "app",
        &format!("create subscription {name} connection 'host=nowhere.invalid' publication {name} with (connect = false)"),
    );
    let mut bench = Bench::new(&pair, &["app"]);
    assert_eq!(bench.all().await, ["replication-objects: left-behind"; 2]);
    bench.landscape.migration = Some("k3v9x2ab".to_owned());
    assert_eq!(
        bench.database("replication-objects", "app").await,
        [],
        "pghaul's own"
    );
    bench.landscape.migration = Some("another1".to_owned());
    let findings = bench.database("replication-objects", "app").await;
    let on_source = findings[1].hint.as_ref().unwrap();
    let [begin, slot, publication] =
        ["BEGIN; ", "pg_drop_replication_slot", "DROP PUBLICATION"].map(|part| on_source.find(part).unwrap());
    assert!(
        begin < slot && slot < publication && on_source.ends_with(" COMMIT;"),
        "a slot in use keeps its publication: {on_source}"
    );
    for (finding, server) in findings.iter().zip([&pair.target, &pair.source]) {
        let hint = finding.hint.as_ref().unwrap();
        for statement in hint.split_once(": ").unwrap().1.split_inclusive("; ") {
            server.psql("app", statement);
        }
    }
    assert_eq!(bench.all().await, [""; 0], "the hints were right");
}

async fn inactive(bench: &Bench, keeping: i64) -> Vec<Finding> {
    let context = bench.context();
    let check = pghaul_check_blockers::InactiveSlots { keeping };
    check.examine(&context).await.unwrap()
}

#[tokio::test]
async fn slots_that_nobody_reads() {
    let source = Settings::new().set("max_slot_wal_keep_size", "1MB");
    let pair = ClusterPair::start(source, Settings::new());
    pair.source.create_database("app");
    let mut bench = Bench::new(&pair, &["app"]);
    pair.source.psql(
        "postgres",
        "select pg_create_physical_replication_slot('old', true)",
    );
    pair.source.psql(
        "postgres",
        "create table wal (); insert into wal default values; checkpoint",
    );
    assert_eq!(bench.cluster("inactive-slots").await, [], "it keeps little");
    let findings = inactive(&bench, 1).await;
    assert_eq!(kinds(&findings), ["inactive-slots"]);
    assert_eq!(findings[0].facts["slots"], serde_json::json!(["old"]));
    bench.landscape.migration = Some("k3v9x2ab".to_owned());
    let ours = "select pg_create_physical_replication_slot('pghaul_k3v9x2ab_1_g1a1', true)";
    pair.source.psql("postgres", ours);
    assert_eq!(
        inactive(&bench, 1).await[0].facts["slots"],
        serde_json::json!(["old"]),
        "ours is read later"
    );

    wait_until("the slot is lost", Duration::from_secs(60), || {
        pair.source.psql(
            "postgres",
            "select pg_logical_emit_message(false, 'x', 'x'); select pg_switch_wal(); checkpoint",
        );
        pair.source.psql(
            "postgres",
            "select wal_status from pg_replication_slots where slot_name = 'old'",
        ) == "lost"
    });
    let findings = bench.cluster("inactive-slots").await;
    assert_eq!(kinds(&findings), ["lost-slots"]);
    pair.source.psql(
        "postgres",
        findings[0].hint.as_ref().unwrap().split_once(": ").unwrap().1,
    );
    assert_eq!(bench.cluster("inactive-slots").await, [], "the hint was right");
}

#[tokio::test]
async fn old_servers_have_slots_too() {
    let pair = shared_pair(Kind::Versions(10, 18));
    let database = pair.fresh_database("slots");
    pair.source.psql(
        &database,
        "create publication p; select pg_create_logical_replication_slot('consumer_of_10', 'pgoutput')",
    );
    let bench = Bench::new(pair, &[&database]);
    let findings = bench.database("replication-objects", &database).await;
    assert_eq!(kinds(&findings), ["publications", "consumers"]);
    assert_eq!(kinds(&inactive(&bench, 0).await), ["inactive-slots"]);
    pair.source
        .psql(&database, "select pg_drop_replication_slot('consumer_of_10')");
}
