//! The two servers, and the state that every run begins in.

use super::arguments::Arguments;
use pghaul_testkit::{Cluster, ClusterPair, Settings};

/// The database that is moved; it has the same name on both sides.
pub(super) const DATABASE: &str = "bench";

/// The same on both sides but for the level of WAL, which only the source needs. What is not here is as PostgreSQL
/// comes, or as the testkit sets it for both sides of a migration.
pub(super) const SETTINGS: &[(&str, &str)] = &[
    ("shared_buffers", "1GB"),
    ("max_wal_size", "8GB"),
    // Files that are kept are used again: a run must not pay for what the one before did not leave.
    ("min_wal_size", "4GB"),
    ("maintenance_work_mem", "256MB"),
    ("max_locks_per_transaction", "512"),
    ("checkpoint_timeout", "30min"),
];

pub(super) struct Servers {
    pair: ClusterPair,
}

impl Servers {
    pub(super) fn start(arguments: &Arguments) -> Self {
        let settings = |major| match arguments.no_fsync {
            true => settings(major),
            false => settings(major).durable(),
        };
        let source = settings(arguments.source).set("wal_level", "logical");
        let target = settings(arguments.target.or(arguments.source)).set("wal_level", "replica");
        Self {
            pair: ClusterPair::start(source, target),
        }
    }

    pub(super) fn source(&self) -> &Cluster {
        &self.pair.source
    }

    pub(super) fn target(&self) -> &Cluster {
        &self.pair.target
    }

    /// No database on the target, and nothing that either server still has to write.
    pub(super) fn start_alike(&self) {
        self.drop_from(self.target());
        for server in [self.source(), self.target()] {
            patiently(server, "postgres", "checkpoint");
        }
    }

    pub(super) fn drop_from(&self, server: &Cluster) {
        let sessions = format!(
            "select from (select pg_terminate_backend(pid) from pg_stat_activity where datname = '{DATABASE}') s"
        );
        patiently(server, "postgres", &sessions);
        patiently(server, "postgres", &format!("drop database if exists {DATABASE}"));
    }
}

fn settings(major: Option<u32>) -> Settings {
    let settings = major.into_iter().fold(Settings::new(), Settings::major);
    SETTINGS
        .iter()
        .fold(settings, |settings, (name, value)| settings.set(name, value))
}

/// Runs SQL that may take as long as it needs, unlike in a test.
pub(super) fn patiently(server: &Cluster, database: &str, sql: &str) -> String {
    server.psql(
        database,
        &format!("set statement_timeout = 0; set client_min_messages = warning;\n{sql};"),
    )
}
