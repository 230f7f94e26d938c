use crate::pair;
use pghaul_testkit::{Cluster, Settings};
use pghaul_testkit::{Load, Stop, fill, wait_until};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn every_transaction_of_a_load_is_counted() {
    let pair = pair();
    let database = pair.fresh_database("load");
    fill::pgbench_with_keys(&pair.source, &database, 1);
    let load = Load::start(&pair.source, &database);
    let written = || -> u64 {
        pair.source
            .psql(&database, "select count(*) from pgbench_history")
            .parse()
            .expect("a number")
    };
    wait_until("some rows are written", PATIENCE, || written() > 100);
    let report = load.stop();
    assert_eq!(report.errors, 0, "{}", report.messages);
    assert_eq!(report.transactions, written());
}

#[test]
fn a_load_tells_errors() {
    let pair = pair();
    let database = pair.fresh_database("load_errors");
    pair.source.psql(
        &database,
        "create table counted (n bigint generated always as identity, check (n <= 50))",
    );
    let load = Load::with_script(&pair.source, &database, "insert into counted default values;");
    wait_until("the limit is reached", PATIENCE, || {
        pair.source
            .psql(&database, "select last_value from counted_n_seq")
            .parse::<u64>()
            .expect("a number")
            > 60
    });
    let report = load.stop();
    assert_eq!(report.transactions, 50);
    assert!(report.errors > 1);
    assert!(
        report.messages.contains("violates check constraint"),
        "{}",
        report.messages
    );
}

#[test]
fn a_load_goes_on_after_a_restart() {
    let cluster = Cluster::start("restarted", Settings::new());
    cluster.create_database("db");
    cluster.psql("db", "create table t (at timestamptz default clock_timestamp())");
    let load = Load::with_script(&cluster, "db", "insert into t default values;");
    cluster.stop(Stop::Fast);
    cluster.start_again();
    let after = cluster.psql("db", "select clock_timestamp()");
    let query = format!("select exists (select from t where at > '{after}')");
    wait_until("it writes again", PATIENCE, || cluster.psql("db", &query) == "t");
    assert!(load.stop().errors > 0);
}
