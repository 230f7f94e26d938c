//! The HTML file: no script, nothing from the network.

use super::bar::drawn;
use super::{findings, moment, tables, throughput, took};
use crate::account::{Account, Bar, Database, Entry, Run};
use crate::moment::{Moment, Span};
use crate::report::history::Weight;
use crate::report::quantity::{bytes, count, duration, plural};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use pghaul_core::Failure;
use pghaul_core::event::Incomplete;
use pghaul_core::status::method_label;

/// With more troubles than these, the rest is left to `history`.
const MOST_TROUBLES: usize = 1000;

/// The whole file.
pub(crate) fn page(account: &Account, version: &str) -> String {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'";
                title { "Migration " (account.created.name) }
                style { (PreEscaped(include_str!("page.css"))) }
            }
            body {
                (summary(account))
                (runs(&account.runs))
                (entries("Decisions", "Nothing was overridden or accepted.", &account.decisions))
                (entries("Failures, retries and warnings", "There were none.", &account.troubles))
                (throughput::chart(account))
                (timeline("The cluster as a whole", account.span, &account.steps))
                (findings::of_cluster(&account.findings))
                @for database in &account.databases { (of_database(database)) }
                (end(account, version))
            }
        }
    }
    .into_string()
}

fn summary(account: &Account) -> Markup {
    let (rows, copied) = account.copied();
    let created = &account.created;
    html! {
        h1 { "Migration " (created.name) }
        p.soft { "Made from the journal alone; the servers were not asked. Times are of the computer that pghaul ran on, in UTC." }
        div.cards {
            div { "state" b { (account.state) } }
            div { "databases" b { (account.databases.len()) } }
            div { "tables copied" b { (count(account.tables())) } }
            div { "rows copied" b { (count(rows)) } }
            div { "copied" b { (bytes(copied)) } }
            div { "from begin to end" b { (took(account.span)) } }
        }
        dl {
            dt { "source" } dd.name { (created.source.conninfo) }
            dt { "target" } dd.name { (created.target.conninfo) }
            dt { "system identifiers" } dd.name { (created.source.system_identifier) " → " (created.target.system_identifier) }
            dt { "PostgreSQL" } dd { (server_version(created.source.version)) " → " (server_version(created.target.version)) }
            dt { "began" } dd { (moment(account.span.from)) }
            dt { "last event" } dd { (moment(account.span.to)) }
            dt { "identifier" } dd.name { (account.id) }
        }
    }
}

fn server_version(number: u32) -> String {
    format!("{}.{}", number / 10_000, number % 10_000)
}

fn runs(runs: &[Run]) -> Markup {
    html! {
        h2 { "Who worked on it" }
        div.wide { table {
            tr { th { "run" } th { "command" } th { "who" } th { "began" } th { "took" } th { "ended" } th { "pghaul" } }
            @for run in runs {
                tr {
                    td.number { (run.epoch) }
                    td.command { (run.command)
                        @if !run.command_line.is_empty() { " " code.soft { (run.command_line) } }
                        @if let Some(reason) = &run.reason { p { "Reason: " (reason) } }
                    }
                    td { (run.who) }
                    td.time { (moment(run.span.from)) }
                    td.time { (took(run.span)) }
                    td { @match &run.ending {
                        Some(ending) => (ending),
                        None => span.warning { "no end in the journal: it was killed, or works" },
                    } }
                    td { (run.version) }
                }
            }
        } }
    }
}

fn entries(title: &str, none: &str, entries: &[Entry]) -> Markup {
    html! {
        h2 { (title) }
        @if entries.is_empty() { p { (none) } } @else {
            div.wide { table {
                tr { th.number { "event" } th { "time" } th { "about" } th { "what" } }
                @for entry in entries.iter().take(MOST_TROUBLES) {
                    tr {
                        td.number { (entry.seq) }
                        td.time { time { (entry.at) } }
                        td.name { (entry.about()) }
                        td class=(class(entry.weight)) { (entry.text) }
                    }
                }
            } }
            @if entries.len() > MOST_TROUBLES {
                p { "The first " (MOST_TROUBLES) " of " (count(entries.len() as u64)) "; "
                    code { "pghaul history --severity warning" } " shows all." }
            }
        }
    }
}

fn class(weight: Weight) -> &'static str {
    match weight {
        Weight::Note => "soft",
        Weight::Warning => "warning",
        Weight::Error => "error",
    }
}

/// Bars over one span of time.
fn timeline(title: &str, whole: Span, bars: &[Bar]) -> Markup {
    html! {
        @if !bars.is_empty() {
            h3 { (title) }
            div.wide { table {
                @for bar in bars {
                    tr {
                        td.name { (bar.name) }
                        td.time { (moment(bar.began())) }
                        td.number { (bar.took().map(duration).unwrap_or_default()) }
                        td.track { div { @for span in &bar.spans { (drawn(whole, *span, if bar.failed { "failed" } else { "" })) } } }
                    }
                }
            } }
        }
    }
}

fn of_database(database: &Database) -> Markup {
    let view = &database.view;
    let times = &database.times;
    let name = pghaul_core::escaped(&view.names()).into_owned();
    let mut whole = Span::default();
    for phase in &times.phases {
        for span in &phase.spans {
            whole.add(span.from);
            whole.add(span.to);
        }
    }
    html! {
        h2 { "Database " span.name { (name) } }
        dl {
            dt { "state" } dd { (view.phase) }
            @if let Some(method) = view.method { dt { "method" } dd { (method_label(method)) } }
            @for reason in &view.reasons { dt { "why" } dd { (reason) } }
            @if let Some(proven) = &view.as_of { dt { "proven" } dd { (moment(Moment::of_event(proven))) } }
            @if let Some(tables) = view.tables { dt { "tables in the proof" } dd { (plural(tables, "table")) } }
            @if let Some(failure) = &view.error { dt { "failure" } dd.error { (failure_text(failure)) } }
        }
        (timeline("Phases", whole, &times.phases))
        (timeline("Steps", whole, &times.steps))
        (findings::of_database(&times.findings))
        (left(&times.left))
        (tables::tables(&times.tables))
    }
}

fn failure_text(failure: &Failure) -> String {
    let shown = crate::report::legible::legible(failure);
    format!("{} ({})", shown.message, shown.code)
}

fn left(items: &[Incomplete]) -> Markup {
    html! {
        @if !items.is_empty() {
            h3 { "Not exact on the target" }
            div.wide { table {
                tr { th { "object" } th { "why" } th { "as of" } }
                @for item in items {
                    tr {
                        td.name { (item.object) }
                        td { (item.why) }
                        td.name { (item.as_of.as_deref().unwrap_or_default()) }
                    }
                }
            } }
        }
    }
}

fn end(account: &Account, version: &str) -> Markup {
    html! {
        h2 { "The journal" }
        p { (plural(account.events, "event")) "; its head is " code { (account.head) } "." }
        p.soft { "Written by pghaul " (version) ". " code { "pghaul journal verify --head " (account.head) }
            " shows whether the journal still holds what this page was made of." }
    }
}
