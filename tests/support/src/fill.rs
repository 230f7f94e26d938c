//! Databases with plain rows in them, many or few.

use crate::cluster::Cluster;
use crate::psql::client;

/// Fills the four tables of pgbench, 100 000 accounts for each unit of scale. Its history has no primary key.
pub fn pgbench(cluster: &Cluster, database: &str, scale: u32) {
    let output = client("pgbench")
        .args(["--initialize", "--quiet", "--scale", &scale.to_string()])
        .arg(cluster.conninfo_socket(database))
        .output()
        .expect("run pgbench");
    assert!(
        output.status.success(),
        "pgbench: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// The same with a primary key for the history too, so that every table can be replicated, and foreign keys.
pub fn pgbench_with_keys(cluster: &Cluster, database: &str, scale: u32) {
    pgbench(cluster, database, scale);
    cluster.psql(database, include_str!("../fixtures/pgbench_keys.sql"));
}
