//! The checks `connection` and `database-connection`: whatever keeps us out is told apart, with side and host.

use crate::{Bench, kinds};
use pghaul_testkit::{ClusterPair, Settings};
use std::net::TcpListener;

#[tokio::test]
async fn every_obstacle_has_its_code() {
    let pair = ClusterPair::start(Settings::new(), Settings::new());
    let port = pair.target.port();
    pair.target.psql(
        "postgres",
        "create role mover login password 'm'; create role crowded login password 'c' connection limit 0;
         create role locked nologin password 'l'",
    );
    let hba = pair.target.data_dir().join("pg_hba.conf");
    std::fs::write(
        &hba,
        "local all all trust\nhost all outsider 127.0.0.1/32 reject\nhost all postgres 127.0.0.1/32 trust\n\
         host all all 127.0.0.1/32 scram-sha-256\n",
    )
    .unwrap();
    pair.target.restart_with(&[]);
    // Takes connections and never says a word.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent_port = silent.local_addr().unwrap().port();
    let to =
        |user: &str, more: &str| format!("host=127.0.0.1 port={port} dbname=postgres user={user} {more}");
    let cases = [
        (
            "host=nowhere.invalid dbname=postgres user=mover".to_owned(),
            "host-not-found",
        ),
        (
            "host=127.0.0.1 port=1 dbname=postgres user=mover".to_owned(),
            "connection-refused",
        ),
        (
            format!("host=127.0.0.1 port={silent_port} dbname=postgres user=mover connect_timeout=1"),
            "connection-timed-out",
        ),
        (to("mover", "password=m sslmode=require"), "tls-failed"),
        (to("mover", "password=wrong"), "authentication-failed"),
        (to("locked", "password=l"), "authentication-failed"),
        (to("outsider", ""), "not-in-hba"),
        (to("crowded", "password=c"), "too-many-connections"),
    ];
    for (conninfo, code) in cases {
        let bench = Bench::of(&pair.source.conninfo("postgres"), &conninfo, &[]);
        let findings = bench.cluster("connection").await;
        assert_eq!(kinds(&findings), ["cannot-connect"], "{conninfo}");
        let found = &findings[0];
        assert_eq!(found.facts["code"], code, "{conninfo}: {}", found.message);
        assert_eq!(found.facts["side"], "target");
        let host = conninfo.split(' ').next().unwrap().trim_start_matches("host=");
        assert!(found.message.contains(host), "no host in {}", found.message);
        assert!(found.hint.is_some(), "no hint for {code}");
    }
    let unknown = to("postgres", "").replace("dbname=postgres", "dbname=nonesuch");
    let bench = Bench::of(&pair.source.conninfo("postgres"), &unknown, &[]);
    assert_eq!(kinds(&bench.cluster("connection").await), ["database-missing"]);
}

#[tokio::test]
async fn a_database_whose_drop_was_interrupted() {
    let pair = ClusterPair::start(Settings::new(), Settings::new());
    pair.source.create_database("half");
    pair.source.psql(
        "postgres",
        "update pg_database set datconnlimit = -2 where datname = 'half'",
    );
    let bench = Bench::new(&pair, &["half"]);
    let findings = bench.database("database-connection", "half").await;
    assert_eq!(kinds(&findings), ["database-invalid"]);
    assert_eq!(
        findings[0].hint.as_deref(),
        Some("on the source: DROP DATABASE half;")
    );
}

/// pghaul reads names as UTF-8; rows and comments it does not.
#[tokio::test]
async fn names_that_are_not_utf8() {
    let pair = ClusterPair::start(Settings::new(), Settings::new());
    for (name, encoding) in [("büro", "LATIN1"), ("bytes", "SQL_ASCII")] {
        let create =
            format!("create database \"{name}\" template template0 encoding '{encoding}' locale 'C'");
        pair.source.psql("postgres", &create);
    }
    let rows = r"create table t (x text default E'\351'); comment on table t is E'\351'";
    pair.source.psql("bytes", rows);
    let bench = Bench::new(&pair, &["bytes", "büro"]);
    assert_eq!(bench.database("database-connection", "bytes").await, []);
    let table = r"do $$ begin execute convert_from('create table t\351 (i int)', 'SQL_ASCII'); end $$";
    pair.source.psql("bytes", table);
    let findings = bench.database("database-connection", "bytes").await;
    assert_eq!(kinds(&findings), ["names-not-utf8"]);
    assert_eq!(
        findings[0].facts["of"],
        serde_json::json!(["tables and other relations", "types"])
    );
    // A subscription in this one would look for another name.
    let findings = bench.database("replication-database", "büro").await;
    assert_eq!(kinds(&findings), ["name-not-ascii"]);
}
