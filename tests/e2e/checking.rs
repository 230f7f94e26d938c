//! `check` and `plan`: what they find, what can be accepted, and what an open migration changes.

use crate::migration::Migration;
use pghaul_testkit::{ClusterPair, Kind, Outcome, Settings, postgres, shared_pair};

const USAGE: i32 = 2;
const CHECK_FAILED: i32 = 3;
const READY_WITH_WARNINGS: i32 = 11;

/// What `check --json` answers.
fn answer(outcome: &Outcome) -> serde_json::Value {
    let answer: serde_json::Value =
        serde_json::from_str(&outcome.stdout).unwrap_or_else(|error| panic!("{error}\n{outcome}"));
    answer["check"].clone()
}

/// Its findings, as `check: kind`.
fn findings(outcome: &Outcome) -> Vec<String> {
    let check = answer(outcome);
    let findings = check["findings"].as_array().expect("findings");
    let text = |value: &serde_json::Value| value.as_str().expect("a text").to_owned();
    findings
        .iter()
        .map(|f| format!("{}: {}", text(&f["check"]), text(&f["kind"])))
        .collect()
}

#[test]
fn programs_get_an_answer_where_a_server_cannot_be_reached() {
    let pair = shared_pair(Kind::Ordinary);
    let nowhere = Migration::between(
        &pair.source.conninfo("postgres"),
        "host=127.0.0.1 port=1 user=nobody",
    );
    let name = pair.fresh_database("looked_at");
    let reachable = Migration::of(&pair.source, &pair.target, &name);
    for command in ["check", "plan"] {
        let parsed = |outcome: &Outcome| -> serde_json::Value {
            let answer: serde_json::Value =
                serde_json::from_str(&outcome.stdout).unwrap_or_else(|error| panic!("{error}\n{outcome}"));
            answer[command].clone()
        };
        let human = nowhere.with_options(command).run();
        let outcome = nowhere.with_options(command).args(["--json"]).run();
        assert_eq!(outcome.status.code(), human.status.code(), "{outcome}");
        assert_eq!(outcome.stderr, human.stderr);
        let answer = parsed(&outcome);
        assert_eq!(
            [&answer["fit"], &answer["failure"]["side"]],
            [&serde_json::json!(false), &serde_json::json!("target")],
            "{outcome}"
        );
        let code = answer["failure"]["code"].as_str().expect("a code");
        assert!(outcome.stderr.contains(&format!("error[{code}]")), "{outcome}");

        let looked = parsed(&reachable.with_options(command).args(["--json"]).run());
        assert!(looked["failure"].is_null(), "{looked}");
        let keys = |answer: &serde_json::Value| -> Vec<String> {
            answer.as_object().expect("an object").keys().cloned().collect()
        };
        assert_eq!(keys(&answer), keys(&looked), "the shape is the same");
    }
}

#[test]
fn a_downgrade_goes_on_where_the_user_accepts_it() {
    if std::panic::catch_unwind(|| postgres::find(13)).is_err() {
        println!("skipped: PostgreSQL 13 can't be fetched");
        return;
    }
    let pair = ClusterPair::start(Settings::new(), Settings::new().major(13));
    let name = pair.fresh_database("newer");
    pair.source.psql(
        &name,
        "create table book (id int primary key, title text); insert into book values (1, 'one')",
    );
    let migration = Migration::of(&pair.source, &pair.target, &name);
    let check = migration.with_options("check").args(["--json"]).run();
    assert_eq!(check.status.code(), Some(CHECK_FAILED), "{check}");
    assert_eq!(findings(&check), ["version: downgrade"]);

    let mistaken = migration
        .with_options("check")
        .args(["--accept", "versoin"])
        .run();
    assert_eq!(mistaken.status.code(), Some(USAGE), "{mistaken}");
    assert!(
        mistaken.stderr.contains("did you mean \"version\"?"),
        "{mistaken}"
    );
    let elsewhere = migration
        .with_options("run")
        .args(["--accept", "version=nonesuch"])
        .run();
    assert_eq!(elsewhere.status.code(), Some(USAGE), "{elsewhere}");
    assert!(elsewhere.stderr.contains("nonesuch"), "{elsewhere}");

    let accepting = migration.clone().options(["--accept", "version"]);
    accepting.run().succeeded();
    assert_eq!(pair.target.psql(&name, "select title from book"), "one");
    let history = migration.command(&["history"]).run().succeeded().stdout;
    let journaled = history.lines().find(|line| line.contains("accepted by"));
    let journaled = journaled.unwrap_or_else(|| panic!("nobody accepted anything\n{history}"));
    assert!(
        journaled.contains("check version") && journaled.contains('@'),
        "{journaled}"
    );

    // What was accepted stays accepted, and the migration's own database is no obstacle to itself.
    migration.run().succeeded();
    let check = migration.with_options("check").args(["--json"]).run();
    assert_eq!(findings(&check), ["version: downgrade"], "{check}");
    assert_eq!(answer(&check)["findings"][0]["severity"], "accepted");
    let plan = migration.with_options("plan").run();
    assert!(!plan.stdout.contains("not empty"), "{plan}");
}

const CATALOG: &str = "set allow_system_table_mods = on; update pg_extension";

