//! An auditor's questions, each answered by the command that `docs/how-to/audit-a-migration.md` names for it.

use crate::migration::Migration;
use pghaul_testkit::{Cluster, Kind, Outcome, fixtures, shared_pair};
use serde_json::Value;
use std::path::Path;

/// The exit code of a journal that does not fit an anchor.
const JOURNAL: i32 = 6;

/// The exit codes of a wrong argument and of a check that found an error.
const USAGE: i32 = 2;
const CHECK_FAILED: i32 = 3;

/// The exit code of a removal, or a close, that is refused.
const NOT_SAFE: i32 = 8;

fn said(outcome: Outcome, parts: &[&str]) -> String {
    let outcome = outcome.succeeded();
    for part in parts {
        assert!(outcome.stdout.contains(part), "no {part:?} in\n{outcome}");
    }
    outcome.stdout
}

fn events(outcome: Outcome) -> Vec<Value> {
    let lines = outcome.succeeded().stdout;
    lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn each_question_of_an_auditor_has_one_command() {
    let pair = shared_pair(Kind::Ordinary);
    let name = pair.fresh_database("audit");
    fixtures::shop(&pair.source, &name);
    pair.source.psql(
        &name,
        "create table log (customer bigint references customer, line text);
         set session_replication_role = replica; insert into log values (424242, 'of nobody')",
    );
    // Neither variable is to be believed; the second one is a claim that only root can make.
    let migration = Migration::of(&pair.source, &pair.target, &name)
        .env("USER", "alice")
        .env("SUDO_UID", "65534");
    let anchors = migration.command(&[]).home().join("anchors");
    let anchor = ["--anchor", anchors.to_str().unwrap()];
    let named = |command: &[&str]| migration.command(command).args(["--name", "audited"]);
    let run = migration
        .with_options("run")
        .args(["--name", "audited", "--jobs", "3"]);
    run.args(anchor)
        .args(["--reason", "ticket 4711"])
        .run()
        .succeeded();
    a_target_of_another_is_not_up_to_date(&migration, &pair.target, &name);
    let wrong = pair.fresh_database("audit_wrong");
    pair.target.create_database(&wrong);
    pair.target.psql(&wrong, "create table in_the_way (i int)");
    a_mistyped_migration_is_closed(&migration, &wrong);
    let remove = |more: &[&str]| named(&["remove"]).args(anchor).args(more.to_vec()).run();
    remove(&[]).failed_with(NOT_SAFE);
    remove(&["--incomplete", "--reason", "the log is not needed"]).succeeded();
    let history = |more: &[&str]| named(&["history"]).args(more.to_vec()).run();

    let started = events(history(&["--json", "--kind", "runner_started"]));
    who_and_with_which_version(&started, named(&["history"]).home());
    // What happened, when, and how long it took.
    let all = said(
        history(&[]),
        &[
            "run 1: run",
            "replicating, ",
            "step snapshot-copy, ",
            "run 3: remove",
        ],
    );
    assert!(!all.contains("alice"), "{all}");
    said(
        history(&["--table", "customer"]),
        &["copying ", "finished table public.customer, 100 rows, "],
    );
    // Why: what was overridden, refused, repeated.
    said(
        history(&["--severity", "warning"]),
        &[
            "overridden with --incomplete by ",
            "reason: the log is not needed",
            "not-safe-to-remove",
        ],
    );
    // What was not exact.
    said(named(&["status"]).run(), &["public.log"]);
    // How it was before the removal.
    let removal = &events(history(&["--json", "--kind", "removal_started"]))[0];
    let before = (removal["seq"].as_u64().unwrap() - 1).to_string();
    said(named(&["status", "--at", &before]).run(), &["syncing"]);
    let page = said(
        named(&["report"]).run(),
        &["<!DOCTYPE html>", "ticket 4711", "customer"],
    );
    assert!(page.contains(&anchored_head(&anchors)), "{page}");
    assert!(!page.contains("<script"), "{page}");
    let last = events(history(&["--json", "--limit", "1", "--reverse"]));
    assert_eq!(last[0]["kind"], "runner_stopped");
    assert_eq!(last[0]["schema"], 1);

    fits_its_anchors(&migration, &anchors);
}

/// What a run would refuse, `status` does not call up to date.
fn a_target_of_another_is_not_up_to_date(migration: &Migration, target: &Cluster, database: &str) {
    let status = || migration.status_of(database)["status"].clone();
    let id = migration.status()["id"].as_str().unwrap().to_owned();
    let own = format!("migration = '{id}'");
    for (change, back) in [
        ("migration = 'zzzzzzzz'", own.as_str()),
        ("epoch = epoch + 7", "epoch = epoch - 7"),
    ] {
        let set = |to: &str| target.psql(database, &format!("update pghaul.owner set {to}"));
        set(change);
        assert_eq!(status(), "failed", "{change}");
        set(back);
        assert_eq!(status(), "syncing", "{back}");
    }
}

fn who_and_with_which_version(runners: &[Value], home: &Path) {
    assert_eq!(runners.len(), 3, "{runners:#?}");
    let first = &runners[0]["payload"];
    let invocation = &first["invocation"];
    let uid = String::from_utf8(
        std::process::Command::new("id")
            .arg("-u")
            .output()
            .unwrap()
            .stdout,
    )
    .unwrap();
    assert_eq!(invocation["effective"]["uid"].to_string(), uid.trim());
    assert_ne!(first["user"], "alice");
    if uid.trim() == "0" {
        assert_eq!(invocation["sudo"]["uid"], 65534);
    }
    assert!(first["pghaul"].is_string() && first["pid"].is_u64() && first["host"].is_string());
    assert_eq!(invocation["directory"], home.to_str().unwrap());
    assert_eq!(invocation["reason"], "ticket 4711");
    let options: Vec<&str> = invocation["options"]
        .as_array()
        .unwrap()
        .iter()
        .map(|given| given["option"].as_str().unwrap())
        .collect();
    for option in ["--source", "--database", "--jobs", "--anchor"] {
        assert!(options.contains(&option), "{options:?}");
    }
    assert_eq!(runners[2]["payload"]["command"], "remove");
}

/// The head of the last anchor.
fn anchored_head(anchors: &std::path::Path) -> String {
    let lines = std::fs::read_to_string(anchors).unwrap();
    let last: Value = serde_json::from_str(lines.lines().last().expect("an anchor")).unwrap();
    last["head"].as_str().expect("a head").to_owned()
}

/// One anchor for each end of a command; a changed one is found.
fn fits_its_anchors(migration: &Migration, anchors: &std::path::Path) {
    let verify = |file: &str| migration.command(&["journal", "verify", "--anchor", file]).run();
    let kept = std::fs::read_to_string(anchors).unwrap();
    assert_eq!(kept.lines().count(), 3, "{kept}");
    said(verify(anchors.to_str().unwrap()), &["whole", "3 anchors"]);
    let mut changed: Value = serde_json::from_str(kept.lines().next().unwrap()).unwrap();
    let seq = changed["head"]
        .as_str()
        .unwrap()
        .split_once(':')
        .unwrap()
        .0
        .to_owned();
    changed["head"] = format!("{seq}:{}", "0".repeat(64)).into();
    let other = anchors.with_extension("changed");
    std::fs::write(&other, changed.to_string()).unwrap();
    verify(other.to_str().unwrap()).failed_with(JOURNAL);
}

/// One that never began to act on a server ends in one word; one that did is refused, with the command to use.
fn a_mistyped_migration_is_closed(migration: &Migration, database: &str) {
    let mistyped = ["run", "--name", "mistyped", "--database", database];
    migration.command(&mistyped).run().failed_with(CHECK_FAILED);
    let ambiguous = migration.command(&["status"]).run().failed_with(USAGE);
    assert!(
        ambiguous.stderr.contains("pghaul migrations close"),
        "{ambiguous}"
    );
    said(
        migration.command(&["migrations"]).run(),
        &["audited", "syncing", "mistyped"],
    );
    let refused = migration
        .command(&["migrations", "close", "audited"])
        .run()
        .failed_with(NOT_SAFE);
    assert!(
        refused.stderr.contains("pghaul remove --name audited"),
        "{refused}"
    );
    let close = ["migrations", "close", "mistyped", "--reason", "a typo"];
    said(migration.command(&close).run(), &["is closed", "journal  "]);
    said(migration.command(&["status"]).run(), &["audited"]);
    let listed = migration
        .command(&["migrations", "--json"])
        .run()
        .succeeded()
        .stdout;
    let listed: Value = serde_json::from_str(&listed).unwrap();
    let of_mistyped = &listed["migrations"][1];
    assert_eq!(of_mistyped["state"], "closed", "{listed:#}");
    assert_eq!(of_mistyped["last_runner"]["invocation"]["reason"], "a typo");
}
