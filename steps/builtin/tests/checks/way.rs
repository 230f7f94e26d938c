//! The way to the servers, and what they are.

use crate::proxy::{self, Manner};
use crate::{Bench, kinds};
use pghaul_core::Severity;
use pghaul_testkit::{Cluster, ClusterPair, Kind, Settings, shared_pair};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::process::Command;

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

fn through(address: SocketAddr) -> String {
    format!(
        "host={} port={} user=postgres dbname=postgres",
        address.ip(),
        address.port()
    )
}

#[tokio::test]
async fn a_pooler_that_drops_settings() {
    let pair = shared_pair(Kind::Ordinary);
    let database = pair.fresh_database("pooled");
    let target = pair.target.conninfo("postgres");
    let plain = through(proxy::start(HERE, vec![pair.source.port()], Manner::Plain));
    assert_eq!(Bench::of(&plain, &target, &[&database]).all().await, [""; 0]);
    let pooler = through(proxy::start(HERE, vec![pair.source.port()], Manner::DropOptions));
    let bench = Bench::of(&pooler, &target, &[&database]);
    assert_eq!(bench.all().await, ["pooler: settings-dropped"]);
    let findings = bench.cluster("pooler").await;
    assert_eq!(
        findings[0].facts["settings"],
        serde_json::json!(["row_security", "search_path", "default_transaction_read_only"])
    );
}

#[tokio::test]
async fn a_load_balancer() {
    let pair = shared_pair(Kind::Ordinary);
    let balancer = through(proxy::start(
        HERE,
        vec![pair.source.port(), pair.target.port()],
        Manner::Plain,
    ));
    let bench = Bench::of(&pair.source.conninfo("postgres"), &balancer, &[]);
    assert_eq!(kinds(&bench.cluster("pooler").await), ["several-servers"]);
}

/// Gives a server a certificate of its own, and lets it speak TLS.
fn switch_tls_on(cluster: &Cluster) {
    let data = cluster.data_dir();
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=db.example.com",
        ])
        .args(["-addext", "subjectAltName=DNS:db.example.com"])
        .args(["-keyout", "server.key", "-out", "server.crt"])
        .current_dir(&data)
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    let owner = std::fs::metadata(&data).unwrap();
    for file in ["server.key", "server.crt"] {
        let path = data.join(file);
        std::os::unix::fs::chown(&path, Some(owner.uid()), Some(owner.gid())).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    cluster.restart_with(&[("ssl", "on")]);
}

#[tokio::test]
async fn connections_to_other_machines() {
    let Some(elsewhere) = proxy::other_address() else {
        println!("skipped: this machine has no address but the loopback's");
        return;
    };
    let pair = ClusterPair::start(Settings::new(), Settings::new());
    pair.source.create_database("app");
    let address = through(proxy::start(elsewhere, vec![pair.source.port()], Manner::Plain));
    let target = pair.target.conninfo("postgres");
    let bench = Bench::of(&address, &target, &["app"]);
    assert_eq!(bench.all().await, ["encryption: not-encrypted"]);
    let findings = bench.cluster("encryption").await;
    assert_eq!(
        (findings[0].severity, &findings[0].facts["side"]),
        (Severity::Warning, &"source".into())
    );

    switch_tls_on(&pair.source);
    assert_eq!(
        Bench::of(&address, &target, &["app"]).all().await,
        ["encryption: not-verified"]
    );
    let certificate = pair.source.data_dir().join("server.crt");
    let verified = format!(
        "{address} sslmode=verify-ca sslrootcert={}",
        certificate.display()
    );
    let mut bench = Bench::of(&pair.source.conninfo("postgres"), &target, &["app"]);
    bench.source = verified;
    assert_eq!(bench.cluster("encryption").await, []);
    let way_back = crate::resolved(&address)
        .for_subscription("postgres", &[])
        .unwrap();
    bench.landscape.source_from_target = Some(pghaul_step::check::Secret(way_back));
    assert_eq!(
        kinds(&bench.cluster("encryption").await),
        ["subscription-not-verified"]
    );
}

