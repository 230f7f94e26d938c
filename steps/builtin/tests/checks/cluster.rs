//! Checks of the servers as a whole.

use crate::{Bench, kinds};
use pghaul_core::{Concern, Severity};
use pghaul_step::check::Check;
use pghaul_testkit::{Cluster, ClusterPair, Kind, Settings, Stop, fixtures, shared_pair, wait_until};
use std::process::Command;
use std::time::Duration;

#[tokio::test]
async fn a_clean_pair_gives_no_finding() {
    let pair = shared_pair(Kind::Ordinary);
    let database = pair.fresh_database("clean it's \"so\"");
    fixtures::shop(&pair.source, &database);
    assert_eq!(Bench::new(pair, &[&database]).all().await, [""; 0]);
}

#[tokio::test]
async fn one_server_by_two_names_is_one_server() {
    let pair = shared_pair(Kind::Ordinary);
    let bench = Bench::of(
        &pair.source.conninfo("postgres"),
        &pair.source.conninfo_socket("template1"),
        &[],
    );
    assert_eq!(kinds(&bench.cluster("same-server").await), ["same-server"]);
}

#[tokio::test]
async fn a_physical_copy_is_another_server() {
    let pair = ClusterPair::start(Settings::new(), Settings::new());
    pair.source.stop(Stop::Fast);
    pair.target.stop(Stop::Fast);
    let (source, target) = (pair.source.data_dir(), pair.target.data_dir());
    std::fs::remove_dir_all(&target).unwrap();
    assert!(
        Command::new("cp")
            .arg("-a")
            .args([&source, &target])
            .status()
            .unwrap()
            .success()
    );
    pair.source.start_again();
    pair.target.start_again();
    let bench = Bench::new(&pair, &["app"]);
    let findings = bench.cluster("same-server").await;
    assert_eq!(kinds(&findings), ["physical-copy"]);
    assert_eq!(findings[0].severity, Severity::Note);

    pair.target.stop(Stop::Fast);
    std::fs::write(target.join("standby.signal"), "").unwrap();
    pair.source.create_database("app");
    pair.target.start_again();
    // Nothing fails where things can't be tried on a standby.
    assert_eq!(
        bench.all().await,
        ["same-server: physical-copy", "target-rights: target-is-standby"]
    );
    let turned = Bench::of(
        &pair.target.conninfo("postgres"),
        &pair.source.conninfo("postgres"),
        &["postgres"],
    );
    let found = turned.all().await;
    assert!(
        found.contains(&"replication-source: source-is-standby".to_owned()),
        "{found:?}"
    );
    assert!(
        !found.iter().any(|kind| kind.starts_with("replication-database")),
        "said once: {found:?}"
    );
}

#[tokio::test]
async fn an_unreachable_server_is_the_only_finding() {
    let pair = shared_pair(Kind::Ordinary);
    let nowhere = "host=127.0.0.1 port=1 user=postgres dbname=postgres password=sesame";
    let mut bench = Bench::of(&pair.source.conninfo("postgres"), nowhere, &[]);
    assert_eq!(bench.all().await, ["connection: cannot-connect"]);
    let findings = bench.cluster("connection").await;
    assert_eq!(findings[0].facts["code"], "connection-refused");
    assert_eq!(findings[0].facts["side"], "target");
    assert!(
        findings[0].message.contains("127.0.0.1:1"),
        "{}",
        findings[0].message
    );
    assert!(!format!("{findings:?}").contains("sesame"));
    bench.source = nowhere.to_owned();
    assert_eq!(kinds(&bench.cluster("connection").await), ["cannot-connect"; 2]);
}

#[tokio::test]
async fn a_prepared_transaction_would_hold_up_the_slot() {
    let pair = shared_pair(Kind::Ordinary);
    let database = pair.fresh_database("prepared");
    pair.source.psql(
        &database,
        "begin; create table t (); prepare transaction 'it''s old'",
    );
    let bench = Bench::new(pair, &[&database]);
    assert_eq!(bench.all().await, [""; 0], "it is young");
    let check = pghaul_check_blockers::LongTransactions {
        older_than: Duration::ZERO,
    };
    let findings = check.examine(&bench.context()).await.unwrap();
    // Other tests write at the same time.
    let own = findings
        .iter()
        .find(|f| f.kind == "prepared-transaction")
        .unwrap();
    assert_eq!(own.severity, Severity::Warning);
    assert_eq!(own.facts["gid"], "it's old");
    assert!(
        own.hint
            .as_ref()
            .unwrap()
            .contains("ROLLBACK PREPARED 'it''s old'")
    );
    pair.source.psql(&database, "rollback prepared 'it''s old'");
}

#[tokio::test]
async fn synchronous_standbys() {
    let pair = ClusterPair::start(Settings::new(), Settings::new());
    pair.source.create_database("app");
    let bench = Bench::new(&pair, &["app"]);
    let set = |cluster: &Cluster, names: &str| {
        let sql = format!("alter system set synchronous_standby_names = '{names}'; select pg_reload_conf()");
        cluster.psql("postgres", &sql);
        wait_until("the setting is read", Duration::from_secs(30), || {
            cluster.psql("postgres", "show synchronous_standby_names") == names
        });
    };
    // A standby that is not there holds up the source with or without a migration.
    set(&pair.source, "their, own");
    assert_eq!(bench.cluster("synchronous-standbys").await, []);
    set(&pair.source, "ANY 1 (*)");
    set(&pair.target, "2 (a, b)");
    let found = bench.cluster("synchronous-standbys").await;
    assert_eq!(kinds(&found), ["subscription-is-standby", "standby-missing"]);
    let concerns: Vec<Concern> = found.iter().map(|finding| finding.concern).collect();
    assert_eq!(concerns, [Concern::Replication, Concern::Migration]);
}
