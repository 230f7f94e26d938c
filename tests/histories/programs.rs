//! Migrations that programs with other steps continue: a release with one step more, and one without it.

use crate::state::{ANY, Bench, DUMP, SHOP, SNAPSHOT, Stage, copying, todays_program};
use pghaul_testkit::{Outcome, built, compare, leftovers};
use serde_json::Value;
use std::path::{Path, PathBuf};

const OTHER_RELEASE: i32 = 6;

/// The program with a step of its own, `docs/examples/own_step.rs`.
fn own_program() -> PathBuf {
    built("own_step")
}

/// The same migration with another version of that program.
fn by<'a>(stage: Stage<'a>, own: &Path, version: &str) -> Stage<'a> {
    let mut stage = stage.with_program(own);
    stage.pghaul = stage.pghaul.env("OWN_STEP", version);
    stage
}

/// How often, and in which version, the step has finished.
fn versions_noted(stage: &Stage<'_>) -> Vec<u64> {
    let history = stage.pghaul.again().args(["history", "--json"]).run().succeeded();
    let events = history
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap());
    events
        .filter(|event: &Value| event["step"] == "analyze" && event["kind"] == "step_finished")
        .map(|event| event["payload"]["version"].as_u64().unwrap())
        .collect()
}

/// A program that can't go on says so, changes nothing, and fails no database.
fn is_refused(stage: &Stage<'_>, phase: &str, parts: &[&str]) {
    let before = stage.export();
    let refusals: [Outcome; 2] = [stage.run(&[]).run(), stage.remove(&[]).run()];
    for refusal in refusals {
        let refusal = refusal.failed_with(OTHER_RELEASE);
        assert!(refusal.stderr.contains("error[other-release]"), "{refusal}");
        for part in parts.iter().chain(&["nothing was changed"]) {
            assert!(refusal.stderr.contains(part), "no {part:?}\n{refusal}");
        }
    }
    assert_eq!(stage.export(), before, "something was journaled");
    let status = stage.pghaul.again().args(["status", "--json"]).run();
    // Whether a replicated database still is what the journal says, this program can't know.
    let status = match phase {
        "syncing" => status.failed_with(OTHER_RELEASE),
        _ => status.succeeded(),
    };
    let answer: Value = serde_json::from_str(&status.stdout).unwrap();
    let shop = &answer["migration"]["migration_detail"][0];
    assert_eq!(shop["status"], phase, "{status}");
    if phase == "syncing" {
        assert_eq!(shop["checked"], false);
        assert_eq!(shop["unchecked_because"]["code"], "other-release", "{status}");
    }
}

fn is_moved(bench: &Bench) {
    let pair = &bench.pair;
    compare::same(&pair.source, &pair.target, SHOP);
    assert_eq!(leftovers(&pair.source), [""; 0]);
    assert_eq!(leftovers(&pair.target), [""; 0]);
}

#[test]
fn a_step_that_came_later_runs_where_it_can_and_is_missed_afterwards() {
    let (own, today) = (own_program(), todays_program());
    let bench = Bench::new(&today);
    // In the middle of the copy its place is still to come.
    let stage = by(copying(&bench), &own, "once").complete(ANY);
    assert_eq!(versions_noted(&stage), [1]);
    stage.status_is("syncing");
    let stage = stage.with_program(&today);
    is_refused(
        &stage,
        "syncing",
        &["no step analyze, which database shop has begun"],
    );
    by(stage, &own, "once").removed(&[]);
    is_moved(&bench);
    // In step, it is over; nobody misses it.
    let stage = by(bench.stage(SNAPSHOT).complete(ANY), &own, "once").complete(ANY);
    assert_eq!(versions_noted(&stage), [0; 0]);
    stage.with_program(&today).complete(ANY).removed(&[]);
    is_moved(&bench);
}

#[test]
fn what_a_newer_version_of_a_step_noted_is_refused_by_the_older() {
    let (own, today) = (own_program(), todays_program());
    let bench = Bench::new(&today);
    // What every run repeats also runs in a database that is in step.
    let stage = by(bench.stage(SNAPSHOT).complete(ANY), &own, "1").complete(ANY);
    let stage = by(stage, &own, "2").complete(ANY);
    assert_eq!(
        versions_noted(&stage),
        [2, 2],
        "the older one is read as if it were newer"
    );
    let stage = by(stage, &own, "1");
    let parts = ["step analyze of database shop", "version 2", "reads up to 1"];
    is_refused(&stage, "syncing", &parts);
    stage.remove(&["--force"]).run().failed_with(OTHER_RELEASE);
    by(stage, &own, "2").removed(&[]);
    is_moved(&bench);
}

#[test]
fn a_step_that_the_plan_has_and_the_program_lacks_is_refused_before_it_begins() {
    let (own, today) = (own_program(), todays_program());
    let bench = Bench::new(&own);
    let at = ["event schema_started", "after event step_recorded"];
    let begun = || by(bench.stage(SNAPSHOT), &own, "once");
    let stage = bench
        .stopped("own", &begun, &|s| s.run(ANY), at)
        .with_program(&today);
    let before = stage.export();
    let refusal = stage.run(&[]).run().failed_with(OTHER_RELEASE);
    let named = "no step analyze, which the plan of database shop has";
    assert!(refusal.stderr.contains(named), "{refusal}");
    assert_eq!(stage.export(), before);
    // What has not begun need not be undone.
    stage.removed(&["--force"]);
    // A dump that is done needs it for nothing but its removal.
    let stage = by(bench.stage(DUMP), &own, "once")
        .complete(ANY)
        .with_program(&today);
    assert!(stage.run(&[]).run().succeeded().stdout.contains("nothing to do"));
    let refusal = stage.remove(&[]).run().failed_with(OTHER_RELEASE);
    assert!(refusal.stderr.contains("pghaul remove --force"), "{refusal}");
    by(stage, &own, "once").removed(&[]);
    is_moved(&bench);
}
