//! Objects of every kind, moved by both methods, and held against what pg_dump and pg_restore make of them:
//! `tests/matrix.sh` tries all pairs of versions, the ordinary run one.

use crate::migration::Migration;
use crate::versions::pairs;
use pghaul_testkit::compare::{self, Difference, Options};
use pghaul_testkit::fixtures::{ZOO, label_provider, zoo};
use pghaul_testkit::{Cluster, ClusterPair, Settings, hermetic, postgres};
use std::io::Write;
use std::process::Stdio;
use std::time::Instant;

/// Workers, slots and origins for all databases at once.
pub(crate) fn settings(major: u32) -> Settings {
    let settings = Settings::new().major(major).set("max_connections", "200");
    let settings = [
        "max_worker_processes",
        "max_logical_replication_workers",
        "max_replication_slots",
        "max_wal_senders",
    ]
    .iter()
    .fold(settings, |settings, name| settings.set(name, "40"));
    let settings = match label_provider(major) {
        Some(library) => settings.set("shared_preload_libraries", &library.display().to_string()),
        None => settings,
    };
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

/// A script of pg_restore 15 for servers that do not know what it says of a new database.
fn for_older(script: &str) -> String {
    let line = |line: &str| {
        let locale = line.split_once(" LOCALE_PROVIDER = libc LOCALE = ");
        match locale.filter(|_| line.starts_with("CREATE DATABASE")) {
            Some((before, locale)) => {
                let locale = locale.trim_end_matches(';');
                format!("{before} LC_COLLATE = {locale} LC_CTYPE = {locale};\n")
            }
            None => format!("{line}\n"),
        }
    };
    script.split('\n').map(line).collect()
}

/// What the second program writes of the archive that the first writes.
fn text(mut dump: std::process::Command, mut restore: std::process::Command) -> String {
    let mut dump = dump.stdout(Stdio::piped()).spawn().expect("start pg_dump");
    let archive = dump.stdout.take().expect("its output");
    let script = restore.stdin(archive).output().expect("run pg_restore").stdout;
    assert!(dump.wait().expect("pg_dump ends").success());
    String::from_utf8(script).expect("a script in UTF-8")
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
        if major >= 15 {
            restore.args(["--create", "--dbname", "postgres"]);
            pipe(dump, restore);
            continue;
        }
        // The oldest pg_restore here is of version 15: it says of a database what older servers do not know.
        restore.args(["--create", "--file", "-"]);
        let mut psql = client(&reference, "psql", major);
        psql.args(["-X", "-q", "-d", "postgres"]);
        let script = for_older(&text(dump, restore));
        psql.stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut psql = psql.spawn().expect("start psql");
        let mut input = psql.stdin.take().expect("its input");
        input.write_all(script.as_bytes()).expect("psql reads");
        drop(input);
        psql.wait().expect("psql ends");
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

/// The differences from the source that PostgreSQL's own programs leave: in each database, and in the roles.
fn accepted(source: &Cluster, major: u32) -> (Vec<Vec<Difference>>, Vec<Difference>) {
    let reference = restored(source, major);
    let databases = ZOO.iter().map(|(database, _)| {
        compare::databases((source, database), (&reference, database), &Options::default())
    });
    (databases.collect(), compare::roles(source, &reference))
}

/// Writes to the tables of all databases. Returns to how many.
fn write(source: &Cluster) -> u32 {
    let changes = include_str!("../support/fixtures/changes.sql");
    let tables = |(database, _): &(&str, &str)| source.psql(database, changes).trim().parse::<u32>();
    let written = ZOO
        .iter()
        .map(|one| tables(one).expect("a number of tables"))
        .sum();
    assert!(
        written > 30,
        "the application has written to {written} tables only"
    );
    written
}

fn moved(source: u32, target: u32) -> Vec<String> {
    let mut bad = Vec::new();
    let mut pair = ClusterPair::start(settings(source), settings(target));
    zoo(&pair);
    let newest = source.max(target);
    let (of_databases, of_roles) = accepted(&pair.source, newest);
    let pg_dump = postgres::client_from("pg_dump", newest);
    for method in ["dump", "replication"] {
        if method == "replication" {
            pair.target = Cluster::start("target", settings(target));
        }
        let begun = Instant::now();
        let migration = Migration::between(
            &pair.source.conninfo("postgres"),
            &pair.target.conninfo("postgres"),
        )
        .options(["--method", method])
        .env("PGHAUL_PG_DUMP", pg_dump.to_str().expect("a path in UTF-8"));
        migration.with_options("run").run().succeeded();
        let written = match method {
            "replication" => write(&pair.source),
            _ => 0,
        };
        migration.remove().succeeded();
        println!(
            "{source} to {target} by {method}: {:.1} s",
            begun.elapsed().as_secs_f64()
        );
        let mut line = Line {
            source,
            target,
            method,
            written,
            worse: 0,
            different: 0,
        };
        let mut note = |place: &str, found: Vec<Difference>, accepted: &[Difference]| {
            line.different += found.len();
            let worse = worse(found, accepted);
            line.worse += worse.len();
            bad.extend(
                worse
                    .iter()
                    .map(|one| format!("{source} to {target} by {method}: {place}: {one}")),
            );
        };
        for ((database, _), accepted) in ZOO.iter().zip(&of_databases) {
            let (there, here) = ((&pair.source, *database), (&pair.target, *database));
            note(
                database,
                compare::databases(there, here, &Options::default()),
                accepted,
            );
        }
        note("roles", compare::roles(&pair.source, &pair.target), &of_roles);
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
