//! Secrets that pghaul writes into the target: passwords of the source in subscriptions, of roles, of user mappings, in settings. The
//! statements that carry them are shown, logged and stored by nobody.

use crate::migration::Migration;
use pghaul_testkit::{Cluster, ClusterPair, Settings, postgres, wait_until};
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);
const SECRET: &str = "0nly-for-the-Source";
/// A setting is a parameter of statements that compute something under it.
const SETTING: &str = "0nly-for-the-Application";

/// Servers whose target logs, and stores, as much as it can.
fn pair(major: u32, target: &[(&str, &str)]) -> ClusterPair {
    let talkative = Settings::new()
        .major(major)
        .set("log_statement", "all")
        .set("log_min_duration_statement", "0")
        .set("log_transaction_sample_rate", "1")
        .set("debug_print_rewritten", "on");
    let target = target
        .iter()
        .fold(talkative, |settings, (name, value)| settings.set(name, value));
    ClusterPair::start(Settings::new().major(major), target)
}

#[track_caller]
fn is_not_in(text: &str, what: &str) {
    let shows = |line: &&str| {
        line.contains(SECRET) || line.contains(SETTING) && !line.contains("DETAIL:  parameters: ")
    };
    let line = text.lines().find(shows);
    assert_eq!(line, None, "a secret is in {what}");
}

#[test]
fn a_superusers_statements_with_secrets_are_logged_and_stored_nowhere() {
    let pair = pair(
        15,
        &[
            ("shared_preload_libraries", "pg_stat_statements,auto_explain"),
            ("pg_stat_statements.track", "all"),
            ("auto_explain.log_min_duration", "0"),
            ("auto_explain.log_nested_statements", "on"),
        ],
    );
    pair.target
        .psql("postgres", "create extension pg_stat_statements");
    pair.source.psql(
        "postgres",
        &format!(
            "create database d; create role app login; alter role app set app.key = '{SETTING}';
             alter database d set app.key = '{SETTING}'; set password_encryption = 'md5';
             create role mover superuser login password '{SECRET}'"
        ),
    );
    pair.source.psql(
        "d",
        &format!(
            "create extension postgres_fdw; create table t (i int primary key);
             create server far foreign data wrapper postgres_fdw options (host 'h', dbname '{SECRET}');
             create user mapping for app server far options (user 'u', password '{SECRET}');
             create foreign table ft (i int) server far options (table_name '{SECRET}')"
        ),
    );
    let source = pair.source.conninfo_as("mover", SECRET, "postgres");
    let migration =
        Migration::between(&source, &pair.target.conninfo("postgres")).options(["--database", "d"]);
    // A subscription that can't be created is an error, which is logged otherwise.
    let wrong = [
        "--source-from-target",
        "host=127.0.0.1 port=1",
        "--method",
        "replication",
    ];
    migration.with_options("check").args(wrong).run();
    migration.run().succeeded();
    let arrived = "select (select umoptions::text from pg_user_mappings) || (select srvoptions::text from pg_foreign_server)
                   || (select setconfig::text from pg_db_role_setting where setdatabase <> 0 and setrole = 0)
                   || (select rolconfig::text from pg_roles where rolname = 'app')
                   || (select ftoptions::text from pg_foreign_table)";
    assert_eq!(pair.target.psql("d", arrived).matches("0nly-for-the-").count(), 5);
    let verifier = pair
        .source
        .psql("d", "select rolpassword from pg_authid where rolname = 'mover'");
    let has = format!("select rolpassword = '{verifier}' from pg_authid where rolname = 'mover'");
    let quiet = "set log_statement = none; set log_min_duration_statement = -1;";
    let log = pair.target.log();
    assert!(!log.contains(&verifier), "a verifier is in the target's log");
    assert_eq!(pair.target.psql("d", &format!("{quiet} {has}")), "t");
    // The subscription gets another password: ALTER SUBSCRIPTION.
    let newer = format!("{SECRET}, newer");
    let end = "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'mover'";
    let alter = format!("set log_statement = none; alter role mover password '{newer}'; {end}");
    pair.source.psql("postgres", &alter);
    let source = pair.source.conninfo_as("mover", &newer, "postgres");
    let migration = migration.again_between(&[source.clone(), pair.target.conninfo("postgres"), source]);
    migration.run().succeeded();
    let exported = migration.command(&["journal", "export", "-"]).run().succeeded();
    let conninfo = pair.target.psql(
        "d",
        "set log_statement = none; select subconninfo from pg_subscription",
    );
    assert!(conninfo.contains("newer"), "it has the old password");
    is_not_in(&pair.target.log(), "the target's log");
    assert!(
        !exported.stdout.contains(&verifier),
        "a verifier is in the journal"
    );
    let stored = "select coalesce(string_agg(query, E'\\n'), '') from pg_stat_statements";
    is_not_in(&pair.target.psql("postgres", stored), "pg_stat_statements");
}

