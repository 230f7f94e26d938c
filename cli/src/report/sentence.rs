//! Events of the journal as sentences.

use super::quantity::{bytes, count, plural};
use super::{failure, legible};
use crate::style::{ERROR, GOOD, WARNING, paint};
use pghaul_core::event::{Ending, Proof};
use pghaul_core::status::method_label;
use pghaul_core::{DatabaseEvent, Event, Failure, Finding, MigrationEvent, Severity, StepEvent};

/// The event in one sentence, without what it is about.
pub(crate) fn of(event: &Event) -> String {
    match &legible::event(event) {
        Event::Migration(event) => of_migration(event),
        Event::ClusterStep(_, event) | Event::DatabaseStep(_, _, event) => of_step(event),
        Event::Database(_, event) => of_database(event),
    }
}

fn of_migration(event: &MigrationEvent) -> String {
    match event {
        MigrationEvent::MigrationCreated(created) => format!(
            "migration {} created by pghaul {}, from {} to {}",
            created.name, created.pghaul, created.source.conninfo, created.target.conninfo
        ),
        MigrationEvent::RunnerStarted(runner) => {
            let took_over = if runner.took_over { ", taking over" } else { "" };
            format!(
                "`{}` started by {} on {}, process {}, epoch {}{took_over}",
                runner.command, runner.user, runner.host, runner.pid, runner.epoch
            )
        }
        MigrationEvent::DatabasesSelected { databases, .. } => {
            let names: Vec<&str> = databases.iter().map(|d| d.as_str()).collect();
            format!(
                "{} selected: {}",
                plural(names.len() as u64, "database"),
                names.join(", ")
            )
        }
        MigrationEvent::CheckAccepted { check, database, by } => {
            let database = database
                .as_ref()
                .map(|d| format!(" of database {d}"))
                .unwrap_or_default();
            format!(
                "errors of check {check}{database} {} by {by}",
                paint(WARNING, "accepted")
            )
        }
        MigrationEvent::ClusterChecked { findings } => format!("servers checked: {}", found(findings)),
        MigrationEvent::RunnerStopped { ending, failure } => {
            let how = match ending {
                Ending::Finished => paint(GOOD, "finished"),
                Ending::Failed => paint(ERROR, "failed"),
                Ending::Interrupted => paint(WARNING, "interrupted"),
            };
            format!("runner {how}{}", because(failure.as_deref()))
        }
    }
}

fn of_database(event: &DatabaseEvent) -> String {
    match event {
        DatabaseEvent::CheckingStarted => "checking".to_owned(),
        DatabaseEvent::Checked { findings } => format!("checked: {}", found(findings)),
        DatabaseEvent::Planned { plan } => {
            let reasons = match plan.reasons.as_slice() {
                [] => String::new(),
                reasons => format!(", because {}", reasons.join("; ")),
            };
            let tables = plural(plan.tables.len() as u64, "relation");
            format!("planned: {} of {tables}{reasons}", method_label(plan.method))
        }
        DatabaseEvent::SchemaStarted => "creating the schema".to_owned(),
        DatabaseEvent::ReplicatingStarted => "setting up replication".to_owned(),
        DatabaseEvent::DumpingStarted => "copying once".to_owned(),
        DatabaseEvent::CopyBegan => {
            "the first rows are about to be copied; no falling back from here".to_owned()
        }
        DatabaseEvent::FellBack { failure } => {
            format!(
                "{} to a copy{}",
                paint(WARNING, "fell back"),
                because(Some(failure))
            )
        }
        DatabaseEvent::SyncingProven { proof } => {
            format!("{}: {}", paint(GOOD, "syncing"), proven(proof, "in step up to"))
        }
        DatabaseEvent::DoneProven { proof } => format!("{}: {}", paint(GOOD, "done"), proven(proof, "as of")),
        DatabaseEvent::WalLimitReached {
            retained_bytes,
            limit_bytes,
        } => format!(
            "{}: the source keeps {} of WAL for its slot, more than {}",
            paint(WARNING, "warning"),
            bytes(*retained_bytes),
            bytes(*limit_bytes)
        ),
        DatabaseEvent::DiscardStarted { failure } => format!(
            "{} what was copied, to copy it again{}",
            paint(WARNING, "discarding"),
            because(failure.as_deref())
        ),
        DatabaseEvent::DataDiscarded => "what was copied is discarded; the copy begins anew".to_owned(),
        DatabaseEvent::Failed { failure } => format!("{}{}", paint(ERROR, "failed"), because(Some(failure))),
        DatabaseEvent::Resumed => "going on where it failed".to_owned(),
        DatabaseEvent::RemovalStarted {
            forced,
            despite,
            left,
            connected,
            ..
        } => removing(*forced, despite.as_deref(), left.len() as u64, *connected),
        DatabaseEvent::Removed => format!(
            "{}: nothing of ours is left on the servers",
            paint(GOOD, "removed")
        ),
    }
}

