//! Passwords: nowhere but in the conninfos that they came in, and in the subscription.

use super::{completes, database};
use crate::migration::Migration;
use pghaul_testkit::{Cluster, ClusterPair, Settings, leftovers};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

/// Each is spelled otherwise in a conninfo, in SQL, in a URI and in JSON.
const SECRETS: [&str; 3] = [
    "kn0ck 'knock' \"So%urce\" \\ ü",
    "kn0ck 'knock' \"Ta%rget\" \\ ü",
    "kn0ck 'knock' \"Ma%pping\" \\ ü",
];

/// How a secret may be written down.
fn spellings(secret: &str) -> Vec<String> {
    let escaped = |before: &[char]| {
        let with = |letter: char| match before.contains(&letter) {
            true => format!("\\{letter}"),
            false => letter.to_string(),
        };
        secret.chars().map(with).collect::<String>()
    };
    let (mut hex, mut percent, mut base64) = (String::new(), String::new(), String::new());
    for byte in secret.bytes() {
        write!(hex, "{byte:02x}").unwrap();
        match byte.is_ascii_alphanumeric() {
            true => percent.push(char::from(byte)),
            false => write!(percent, "%{byte:02X}").unwrap(),
        }
    }
    // Without its last bytes, it does not depend on what follows.
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for three in secret.as_bytes().chunks_exact(3) {
        let bits = three.iter().fold(0, |bits, byte| bits << 8 | usize::from(*byte));
        base64.extend([18, 12, 6, 0].map(|shift| char::from(LETTERS[bits >> shift & 63])));
    }
    vec![
        secret.to_owned(),
        secret.replace('\'', "''"),
        secret.replace('\'', "''").replace('\\', r"\\"),
        escaped(&['\'', '\\']),
        escaped(&['"', '\\']),
        escaped(&['\'', '"', '\\']),
        secret.replace('"', "&quot;").replace('\'', "&#39;"),
        percent,
        hex,
        base64,
    ]
}

/// Every argument list on this machine while `work` goes on, and the limits of core files of this program's processes.
fn processes(work: impl FnOnce()) -> [BTreeSet<String>; 2] {
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let sampler = scope.spawn(|| {
            let [mut seen, mut limits] = [BTreeSet::new(), BTreeSet::new()];
            while !over.load(Ordering::Relaxed) {
                for entry in std::fs::read_dir("/proc").expect("read /proc").flatten() {
                    let list = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
                    let list = String::from_utf8_lossy(&list).replace('\0', " ");
                    if list.contains("--journal") || list.contains("pg_dump") {
                        let of_process = std::fs::read_to_string(entry.path().join("limits"));
                        let of_process = of_process.unwrap_or_default();
                        let cores = of_process.lines().filter(|line| line.starts_with("Max core"));
                        limits.extend(cores.map(str::to_owned));
                    }
                    seen.insert(list);
                }
                std::thread::sleep(std::time::Duration::from_millis(3));
            }
            [seen, limits]
        });
        let result = catch_unwind(AssertUnwindSafe(work));
        over.store(true, Ordering::Relaxed);
        if let Err(panic) = result {
            resume_unwind(panic);
        }
        sampler.join().expect("the sampler ended")
    })
}

fn files(directory: &Path, found: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(directory)
        .expect("read the directory")
        .flatten()
    {
        if entry.path().is_dir() {
            files(&entry.path(), found);
        } else {
            let content = std::fs::read(entry.path()).unwrap_or_default();
            found.push((
                entry.path().display().to_string(),
                String::from_utf8_lossy(&content).into_owned(),
            ));
        }
    }
}

