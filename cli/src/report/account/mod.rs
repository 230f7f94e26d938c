//! `report`: the account of a migration as one HTML file, or as Markdown.

mod bar;
mod findings;
mod markdown;
mod page;
mod tables;
#[cfg(test)]
mod tests;
mod throughput;

pub(crate) use markdown::markdown;
pub(crate) use page::page;

use crate::moment::Span;
use crate::report::quantity;
use time::format_description::FormatItem;
use time::macros::format_description;

const MINUTE: &[FormatItem<'_>] = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");

/// `2026-11-29 18:00:05 UTC`.
fn moment(moment: Option<crate::moment::Moment>) -> String {
    let shown = moment.and_then(|moment| moment.0.to_offset(time::UtcOffset::UTC).format(MINUTE).ok());
    shown.map(|shown| format!("{shown} UTC")).unwrap_or_default()
}

/// How long it took, where that is known.
fn took(span: Span) -> String {
    span.took().map(quantity::duration).unwrap_or_default()
}

/// Bytes in a second, where that means something.
fn rate(bytes: u64, span: Span) -> String {
    let took = span.took().unwrap_or_default();
    quantity::rate(bytes, took).unwrap_or_default()
}