/// A role that may switch nothing off.
#[test]
fn who_is_no_superuser_shows_and_logs_no_secret_either() {
    let pair = pair(16, &[]);
    pair.source.psql(
        "postgres",
        &format!(
            "create role mover superuser login password '{SECRET}'; create role own; create database d owner own"
        ),
    );
    pair.source.psql(
        "d",
        "alter schema public owner to own; set role own; create table t (i int primary key); insert into t values (1)",
    );
    pair.target.psql(
        "postgres",
        "create role sub login createdb createrole password 'sub'; grant pg_create_subscription to sub;
         alter role sub set createrole_self_grant = 'set, inherit'; grant create on database postgres to sub;
         create role monitoring login password 'm' in role pg_monitor",
    );
    let (source, target) = (
        pair.source.conninfo_as("mover", SECRET, "postgres"),
        pair.target.conninfo_as("sub", "sub", "postgres"),
    );
    let pg_dump = postgres::client_from("pg_dump", 16);
    let migration = Migration::between(&source, &target)
        .options(["--database", "d", "--method", "replication"])
        .env("PGHAUL_PG_DUMP", pg_dump.to_str().expect("a path in UTF-8"));

    // While a source that does not answer is waited for, everybody who may monitor reads the statement.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let way = format!(
        "host=127.0.0.1 port={}",
        silent.local_addr().expect("its port").port()
    );
    let checking = migration
        .with_options("check")
        .args(["--source-from-target", way.as_str()])
        .spawn();
    let shown = |cluster: &Cluster| {
        cluster.psql(
            "postgres",
            "set role monitoring; select coalesce(string_agg(query, E'\\n'), '') from pg_stat_activity
             where wait_event like 'LibPQWalReceiver%' and state = 'active'",
        )
    };
    wait_until("the target waits for the source", PATIENCE, || {
        let shown = shown(&pair.target);
        is_not_in(&shown, "pg_stat_activity");
        !shown.is_empty()
    });
    drop(silent);
    checking.wait(PATIENCE);
    nobody_sees_a_secret_while_it_runs(&pair, &migration);
    assert_eq!(migration.status_of("d")["status"], "syncing");
    is_not_in(&pair.target.log(), "the target's log");
    secrets_that_stay_are_read_by_their_owners_until_removal(&pair, &migration);
}

/// Everything that others can read of a run, again and again until it ends: the statements of both servers, the arguments of its programs,
/// its metrics, and the files beside the journal.
fn nobody_sees_a_secret_while_it_runs(pair: &ClusterPair, migration: &Migration) {
    let listen = ["--metrics-listen", "127.0.0.1:0"];
    let mut run = migration.with_options("run").args(listen).spawn();
    let line = run.wait_for_line("metrics are at http://");
    let address = line.split('/').nth(2).expect("an address");
    let state = migration.command(&[]).home().join("state/pghaul");
    let statements =
        "select coalesce(string_agg(query || application_name, E'\\n'), '') from pg_stat_activity";
    let monitored = format!("set role monitoring; {statements}");
    let (mut statements_seen, mut metrics_seen) = (0, 0);
    while run.is_running() {
        for (cluster, read) in [(&pair.source, statements), (&pair.target, &monitored)] {
            let shown = cluster.psql("postgres", read);
            is_not_in(&shown, "pg_stat_activity");
            statements_seen += usize::from(shown.contains("pghaul"));
        }
        for (arguments, variables) in programs_of(run.id()) {
            is_not_in(&arguments, "the arguments of a program");
            let dumps = arguments.contains("pg_dump") && !arguments.contains("--version");
            let other = |variable: &&str| !(dumps && variable.starts_with("PGPASSWORD="));
            let variables: Vec<&str> = variables.split('\0').filter(other).collect();
            is_not_in(&variables.join("\n"), "the environment of a program");
        }
        if let Ok(metrics) = scrape(address) {
            is_not_in(&metrics, "the metrics");
            metrics_seen += usize::from(metrics.contains("pghaul_"));
        }
        is_not_in(&files_in(&state), "a file beside the journal");
    }
    run.wait(PATIENCE).succeeded();
    assert!(
        statements_seen > 0 && metrics_seen > 0,
        "the run was not observed"
    );
}