#[test]
fn passwords_are_in_no_output_no_file_no_argument_list_and_no_log() {
    let pair = talkative_pair();
    let name = database(&pair, "secrets");
    quietly(
        &pair.source,
        &name,
        &format!(
            "create extension postgres_fdw; create server far foreign data wrapper postgres_fdw;
             create user mapping for public server far options (user 'u', password {})",
            quoted(SECRETS[2])
        ),
    );
    let source = pair.source.conninfo_as("mover", SECRETS[0], "postgres");
    let target = pair.target.conninfo_as("mover", SECRETS[1], "postgres");
    let migration = Migration::between(&source, &target)
        .options(["--database", &name])
        .env("RUST_LOG", "trace");
    let mut texts = Vec::new();
    let [lists, limits] = processes(|| texts = everything_said(&migration, &pair, &name, &source));
    assert_eq!(leftovers(&pair.source), [""; 0]);

    // What the test itself said is no leak.
    let ours = |list: &String| !list.contains("--source-from-target");
    texts.extend(
        lists
            .into_iter()
            .filter(ours)
            .map(|list| ("an argument list".to_owned(), list)),
    );
    for (of, cluster) in [("source", &pair.source), ("target", &pair.target)] {
        texts.push((format!("the {of}'s log"), cluster.log()));
        let stored = "select coalesce(string_agg(query, E'\\n'), '') from pg_stat_statements";
        let stored = cluster.psql("postgres", stored);
        assert!(stored.contains("pg_catalog"), "nothing is stored on the {of}");
        texts.push((format!("pg_stat_statements on the {of}"), stored));
    }
    for (place, text) in &texts {
        // What pg_dump says of user mappings is in its archive, for its owner alone, until the removal.
        let secrets = if place.contains(".db.d/") {
            &SECRETS[..2]
        } else {
            &SECRETS[..]
        };
        for spelling in secrets.iter().flat_map(|secret| spellings(secret)) {
            let line = text.lines().find(|line| line.contains(&spelling));
            assert_eq!(line, None, "a password is in {place}");
        }
    }
    // A process has what it inherits before it sets its own. With 0, Linux gives the memory to the program that kernel.core_pattern names.
    let is = |limits: &[&str], line: &String| {
        let soft = line.split_whitespace().nth(4);
        soft.is_some_and(|soft| limits.contains(&soft))
    };
    let others: Vec<_> = limits.iter().filter(|line| !is(&["0", "1"], line)).collect();
    assert!(others.is_empty(), "{others:?}");
    let can_be_set = |line: &String| line.split_whitespace().nth(5) != Some("0");
    let set = limits.iter().any(|line| is(&["1"], line) || !can_be_set(line));
    assert!(set, "{limits:?}");
    assert!(!limits.is_empty());
}

/// As talkative as servers get; `mover` may not be postgres, who gets in without a password.
fn talkative_pair() -> ClusterPair {
    let talkative = || {
        Settings::new()
            .set("log_statement", "all")
            .set("log_min_duration_statement", "0")
            .set("shared_preload_libraries", "pg_stat_statements,auto_explain")
            .set("pg_stat_statements.track", "all")
            .set("auto_explain.log_min_duration", "0")
            .set("auto_explain.log_nested_statements", "on")
    };
    let pair = ClusterPair::start(talkative(), talkative());
    for (cluster, password) in [(&pair.source, SECRETS[0]), (&pair.target, SECRETS[1])] {
        let create = format!(
            "create extension pg_stat_statements; create role mover superuser login password {}",
            quoted(password)
        );
        quietly(cluster, "postgres", &create);
    }
    pair
}

fn quoted(secret: &str) -> String {
    format!("'{}'", secret.replace('\'', "''"))
}

/// What the test itself says of secrets.
fn quietly(cluster: &Cluster, database: &str, sql: &str) {
    let quiet = "set log_statement = none; set log_min_duration_statement = -1; set auto_explain.log_min_duration = -1;
                 set pg_stat_statements.track = none;";
    cluster.psql(database, &format!("{quiet} {sql}"));
}

/// A migration that fails first, with all that it prints and leaves in files on its way.
fn everything_said(
    migration: &Migration,
    pair: &ClusterPair,
    name: &str,
    source: &str,
) -> Vec<(String, String)> {
    let mut said = Vec::new();
    let mut say = |outcome: pghaul_testkit::Outcome| {
        said.push(("output".to_owned(), outcome.to_string()));
        outcome
    };
    let run = |options: &[&str]| migration.with_options("run").args(options.iter().copied()).run();
    // The target can't reach the source this way: CREATE SUBSCRIPTION fails, and is not logged.
    let wrong = format!("{source} port=1");
    let failed = run(&["-vv", "--method", "replication", "--source-from-target", &wrong]);
    assert!(!failed.status.success(), "{failed}");
    say(failed);
    say(run(&["-vv", "--source-from-target", source]).succeeded());
    let (mut files_of_state, state) = (Vec::new(), migration.command(&[]).home().join("state"));
    files(&state, &mut files_of_state);
    assert!(!files_of_state.is_empty(), "there is no journal");
    completes(migration, pair, name);
    for command in [
        &["status", "-vv"][..],
        &["status", "--json"],
        &["history", "--json"],
        &["history"],
        &["report"],
        &["report", "--markdown"],
        &["journal", "export", "-"],
        &["remove", "-vv"],
    ] {
        say(migration.command(command).run().succeeded());
    }
    files(&state, &mut files_of_state);
    said.extend(files_of_state);
    said
}