#[tokio::test]
async fn a_standby_as_source() {
    for (major, expected) in [
        (17, vec!["snapshots-broken", "copy-may-be-cancelled"]),
        (18, vec!["snapshots-broken"]),
    ] {
        let pair = ClusterPair::start(Settings::new().major(major), Settings::new().major(18));
        assert_eq!(Bench::new(&pair, &[]).cluster("standby").await, [], "a primary");
        pair.source.stop(pghaul_testkit::Stop::Fast);
        std::fs::write(pair.source.data_dir().join("standby.signal"), "").unwrap();
        pair.source.start_again();
        if major == 18 {
            pair.source.restart_with(&[("hot_standby_feedback", "on")]);
        }
        let findings = Bench::new(&pair, &[]).cluster("standby").await;
        // A minor release that fixes it may be installed by now.
        let version = pair.source.psql("postgres", "show server_version_num");
        let mended = [(17, 170_012), (18, 180_007)];
        let is_mended = mended
            .iter()
            .any(|(of, release)| *of == major && version.parse::<u32>().unwrap() >= *release);
        let expected: Vec<&str> = expected.into_iter().skip(usize::from(is_mended)).collect();
        assert_eq!(kinds(&findings), expected, "PostgreSQL {version}");
    }
}

#[tokio::test]
async fn servers_without_known_bugs() {
    // The servers that tests run on are newer than every bug in the list; their clocks are this machine's.
    for kind in [Kind::Ordinary, Kind::Versions(10, 18), Kind::Versions(13, 16)] {
        let bench = Bench::new(shared_pair(kind), &[]);
        assert_eq!(bench.cluster("minor-versions").await, [], "{kind:?}");
        assert_eq!(bench.cluster("clocks").await, [], "{kind:?}");
    }
}

#[tokio::test]
async fn a_target_that_admits_fewer() {
    let limits = |connections: &str, prepared: &str| {
        Settings::new()
            .set("max_connections", connections)
            .set("max_prepared_transactions", prepared)
            .set("max_wal_senders", "5")
    };
    let pair = ClusterPair::start(limits("60", "1"), limits("50", "0"));
    pair.source.psql(
        "postgres",
        "create table paid (id int); begin; insert into paid values (1); prepare transaction 'mine'",
    );
    let findings = Bench::new(&pair, &[]).cluster("application-limits").await;
    assert_eq!(
        kinds(&findings),
        ["fewer-sessions", "fewer-prepared-transactions"]
    );
    assert_eq!(
        findings
            .iter()
            .map(|finding| finding.severity)
            .collect::<Vec<_>>(),
        [Severity::Note, Severity::Warning],
        "a warning where not even what is there now finds room"
    );
    assert_eq!(
        findings[1].message,
        "prepared transactions: the source admits 1 and has 1 now, the target admits 0"
    );

    pair.target
        .restart_with(&[("max_connections", "60"), ("max_prepared_transactions", "1")]);
    assert_eq!(Bench::new(&pair, &[]).cluster("application-limits").await, []);
}

#[tokio::test]
async fn room_for_our_sessions() {
    let source = Settings::new()
        .set("max_connections", "12")
        .set("max_wal_senders", "5");
    let pair = ClusterPair::start(source, Settings::new());
    pair.source.create_database("app");
    pair.source.create_database("other");
    let bench = Bench::new(&pair, &["app"]);
    assert_eq!(bench.all().await, ["connections: few-connections-left"]);
    let findings = bench.cluster("connections").await;
    assert_eq!(
        findings[0].facts,
        serde_json::json!({ "side": "source", "left": 9 })
    );
    pair.source.restart_with(&[("max_connections", "30")]);
    assert_eq!(Bench::new(&pair, &["app"]).cluster("connections").await, []);

    pair.source.psql(
        "postgres",
        "create role \"Mover\" login password 'm' connection limit 5;
         alter database app connection limit 4; alter database other connection limit 4",
    );
    let limited = Bench::of(
        &pair.source.conninfo_as("Mover", "m", "postgres"),
        &pair.target.conninfo("postgres"),
        &["app"],
    );
    let findings = limited.cluster("connections").await;
    assert_eq!(kinds(&findings), ["role-limited", "databases-limited"]);
    assert_eq!(
        findings[1].facts["databases"],
        serde_json::json!(["app"]),
        "only what is selected"
    );
    for finding in &findings {
        let hint = finding.hint.as_ref().unwrap();
        pair.source
            .psql("postgres", hint.strip_prefix("for each: ").unwrap_or(hint));
    }
    assert_eq!(limited.cluster("connections").await, [], "the hints were right");
    assert_eq!(
        Bench::new(shared_pair(Kind::Versions(10, 18)), &[])
            .cluster("connections")
            .await,
        []
    );
}
