//! The commands for the journal itself: damage is named, and another machine can go on.

use super::{MANY_ROWS, PATIENCE, await_copy, completes, database, error, servers};
use crate::migration::Migration;
use pghaul_testkit::{Outcome, Pghaul, can_change_host, compare};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::Duration;

const JOURNAL: i32 = 6;
const ALREADY_RUNNING: i32 = 7;

fn journal_of(migration: &Migration) -> PathBuf {
    migration.command(&[]).home().join("state/pghaul/journal.db")
}

fn verified(migration: &Migration, arguments: &[&str]) -> (Outcome, Value) {
    let arguments = [&["journal", "verify", "--json"], arguments].concat();
    let outcome = migration.command(&arguments).run();
    let answer = serde_json::from_str(&outcome.stdout).expect("verify answers in JSON");
    (outcome, answer)
}

/// Replaces a text by one of the same length wherever it stands in a file. Pages keep stale copies of rows.
fn replace_everywhere(file: &Path, old: &str, new: &str) {
    assert_eq!(old.len(), new.len());
    let mut bytes = std::fs::read(file).expect("read the journal");
    let places: Vec<usize> = bytes
        .windows(old.len())
        .enumerate()
        .filter(|(_, window)| *window == old.as_bytes())
        .map(|(place, _)| place)
        .collect();
    assert!(!places.is_empty(), "{old:?} is not in the journal");
    for place in places {
        bytes[place..place + new.len()].copy_from_slice(new.as_bytes());
    }
    std::fs::write(file, bytes).expect("write the journal");
}

#[test]
fn verify_names_the_first_event_that_was_changed() {
    let pair = servers();
    let name = database(pair, "verify");
    let migration = Migration::of(&pair.source, &pair.target, &name).options(["--method", "dump"]);
    migration.run().succeeded();
    let (outcome, answer) = verified(&migration, &[]);
    outcome.succeeded();
    let head = answer["migrations"][0]["head"]
        .as_str()
        .expect("a head")
        .to_owned();
    assert_eq!(head, migration.status()["head"], "status prints the same head");
    verified(&migration, &["--head", &head]).0.succeeded();

    let event = migration
        .events()
        .into_iter()
        .find(|e| e["kind"] == "schema_started");
    let seq = event.expect("the schema was begun")["seq"].clone();
    replace_everywhere(&journal_of(&migration), "schema_started", "schema_st4rted");
    let (outcome, answer) = verified(&migration, &[]);
    let text = error(&outcome, JOURNAL, "journal-damaged");
    assert!(text.contains(&format!("damaged at event {seq}:")), "{outcome}");
    assert_eq!(answer["migrations"][0]["whole"], false);
    let text = error(&migration.remove(), JOURNAL, "journal-damaged");
    assert!(text.contains(&format!("event {seq}")), "{text}");
    let export = migration.command(&["journal", "export", "-"]).run();
    error(&export, JOURNAL, "journal-damaged");
    assert_eq!(export.stdout, "");
    compare::same(&pair.source, &pair.target, &name);
}

#[test]
fn a_head_tells_a_journal_whose_tail_was_cut() {
    let pair = servers();
    let name = database(pair, "cut_tail");
    let migration = Migration::of(&pair.source, &pair.target, &name);
    let died = migration.with_options("run").env("PGHAUL_CRASH_AT", "30").run();
    assert!(died.status.code().is_none(), "it did not die\n{died}");
    let old = migration.command(&["journal", "export", "old"]).run().succeeded();
    assert!(old.stderr.contains("up to"), "{old}");
    completes(&migration, pair, &name);
    let head = verified(&migration, &[]).1["migrations"][0]["head"].clone();

    let cut = Migration::between("", "").env("PGHAUL_JOURNAL", "cut.db");
    let old = migration.command(&[]).home().join("old");
    let old = old.to_str().expect("UTF-8");
    cut.command(&["journal", "import", old]).run().succeeded();
    verified(&cut, &[]).0.succeeded();
    let (outcome, _) = verified(&cut, &["--head", head.as_str().expect("a head")]);
    error(&outcome, JOURNAL, "journal-stale");
    // Nor does it replace the newer one.
    let outcome = migration.command(&["journal", "import", old]).run();
    error(&outcome, JOURNAL, "journal-stale");
    let mistyped = migration
        .command(&["journal", "verify", "--head", "12:abc"])
        .run();
    mistyped.failed_with(2);
    completes(&migration, pair, &name);
}

#[test]
fn another_machine_takes_over_while_the_first_still_lives() {
    if !can_change_host() {
        println!("skipped: the host's name can't be changed here");
        return;
    }
    let pair = servers();
    let name = database(pair, "moved");
    pair.source.psql(&name, MANY_ROWS);
    let migration = Migration::of(&pair.source, &pair.target, &name).options(["--method", "dump"]);
    let first = migration.with_options("run").spawn();
    await_copy(&pair.target, &name, "many");
    // Its sessions stay open, its transaction too, and it holds its lock.
    first.suspend();
    let export = migration.command(&["journal", "export", "-"]).run().succeeded();
    let there = Pghaul::new();
    std::fs::write(there.home().join("export"), &export.stdout).expect("carry the export over");
    let on_other = |arguments: &[&str]| {
        let journal = there.home().join("journal.db");
        let pghaul = migration.command(arguments).on_host("elsewhere");
        pghaul.env("PGHAUL_JOURNAL", journal).run()
    };
    let file = there.home().join("export");
    on_other(&["journal", "import", file.to_str().expect("UTF-8")]).succeeded();
    let options = ["run", "--database", name.as_str(), "--method", "dump"];
    let text = error(&on_other(&options), ALREADY_RUNNING, "already-running");
    assert!(text.contains("--take-over"), "{text}");
    on_other(&[&options[..], &["--take-over"]].concat()).succeeded();
    compare::same(&pair.source, &pair.target, &name);

    first.go_on();
    let cut_off = first.wait(Duration::from_secs(120).max(PATIENCE));
    assert!(
        !cut_off.status.success(),
        "it should have been cut off\n{cut_off}"
    );
    let again = migration.run();
    assert!(!again.status.success(), "its journal is old\n{again}");
    compare::same(&pair.source, &pair.target, &name);
}
