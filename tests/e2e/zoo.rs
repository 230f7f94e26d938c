//! Objects of every kind, moved by both methods, and held against what pg_dump and pg_restore make of them:
//! `tests/matrix.sh` tries all pairs of versions, the ordinary run one.

use crate::migration::Migration;
use crate::versions::pairs;
use pghaul_testkit::compare::{self, Difference, Options};
use pghaul_testkit::fixtures::{ZOO, zoo};
use pghaul_testkit::{Cluster, ClusterPair, Settings, hermetic, postgres};
use std::process::Stdio;
use std::time::Instant;

/// Workers, slots and origins for all databases at once.
fn settings(major: u32) -> Settings {
    let settings = Settings::new().major(major).set("max_connections", "200");
    let settings = [
        "max_worker_processes",
        "max_logical_replication_workers",
        "max_replication_slots",
        "max_wal_senders",
    ]
    .iter()
    .fold(settings, |settings, name| settings.set(name, "40"));
    match major {
        18.. => settings.set("max_active_replication_origins", "40"),
        _ => settings,
    }
}

fn client(cluster: &Cluster, program: &str, major: u32) -> std::process::Command {
    let mut command = hermetic(&postgres::client_from(program, major));
    command
        .env("PGHOST", cluster.socket_dir())
        .env("PGPORT", cluster.port().to_string())
        .env("PGUSER", "postgres");
    command
}

/// What PostgreSQL's own programs make of the roles and databases of a cluster.
fn restored(source: &Cluster, major: u32) -> Cluster {
    let reference = Cluster::start("reference", settings(major));
    let pipe = |mut from: std::process::Command, mut to: std::process::Command| {
        let mut from = from.stdout(Stdio::piped()).spawn().expect("start the dump");
        let output = from.stdout.take().expect("its output");
        // What they can't restore shows in the comparison.
        to.stdin(output).output().expect("run the restore");
        assert!(from.wait().expect("the dump ends").success());
    };
    let mut globals = client(source, "pg_dumpall", major);
    globals.arg("--globals-only");
    let mut psql = client(&reference, "psql", major);
    psql.args(["-X", "-q", "-d", "postgres"]);
    pipe(globals, psql);
    for (database, _) in ZOO {
        let mut dump = client(source, "pg_dump", major);
        dump.args(["-Fc", "--create", database]);
        let mut restore = client(&reference, "pg_restore", major);
        restore.args(["--create", "--dbname", "postgres"]);
        pipe(dump, restore);
    }
    reference
}

/// The differences of a database from the source that PostgreSQL's own programs do not leave too.
fn worse(found: Vec<Difference>, accepted: &[Difference]) -> Vec<Difference> {
    let is_known = |one: &Difference| accepted.contains(one);
    found.into_iter().filter(|one| !is_known(one)).collect()
}

/// A line of the table in `docs/reference/versions.md`.
struct Line {
    source: u32,
    target: u32,
    method: &'static str,
    written: u32,
    worse: usize,
    different: usize,
}

impl Line {
    fn print(&self) {
        let Self {
            source,
            target,
            method,
            written,
            worse,
            different,
        } = self;
        println!(
            "| {source} | {target} | {method} | {} | {written} | {different} | {worse} |",
            ZOO.len()
        );
    }
}

fn moved(source: u32, target: u32) -> Vec<String> {
    let mut bad = Vec::new();
    for method in ["dump", "replication"] {
        let pair = ClusterPair::start(settings(source), settings(target));
        zoo(&pair);
        let begun = Instant::now();
        let pg_dump = postgres::client_from("pg_dump", source.max(target));
        let servers = [pair.source.conninfo("postgres"), pair.target.conninfo("postgres")];
        let migration = Migration::between(&servers[0], &servers[1])
            .options(["--method", method])
            .env("PGHAUL_PG_DUMP", pg_dump.to_str().expect("a path in UTF-8"));
        migration.run().succeeded();
        let mut written = 0;
        if method == "replication" {
            for (database, _) in ZOO {
                let tables = pair
                    .source
                    .psql(database, include_str!("../support/fixtures/changes.sql"));
                written += tables.trim().parse::<u32>().expect("a number of tables");
            }
            assert!(
                written > 30,
                "the application has written to {written} tables only"
            );
        }
        migration.remove().succeeded();
        println!(
            "{source} to {target} by {method}: {:.1} s",
            begun.elapsed().as_secs_f64()
        );
        let reference = restored(&pair.source, source.max(target));
        let mut line = Line {
            source,
            target,
            method,
            written,
            worse: 0,
            different: 0,
        };
        let options = Options::default();
        for (database, _) in ZOO {
            let compared =
                |with: &Cluster| compare::databases((&pair.source, database), (with, database), &options);
            let found = compared(&pair.target);
            line.different += found.len();
            let worse = worse(found, &compared(&reference));
            line.worse += worse.len();
            bad.extend(
                worse
                    .iter()
                    .map(|one| format!("{source} to {target} by {method}: {database}: {one}")),
            );
        }
        let roles = worse(
            compare::roles(&pair.source, &pair.target),
            &compare::roles(&pair.source, &reference),
        );
        line.worse += roles.len();
        bad.extend(
            roles
                .iter()
                .map(|one| format!("{source} to {target} by {method}: {one}")),
        );
        line.print();
    }
    bad
}

#[test]
fn objects_of_every_kind_arrive_as_with_postgresqls_own_programs() {
    let mut bad = Vec::new();
    for (source, target) in pairs("13:18") {
        bad.extend(moved(source, target));
    }
    assert!(bad.is_empty(), "{}", bad.join("\n"));
}
