//! pghaul, as its user calls it.

use super::super::process::{self, watched};
use super::super::servers::{DATABASE, Servers};
use super::live;
use super::{Migrated, Moving};
use pghaul_testkit::Pghaul;
use std::path::PathBuf;
use std::time::Duration;

/// What follows a run is not measured; it may take its time with thousands of tables.
const TIME_LIMIT: Duration = Duration::from_secs(1800);

/// What a contender has left behind besides the database.
pub(super) enum Left<'a> {
    /// Temporary files.
    Files(PathBuf),
    /// A subscription and its publication as well.
    Subscription(&'a Servers, PathBuf),
    /// A journal, and replication.
    Pghaul { pghaul: Pghaul, replicates: bool },
}

pub(super) fn dump<'a>(moving: &Moving<'a, '_>) -> Migrated<'a> {
    run(moving, &["--method", "dump"], false)
}

pub(super) fn live<'a>(moving: &Moving<'a, '_>, options: &[&str]) -> Migrated<'a> {
    run(moving, &[&["--method", "replication"], options].concat(), true)
}

fn run<'a>(moving: &Moving<'a, '_>, options: &[&str], replicates: bool) -> Migrated<'a> {
    let pghaul = moving.programs.pghaul(moving.servers).time_limit(TIME_LIMIT);
    let call = pghaul.again().args(["run", "--database", DATABASE]);
    let mut command = call
        .args(options.iter().copied())
        .args(moving.programs.jobs())
        .command();
    process::log_to(&mut command, pghaul.home());
    let usage = watched(command);
    Migrated {
        usage: Some(usage),
        left: Left::Pghaul { pghaul, replicates },
    }
}

impl Left<'_> {
    pub(super) fn clear(self) -> Option<u64> {
        let (directory, events) = match self {
            Self::Files(directory) => (directory, None),
            Self::Subscription(servers, directory) => {
                live::drop_native(servers);
                (directory, None)
            }
            Self::Pghaul { pghaul, replicates } => {
                let history = pghaul.again().args(["history", "--json"]).run().succeeded();
                if replicates {
                    pghaul.again().arg("remove").run().succeeded();
                }
                let events = history.stdout.lines().count();
                let home = pghaul.home().to_owned();
                (home, u64::try_from(events).ok())
            }
        };
        std::fs::remove_dir_all(&directory).expect("remove what a contender has written");
        events
    }
}
