//! What a run has done, at its end.

use super::columns::{Align, lines};
use super::quantity::{bytes, count, duration, plural, rate};
use crate::account::{Repeated, Slow, Summary};
use crate::report::legible;
use crate::style::{BOLD, WARNING, paint};
use serde_json::{Value, json};
use std::time::Duration;

/// A table that took less is not worth a line.
const SLOW: Duration = Duration::from_secs(1);

/// So many reasons of retries and waits are named.
const NAMED: usize = 3;

/// Few lines for people.
pub(crate) fn text(summary: &Summary) -> Vec<String> {
    let title = match summary.run {
        0 | 1 => "summary".to_owned(),
        number => format!("summary of run {number}"),
    };
    let mut rows = vec![("took", took(summary))];
    if summary.tables > 0 {
        rows.push(("copied", copied(summary)));
    }
    let slow = summary.slowest.iter().filter(|table| table.took >= SLOW);
    let slow: Vec<Vec<String>> = slow.map(of_table).collect();
    let align = [Align::Left, Align::Right, Align::Right, Align::Right, Align::Left];
    let mut label = "slowest";
    for line in lines(&align, &slow).lines() {
        rows.push((std::mem::take(&mut label), line.to_owned()));
    }
    rows.extend(repeated(&summary.retries).map(|text| ("retries", text)));
    rows.extend(repeated(&summary.waits).map(|text| ("waits", text)));
    for (label, counted) in [("incomplete", summary.incomplete), ("kept", summary.kept)] {
        if let (objects @ 1.., databases) = counted {
            let listed = format!(
                "{} in {}",
                plural(objects, "object"),
                plural(databases, "database")
            );
            rows.push((label, paint(WARNING, listed) + ", listed below"));
        }
    }
    let shown = rows
        .into_iter()
        .map(|(label, text)| format!("  {label:<12}{text}"));
    std::iter::once(paint(BOLD, title)).chain(shown).collect()
}

fn took(summary: &Summary) -> String {
    let phase = |(name, took): &(String, Duration)| format!("{name} {}", duration(*took));
    let phases: Vec<String> = summary.phases.iter().map(phase).collect();
    let side_by_side = match (summary.databases, summary.phases.len()) {
        (2.., 2..) => " (databases side by side)",
        _ => "",
    };
    match phases.as_slice() {
        [] => duration(summary.took),
        phases => format!("{}: {}{side_by_side}", duration(summary.took), phases.join(", ")),
    }
}

fn copied(summary: &Summary) -> String {
    let rate = rate(summary.bytes, summary.copying).map(|rate| format!(", {rate}"));
    format!(
        "{}, {}, {}{}",
        plural(summary.tables, "table"),
        plural(summary.rows, "row"),
        bytes(summary.bytes),
        rate.unwrap_or_default()
    )
}

fn of_table(table: &Slow) -> Vec<String> {
    let others = table.together.map(|tables| tables.saturating_sub(1));
    let rate = match others {
        None => rate(table.bytes, table.took),
        Some(_) => None,
    };
    vec![
        format!("{} {}", legible::database(&table.database), table.table),
        duration(table.took),
        bytes(table.bytes),
        rate.unwrap_or_default(),
        others
            .map(|others| format!("with {}", plural(others, "other table")))
            .unwrap_or_default(),
    ]
}

/// `3: copy of public.orders in shop (2), copy of public.lines in shop`.
fn repeated(all: &[Repeated]) -> Option<String> {
    let times: u64 = all.iter().map(|one| one.times).sum();
    let took: Duration = all.iter().map(|one| one.took).sum();
    let one = |one: &Repeated| {
        let database = one.database.as_ref().map(|database| format!(" in {database}"));
        let times = match one.times {
            1 => String::new(),
            times => format!(" ({})", count(times)),
        };
        format!("{}{}{times}", one.what, database.unwrap_or_default())
    };
    let mut named: Vec<String> = all.iter().take(NAMED).map(one).collect();
    let more = all.len().saturating_sub(NAMED) as u64;
    if more > 0 {
        named.push(format!("and {more} more"));
    }
    (times > 0).then(|| {
        format!(
            "{}, {} in all: {}",
            count(times),
            duration(took),
            named.join(", ")
        )
    })
}

/// The same for programs; times in milliseconds.
pub(crate) fn json(summary: &Summary) -> Value {
    let counted = |(objects, databases): (u64, u64)| json!({ "objects": objects, "databases": databases });
    let pause = |one: &Repeated| json!({ "database": one.database, "what": one.what, "times": one.times, "took_ms": milliseconds(one.took) });
    let phase = |(name, took): &(String, Duration)| json!({ "phase": name, "took_ms": milliseconds(*took) });
    let slow = |table: &Slow| {
        json!({
            "database": table.database,
            "table": table.table,
            "took_ms": milliseconds(table.took),
            "bytes": table.bytes,
            "together": table.together,
        })
    };
    json!({
        "run": summary.run,
        "took_ms": milliseconds(summary.took),
        "phases": summary.phases.iter().map(phase).collect::<Vec<_>>(),
        "tables": summary.tables,
        "rows": summary.rows,
        "bytes": summary.bytes,
        "copying_ms": milliseconds(summary.copying),
        "slowest_tables": summary.slowest.iter().map(slow).collect::<Vec<_>>(),
        "retries": summary.retries.iter().map(pause).collect::<Vec<_>>(),
        "waits": summary.waits.iter().map(pause).collect::<Vec<_>>(),
        "incomplete": counted(summary.incomplete),
        "kept": counted(summary.kept),
    })
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
