//! The benchmarks with hardly any rows, so that they still run when somebody wants their figures.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests: a panic is the report"
)]

mod harness;

use clap::Parser;
use harness::{Arguments, Report};
use serde_json::Value;

/// The report of one round, and what was written of it as JSON.
fn run(arguments: &[&str]) -> (Report, Value) {
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    let json = format!("--json={}", file.path().display());
    let tiny = [
        "migration",
        "--scale=0.0005",
        "--rounds=1",
        "--no-warm-up",
        "--no-fsync",
        &json,
    ];
    let report = harness::run(&Arguments::parse_from(tiny.iter().chain(arguments)));
    let written = std::fs::read(file.path()).expect("the report as JSON");
    (report, serde_json::from_slice(&written).expect("it is JSON"))
}

/// A positive number somewhere in the report.
#[track_caller]
fn positive(figures: &Value, path: &str) -> f64 {
    let number = figures.pointer(path).and_then(Value::as_f64);
    let number = number.filter(|number| *number > 0.0);
    number.unwrap_or_else(|| panic!("{path} in {figures:#}"))
}

#[test]
fn every_workload_is_moved_by_both_methods() {
    let (report, written) = run(&["--contender=pghaul-dump,pghaul-live"]);
    let workloads = written
        .get("workloads")
        .and_then(Value::as_array)
        .expect("a list");
    let names: Vec<&str> = workloads
        .iter()
        .filter_map(|one| one.get("workload")?.as_str())
        .collect();
    assert_eq!(names, ["acc", "wide", "many", "skew", "blob"]);
    for (name, figures) in names.into_iter().zip(workloads) {
        positive(figures, "/rows");
        for contender in ["pghaul-dump", "pghaul-live"] {
            positive(figures, &format!("/contenders/{contender}/median_seconds"));
            positive(figures, &format!("/contenders/{contender}/process/cpu_seconds"));
            let rss = positive(
                figures,
                &format!("/contenders/{contender}/process/peak_rss_bytes"),
            );
            assert!(rss > 1e6, "{name}: {rss}");
            assert!(report.markdown().contains(&format!("| {name} | {contender} |")));
        }
    }
}

#[test]
fn everyone_moves_the_same_and_is_compared() {
    let (_, written) = run(&["--workload=many"]);
    let figures = written.pointer("/workloads/0").expect("one workload");
    for contender in [
        "pghaul-dump",
        "pg-dump-pipe",
        "pg-dump-jobs",
        "floor",
        "native-live",
    ] {
        positive(figures, &format!("/contenders/{contender}/median_seconds"));
    }
    let floor = positive(figures, "/contenders/floor/median_seconds");
    let pghaul = positive(figures, "/contenders/pghaul-dump/median_seconds");
    let ratio = positive(figures, "/ratios/pghaul-dump/to_floor");
    assert!((ratio - pghaul / floor).abs() < 1e-9, "{figures:#}");
    positive(figures, "/ratios/pghaul-dump/to_best_copy");
    let ratios = figures.get("ratios").and_then(Value::as_object).expect("ratios");
    let live = ratios.iter().find(|(name, _)| name.starts_with("pghaul-live"));
    positive(live.expect("pghaul live was measured").1, "/to_native");
}
