//! The plan as people and programs read it.

use super::columns::{Align, lines};
use super::finding;
use super::quantity::{bytes, plural};
use crate::style::{BOLD, DIM, ERROR, WARNING, paint};
use pghaul_core::plan::{HeldBack, NotOurs, RelationKind};
use pghaul_core::status::method_label;
use pghaul_core::{DatabasePlan, Method, TableClass, TablePlan};
use pghaul_engine::{Survey, SurveyedDatabase};
use pghaul_step::quoted;
use serde_json::{Value, json};

/// How many tables of a class are named before the rest is only counted.
const NAMED: usize = 20;

/// The plan of every database, then what the checks found.
pub(crate) fn text(survey: &Survey, from: &str, to: &str) -> String {
    let total: u64 = survey.databases.iter().map(|d| d.bytes).sum();
    let mut text = format!(
        "{} of {}\n  from {from}\n  to   {to}\n\n",
        paint(BOLD, plural(survey.databases.len() as u64, "database")),
        bytes(total),
    );
    let rows: Vec<Vec<String>> = survey.databases.iter().map(row).collect();
    text.push_str(&lines(
        &[Align::Left, Align::Left, Align::Right, Align::Left],
        &rows,
    ));
    for database in &survey.databases {
        let details = database.plan.as_ref().map(details).unwrap_or_default();
        if !details.is_empty() {
            text.push_str(&format!("\n{}\n{details}", paint(BOLD, &database.database)));
        }
    }
    text.push('\n');
    text.push_str(&finding::text(survey));
    text
}

fn row(database: &SurveyedDatabase) -> Vec<String> {
    let (method, tables) = match &database.plan {
        Some(plan) => {
            let tables = plan
                .tables
                .iter()
                .filter(|t| t.kind == RelationKind::Table)
                .count() as u64;
            (method_label(plan.method).to_owned(), plural(tables, "table"))
        }
        None => (paint(ERROR, "can't be moved"), String::new()),
    };
    // Only a database with a plan has been measured.
    let size = if database.plan.is_some() {
        bytes(database.bytes)
    } else {
        "–".to_owned()
    };
    vec![database.database.to_string(), method, size, tables]
}

/// What is not plain about a database: why it is dumped, and every table that is not simply replicated.
fn details(plan: &DatabasePlan) -> String {
    let mut text: String = plan
        .reasons
        .iter()
        .map(|reason| format!("  not replicated, because {reason}\n"))
        .collect();
    let mut groups: Vec<(String, Vec<String>)> = Vec::new();
    for table in &plan.tables {
        let Some(fate) = fate(table, plan.method) else {
            continue;
        };
        let name = qualified(&table.schema, &table.name);
        match groups.iter_mut().find(|(known, _)| *known == fate) {
            Some((_, names)) => names.push(name),
            None => groups.push((fate, vec![name])),
        }
    }
    for (fate, names) in groups {
        let shown = names
            .iter()
            .take(NAMED)
            .map(String::as_str)
            .collect::<Vec<_>>()
            .join(", ");
        let rest = names.len().saturating_sub(NAMED);
        let more = if rest > 0 {
            format!(" and {rest} more")
        } else {
            String::new()
        };
        text.push_str(&format!(
            "  {} {fate}\n    {}\n",
            paint(WARNING, plural(names.len() as u64, "relation")),
            paint(DIM, format_args!("{shown}{more}"))
        ));
    }
    if plan.method == Method::Replication {
        text.extend(plan.held_back.iter().map(held_back));
    }
    text
}

fn held_back(object: &HeldBack) -> String {
    let table = match object.table.as_str() {
        "" => String::new(),
        table => format!(" of {}", qualified(&object.schema, table)),
    };
    let title = paint(WARNING, format_args!("{} {}", object.kind, object.name));
    format!(
        "  {title}{table} is held back until the cutover: {}\n",
        object.why
    )
}

/// The name as SQL would have it.
fn qualified(schema: &str, name: &str) -> String {
    format!("{}.{}", quoted(schema), quoted(name))
}

/// What happens to a table that is neither simply replicated nor simply copied.
fn fate(table: &TablePlan, method: Method) -> Option<String> {
    let later = "copied, then as of that copy until you copy again at the cutover";
    match (&table.class, method) {
        (TableClass::Replicate | TableClass::Partitioned, _) => None,
        (TableClass::NoIdentity { .. } | TableClass::CannotBePublished { .. }, Method::Dump) => None,
        (TableClass::NoIdentity { why }, Method::Replication) => {
            Some(format!("{later}: no replica identity ({why})"))
        }
        (TableClass::CannotBePublished { why }, Method::Replication) => Some(format!("{later}: {why}")),
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
    json!({ "plan": {
        "source": from,
        "target": to,
        "fit": !survey.all_findings().any(pghaul_core::Finding::stops_migration),
        "databases": survey.databases.iter().map(|d| json!({
            "dbname": d.database,
            "method": d.plan.as_ref().map(|p| method_label(p.method)),
            "reasons": d.plan.as_ref().map(|p| p.reasons.clone()).unwrap_or_default(),
            "bytes": d.bytes,
            "steps": d.plan.as_ref().map(|p| p.steps.clone()).unwrap_or_default(),
            "held_back": d.plan.as_ref().map(|p| p.held_back.clone()).unwrap_or_default(),
            "tables": d.plan.as_ref().map(|p| p.tables.clone()).unwrap_or_default(),
        })).collect::<Vec<_>>(),
        "findings": survey.all_findings().collect::<Vec<_>>(),
    } })
}

/// `check --json`.
pub(crate) fn findings_json(survey: &Survey) -> Value {
    json!({ "check": {
        "fit": !survey.all_findings().any(pghaul_core::Finding::stops_migration),
        "findings": survey.all_findings().collect::<Vec<_>>(),
    } })
}
