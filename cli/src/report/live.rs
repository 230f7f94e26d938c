//! The live screen of `status --watch`: a head, the databases with what is wrong with them, which scroll, and a foot.

use super::columns::{Align, lines as aligned};
use super::failure;
use super::legible;
use super::quantity::{bytes, count, duration, plural};
use crate::drawing::{Size, columns, cut};
use crate::screen::Asked;
use crate::style::{BOLD, DIM, ERROR, WARNING, of_phase, paint};
use crate::view::{DatabaseView, View};
use pghaul_core::status::method_label;
use pghaul_core::{Phase, escaped};
use std::time::Duration;

/// So many incomplete objects of a database are named.
const NAMED: usize = 5;

/// A longer name is cut.
const NAME: usize = 24;

/// What is shown, and from where on.
#[derive(Default)]
pub(crate) struct Frame {
    /// Nothing before the first look.
    pub(crate) view: Option<View>,
    /// Whether the servers are being asked.
    pub(crate) looks: bool,
    every: Duration,
    /// The first line of the databases that is shown.
    first: usize,
    /// How many of them fit, and how many there are, when they were drawn last.
    room: usize,
    all: usize,
}

impl Frame {
    /// Before the first look.
    pub(crate) fn new(every: Duration) -> Self {
        Self {
            every,
            ..Self::default()
        }
    }

    /// Does what the user asks for. Returns whether that is to end it.
    pub(crate) fn is_over(&mut self, asked: Asked) -> bool {
        let page = isize::try_from(self.room.saturating_sub(1)).unwrap_or(isize::MAX);
        let by = |lines: isize| self.first.saturating_add_signed(lines);
        self.first = match asked {
            Asked::End => return true,
            Asked::Again | Asked::Draw => self.first,
            Asked::Lines(lines) => by(lines),
            Asked::Pages(pages) => by(pages.saturating_mul(page)),
            Asked::Begin => 0,
            Asked::Bottom => self.all,
        };
        false
    }
}

/// The lines of a screen of this size: as many as it has, none wider.
pub(crate) fn lines(frame: &mut Frame, size: Size) -> Vec<String> {
    let Some(view) = &frame.view else {
        return vec![cut("asking the servers …", size.width)];
    };
    let mut head = head(view, frame.looks, frame.every);
    let (title, body) = body(view, size.width);
    if size.height > 12 {
        head.push(String::new());
    }
    head.push(title);
    let room = size.height.saturating_sub(head.len() + 1);
    let first = frame.first.min(body.len().saturating_sub(room));
    let foot = foot(first, room, body.len());
    frame.all = body.len();
    frame.room = room;
    frame.first = first;
    let mut lines = head;
    lines.extend(body.into_iter().skip(first).take(room));
    lines.resize(size.height.saturating_sub(1), String::new());
    lines.push(foot);
    lines.truncate(size.height);
    lines.into_iter().map(|line| narrowed(line, size.width)).collect()
}

/// A line that is too wide loses its styles.
fn narrowed(line: String, width: usize) -> String {
    if columns(&line) <= width {
        return line;
    }
    cut(&anstream::adapter::strip_str(&line).to_string(), width)
}

fn head(view: &View, looks: bool, every: Duration) -> Vec<String> {
    let as_of = view.as_of.as_deref().unwrap_or("the journal");
    let state = if looks {
        "asking …".to_owned()
    } else {
        format!("every {}", duration(every))
    };
    let name = paint(BOLD, escaped(&view.name));
    let status = paint(of_phase(view.status), view.status);
    let mut lines = vec![
        format!(
            "{name} {status}  {}",
            paint(DIM, format_args!("as of {}, {state}", seconds(as_of)))
        ),
        totals(view),
    ];
    if let Some(failure) = view.older_copy.as_ref().or(view.unknown()) {
        lines.push(paint(
            WARNING,
            format_args!("not checked now: {}", failure::line(failure)),
        ));
    }
    if let Some(work) = view.worker.as_ref().and_then(|worker| worker.holder.as_ref()) {
        lines.push(format!(
            "at work: process {} of {}",
            work.pid,
            escaped(&work.user)
        ));
    }
    lines
}

/// A time without the fraction of its second.
fn seconds(time: &str) -> String {
    match time.split_once('.') {
        Some((seconds, _)) => format!("{seconds}Z"),
        None => time.to_owned(),
    }
}

fn totals(view: &View) -> String {
    let number = |of: fn(&DatabaseView) -> bool| view.databases.iter().filter(|d| of(d)).count() as u64;
    let arrived = number(|d| matches!(d.phase, Phase::Syncing | Phase::Done));
    let failed = number(|d| d.phase == Phase::Failed);
    let all = plural(view.databases.len() as u64, "database");
    let mut parts = vec![format!("{} of {all} syncing or done", count(arrived))];
    if failed > 0 {
        parts.push(paint(ERROR, format_args!("{} failed", count(failed))));
    }
    let most = |of: fn(&DatabaseView) -> Option<u64>| view.databases.iter().filter_map(of).max();
    parts.extend(most(lag).map(|lag| format!("lag at most {}", bytes(lag))));
    parts.extend(most(|d| d.retained_bytes).map(|kept| format!("WAL kept {}", bytes(kept))));
    parts.join(", ")
}

