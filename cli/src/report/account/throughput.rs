//! How many bytes a second were copied, over the time of the copy.

use super::moment;
use crate::account::{Account, Table};
use crate::moment::Span;
use crate::report::quantity::bytes;
use maud::{Markup, html};
use std::fmt::Write as _;

/// The chart has so many columns.
const COLUMNS: u8 = 120;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 120.0;

/// The chart; nothing where no table has a begin and an end.
pub(super) fn chart(account: &Account) -> Markup {
    let all = account
        .databases
        .iter()
        .flat_map(|database| &database.times.tables);
    let timed: Vec<&Table> = all.filter(|table| table.span.took().is_some()).collect();
    let mut whole = Span::default();
    whole.add(timed.iter().filter_map(|table| table.span.from).min());
    timed.iter().for_each(|table| whole.add(table.span.to));
    let columns = columns(whole, &timed);
    let most = columns.iter().copied().fold(0.0, f64::max);
    let seconds = whole.took().map_or(0.0, |took| took.as_secs_f64()) / f64::from(COLUMNS);
    if most <= 0.0 || seconds <= 0.0 {
        return html! {};
    }
    let view = format!("0 0 {WIDTH} {HEIGHT}");
    html! {
        h2 { "Throughput of the copy" }
        figure {
            p { span { "at most " (bytes(whole_number(most / seconds))) "/s" } }
            svg viewBox=(view) preserveAspectRatio="none" role="img" aria-label="bytes per second over time" {
                line x1="0" y1=(HEIGHT) x2=(WIDTH) y2=(HEIGHT) {}
                path d=(area(&columns, most)) {}
            }
            p { time { (moment(whole.from)) } time { (moment(whole.to)) } }
            figcaption { "The bytes of each table are spread over the time that its copy took." }
        }
    }
}

/// Bytes by column.
fn columns(whole: Span, tables: &[&Table]) -> Vec<f64> {
    let mut columns = vec![0.0; usize::from(COLUMNS)];
    let width = 1.0 / f64::from(COLUMNS);
    for table in tables {
        let (Some(from), Some(to)) = (table.span.from, table.span.to) else {
            continue;
        };
        let (from, to) = (whole.place(from), whole.place(to).min(1.0 - f64::EPSILON));
        let long = (to - from).max(width / 100.0);
        #[expect(clippy::cast_precision_loss, reason = "a column is drawn with three digits")]
        let size = table.bytes as f64;
        for (column, left) in columns
            .iter_mut()
            .zip((0u32..).map(|number| f64::from(number) * width))
        {
            let shared = (to.max(from + long).min(left + width) - from.max(left)).max(0.0);
            *column += size * shared / long;
        }
    }
    columns
}

fn area(columns: &[f64], most: f64) -> String {
    let step = WIDTH / f64::from(COLUMNS);
    let mut path = format!("M0 {HEIGHT}");
    for (number, column) in (0u32..).zip(columns) {
        let (left, top) = (f64::from(number) * step, HEIGHT - column / most * HEIGHT);
        let _ = write!(path, "L{left:.1} {top:.1}L{:.1} {top:.1}", left + step);
    }
    path.push_str(&format!("L{WIDTH} {HEIGHT}Z"));
    path
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rate is shown with two digits"
)]
fn whole_number(rate: f64) -> u64 {
    rate as u64
}
