//! WAL that a slot needs, and transaction ids. Settings belong to all databases, so these tests start their own pairs.

use crate::{Bench, kinds};
use pghaul_core::{Concern, Method, Severity};
use pghaul_testkit::{ClusterPair, Settings};

#[tokio::test]
async fn a_limit_on_what_slots_keep() {
    let source = Settings::new()
        .set("max_slot_wal_keep_size", "100MB")
        .set("wal_sender_timeout", "5s");
    let pair = ClusterPair::start(source, Settings::new().set("wal_receiver_timeout", "900ms"));
    pair.source.create_database("app");
    let mut bench = Bench::new(&pair, &["app"]);
    let expected = [
        "wal-retention: slot-limit-too-low",
        "wal-retention: timeout-short",
        "wal-retention: timeout-short",
    ];
    assert_eq!(bench.all().await, expected);
    let findings = bench.cluster("wal-retention").await;
    assert!(
        findings
            .iter()
            .all(|f| f.severity == Severity::Warning && f.concern == Concern::Replication)
    );
    assert_eq!(findings[0].facts["limit"], 100 * 1024 * 1024);
    assert_eq!(findings[2].facts["seconds"], 0.9);
    for (finding, server) in findings.iter().zip([&pair.source, &pair.source, &pair.target]) {
        let hint = finding.hint.as_ref().unwrap();
        let statements = hint.split_once(": ").unwrap().1;
        for statement in statements.split_inclusive(';') {
            server.psql("postgres", statement);
        }
    }
    let limit = "select setting from pg_settings where name = 'max_slot_wal_keep_size'";
    pghaul_testkit::wait_until("the settings count", std::time::Duration::from_secs(20), || {
        pair.source.psql("postgres", limit) == "1024"
            && pair.target.psql("postgres", "show wal_receiver_timeout") == "1min"
    });
    assert_eq!(bench.cluster("wal-retention").await, [], "the hints were right");
    pair.source.restart_with(&[("max_slot_wal_keep_size", "100MB")]);
    pair.source
        .psql("postgres", "alter system reset all; select pg_reload_conf()");
    bench.landscape.forced = Some(Method::Dump);
    assert_eq!(bench.cluster("wal-retention").await, [], "a dump has no slot");
}

#[tokio::test]
async fn slots_that_expire_while_nobody_reads_them() {
    let source = Settings::new()
        .major(18)
        .set("idle_replication_slot_timeout", "1h");
    let pair = ClusterPair::start(source, Settings::new().major(18));
    pair.source.create_database("app");
    let bench = Bench::new(&pair, &["app"]);
    let findings = bench.cluster("wal-retention").await;
    assert_eq!(kinds(&findings), ["idle-slots-expire"]);
    assert_eq!(findings[0].facts["timeout"], 3600);
    assert_eq!(findings[0].severity, Severity::Warning, "the copy is short");
}

#[tokio::test]
async fn transaction_ids_that_run_out() {
    for major in [10, 18] {
        let source = Settings::new()
            .major(major)
            .set("autovacuum_naptime", "1h")
            .set("allow_system_table_mods", "on");
        let pair = ClusterPair::start(source, Settings::new().major(18));
        pair.source.create_database("app");
        let bench = Bench::new(&pair, &["app"]);
        assert_eq!(bench.cluster("wraparound").await, [], "on {major}");
        let age = |age: &str| {
            pair.source.psql(
                "postgres",
                &format!(
                    "update pg_database set datfrozenxid = ((txid_current() - {age} + 4294967296) % 4294967296)::text::xid
                     where datname = 'app'"
                ),
            );
        };
        age("1500000000");
        let findings = bench.cluster("wraparound").await;
        assert_eq!(kinds(&findings), ["near-wraparound"], "on {major}");
        assert_eq!(findings[0].severity, Severity::Warning);
        assert_eq!(findings[0].facts["databases"], serde_json::json!(["app"]));
        age("2050000000");
        assert_eq!(bench.cluster("wraparound").await[0].severity, Severity::Error);
    }
}