/// Arguments and environment of the programs that this process has started, on Linux.
fn programs_of(pghaul: u32) -> Vec<(String, String)> {
    let read = |path: PathBuf| String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).into_owned();
    let is_child = |process: &Path| {
        let status = read(process.join("status"));
        status.lines().any(|line| line == format!("PPid:\t{pghaul}"))
    };
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    processes
        .map(|entry| entry.path())
        .filter(|process| is_child(process))
        .map(|process| {
            (
                read(process.join("cmdline")).replace('\0', " "),
                read(process.join("environ")),
            )
        })
        .collect()
}

/// The metrics, while they are served.
fn scrape(address: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    write!(stream, "GET /metrics HTTP/1.1\r\nHost: {address}\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// The text of all files of this directory: the journal, locks, the progress of the run.
fn files_in(directory: &Path) -> String {
    let files = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let texts = files.filter_map(|entry| std::fs::read(entry.path()).ok());
    texts
        .map(|text| String::from_utf8_lossy(&text).into_owned())
        .collect()
}

/// The source's password in the subscription, and the archive of the schema.
fn secrets_that_stay_are_read_by_their_owners_until_removal(pair: &ClusterPair, migration: &Migration) {
    let conninfo = "select subconninfo from pg_subscription";
    let password = format!("password={SECRET}");
    assert!(pair.target.psql("d", conninfo).contains(&password));
    let read = pair
        .target
        .try_psql("d", &format!("set role monitoring; {conninfo}"));
    assert!(read.unwrap_err().contains("permission denied"));
    let files = migration.command(&[]).home().join("state/pghaul/journal.db.d");
    let of_migration: Vec<_> = std::fs::read_dir(&files).expect("its directory").collect();
    assert_eq!(of_migration.len(), 1, "{of_migration:?}");
    for entry in of_migration {
        let metadata = entry.and_then(|entry| entry.metadata()).expect("its metadata");
        assert_eq!(metadata.permissions().mode() & 0o777, 0o700);
    }
    migration.remove().succeeded();
    assert_eq!(pair.target.psql("d", "select count(*) from pg_subscription"), "0");
    assert!(!files.exists(), "{}", files.display());
}

/// Programs that may be a pg_dump are asked for their version without a password; the one that dumps gets the source's.
#[test]
fn pg_dump_gets_the_sources_password_when_it_dumps() {
    let pair = ClusterPair::start(Settings::new(), Settings::new());
    let mover = |password: &str| format!("create role mover superuser login password '{password}'");
    pair.source.psql("postgres", &mover(SECRET));
    pair.target.psql("postgres", &mover("0nly-for-the-Target"));
    pair.source.create_database("d");
    pair.source.psql("d", "create table t (i int primary key)");
    let scratch = tempfile::tempdir().expect("a directory");
    let (program, seen) = (scratch.path().join("pg_dump"), scratch.path().join("seen"));
    let real = postgres::client_from("pg_dump", pair.source.major());
    let script = format!(
        "#!/bin/sh\n{{ echo \"called: $1\"; env; }} >>'{}'\nexec '{}' \"$@\"\n",
        seen.display(),
        real.display()
    );
    write_program(&program, &script);
    let without_password = |cluster: &Cluster| {
        format!(
            "host=127.0.0.1 port={} user=mover dbname=postgres",
            cluster.port()
        )
    };
    Migration::between(&without_password(&pair.source), &without_password(&pair.target))
        .options(["--database", "d"])
        .env("PGHAUL_PG_DUMP", program.to_str().expect("a path in UTF-8"))
        .env("PGHAUL_SOURCE_PASSWORD", SECRET)
        .env("PGHAUL_TARGET_PASSWORD", "0nly-for-the-Target")
        .env("PGPASSWORD", "of-another-server")
        .run()
        .succeeded();
    let seen = std::fs::read_to_string(seen).expect("what the program saw");
    let secrets = |call: &str| {
        let of = |line: &&str| line.contains("nly-for-the") || line.contains("of-another-server");
        call.lines().filter(of).map(str::to_owned).collect::<Vec<_>>()
    };
    let calls: Vec<&str> = seen.split("called: ").skip(1).collect();
    let (versions, dumps): (Vec<&str>, Vec<&str>) =
        calls.iter().partition(|call| call.starts_with("--version"));
    assert!(!versions.is_empty() && !dumps.is_empty(), "{seen}");
    for call in versions {
        assert_eq!(secrets(call), [""; 0]);
    }
    for call in dumps {
        assert_eq!(secrets(call), [format!("PGPASSWORD={SECRET}")]);
    }
}

fn write_program(path: &Path, text: &str) {
    std::fs::write(path, text).expect("write the program");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("make it a program");
}
