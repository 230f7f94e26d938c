//! The account as Markdown, for a ticket: the summary, and of the tables those that took longest.

use super::{moment, rate, took};
use crate::account::{Account, Database, Entry, by_severity};
use crate::report::quantity::{bytes, count, duration, plural};
use pghaul_core::status::method_label;
use pghaul_core::{Severity, escaped};
use std::cmp::Reverse;
use std::fmt::Write as _;

/// So many tables of each database, and so many troubles.
const MOST: usize = 20;

/// The whole text.
pub(crate) fn markdown(account: &Account, version: &str) -> String {
    let mut text = String::new();
    let _ = write_all(&mut text, account, version);
    text
}

fn write_all(text: &mut String, account: &Account, version: &str) -> std::fmt::Result {
    let (rows, copied) = account.copied();
    let created = &account.created;
    writeln!(text, "# Migration {}\n", plain(&created.name))?;
    writeln!(text, "| | |\n|---|---|")?;
    for (name, value) in [
        ("state", account.state.clone()),
        ("source", code(&created.source.conninfo)),
        ("target", code(&created.target.conninfo)),
        ("began", moment(account.span.from)),
        ("last event", moment(account.span.to)),
        ("took", took(account.span)),
        (
            "copied",
            format!(
                "{}, {}, {}",
                plural(account.tables(), "table"),
                plural(rows, "row"),
                bytes(copied)
            ),
        ),
        ("journal's head", code(&account.head)),
    ] {
        writeln!(text, "| {name} | {value} |")?;
    }
    writeln!(
        text,
        "\n## Runs\n\n| run | command | who | began | took | ended | pghaul |\n|---|---|---|---|---|---|---|"
    )?;
    for run in &account.runs {
        let reason = run
            .reason
            .as_deref()
            .map(|reason| format!(" (reason: {})", plain(reason)));
        writeln!(
            text,
            "| {} | {}{} | {} | {} | {} | {} | {} |",
            run.epoch,
            plain(&run.command),
            reason.unwrap_or_default(),
            plain(&run.who),
            moment(run.span.from),
            took(run.span),
            run.ending.as_deref().unwrap_or("no end in the journal"),
            plain(&run.version)
        )?;
    }
    write_entries(text, "Decisions", &account.decisions)?;
    write_entries(text, "Failures, retries and warnings", &account.troubles)?;
    for database in &account.databases {
        write_database(text, database)?;
    }
    writeln!(
        text,
        "\nWritten by pghaul {version} from {} of the journal.",
        plural(account.events, "event")
    )
}

fn write_entries(text: &mut String, title: &str, entries: &[Entry]) -> std::fmt::Result {
    if entries.is_empty() {
        return Ok(());
    }
    writeln!(text, "\n## {title}\n")?;
    for entry in entries.iter().take(MOST) {
        writeln!(
            text,
            "- {} {} {}: {}",
            entry.seq,
            entry.at,
            plain(&entry.about()),
            plain(&entry.text)
        )?;
    }
    if entries.len() > MOST {
        writeln!(
            text,
            "- and {} more: `pghaul history --severity warning`",
            entries.len() - MOST
        )?;
    }
    Ok(())
}

fn write_database(text: &mut String, database: &Database) -> std::fmt::Result {
    let (view, times) = (&database.view, &database.times);
    let method = view.method.map(method_label).unwrap_or_default();
    writeln!(text, "\n## Database {}\n", code(&escaped(&view.names())))?;
    writeln!(text, "{}", format!("{} {method}", view.phase).trim_end())?;
    for reason in &view.reasons {
        writeln!(text, "- {}", plain(reason))?;
    }
    if !times.phases.is_empty() {
        writeln!(text, "\n| phase | began | took |\n|---|---|---|")?;
        for phase in &times.phases {
            writeln!(
                text,
                "| {} | {} | {} |",
                phase.name,
                moment(phase.began()),
                phase.took().map(duration).unwrap_or_default()
            )?;
        }
    }
    for item in &times.left {
        writeln!(text, "- not exact: {}: {}", code(&item.object), plain(&item.why))?;
    }
    let found = by_severity(&times.findings);
    for finding in found
        .iter()
        .filter(|(severity, _)| severity.0 > Severity::Note)
        .flat_map(|(_, all)| all)
    {
        writeln!(
            text,
            "- {} of check {}: {}",
            finding.severity,
            finding.check,
            plain(&finding.message)
        )?;
    }
    write_tables(text, database)
}

fn write_tables(text: &mut String, database: &Database) -> std::fmt::Result {
    let mut tables: Vec<_> = database.times.tables.iter().collect();
    if tables.is_empty() {
        return Ok(());
    }
    tables.sort_by_key(|table| Reverse(table.span.took()));
    writeln!(
        text,
        "\n| table | rows | size | took | rate |\n|---|---|---|---|---|"
    )?;
    for table in tables.iter().take(MOST) {
        let rows = table.rows.map(count).unwrap_or_default();
        let rate = if table.together.is_some() {
            String::new()
        } else {
            rate(table.bytes, table.span)
        };
        writeln!(
            text,
            "| {} | {rows} | {} | {} | {rate} |",
            code(&table.name),
            bytes(table.bytes),
            took(table.span)
        )?;
    }
    if tables.len() > MOST {
        writeln!(
            text,
            "\nAnd {}.",
            plural((tables.len() - MOST) as u64, "other table")
        )?;
    }
    Ok(())
}

/// A text with nothing in it that Markdown or HTML gives a meaning.
fn plain(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii_punctuation()
            && !matches!(
                c,
                '.' | ',' | ':' | ';' | '/' | '-' | '=' | '@' | '(' | ')' | '"' | '\''
            )
        {
            shown.push('\\');
        }
        shown.push(c);
    }
    shown
}

/// A text as code, whatever backquotes it holds. In a cell of a table a bar has to be escaped even there.
fn code(text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or_default();
    let fence = "`".repeat(longest + 1);
    let space = if longest > 0 { " " } else { "" };
    format!("{fence}{space}{}{space}{fence}", text.replace('|', "\\|"))
}

#[cfg(test)]
mod tests {
    use super::{code, plain};

    #[test]
    fn names_have_no_meaning_in_markdown() {
        assert_eq!(plain("<b>*a*</b> | [x](y)"), r"\<b\>\*a\*\</b\> \| \[x\](y)");
        assert_eq!(code("a`b|c"), "`` a`b\\|c ``");
        assert_eq!(code("plain"), "`plain`");
    }
}
