//! The plan as people and programs read it.

use super::columns::{Align, lines};
use super::finding::{self, Readiness};
use super::legible::{self, legible};
use super::quantity::{bytes, duration, plural};
use super::wrap::wrapped;
use crate::style::{BOLD, DIM, ERROR, WARNING, paint};
use pghaul_core::plan::{HeldBack, NotOurs, PlannedObjects, RelationKind, Route};
use pghaul_core::status::method_label;
use pghaul_core::{DatabasePlan, Failure, Method, TableClass, TableName, TablePlan, escaped};
use pghaul_engine::{Survey, SurveyedDatabase, estimate};
use pghaul_step::quoted;
use serde_json::{Value, json};

/// The version of the shape of `plan --json` and `check --json`. Fields may be added within a version.
const SCHEMA_VERSION: u32 = 1;

/// How many tables of a class are named before the rest is only counted.
const NAMED: usize = 20;

/// The plan of every database, what it needs, then what the checks found.
pub(crate) fn text(survey: &Survey, from: &str, to: &str, width: usize) -> String {
    let total: u64 = survey.databases.iter().map(|d| d.bytes).sum();
    let mut text = format!(
        "{} of {}\n  from {from}\n  to   {to}\n\n",
        paint(BOLD, plural(survey.databases.len() as u64, "database")),
        bytes(total),
        from = escaped(from),
        to = escaped(to),
    );
    let databases: Vec<SurveyedDatabase> = survey.databases.iter().map(as_shown).collect();
    let title = [
        "database",
        "method",
        "size",
        "tables",
        "replicated",
        "copied once",
        "held back",
    ];
    let mut rows = vec![title.map(|cell| paint(DIM, cell)).to_vec()];
    rows.extend(databases.iter().map(row));
    let mut align = [Align::Right; 7];
    align[..2].fill(Align::Left);
    text.push_str(&lines(&align, &rows));
    for database in &databases {
        let details = database.plan.as_ref().map(|plan| details(database, plan, width));
        let details = details.unwrap_or_default();
        if !details.is_empty() {
            text.push_str(&format!("\n{}\n{details}", paint(BOLD, &database.database)));
        }
    }
    text.push_str(&needs(survey, width));
    text.push('\n');
    text.push_str(&finding::text(survey, width));
    text
}

/// A database with all names and words in its plan escaped.
fn as_shown(database: &SurveyedDatabase) -> SurveyedDatabase {
    let sizes = database.sizes.iter();
    SurveyedDatabase {
        database: legible::database(&database.database),
        findings: Vec::new(),
        plan: database.plan.as_ref().map(legible),
        bytes: database.bytes,
        sizes: sizes.map(|(name, bytes)| (legible(name), *bytes)).collect(),
    }
}

fn row(database: &SurveyedDatabase) -> Vec<String> {
    let Some(plan) = &database.plan else {
        // Only a database with a plan has been measured.
        let nothing = || "–".to_owned();
        let mut row = vec![database.database.to_string(), paint(ERROR, "can't be moved")];
        row.extend(std::iter::repeat_with(nothing).take(5));
        return row;
    };
    let tables = || plan.tables.iter().filter(|t| t.kind == RelationKind::Table);
    let replicated =
        tables().filter(|t| plan.method == Method::Replication && t.class == TableClass::Replicate);
    let (replicated, all) = (replicated.count(), tables().count());
    let (copied, held_back) = match plan.method {
        Method::Replication => (plan.deferred().count(), plan.held_back.len()),
        Method::Dump => (tables().filter(|t| t.copied_by_us(Route::Dump)).count(), 0),
    };
    let name = match &plan.target_database {
        Some(target) => format!("{} → {target}", database.database),
        None => database.database.to_string(),
    };
    vec![
        name,
        method_label(plan.method).to_owned(),
        bytes(database.bytes),
        all.to_string(),
        replicated.to_string(),
        copied.to_string(),
        held_back.to_string(),
    ]
}

/// What is not plain about a database: why it is dumped, and everything on the target that will not be exactly what
/// it is on the source.
fn details(database: &SurveyedDatabase, plan: &DatabasePlan, width: usize) -> String {
    let mut text = String::new();
    for reason in &plan.reasons {
        text.push_str(&paragraph(
            "  ",
            &format!("not replicated, because {reason}"),
            width,
        ));
    }
    let mut groups: Vec<(String, Vec<&TablePlan>)> = Vec::new();
    for table in &plan.tables {
        let Some(fate) = fate(table, plan.method) else {
            continue;
        };
        match groups.iter_mut().find(|(known, _)| *known == fate) {
            Some((_, tables)) => tables.push(table),
            None => groups.push((fate, vec![table])),
        }
    }
    for (fate, tables) in groups {
        let size: u64 = tables.iter().map(|table| size_of(database, table)).sum();
        let size = if size > 0 {
            format!(", {}", bytes(size))
        } else {
            String::new()
        };
        let number = format!("{}{size}:", plural(tables.len() as u64, "relation"));
        let mut sentence = wrapped(&format!("{number} {fate}"), width.saturating_sub(2)).join("\n  ");
        if let Some(rest) = sentence.strip_prefix(&number) {
            sentence = format!("{}{rest}", paint(WARNING, &number));
        }
        text.push_str(&format!("  {sentence}\n"));
        let names = tables.iter().take(NAMED).map(|table| qualified(&table.name));
        let names = names.collect::<Vec<_>>().join(", ");
        let more = match tables.len().saturating_sub(NAMED) {
            0 => String::new(),
            rest => format!(" and {rest} more"),
        };
        let names = wrapped(&format!("{names}{more}"), width.saturating_sub(4));
        text.extend(names.iter().map(|line| format!("    {}\n", paint(DIM, line))));
    }
    if plan.method == Method::Replication {
        for object in &plan.held_back {
            text.push_str(&paragraph("  ", &held_back(object), width));
        }
    }
    for sentence in plan.objects.iter().flat_map(|objects| selected(objects)) {
        text.push_str(&paragraph("  ", &sentence, width));
    }
    text
}

