//! One migration: the same servers, options and journal in every command.

use pghaul_testkit::{Cluster, ClusterPair, Outcome, Pghaul, leftovers};
use serde_json::Value;
use std::time::Duration;

/// A `run` against servers that are busy with other tests takes its time.
const TIME_LIMIT: Duration = Duration::from_secs(180);

/// What the commands of a migration have in common.
#[derive(Debug, Clone)]
pub(crate) struct Migration {
    pghaul: Pghaul,
    options: Vec<String>,
}

impl Migration {
    /// Between two servers, with a journal of its own; both are given with every command, as the journal holds no
    /// password.
    pub(crate) fn between(source: &str, target: &str) -> Self {
        let pghaul = Pghaul::new()
            .env("PGHAUL_SOURCE", source)
            .env("PGHAUL_TARGET", target);
        Self {
            pghaul: pghaul.time_limit(TIME_LIMIT),
            options: Vec::new(),
        }
    }

    /// Of one database, as superuser on both sides.
    pub(crate) fn of(source: &Cluster, target: &Cluster, database: &str) -> Self {
        Self::between(&source.conninfo("postgres"), &target.conninfo("postgres"))
            .options(["--database", database])
    }

    /// More options for `plan` and `run`.
    pub(crate) fn options<const N: usize>(mut self, options: [&str; N]) -> Self {
        self.options.extend(options.map(str::to_owned));
        self
    }

    /// A variable in the environment of all commands.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.pghaul = self.pghaul.env(name, value);
        self
    }

    /// The same migration, of servers that are reached in another way now: source, target, and the source from there.
    pub(crate) fn again_between(mut self, [source, target, back]: &[String; 3]) -> Self {
        for (name, value) in [
            ("PGHAUL_SOURCE", source),
            ("PGHAUL_TARGET", target),
            ("PGHAUL_SOURCE_FROM_TARGET", back),
        ] {
            self.pghaul = self.pghaul.env(name, value);
        }
        self
    }

    /// Another command with the migration's options, `plan`, `check` or `run`.
    pub(crate) fn with_options(&self, command: &str) -> Pghaul {
        self.command(&[command]).args(self.options.iter().cloned())
    }

    /// A command as it is given here.
    pub(crate) fn command(&self, arguments: &[&str]) -> Pghaul {
        self.pghaul.again().args(arguments.iter().copied())
    }

    /// `run`, to its end, without a rehearsal of the schema, which would restore it twice. [`Migration::with_options`] makes one, as
    /// the user's `run` does.
    pub(crate) fn run(&self) -> Outcome {
        self.with_options("run").args(["--no-rehearsal"]).run()
    }

    /// `remove`, to its end.
    pub(crate) fn remove(&self) -> Outcome {
        self.command(&["remove"]).run()
    }

    /// What `status --json` says of the migration, however it ends.
    pub(crate) fn status(&self) -> Value {
        let outcome = self.command(&["status", "--json"]).run();
        let answer: Value =
            serde_json::from_str(&outcome.stdout).unwrap_or_else(|error| panic!("{error}\n{outcome}"));
        answer["migration"].clone()
    }

    /// What `status --json` says of one database.
    pub(crate) fn status_of(&self, database: &str) -> Value {
        let status = self.status();
        let detail = status["migration_detail"]
            .as_array()
            .expect("a list of databases");
        let found = detail.iter().find(|one| one["dbname"] == database);
        found
            .unwrap_or_else(|| panic!("{database:?} is not in {status:#}"))
            .clone()
    }

    /// Every event of the journal.
    pub(crate) fn events(&self) -> Vec<Value> {
        let outcome = self.command(&["history", "--json"]).run().succeeded();
        outcome
            .stdout
            .lines()
            .map(|line| serde_json::from_str(line).expect("an event is JSON"))
            .collect()
    }
}

/// Panics with everything of any migration that is still on one of the servers.
#[track_caller]
pub(crate) fn assert_nothing_is_left(source: &Cluster, target: &Cluster) {
    let nothing: [Vec<String>; 2] = [Vec::new(), Vec::new()];
    assert_eq!([leftovers(source), leftovers(target)], nothing);
}

/// Panics with everything of this migration that is still on one of the servers, which others use as well.
#[track_caller]
pub(crate) fn assert_nothing_of_it_is_left(migration: &Migration, pair: &ClusterPair, database: &str) {
    let id = migration.status()["id"].as_str().expect("an id").to_owned();
    let here = format!(" in {database}");
    let of_it = |what: &String| what.contains(&id) || what.ends_with(&here);
    let found = [&pair.source, &pair.target]
        .map(|cluster| leftovers(cluster).into_iter().filter(of_it).collect::<Vec<_>>());
    let nothing: [Vec<String>; 2] = [Vec::new(), Vec::new()];
    assert_eq!(found, nothing);
}
