use pghaul_testkit::{Cluster, Pghaul, Settings, leftovers, postgres, wait_until};
use std::time::Duration;

#[test]
fn all_that_a_migration_may_leave_is_found() {
    let cluster = Cluster::start("remains", Settings::new());
    cluster.create_database("my shop");
    assert_eq!(leftovers(&cluster), [""; 0]);

    cluster.psql(
        "my shop",
        "create publication pub for all tables;
         create schema pghaul;
         create database pghaul_k3v9x2ab_temporary;
         select pg_replication_origin_create('origin');
         create subscription sub connection 'dbname=none' publication p with (connect = false);
         select pg_create_logical_replication_slot('slot', 'pgoutput');
         begin; select pg_advisory_xact_lock(1); prepare transaction 'prepared';",
    );
    let psql = Pghaul::new().program(postgres::client("psql"));
    let conninfo = cluster.conninfo("my shop") + " application_name=pghaul/k3v9x2ab/1";
    let session = psql.args(["-c", "select pg_sleep(60)", "-d", &conninfo]).spawn();
    wait_until("the session is there", Duration::from_secs(10), || {
        leftovers(&cluster).len() == 9
    });

    let origin = cluster.psql("my shop", "select 'pg_' || oid from pg_subscription");
    let mut expected = [
        "database pghaul_k3v9x2ab_temporary",
        "prepared transaction prepared in my shop",
        "publication pub in my shop",
        "replication origin origin",
        &format!("replication origin {origin}"),
        "schema pghaul in my shop",
        "session pghaul/k3v9x2ab/1 in my shop",
        "slot slot",
        "subscription sub in my shop",
    ];
    expected.sort_unstable();
    assert_eq!(leftovers(&cluster), expected);
    session.kill9();
}
