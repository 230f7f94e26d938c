//! One migration, mostly of two databases, from its begin to where nothing of it is left.

use super::scenario::{SECOND, Scenario, TEMPLATE};
use pghaul_testkit::{ClusterPair, Load, Outcome, Pghaul, Settings, compare, identifier};
use std::os::unix::process::ExitStatusExt as _;
use std::sync::atomic::{AtomicUsize, Ordering};

const SIGABRT: i32 = 6;

/// What may be left of one migration, also the slots of table workers, which do not carry its id.
const LEFT_ON_SOURCE: &str = "
    select slot_name::text from pg_replication_slots where database = current_database()
    union all select pubname::text from pg_publication";
const LEFT_ON_TARGET: &str = "
    select subname::text from pg_subscription
     where subdbid = (select oid from pg_database where datname = current_database())
    union all select nspname::text from pg_namespace where nspname = 'pghaul'";

/// Servers with the templates. Those of one scenario are its own, so that in the end nothing may be left on them.
pub(super) fn servers(scenario: Scenario) -> ClusterPair {
    // A server's process begins and ends faster with little shared memory.
    let settings = || Settings::new().set("shared_buffers", "16MB");
    let source = settings()
        .set("max_replication_slots", "60")
        .set("max_wal_senders", "60");
    let target = settings()
        .set("max_replication_slots", "60")
        .set("max_logical_replication_workers", "40")
        .set("max_worker_processes", "60")
        .set("wal_receiver_status_interval", "1s");
    let pair = ClusterPair::start(source, target);
    for (name, sql) in [("template", TEMPLATE), ("second", SECOND)] {
        pair.source.create_database(name);
        pair.source.psql(name, sql);
    }
    if scenario == Scenario::Removal {
        pair.source.psql("template", "drop table log");
    }
    pair
}

/// How a command ended that was to be stopped at a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Died,
    /// It had fewer positions than that.
    Succeeded,
}

/// One migration.
pub(super) struct Attempt<'a> {
    servers: &'a ClusterPair,
    scenario: Scenario,
    /// The application works on the first.
    databases: Vec<String>,
    pghaul: Pghaul,
}

impl<'a> Attempt<'a> {
    pub(super) fn begin(servers: &'a ClusterPair, scenario: Scenario) -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(1);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let named = |template: &&str| format!("crash {number} {template}");
        let attempt = Self {
            servers,
            scenario,
            databases: scenario.templates().iter().map(named).collect(),
            pghaul: Pghaul::new(),
        };
        let create = scenario.templates().iter().zip(&attempt.databases);
        let create = create
            .map(|(template, name)| format!("create database {} template {template};\n", identifier(name)));
        servers.source.psql("postgres", &create.collect::<String>());
        attempt
    }

    fn run(&self) -> Pghaul {
        let (source, target) = (
            self.servers.source.conninfo("postgres"),
            self.servers.target.conninfo("postgres"),
        );
        let databases = self.databases.iter().flat_map(|name| ["--database", name]);
        // One table after the other: the n-th position of a database is the same on every run. Which of two
        // databases is ahead may differ; every position is one to die at nevertheless.
        self.pghaul
            .again()
            .args(["run", "--jobs", "1"])
            .args(databases)
            .args(self.scenario.options())
            .args(["--source", &source, "--target", &target])
    }

    fn remove(&self) -> Pghaul {
        self.pghaul.again().arg("remove")
    }

    /// What is killed.
    pub(super) fn command(&self) -> Pghaul {
        if self.scenario == Scenario::Removal {
            // The application changes rows, and takes every change back.
            self.remove().arg("--applications-still-write")
        } else {
            self.run()
        }
    }

    /// Everything up to what is killed. `copied` is the position of `run` at which a first table is copied.
    pub(super) fn prepare(&self, copied: Option<usize>) {
        if self.scenario == Scenario::Removal {
            self.run().run().succeeded();
        }
        if let Some(position) = copied {
            assert_eq!(self.stop_at(position), End::Died, "nothing was prepared");
        }
    }

    /// Lets the command die at a position, where it has so many.
    pub(super) fn stop_at(&self, position: usize) -> End {
        let outcome = self.command().env("PGHAUL_CRASH_AT", position.to_string()).run();
        if outcome.status.success() {
            return End::Succeeded;
        }
        let died = outcome.status.signal() == Some(SIGABRT);
        assert!(died, "it ended in another way\n{outcome}");
        End::Died
    }

    /// Lets the command go to its end; the names of all positions that it passes.
    pub(super) fn places(&self) -> Vec<String> {
        let outcome: Outcome = self
            .command()
            .env("PGHAUL_CRASH_AT", "count")
            .env("PGHAUL_LOG", "warn,pghaul_step::fault=trace")
            .run()
            .succeeded();
        let places: Vec<String> = outcome
            .stderr
            .lines()
            .filter(|line| line.contains("fault position "))
            .map(str::to_owned)
            .collect();
        // A command that finds nothing to do counts nothing.
        let counted = format!("positions={}", places.len());
        assert!(
            places.is_empty() || outcome.stderr.contains(&counted),
            "{counted} is not what was counted\n{outcome}"
        );
        places
    }

    /// Lets the command go to its end.
    pub(super) fn go_on(&self) {
        self.command().run().succeeded();
    }

    pub(super) fn load(&self) -> Load {
        Load::with_script(
            &self.servers.source,
            &self.databases[0],
            self.scenario.application(),
        )
    }

    /// After the command's end: everything of the migration is taken away, and nothing is left.
    pub(super) fn finish(&self, load: Load) {
        let report = load.stop();
        assert_eq!(report.errors, 0, "the application noticed: {}", report.messages);
        assert!(report.transactions > 0, "the application did nothing");
        if self.scenario != Scenario::Removal {
            // The source rests now: this waits for its last change, and sets the sequences.
            self.remove().arg("--force").run().succeeded();
        }
        let ClusterPair { source, target } = self.servers;
        for database in &self.databases {
            compare::same(source, target, database);
            assert_eq!(source.psql(database, LEFT_ON_SOURCE), "", "left behind");
            assert_eq!(target.psql(database, LEFT_ON_TARGET), "", "left behind");
        }
        let state = self.pghaul.home().join("state/pghaul");
        assert!(!state.join("journal.db.d").exists(), "files are left behind");
        let drops = self.databases.iter();
        let drops: String = drops
            .map(|name| format!("drop database {} (force);\n", identifier(name)))
            .collect();
        source.psql("postgres", &drops);
        target.psql("postgres", &drops);
    }
}
