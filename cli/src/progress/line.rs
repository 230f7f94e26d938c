//! Lines of a known width: what is less important is left out where a terminal is narrow.

use super::overall::Part;
use super::row;
use super::work::{Copied, Counted, Work};
use crate::drawing::{columns, cut};
use crate::report::quantity::{bytes, count, plural};
use pghaul_core::escaped;

/// Between two parts.
const GAP: &str = "  ";

/// The most important parts that fit, in their order; the first of them is cut where even it does not.
pub(super) fn fitted(parts: &[Part], width: usize) -> String {
    let mut by_rank: Vec<&Part> = parts.iter().collect();
    by_rank.sort_by_key(|part| part.rank);
    let mut kept: Vec<&Part> = Vec::new();
    for part in by_rank {
        let others = kept.iter().map(|kept| columns(&kept.text) + GAP.len());
        if others.sum::<usize>() + columns(&part.text) <= width {
            kept.push(part);
        } else if kept.is_empty() {
            return cut(&part.text, width);
        }
    }
    let shown = parts
        .iter()
        .filter(|part| kept.iter().any(|kept| std::ptr::eq(*kept, *part)));
    let texts: Vec<&str> = shown.map(|part| part.text.as_str()).collect();
    texts.join(GAP)
}

/// What is done for a database, or for the cluster.
pub(super) fn of_work(phase: &str, work: &Work) -> Vec<Part> {
    let part = |rank: u8, text: String| Part { rank, text };
    let copy = work.copy.as_ref().filter(|copy| copy.tables < copy.total_tables);
    // A step that finds nothing to do counts to 0.
    let objects = work.objects.as_ref().filter(|objects| objects.total > 0);
    let phase = (!phase.is_empty()).then(|| part(4, phase.to_owned()));
    let mut parts = Vec::from_iter(phase);
    match copy {
        Some(copy) => parts.extend(of_copy(copy)),
        None if objects.is_none() && work.waiting_for.is_none() && !work.step.is_empty() => {
            parts.push(part(2, format!("step {}", escaped(&work.step))));
        }
        None => {}
    }
    if let Some(Counted { what, done, total }) = objects {
        parts.push(part(
            if copy.is_some() { 5 } else { 1 },
            row::counted(what, *done, *total),
        ));
    }
    if let Some(what) = &work.waiting_for {
        parts.push(part(1, format!("waiting for {}", escaped(what))));
    }
    parts
}

/// 100 % is reached when every table is complete: then there is no copy any more.
fn of_copy(copy: &Copied) -> impl Iterator<Item = Part> {
    let Copied {
        bytes: done,
        total_bytes,
        tables,
        total_tables,
        workers,
        bytes_per_second,
    } = *copy;
    let percent = (done.saturating_mul(100) / total_bytes.max(1)).min(99);
    let each = match workers {
        0 | 1 => String::new(),
        workers => format!(" by {workers} workers"),
    };
    let rate = (bytes_per_second > 0).then(|| Part {
        rank: 4,
        text: format!("{}/s{each}", bytes(bytes_per_second)),
    });
    let parts = [
        (0, format!("{percent:>2} %")),
        (2, format!("{} of about {}", bytes(done), bytes(total_bytes))),
        (
            3,
            format!("{} of {}", count(tables), plural(total_tables, "table")),
        ),
    ];
    let parts = parts.into_iter().map(|(rank, text)| Part { rank, text });
    parts.chain(rate)
}
