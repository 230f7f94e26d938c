//! The programs that are measured, and how each is called.

use super::arguments::Arguments;
use super::process;
use super::servers::Servers;
use pghaul_testkit::{Pghaul, hermetic, postgres};
use std::path::{Path, PathBuf};
use std::process::Command;

pub(super) struct Programs {
    /// Where `psql`, `pg_dump` and `pg_restore` of the target's version are.
    clients: PathBuf,
    /// The one on `PATH`, when there is one.
    pub(super) pgcopydb: Option<PathBuf>,
    jobs: Option<u32>,
    /// What `pghaul run --help` says.
    help: String,
}

impl Programs {
    pub(super) fn find(arguments: &Arguments, servers: &Servers) -> Self {
        let major = servers.source().major().max(servers.target().major());
        let pg_dump = postgres::client_from("pg_dump", major);
        let path = std::env::var_os("PATH").unwrap_or_default();
        let help = Pghaul::new().args(["run", "--help"]).run().succeeded().stdout;
        Self {
            clients: pg_dump.parent().expect("a program is in a directory").to_owned(),
            pgcopydb: std::env::split_paths(&path)
                .map(|directory| directory.join("pgcopydb"))
                .find(|path| path.is_file()),
            jobs: arguments.jobs,
            help,
        }
    }

    /// Whether `pghaul run` knows this option.
    pub(super) fn pghaul_knows(&self, option: &str) -> bool {
        self.help.split_whitespace().any(|word| word == option)
    }

    /// `pghaul run` with journal and home of its own.
    pub(super) fn pghaul(&self, servers: &Servers) -> Pghaul {
        Pghaul::new()
            .env("PGHAUL_SOURCE", servers.source().conninfo("postgres"))
            .env("PGHAUL_TARGET", servers.target().conninfo("postgres"))
            .env("PGHAUL_PG_BIN", &self.clients)
    }

    pub(super) fn pghaul_version() -> String {
        let outcome = Pghaul::new().arg("--version").run().succeeded();
        outcome.stdout.trim_end().to_owned()
    }

    /// What `pghaul run` is told about parallelism.
    pub(super) fn jobs(&self) -> Vec<String> {
        let jobs = self.jobs.filter(|_| self.pghaul_knows("--jobs"));
        jobs.map(|jobs| format!("--jobs={jobs}")).into_iter().collect()
    }

    /// A client program that works in this directory and logs to a file in it, see [`process`].
    pub(super) fn client(&self, name: &str, directory: &Path) -> Command {
        self.foreign(&self.clients.join(name), directory)
    }

    /// psql without the user's settings, that stops at the first error.
    pub(super) fn psql(&self, conninfo: &str, directory: &Path) -> Command {
        let mut psql = self.client("psql", directory);
        psql.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", conninfo]);
        psql
    }

    /// A program of others that finds PostgreSQL's clients on its `PATH`.
    pub(super) fn foreign(&self, program: &Path, directory: &Path) -> Command {
        let mut command = hermetic(program);
        command
            .env("PATH", format!("{}:/usr/bin:/bin", self.clients.display()))
            .env("TMPDIR", directory)
            .current_dir(directory);
        process::log_to(&mut command, directory);
        command
    }

    /// The first line that a program says of its version.
    pub(super) fn version(&self, program: &Path) -> String {
        let program = if program.is_absolute() {
            program.to_owned()
        } else {
            self.clients.join(program)
        };
        let output = hermetic(&program).arg("--version").output();
        let output = output.expect("run a program that was found");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.lines().next().unwrap_or_default().to_owned()
    }
}
