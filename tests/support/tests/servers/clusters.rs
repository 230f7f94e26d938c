use crate::pair;
use pghaul_testkit::{Cluster, Settings, Stop, fixtures, postgres};

#[test]
fn stops_starts_and_changes_settings_on_the_same_port() {
    let cluster = Cluster::start("alone", Settings::new().set("work_mem", "5MB").durable());
    let port = cluster.port();
    cluster.create_database("db");
    cluster.psql("db", "create table t as select 1 as one");
    assert_eq!(
        cluster.psql("db", "show work_mem; show wal_level; show fsync"),
        "5MB\nlogical\non"
    );

    for how in [Stop::Fast, Stop::Immediate, Stop::Kill] {
        cluster.stop(how);
        assert!(
            cluster.try_psql("db", "select 1").is_err(),
            "{how:?} stops the server"
        );
        cluster.start_again();
        assert_eq!(cluster.psql("db", "select count(*) from t"), "1", "after {how:?}");
    }
    cluster.restart_with(&[("work_mem", "6MB"), ("wal_level", "replica")]);
    assert_eq!(
        cluster.psql("db", "show work_mem; show wal_level"),
        "6MB\nreplica"
    );
    assert_eq!(cluster.port(), port);
    assert!(cluster.log().contains("was not properly shut down"));

    let data = cluster.data_dir();
    drop(cluster);
    assert!(!data.exists());
}

#[test]
fn both_of_a_pair_are_different_clusters_and_take_every_name() {
    let pair = pair();
    let identifier = "select system_identifier from pg_control_system()";
    assert_ne!(
        pair.source.psql("postgres", identifier),
        pair.target.psql("postgres", identifier)
    );

    for name in ["x y", "it's \\ a \"name\"", "host=nowhere port=1", "🐘"] {
        pair.source.create_database(name);
        assert_eq!(pair.source.psql(name, "select current_database()"), name);
    }
}

#[test]
fn roles_get_in_over_tcp_with_their_password_only() {
    let source = Cluster::start("roles", Settings::new());
    source.psql("postgres", r"create role loggedin login password 'it''s \secret'");
    let connect = |password| source.try_psql_as("loggedin", password, "postgres", "select current_user");
    assert_eq!(
        connect(r"it's \secret").expect("the password is right"),
        "loggedin"
    );
    assert!(connect("wrong").is_err());
}

#[test]
fn what_sql_fails_is_told() {
    let error = pair()
        .source
        .try_psql("postgres", "select 1;\nselect nothing")
        .expect_err("there is no such column");
    assert!(error.contains("column \"nothing\" does not exist"), "{error}");
}

#[test]
fn row_security_hides_rows_from_its_reader() {
    let cluster = Cluster::start("rowsec", Settings::new());
    fixtures::rowsec(&cluster, "postgres");
    let query = "select (select count(*) from tenant_data), (select count(*) from forced)";
    let seen = cluster.try_psql_as("rowsec_reader", "rowsec", "postgres", query);
    assert_eq!(seen.expect("it may read"), "5|0");
    assert_eq!(cluster.psql("postgres", query), "10|5");
}

/// Fetches about 100 MB at its first run; the version matrix needs the same files.
#[test]
fn the_oldest_and_the_newest_version_run() {
    for major in [10, 18] {
        assert_eq!(postgres::find(major).major, major);
        let cluster = Cluster::start("version", Settings::new().major(major));
        let number: u32 = cluster
            .psql("postgres", "show server_version_num")
            .parse()
            .expect("a number");
        assert_eq!(number / 10_000, major);
        assert_eq!(cluster.major(), major);
    }
    assert!(postgres::client_from("pg_dump", 18).is_file());
}