fn removing(forced: bool, despite: Option<&Failure>, left: u64, connected: Option<u64>) -> String {
    let mut text = "removing what pghaul has made".to_owned();
    match despite {
        Some(failure) => text.push_str(&format!(", although {}", failure.message)),
        None if left > 0 => text.push_str(&format!(", and leaving {} incomplete", plural(left, "object"))),
        None if forced => text.push_str(", although something may be incomplete"),
        None => {}
    }
    if let Some(connected) = connected {
        let title = paint(WARNING, "warning");
        let sessions = plural(connected, "session");
        text.push_str(&format!(
            "; {title}: {sessions} of others on the source, and what they write from now on is not moved"
        ));
    }
    text
}

fn of_step(event: &StepEvent) -> String {
    match event {
        StepEvent::StepStarted => "started".to_owned(),
        StepEvent::StepRecorded { facts, .. } => format!("noted {}", shortened(&facts.to_string())),
        StepEvent::ItemFinished { item, outcome, .. } => format!("finished {}", item_name(item, outcome)),
        StepEvent::StepFinished { found: false, .. } => "finished".to_owned(),
        StepEvent::StepFinished { found: true, .. } => "found finished on the servers".to_owned(),
        StepEvent::StepFailed { failure } => format!("{}{}", paint(ERROR, "failed"), because(Some(failure))),
        StepEvent::StepUndone => "undone".to_owned(),
    }
}

/// What an item is about, for items that say so, as those of step `copy` do.
fn item_name(item: &str, outcome: &serde_json::Value) -> String {
    let table = outcome.get("table").and_then(serde_json::Value::as_str);
    let rows = outcome.get("rows").and_then(serde_json::Value::as_u64);
    match (table, rows) {
        (Some(table), Some(rows)) => format!("table {table}, {}", plural(rows, "row")),
        _ => item.to_owned(),
    }
}

fn because(failure: Option<&Failure>) -> String {
    failure
        .map(|f| format!(": {} [{}]", failure::line(f), f.code))
        .unwrap_or_default()
}

/// What was proven: `8 tables, 1 200 034 rows copied, in step up to 0/15D6A28`. What does not follow the source stays as it
/// was at that position.
fn proven(proof: &Proof, position: &str) -> String {
    let mut parts = vec![plural(proof.tables, "table")];
    parts.extend(proof.rows.map(|rows| format!("{} rows copied", count(rows))));
    parts.extend(proof.fence.as_ref().map(|fence| format!("{position} {fence}")));
    let open = proof.incomplete.iter().filter(|item| !item.by_removal).count();
    if open > 0 {
        parts.push(format!("{open} to be completed at the cutover"));
    }
    parts.join(", ")
}

fn found(findings: &[Finding]) -> String {
    let number = |severity| findings.iter().filter(|f| f.severity == severity).count() as u64;
    if findings.is_empty() {
        return "nothing found".to_owned();
    }
    let (errors, warnings) = (number(Severity::Error), number(Severity::Warning));
    let notes = number(Severity::Note);
    format!(
        "{}, {}, {}",
        plural(errors, "error"),
        plural(warnings, "warning"),
        plural(notes, "note")
    )
}

/// Facts may be long; `history --json` has all of them.
fn shortened(text: &str) -> String {
    const MOST: usize = 160;
    let mut short: String = text.chars().take(MOST).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}