/// What the selection leaves out, and what it brings along.
fn selected(objects: &PlannedObjects) -> Vec<String> {
    let mut sentences = Vec::new();
    if objects.not_named > 0 {
        let tables = plural(objects.not_named, "table");
        sentences.push(format!("{tables} not selected"));
    }
    let brought = objects.brought.iter();
    sentences.extend(brought.map(|brought| format!("{} comes along: {}", brought.object, brought.why)));
    let left_out = objects.left_out.iter();
    sentences.extend(left_out.map(|left_out| format!("{} is left out: {}", left_out.object, left_out.why)));
    sentences
}

/// What the servers must have to spare, and how long it will take.
fn needs(survey: &Survey, width: usize) -> String {
    let (needs, estimate) = (survey.needs(), survey.estimate());
    let mut sentences = Vec::new();
    if needs.slots > 0 {
        sentences.push((
            "needs",
            format!(
                "{} and as many WAL senders on the source, {} and as many origins on the target; {} more of each \
                 while the target's workers copy tables",
                plural(needs.slots, "replication slot"),
                plural(needs.workers, "worker"),
                needs.while_copying
            ),
        ));
    }
    sentences.push((
        "takes",
        format!(
            "{} for the copy and its indexes, at {} a second",
            match estimate.copy.as_secs() {
                0 | 1 => "about a second".to_owned(),
                _ => format!("about {}", duration(estimate.copy)),
            },
            bytes(estimate::BYTES_PER_SECOND)
        ),
    ));
    if let (Some(rate), Some(total)) = (estimate.wal_bytes_per_second, estimate.wal_bytes()) {
        let (total, rate) = (bytes(total), bytes(rate));
        sentences.push((
            "WAL",
            format!("about {total} on the source meanwhile, at {rate} a second"),
        ));
    }
    let mut text = String::from("\n");
    for (title, sentence) in sentences {
        let rest = wrapped(&sentence, width.saturating_sub(7)).join("\n       ");
        let space = " ".repeat(5_usize.saturating_sub(title.len()));
        text.push_str(&format!("{}{space}  {rest}\n", paint(BOLD, title)));
    }
    text
}

fn paragraph(indent: &str, text: &str, width: usize) -> String {
    let lines = wrapped(text, width.saturating_sub(indent.len()));
    let lines = lines.iter().enumerate().map(|(number, line)| {
        // What goes on in a second line is seen to belong to the first.
        let more = if number == 0 { "" } else { "  " };
        format!("{indent}{more}{line}\n")
    });
    lines.collect()
}

fn size_of(database: &SurveyedDatabase, table: &TablePlan) -> u64 {
    database.sizes.get(&table.name).copied().unwrap_or(0)
}

fn held_back(object: &HeldBack) -> String {
    format!(
        "{} is held back until the cutover: {}",
        held_back_object(object),
        object.why
    )
}

fn held_back_object(object: &HeldBack) -> String {
    let table = match &object.table {
        None => String::new(),
        Some(table) => format!(" of {}", qualified(table)),
    };
    format!("{} {}{table}", object.kind, object.name)
}

/// The name as SQL would have it.
fn qualified(table: &TableName) -> String {
    format!("{}.{}", quoted(&table.schema), quoted(&table.name))
}

/// What happens to a table that is neither simply replicated nor simply copied.
fn fate(table: &TablePlan, method: Method) -> Option<String> {
    let later = "copied, then as of that copy until pghaul remove copies it again";
    match (&table.class, method) {
        (TableClass::Replicate | TableClass::Partitioned, _) => None,
        (TableClass::NoIdentity { .. } | TableClass::CannotBePublished { .. }, Method::Dump) => None,
        (TableClass::NoIdentity { why }, Method::Replication) => {
            Some(format!("{later}: no replica identity ({why})"))
        }
        (TableClass::CannotBePublished { why }, Method::Replication) => Some(format!("{later}: {why}")),
        (TableClass::SchemaOnly, _) => Some("without rows, as --schema-only-table asks".to_owned()),
        (TableClass::ViewOfOthers, _) => Some("refreshed on the target: materialized view".to_owned()),
        (
            TableClass::NotOurs {
                why: NotOurs::Foreign,
            },
            _,
        ) => Some("without rows: foreign table, its rows are on another server".to_owned()),
        (
            TableClass::NotOurs {
                why: NotOurs::Extension,
            },
            _,
        ) => Some("left to their extension, which fills them".to_owned()),
        (TableClass::ExtensionRows { .. }, Method::Dump) => {
            Some("copied as far as their extension says: configuration table".to_owned())
        }
        (TableClass::ExtensionRows { .. }, Method::Replication) => {
            Some(format!("{later}: configuration table of an extension"))
        }
    }
}

