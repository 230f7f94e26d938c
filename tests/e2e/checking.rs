//! `check` and `plan`: what they find, what can be accepted, and what an open migration changes.

use crate::migration::Migration;
use pghaul_testkit::{ClusterPair, Outcome, Settings, postgres};

const USAGE: i32 = 2;
const CHECK_FAILED: i32 = 3;

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
