//! Metrics over HTTP, as Prometheus reads them.

use crate::migration::Migration;
use pghaul_testkit::{ClusterPair, Settings, wait_until};
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

const USAGE: i32 = 2;
const PATIENCE: Duration = Duration::from_secs(60);

fn scraped(address: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("connect to the metrics");
    write!(stream, "GET /metrics HTTP/1.1\r\nHost: {address}\r\n\r\n").expect("ask for the metrics");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("read the metrics");
    answer
}

#[test]
fn a_replicated_database_of_any_name_is_measured() {
    let pair = ClusterPair::start(Settings::new(), Settings::new());
    let name = "a \"shop\\";
    pair.source.create_database(name);
    let rows = "create table book (id int primary key); insert into book select generate_series(1, 500)";
    pair.source.psql(name, rows);
    let migration = Migration::between(
        &pair.source.conninfo("postgres"),
        &pair.target.conninfo("postgres"),
    );
    let migration = migration.options(["--database", "a *", "--method", "replication"]);

    // A port in use is found before anything is done.
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("its address").port().to_string();
    let refused = migration
        .with_options("run")
        .args(["--metrics-listen", &port])
        .run();
    let refused = refused.failed_with(USAGE);
    assert!(
        refused.stderr.contains("metrics can't be served at 127.0.0.1:"),
        "{refused}"
    );
    assert!(!refused.stderr.contains("begins"), "{refused}");

    migration
        .with_options("run")
        .args(["--metrics-listen", "127.0.0.1:0"])
        .run()
        .succeeded();
    let watch = [
        "status",
        "--watch",
        "1",
        "--json",
        "--metrics-listen",
        "127.0.0.1:0",
    ];
    let mut watch = migration.command(&watch).spawn();
    let line = watch.wait_for_line("metrics are at http://");
    let address = line
        .split("http://")
        .nth(1)
        .and_then(|rest| rest.split('/').next())
        .expect("an address");
    let labels = r#"migration="LABEL",database="a \"shop\\""#
        .replace("LABEL", migration.status()["name"].as_str().expect("a name"));
    let has = |text: &str, sample: &str| text.lines().any(|line| line == sample);
    wait_until("the database is measured", PATIENCE, || {
        has(
            &scraped(address),
            &format!("pghaul_database_phase{{{labels},phase=\"syncing\"}} 1.0"),
        )
    });
    let text = scraped(address);
    for sample in [
        "pghaul_copied_rows_total 500.0",
        "pghaul_lag_seconds 0.0",
        "pghaul_database_confirmed 1.0",
    ] {
        let (metric, value) = sample.split_once(' ').expect("a value");
        assert!(
            has(&text, &format!("{metric}{{{labels}}} {value}")),
            "{sample}\n{text}"
        );
    }
    assert!(
        text.contains(&format!("\npghaul_retained_wal_bytes{{{labels}}} ")),
        "{text}"
    );
    watch.hang_up();
    watch.wait(PATIENCE).succeeded();
    migration.remove().succeeded();
}
