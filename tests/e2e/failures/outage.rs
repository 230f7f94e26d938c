//! Servers that go away in the middle of a copy.

use super::{MANY_ROWS, completes, database, error};
use crate::migration::Migration;
use pghaul_testkit::{Cluster, ClusterPair, Settings, Stop, leftovers};
use std::time::Duration;

const CONNECTION: i32 = 4;
const PATIENCE: Duration = Duration::from_secs(150);

fn cluster(pair: &ClusterPair, side: Side) -> &Cluster {
    match side {
        Side::Source => &pair.source,
        Side::Target => &pair.target,
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Source,
    Target,
}

/// Stops a server while rows are copied. It comes back at once, and later once more, when the run has given up.
fn goes_away(side: Side, method: &str) {
    let pair = ClusterPair::start(Settings::new(), Settings::new());
    for comes_back_in_time in [true, false] {
        let name = database(&pair, "outage");
        pair.source.psql(&name, MANY_ROWS);
        let migration = Migration::of(&pair.source, &pair.target, &name).options(["--method", method]);
        let run = migration.with_options("run").spawn();
        super::await_copy(&pair.source, &name, "many");
        cluster(&pair, side).stop(Stop::Immediate);
        if comes_back_in_time {
            cluster(&pair, side).start_again();
        }
        let outcome = run.wait(PATIENCE);
        if !outcome.status.success() {
            assert!(
                !comes_back_in_time || method == "replication",
                "a restart was not survived\n{outcome}"
            );
            error(
                &outcome,
                CONNECTION,
                if outcome.stderr.contains("error[connection-lost]") {
                    "connection-lost"
                } else {
                    "connection-refused"
                },
            );
        }
        cluster(&pair, side).start_again();
        completes(&migration, &pair, &name);
        migration.remove().succeeded();
        assert_eq!(leftovers(&pair.source), [""; 0]);
        assert_eq!(leftovers(&pair.target), [""; 0]);
    }
}

#[test]
fn the_source_during_a_dump() {
    goes_away(Side::Source, "dump");
}

#[test]
fn the_target_during_a_dump() {
    goes_away(Side::Target, "dump");
}

#[test]
fn the_source_during_a_replication() {
    goes_away(Side::Source, "replication");
}

#[test]
fn the_target_during_a_replication() {
    goes_away(Side::Target, "replication");
}
