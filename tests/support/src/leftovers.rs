//! What a migration may leave behind on a server.

use crate::cluster::Cluster;

/// Everything of a migration that is on the cluster, sorted, one line each; none after a removal.
///
/// Slots, subscriptions, replication origins, prepared transactions and publications count whosever they are:
/// tests make none of their own that should not be found. Sessions count by their name, databases too.
pub fn leftovers(cluster: &Cluster) -> Vec<String> {
    let of_cluster = cluster.rows("postgres", include_str!("leftovers_cluster.sql"));
    let mut found: Vec<String> = of_cluster.into_iter().flatten().collect();
    let databases = "select datname from pg_catalog.pg_database where datallowconn";
    for database in cluster.rows("postgres", databases).into_iter().flatten() {
        let Ok(in_database) = cluster.try_rows(&database, include_str!("leftovers_database.sql")) else {
            // Another test has just dropped its database; one that stays can be asked.
            let stays = cluster.rows("postgres", databases).concat().contains(&database);
            assert!(!stays, "{database} can't be asked");
            continue;
        };
        found.extend(
            in_database
                .into_iter()
                .flatten()
                .map(|what| format!("{what} in {database}")),
        );
    }
    found.sort();
    found
}
