//! Events of the journal as sentences.

use super::quantity::{bytes, count, duration, plural};
use super::{failure, legible};
use crate::copied::{Copied, short};
use crate::style::{ERROR, GOOD, WARNING, paint};
use pghaul_core::event::{ConfigurationFile, CopiedBy, Ending, Note, Proof, Retry, Runner, Wait};
use pghaul_core::status::method_label;
use pghaul_core::{
    DatabaseEvent, DatabaseName, Event, Failure, Finding, MigrationEvent, Severity, StepEvent,
};
use serde_json::Value;
use std::time::Duration;

/// The event in one sentence, without what it is about.
pub(crate) fn of(event: &Event) -> String {
    match &*legible::event(event) {
        Event::Migration(event) => of_migration(event),
        Event::ClusterStep(_, event) | Event::DatabaseStep(_, _, event) => of_step(event),
        Event::Database(_, event) => of_database(event),
        Event::Note(_, note) => of_note(note),
    }
}

fn of_migration(event: &MigrationEvent) -> String {
    match event {
        MigrationEvent::MigrationCreated(created) => format!(
            "migration {} created by pghaul {}, from {} to {}",
            created.name, created.pghaul, created.source.conninfo, created.target.conninfo
        ),
        MigrationEvent::RunnerStarted(runner) => started(runner),
        MigrationEvent::DatabasesSelected { databases, selection } => {
            let name = |database: &DatabaseName| match selection.mapping.databases.get(database) {
                Some(target) => format!("{database} → {target}"),
                None => database.to_string(),
            };
            let names: Vec<String> = databases.iter().map(name).collect();
            format!(
                "{} selected: {}",
                plural(names.len() as u64, "database"),
                names.join(", ")
            )
        }
        MigrationEvent::CheckAccepted {
            check,
            database,
            by,
            reason,
        } => {
            let database = database
                .as_ref()
                .map(|d| format!(" of database {d}"))
                .unwrap_or_default();
            format!(
                "errors of check {check}{database} {} by {by}{}",
                paint(WARNING, "accepted"),
                given(reason.as_deref())
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
            format!(
                "{}: {}",
                paint(GOOD, "syncing"),
                proven(proof, "replicated up to")
            )
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
        DatabaseEvent::DiscardStarted { failure, reason } => format!(
            "{} what was copied, to copy it again{}{}",
            paint(WARNING, "discarding"),
            because(failure.as_deref()),
            given(reason.as_deref())
        ),
        DatabaseEvent::DataDiscarded => "what was copied is discarded; the copy begins anew".to_owned(),
        DatabaseEvent::Failed { failure } => format!("{}{}", paint(ERROR, "failed"), because(Some(failure))),
        DatabaseEvent::Resumed => "going on where it failed".to_owned(),
        DatabaseEvent::RemovalStarted { .. } => removing(event),
        DatabaseEvent::Removed => format!(
            "{}: nothing of pghaul is left on the servers",
            paint(GOOD, "removed")
        ),
    }
}

fn removing(event: &DatabaseEvent) -> String {
    let mut text = "removing what pghaul has made".to_owned();
    let DatabaseEvent::RemovalStarted {
        forced,
        despite,
        left,
        connected,
        by,
        accepted: _,
        reason,
        overrides,
    } = event
    else {
        return text;
    };
    match despite {
        Some(failure) => text.push_str(&format!(", although {}", failure.message)),
        None if !left.is_empty() => {
            let left = plural(left.len() as u64, "object");
            text.push_str(&format!(", and leaving {left} incomplete"));
        }
        None if *forced => text.push_str(", although something may be incomplete"),
        None => {}
    }
    if !overrides.is_empty() {
        let by = by.as_ref().map(|by| format!(" by {by}")).unwrap_or_default();
        let given = given(reason.as_deref());
        text.push_str(&format!(
            "; {} {}{by}{given}",
            paint(WARNING, "overridden with"),
            overrides.join(" ")
        ));
    } else if let Some(by) = by {
        text.push_str(&format!("; accepted by {by}"));
    }
    if let Some(connected) = connected {
        let title = paint(WARNING, "warning");
        let sessions = plural(*connected, "session");
        text.push_str(&format!(
            "; {title}: {sessions} of others on the source, and what they write from now on is not moved"
        ));
    }
    text
}

/// The reason that a user gave.
fn given(reason: Option<&str>) -> String {
    reason
        .map(|reason| format!(", reason: {reason}"))
        .unwrap_or_default()
}

/// Who started what, with which version and options.
fn started(runner: &Runner) -> String {
    let Runner {
        command, pid, epoch, ..
    } = runner;
    let took_over = match (runner.took_over, runner.last_unended) {
        (true, _) => ", taking over",
        (false, true) => ", after a run that has not ended in order",
        (false, false) => "",
    };
    let version = runner
        .pghaul
        .as_ref()
        .map(|version| format!(", pghaul {version}"));
    let mut text = format!(
        "`{command}` started by {} on {}, process {pid}, epoch {epoch}{took_over}{}",
        runner.user,
        runner.host,
        version.unwrap_or_default()
    );
    let Some(invocation) = &runner.invocation else {
        return text;
    };
    if invocation.real != invocation.effective {
        text.push_str(&format!(", real user {}", invocation.real.name));
    }
    if let Some(sudo) = &invocation.sudo {
        text.push_str(&format!(", called by {} as sudo reports", sudo.name));
    }
    if !invocation.options.is_empty() {
        let options = invocation.options.iter().map(|given| {
            let values: Vec<String> = given.values.iter().map(|value| format!(" {value:?}")).collect();
            format!("{}{}", given.option, values.concat())
        });
        text.push_str(&format!(", with {}", options.collect::<Vec<_>>().join(" ")));
    }
    if let Some(ConfigurationFile { file, sha256 }) = &invocation.configuration {
        let digits = sha256.get(..16).unwrap_or_default();
        text.push_str(&format!(", configured by {file} (SHA-256 {digits}…)"));
    }
    text.push_str(&self::given(invocation.reason.as_deref()));
    text
}

/// How many tables of a group are named; `history --json` has all of them.
const NAMED: usize = 8;

fn of_note(note: &Note) -> String {
    match note {
        Note::TablesStarted { tables, by } => {
            let by = match by {
                CopiedBy::Pghaul => "",
                CopiedBy::TargetWorkers => ", by the target's workers",
            };
            match tables.as_slice() {
                [table] => format!("copying table {}{by}", short(table)),
                many => {
                    let named: Vec<String> = many.iter().take(NAMED).map(|table| short(table)).collect();
                    let others = match many.len().saturating_sub(NAMED) {
                        0 => String::new(),
                        others => format!(" and {}", plural(others as u64, "other")),
                    };
                    format!(
                        "copying {} in one transaction{by}: {}{others}",
                        plural(many.len() as u64, "table"),
                        named.join(", ")
                    )
                }
            }
        }
        Note::Retried(Retry {
            what,
            failure,
            tries,
            pause_ms,
            left_out,
        }) => format!(
            "{what} {} for the {} time{}; trying again in {}{}",
            paint(WARNING, "failed"),
            ordinal(*tries),
            because(Some(failure)),
            duration(Duration::from_millis(*pause_ms)),
            more(*left_out)
        ),
        Note::Waited(Wait {
            what,
            waited_ms,
            left_out,
        }) => format!(
            "waited {} for {what}{}",
            duration(Duration::from_millis(*waited_ms)),
            more(*left_out)
        ),
    }
}

/// What a limit kept out of the journal.
fn more(left_out: u64) -> String {
    match left_out {
        0 => String::new(),
        left_out => format!("; {} more like this were not journaled", count(left_out)),
    }
}

fn ordinal(number: u32) -> String {
    let ending = match (number % 100, number % 10) {
        (11..=13, _) => "th",
        (_, 1) => "st",
        (_, 2) => "nd",
        (_, 3) => "rd",
        _ => "th",
    };
    format!("{number}{ending}")
}

fn of_step(event: &StepEvent) -> String {
    match event {
        StepEvent::StepStarted => "started".to_owned(),
        StepEvent::StepRecorded { facts, .. } => format!("noted {}", shortened(&noted(&facts.value()))),
        StepEvent::ItemFinished { item, outcome, .. } => {
            copied(&outcome.value()).unwrap_or_else(|| format!("finished {item}"))
        }
        StepEvent::StepFinished { found: false, .. } => "finished".to_owned(),
        StepEvent::StepFinished { found: true, .. } => "found finished on the servers".to_owned(),
        StepEvent::StepFailed { failure } => format!("{}{}", paint(ERROR, "failed"), because(Some(failure))),
        StepEvent::StepUndone => "undone: pghaul's own objects of this step are gone".to_owned(),
    }
}

/// Facts in words: the names of their fields, with the values that are plain.
fn noted(facts: &Value) -> String {
    let Value::Object(fields) = facts else {
        return facts.to_string();
    };
    let part = |(name, value): (&String, &Value)| {
        let name = name.replace('_', " ");
        match value {
            Value::String(text) => format!("{name} {text}"),
            Value::Number(number) => format!("{name} {number}"),
            Value::Bool(true) | Value::Null | Value::Array(_) | Value::Object(_) => name,
            Value::Bool(false) => format!("no {name}"),
        }
    };
    fields.iter().map(part).collect::<Vec<_>>().join(", ")
}

/// A copied table, for items that say so, as those of the steps that copy do.
fn copied(outcome: &Value) -> Option<String> {
    let copied = Copied::of(outcome)?;
    let table = copied.name();
    let rows = copied.rows.map(|rows| plural(rows, "row"));
    let size = copied.bytes.filter(|size| *size > 0).map(bytes);
    let took = copied.took.map(|took| {
        let took = duration(took);
        match copied.together {
            Some(tables) => format!(
                "in {took} together with {}",
                plural(tables.saturating_sub(1), "other table")
            ),
            None => format!("in {took}"),
        }
    });
    let by = copied
        .by_workers
        .then(|| "by the target's workers, rows not counted".to_owned());
    let parts: Vec<String> = [rows, size, took, by].into_iter().flatten().collect();
    let facts = if parts.is_empty() {
        String::new()
    } else {
        format!(", {}", parts.join(", "))
    };
    Some(format!("finished table {table}{facts}"))
}

fn because(failure: Option<&Failure>) -> String {
    failure
        .map(|f| format!(": {} [{}]", failure::line(f), f.code))
        .unwrap_or_default()
}

/// What was proven: `8 tables, 1 200 034 rows copied, replicated up to 0/15D6A28`. What does not follow the source stays as it
/// was at that position.
fn proven(proof: &Proof, position: &str) -> String {
    let mut parts = vec![plural(proof.tables, "table")];
    parts.extend(proof.rows.map(|rows| format!("{} rows copied", count(rows))));
    parts.extend(proof.fence.as_ref().map(|fence| format!("{position} {fence}")));
    let open = proof.incomplete.iter().filter(|item| item.is_open()).count();
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
    let accepted = match number(Severity::Accepted) {
        0 => String::new(),
        accepted => format!("{} accepted, ", plural(accepted, "error")),
    };
    format!(
        "{accepted}{}, {}, {}",
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