/// Databases of the source, what is wrong with each, and what exactly is to be found.
const BROKEN: &[(&str, &str, &str)] = &[
    (
        "taken",
        "create schema pghaul",
        "reserved-schema: schema-pghaul-exists",
    ),
    (
        "tongue",
        "create language nonesuch handler plpgsql_call_handler",
        "languages: language-not-available",
    ),
    ("missing", "renamed", "extensions: extension-not-available"),
    ("older", "99.0", "extensions: extension-too-old"),
    ("unclear", "unpackaged", "extensions: extension-version-unclear"),
];

fn break_source(pair: &ClusterPair) -> Vec<&'static str> {
    let source = &pair.source;
    let mut expected = Vec::new();
    for (database, what, finding) in BROKEN {
        source.create_database(database);
        let sql = match *what {
            "renamed" => format!("{CATALOG} set extname = 'nonesuch' where extname = 'plpgsql'"),
            "99.0" | "unpackaged" => format!(
                "create extension hstore; {CATALOG} set extversion = '{what}' where extname = 'hstore'"
            ),
            other => other.to_owned(),
        };
        source.psql(database, &sql);
        expected.push(*finding);
    }
    source.psql(
        "postgres",
        "create database closed allow_connections false; create database half; create database filled;
         create database owned; create database shut; update pg_database set datconnlimit = -2 where datname = 'half'",
    );
    expected.extend([
        "database-connection: connections-not-allowed",
        "database-connection: database-invalid",
    ]);
    expected
}

fn break_target(pair: &ClusterPair) -> Vec<&'static str> {
    let target = &pair.target;
    target.psql(
        "postgres",
        "create database filled; create database owned; create database shut allow_connections false",
    );
    target.psql("filled", "create table somebody_s (i int)");
    target.psql(
        "owned",
        "create schema pghaul; create table pghaul.owner (migration text); insert into pghaul.owner values ('k3v9x2ab')",
    );
    vec![
        "target-empty: not-empty",
        "target-empty: belongs-to-another",
        "database-connection: connections-not-allowed",
    ]
}

#[test]
fn fifteen_faults_are_found_and_nothing_else() {
    let source = Settings::new().set("wal_level", "replica");
    let target = Settings::new()
        .set("max_logical_replication_workers", "0")
        .set("max_sync_workers_per_subscription", "0");
    let pair = ClusterPair::start(source, target);
    let mut expected = break_source(&pair);
    expected.extend(break_target(&pair));
    let nowhere = "host=127.0.0.1 port=1 user=postgres";
    let migration = Migration::between(
        &pair.source.conninfo("postgres"),
        &pair.target.conninfo("postgres"),
    )
    .options(["--target-free-space", "1MB", "--source-from-target", nowhere]);
    expected.extend([
        "disk: too-little-space",
        "replication-source: wal-level",
        "replication-target: no-workers",
        "replication-target: no-sync-workers",
        "replication-target: source-not-reached",
    ]);
    assert_eq!(expected.len(), 15);

    let outcome = migration.with_options("check").args(["--json"]).run();
    assert_eq!(outcome.status.code(), Some(CHECK_FAILED), "{outcome}");
    let mut found = findings(&outcome);
    found.sort();
    expected.sort_unstable();
    assert_eq!(found, expected, "{outcome}");
    assert_eq!(answer(&outcome)["readiness"], "not-ready");
    let helpless: Vec<_> = answer(&outcome)["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|finding| finding["hint"].is_null())
        .cloned()
        .collect();
    assert!(helpless.is_empty(), "nobody says how to mend {helpless:#?}");
    let nothing = "select count(*) from pg_database where datname in ('taken', 'tongue', 'missing', 'older')";
    assert_eq!(pair.target.psql("postgres", nothing), "0", "it only looked");
}

#[test]
fn a_good_pair_is_ready() {
    let pair = shared_pair(Kind::Ordinary);
    let name = pair.fresh_database("good");
    pair.source.psql(
        &name,
        "create table book (id int primary key, title text); insert into book values (1, 'one')",
    );
    let migration = Migration::of(&pair.source, &pair.target, &name);
    let outcome = migration.with_options("check").args(["--json"]).run().succeeded();
    assert_eq!(findings(&outcome), [""; 0]);
    assert_eq!(answer(&outcome)["readiness"], "ready");

    // What may surprise has an exit code of its own, and a plan of its own.
    let impossible = ["--source-from-target", "host=127.0.0.1 port=1 user=postgres"];
    let outcome = migration.with_options("check").args(impossible).run();
    assert_eq!(outcome.status.code(), Some(READY_WITH_WARNINGS), "{outcome}");
    let plan = migration.with_options("plan").args(["--json"]).run().succeeded();
    let plan: serde_json::Value = serde_json::from_str(&plan.stdout).unwrap();
    let plan = &plan["plan"];
    assert_eq!(plan["needs"]["replication_slots"], 1);
    assert_eq!(plan["databases"][0]["method"], "replication");
    let tables = plan["databases"][0]["tables"].as_array().unwrap();
    assert!(
        tables.iter().all(|table| table["class"] == "replicate"),
        "{plan:#}"
    );
    assert!(
        tables.iter().any(|table| table["bytes"].as_u64() > Some(0)),
        "{plan:#}"
    );
    assert!(plan["estimate"]["wal_bytes_per_second"].is_u64(), "{plan:#}");
}