fn lag(database: &DatabaseView) -> Option<u64> {
    database.lag_bytes.or(database.lag.map(|lag| lag.bytes()))
}

/// A column of the databases: the one with the highest rank goes first where there is no room.
struct Column {
    title: &'static str,
    align: Align,
    rank: u8,
    cell: fn(&DatabaseView, &View) -> String,
}

const COLUMNS: [Column; 8] = [
    Column {
        title: "DATABASE",
        align: Align::Left,
        rank: 0,
        cell: |d, _| cut(legible::database(&d.name).as_str(), NAME),
    },
    Column {
        title: "STATUS",
        align: Align::Left,
        rank: 1,
        cell: |d, _| paint(of_phase(d.phase), d.phase),
    },
    Column {
        title: "METHOD",
        align: Align::Left,
        rank: 7,
        cell: |d, _| d.method.map_or("–", method_label).to_owned(),
    },
    Column {
        title: "PROGRESS",
        align: Align::Left,
        rank: 3,
        cell: progress,
    },
    Column {
        title: "LAG",
        align: Align::Right,
        rank: 2,
        cell: |d, _| lag(d).map_or("–".to_owned(), bytes),
    },
    Column {
        title: "BEHIND",
        align: Align::Right,
        rank: 4,
        cell: behind,
    },
    Column {
        title: "WAL KEPT",
        align: Align::Right,
        rank: 5,
        cell: |d, _| d.retained_bytes.map_or("–".to_owned(), bytes),
    },
    Column {
        title: "INCOMPLETE",
        align: Align::Right,
        rank: 6,
        cell: incomplete,
    },
];

fn progress(database: &DatabaseView, view: &View) -> String {
    let progress = view.worker.as_ref().and_then(|worker| worker.progress.as_ref());
    let work = progress.and_then(|progress| progress.databases.get(&database.name));
    match work {
        Some(work) => work.short(),
        None => database
            .tables
            .map(|tables| plural(tables, "table"))
            .unwrap_or_default(),
    }
}

fn behind(database: &DatabaseView, _: &View) -> String {
    match database.lag_seconds {
        Some(seconds) if seconds < 60.0 => format!("{seconds:.0} s"),
        Some(seconds) => duration(Duration::from_secs(seconds as u64)),
        None => "–".to_owned(),
    }
}

fn incomplete(database: &DatabaseView, _: &View) -> String {
    match database.open_items() + database.written.len() as u64 {
        0 => "–".to_owned(),
        number => paint(WARNING, count(number)),
    }
}

/// The title of the columns, and each database with what is wrong with it below.
fn body(view: &View, width: usize) -> (String, Vec<String>) {
    let mut shown: Vec<&Column> = COLUMNS.iter().collect();
    let table = loop {
        let title = shown.iter().map(|column| paint(DIM, column.title)).collect();
        let row = |database| shown.iter().map(|column| (column.cell)(database, view)).collect();
        let rows: Vec<Vec<String>> = std::iter::once(title)
            .chain(view.databases.iter().map(row))
            .collect();
        let align: Vec<Align> = shown.iter().map(|column| column.align).collect();
        let table = aligned(&align, &rows);
        let least = shown.iter().map(|column| column.rank).max();
        if shown.len() == 1 || table.lines().all(|line| columns(line) <= width) {
            break table;
        }
        shown.retain(|column| Some(column.rank) != least);
    };
    let mut table = table.lines().map(str::to_owned);
    let title = table.next().unwrap_or_default();
    let rows = table.zip(&view.databases);
    let body = rows.flat_map(|(row, database)| std::iter::once(row).chain(details(database)));
    let cluster = view.incomplete.iter().map(|item| listed(&item.object, &item.why));
    (title, body.chain(cluster).collect())
}

fn details(database: &DatabaseView) -> Vec<String> {
    let mut lines = Vec::new();
    let problems = match database.problems.as_slice() {
        [] => database.error.as_slice(),
        problems => problems,
    };
    for problem in problems {
        lines.push(paint(ERROR, format_args!("  {}", failure::line(problem))));
    }
    let items = database.incomplete.iter().filter(|item| item.is_open());
    let items: Vec<_> = items.chain(&database.written).collect();
    lines.extend(
        items
            .iter()
            .take(NAMED)
            .map(|item| listed(&item.object, &item.why)),
    );
    if items.len() > NAMED {
        let more = count((items.len() - NAMED) as u64);
        lines.push(paint(DIM, format_args!("  and {more} more: `pghaul status`")));
    }
    lines
}

fn listed(object: &str, why: &str) -> String {
    paint(WARNING, format_args!("  {}: {}", escaped(object), escaped(why)))
}

fn foot(first: usize, room: usize, all: usize) -> String {
    let place = match all > room {
        true => format!(
            "lines {} to {} of {}, ↑ ↓ scroll, ",
            first + 1,
            (first + room).min(all),
            count(all as u64)
        ),
        false => String::new(),
    };
    paint(DIM, format_args!("{place}r asks at once, q ends"))
}

#[cfg(test)]
mod tests;
