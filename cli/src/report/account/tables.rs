//! The tables of a database.

use super::bar::drawn;
use super::{rate, took};
use crate::account::Table;
use crate::moment::Span;
use crate::report::quantity::{bytes, count, plural};
use maud::{Markup, html};
use std::cmp::Reverse;

/// With more tables than these, the ones that took longest come first, and the others are folded away.
const MOST: usize = 200;

pub(super) fn tables(tables: &[Table]) -> Markup {
    let mut whole = Span::default();
    let mut sorted: Vec<&Table> = tables.iter().collect();
    sorted.sort_by_key(|table| Reverse(table.span.took()));
    let begun = tables
        .iter()
        .filter_map(|table| table.span.from.or(table.span.to))
        .min();
    whole.add(begun);
    tables.iter().for_each(|table| whole.add(table.span.to));
    let (first, more) = sorted.split_at(sorted.len().min(MOST));
    html! {
        @if !first.is_empty() {
            h3 { "Tables" }
            p.soft { "Rows are those that both sides counted while they were copied. "
                "The target's workers count none: for tables that they copied, the size is that of the table on the target." }
            (list(whole, first))
            @if !more.is_empty() {
                details {
                    summary { "The other " (plural(more.len() as u64, "table")) ", which took less time" }
                    (list(whole, more))
                }
            }
        }
    }
}

fn list(whole: Span, tables: &[&Table]) -> Markup {
    html! {
        div.wide { table {
            tr { th { "table" } th.number { "rows" } th.number { "size" } th.number { "took" } th.number { "rate" } th { "when" } }
            @for table in tables {
                tr {
                    td.name { (table.name) }
                    td.number { @if let Some(rows) = table.rows { (count(rows)) } }
                    td.number { (bytes(table.bytes)) }
                    td.number { (took(table.span)) @if let Some(others) = together(table) { " " span.soft { (others) } } }
                    td.number { @if table.together.is_none() { (rate(table.bytes, table.span)) } }
                    td.track { div { (drawn(whole, table.span, if table.by_workers { "workers" } else { "" })) } }
                }
            }
        } }
    }
}

fn together(table: &Table) -> Option<String> {
    let others = table.together?.saturating_sub(1);
    (others > 0).then(|| format!("with {}", plural(others, "other")))
}