/// `plan --json`.
pub(crate) fn json(survey: &Survey, from: &str, to: &str) -> Value {
    let (needs, estimate) = (survey.needs(), survey.estimate());
    json!({ "plan": {
        "version": SCHEMA_VERSION,
        "source": from,
        "target": to,
        "readiness": Readiness::of(survey).name(),
        "fit": Readiness::of(survey) != Readiness::NotReady,
        "needs": {
            "replication_slots": needs.slots,
            "wal_senders": needs.slots,
            "workers": needs.workers,
            "origins": needs.workers,
            "more_while_copying": needs.while_copying,
        },
        "estimate": {
            "copy_seconds": estimate.copy.as_secs(),
            "bytes_per_second": estimate::BYTES_PER_SECOND,
            "wal_bytes": estimate.wal_bytes(),
            "wal_bytes_per_second": estimate.wal_bytes_per_second,
        },
        "databases": survey.databases.iter().map(database_json).collect::<Vec<_>>(),
        "findings": survey.all_findings().collect::<Vec<_>>(),
        "failure": survey.failure,
    } })
}

/// `plan --json` where nothing could be looked at: every field is there, and `failure` says why it is empty.
pub(crate) fn failed_json(failure: &Failure) -> Value {
    json!({ "plan": {
        "version": SCHEMA_VERSION,
        "source": null,
        "target": null,
        "readiness": Readiness::NotReady.name(),
        "fit": false,
        "needs": null,
        "estimate": null,
        "databases": [],
        "findings": [],
        "failure": failure,
    } })
}

fn database_json(database: &SurveyedDatabase) -> Value {
    let plan = database.plan.as_ref();
    let objects = plan.and_then(|plan| plan.objects.as_deref());
    let tables = plan.map(|plan| {
        plan.tables
            .iter()
            .map(|table| table_json(database, table))
            .collect::<Vec<_>>()
    });
    json!({
        "dbname": database.database,
        "target_dbname": plan.and_then(|p| p.target_database.as_ref()).unwrap_or(&database.database),
        "method": plan.map(|p| method_label(p.method)),
        "reasons": plan.map(|p| p.reasons.clone()).unwrap_or_default(),
        "bytes": database.bytes,
        "steps": plan.map(|p| p.steps.clone()).unwrap_or_default(),
        "held_back": plan.map(|p| p.held_back.clone()).unwrap_or_default(),
        "tables": tables.unwrap_or_default(),
        "not_exact": plan.map(not_exact).unwrap_or_default(),
        "left_out": objects.map(|objects| &objects.left_out),
        "brought": objects.map(|objects| &objects.brought),
        "not_selected_tables": objects.map_or(0, |objects| objects.not_named),
    })
}

fn table_json(database: &SurveyedDatabase, table: &TablePlan) -> Value {
    let mut value = json!(table);
    if let Some(fields) = value.as_object_mut() {
        fields.insert("bytes".to_owned(), size_of(database, table).into());
    }
    value
}

/// Everything on the target that will not be exactly what it is on the source.
fn not_exact(plan: &DatabasePlan) -> Vec<Value> {
    let tables = plan.tables.iter().filter_map(|table| {
        let why = fate(table, plan.method)?;
        let object = format!("{} {}", table.kind, qualified(&table.name));
        Some(json!({ "object": object, "why": why }))
    });
    let held_back = plan
        .held_back
        .iter()
        .filter(|_| plan.method == Method::Replication);
    let held_back = held_back.map(|object| {
        json!({ "object": held_back_object(object), "why": format!("held back until the cutover: {}", object.why) })
    });
    tables.chain(held_back).collect()
}

/// `check --json`.
pub(crate) fn findings_json(survey: &Survey) -> Value {
    json!({ "check": {
        "version": SCHEMA_VERSION,
        "readiness": Readiness::of(survey).name(),
        "fit": Readiness::of(survey) != Readiness::NotReady,
        "findings": survey.all_findings().collect::<Vec<_>>(),
        "failure": survey.failure,
    } })
}

/// `check --json` where nothing could be looked at.
pub(crate) fn failed_findings_json(failure: &Failure) -> Value {
    json!({ "check": {
        "version": SCHEMA_VERSION,
        "readiness": Readiness::NotReady.name(),
        "fit": false,
        "findings": [],
        "failure": failure,
    } })
}
