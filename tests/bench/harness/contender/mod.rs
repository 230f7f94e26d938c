//! Everyone who can move a database.

mod floor;
mod live;
mod others;
mod own;

use super::arguments::Arguments;
use super::process::Usage;
use super::programs::Programs;
use super::servers::{DATABASE, Servers};
use clap::ValueEnum;
use own::Left;
use std::fmt;
use std::path::PathBuf;
use std::process::Command;

/// How many streams a contender gets where it has to be told.
const STREAMS: usize = 2;

/// Who moves the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Contender {
    /// `pghaul run --method dump`
    PghaulDump,
    /// `pg_dump -Fc | pg_restore`
    PgDumpPipe,
    /// `pg_dump -Fd -j2`, then `pg_restore -j2`
    PgDumpJobs,
    /// `pg_dump -Fc -Z0 | pg_restore`: without the compression that it uses by default
    PgDumpPipeRaw,
    /// `pg_dump -Fd -Z0 -j2`, then `pg_restore -j2`
    PgDumpJobsRaw,
    /// `pgcopydb clone`, when it is on PATH
    Pgcopydb,
    /// Binary COPY from psql to psql, then indexes and foreign keys, in two streams
    Floor,
    /// `pghaul run --method replication` as it is by default, to `syncing`
    PghaulLive,
    /// The same with `--initial-copy snapshot`
    PghaulLiveSnapshot,
    /// The same with `--initial-copy server`
    PghaulLiveServer,
    /// CREATE SUBSCRIPTION with `copy_data` into the full schema, until every table is ready
    NativeLive,
}

/// A contender that has done its work.
pub(super) struct Migrated<'a> {
    /// What pghaul has used.
    pub(super) usage: Option<Usage>,
    left: Left<'a>,
}

impl Contender {
    /// Those that are asked for, or all that can run here.
    pub(super) fn of(arguments: &Arguments, programs: &Programs) -> Vec<Self> {
        if !arguments.contender.is_empty() {
            return arguments.contender.clone();
        }
        let chooses = programs.pghaul_knows("--initial-copy");
        let all = Self::value_variants().iter().copied();
        all.filter(|contender| match contender {
            Self::Pgcopydb => programs.pgcopydb.is_some(),
            Self::PghaulLive => !chooses,
            Self::PghaulLiveSnapshot | Self::PghaulLiveServer => chooses,
            Self::PghaulDump
            | Self::PgDumpPipe
            | Self::PgDumpJobs
            | Self::PgDumpPipeRaw
            | Self::PgDumpJobsRaw
            | Self::Floor
            | Self::NativeLive => true,
        })
        .collect()
    }

    /// Whether the target goes on following the source.
    pub(super) fn replicates(self) -> bool {
        match self {
            Self::PghaulLive | Self::PghaulLiveSnapshot | Self::PghaulLiveServer | Self::NativeLive => true,
            Self::PghaulDump
            | Self::PgDumpPipe
            | Self::PgDumpJobs
            | Self::PgDumpPipeRaw
            | Self::PgDumpJobsRaw
            | Self::Pgcopydb
            | Self::Floor => false,
        }
    }

    /// Moves the database, which the target does not have.
    ///
    /// # Panics
    /// When it fails.
    pub(super) fn migrate<'a>(self, servers: &'a Servers, programs: &Programs) -> Migrated<'a> {
        let moving = Moving {
            servers,
            programs,
            directory: pghaul_testkit::scratch_directory("contender"),
        };
        match self {
            Self::PghaulDump => return own::dump(&moving),
            Self::PghaulLive => return own::live(&moving, &[]),
            Self::PghaulLiveSnapshot => return own::live(&moving, &["--initial-copy", "snapshot"]),
            Self::PghaulLiveServer => return own::live(&moving, &["--initial-copy", "server"]),
            Self::PgDumpPipe => others::pipe(&moving, &[]),
            Self::PgDumpJobs => others::directory(&moving, &[]),
            Self::PgDumpPipeRaw => others::pipe(&moving, &["-Z0"]),
            Self::PgDumpJobsRaw => others::directory(&moving, &["-Z0"]),
            Self::Pgcopydb => others::pgcopydb(&moving),
            Self::Floor => floor::migrate(&moving),
            Self::NativeLive => live::native(&moving),
        }
        Migrated {
            usage: None,
            left: match self {
                Self::NativeLive => Left::Subscription(servers, moving.directory),
                _ => Left::Files(moving.directory),
            },
        }
    }
}

impl fmt::Display for Contender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.to_possible_value().expect("no contender is hidden");
        f.pad(value.get_name())
    }
}

impl Migrated<'_> {
    /// Takes away all but the database. Tells how many events pghaul has journaled.
    pub(super) fn clear(self) -> Option<u64> {
        self.left.clear()
    }
}

/// From where to where, with what, and where temporary files may be.
struct Moving<'a, 'b> {
    servers: &'a Servers,
    programs: &'b Programs,
    directory: PathBuf,
}

impl Moving<'_, '_> {
    /// How every contender reaches the source: over TCP, as in a migration between machines.
    fn source(&self) -> String {
        self.servers.source().conninfo(DATABASE)
    }

    fn target(&self) -> String {
        self.servers.target().conninfo(DATABASE)
    }

    fn client(&self, name: &str) -> Command {
        self.programs.client(name, &self.directory)
    }

    fn psql(&self, conninfo: &str) -> Command {
        self.programs.psql(conninfo, &self.directory)
    }
}
