//! What one run has done, for the end of that run.

use super::{Account, Bar, Database, Pause, Table};
use crate::moment::{Moment, Span};
use pghaul_core::DatabaseName;
use std::cmp::Reverse;
use std::time::Duration;

/// So many of the slowest tables.
const SLOWEST: usize = 5;

/// Phases in which a database waits for its turn, or has arrived.
const RESTING: [&str; 3] = ["planned", "syncing", "done"];

/// What the last run of a migration has done.
#[derive(Debug, Default)]
pub(crate) struct Summary {
    /// The number of the run, from 1.
    pub(crate) run: u64,
    pub(crate) took: Duration,
    /// How long at least one database was in a phase, in the order in which the phases began.
    pub(crate) phases: Vec<(String, Duration)>,
    pub(crate) databases: u64,
    pub(crate) tables: u64,
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
    /// How long at least one table was being copied.
    pub(crate) copying: Duration,
    /// The tables whose copy took longest.
    pub(crate) slowest: Vec<Slow>,
    pub(crate) retries: Vec<Repeated>,
    pub(crate) waits: Vec<Repeated>,
    /// Objects that are not exact on the target, and the number of their databases.
    pub(crate) incomplete: (u64, u64),
    /// How many objects stay as users of the target have made them, and in how many databases.
    pub(crate) kept: (u64, u64),
}

/// A table that took long.
#[derive(Debug)]
pub(crate) struct Slow {
    pub(crate) database: DatabaseName,
    pub(crate) table: String,
    pub(crate) took: Duration,
    pub(crate) bytes: u64,
    /// How many tables were copied in the same transaction, and took this time together.
    pub(crate) together: Option<u64>,
}

/// Retries or waits for the same reason.
#[derive(Debug)]
pub(crate) struct Repeated {
    pub(crate) database: Option<DatabaseName>,
    pub(crate) what: String,
    pub(crate) times: u64,
    pub(crate) took: Duration,
}

impl Summary {
    /// Of the last run; nothing where there was none.
    pub(crate) fn of(account: &Account) -> Option<Self> {
        let run = account.runs.last()?.span;
        let databases = || account.databases.iter();
        let copied: Vec<(&Database, &Table)> = databases()
            .flat_map(|database| database.times.tables.iter().map(move |table| (database, table)))
            .filter(|(_, table)| table.span.to.is_some_and(|to| within(run, to)))
            .collect();
        let of_all = |count: fn(&Database) -> u64| {
            databases().map(count).fold((0, 0), |(objects, of), some| {
                (objects + some, of + u64::from(some > 0))
            })
        };
        Some(Self {
            run: account.runs.len() as u64,
            took: run.took().unwrap_or_default(),
            phases: phases(account, run),
            databases: account.databases.len() as u64,
            tables: copied.len() as u64,
            rows: copied.iter().filter_map(|(_, table)| table.rows).sum(),
            bytes: copied.iter().map(|(_, table)| table.bytes).sum(),
            copying: covered(copied.iter().map(|(_, table)| table.span), run),
            slowest: slowest(copied),
            retries: repeated(&account.retries, run),
            waits: repeated(&account.waits, run),
            incomplete: of_all(open),
            kept: of_all(kept),
        })
    }
}

/// What of a database is listed as incomplete, but for what `remove` completes itself.
fn open(database: &Database) -> u64 {
    let items = database.times.left.iter();
    items.filter(|item| item.is_open()).count() as u64
}

/// What stays as users of the target have made it.
fn kept(database: &Database) -> u64 {
    database.times.left.iter().filter(|item| item.kept).count() as u64
}

fn within(run: Span, at: Moment) -> bool {
    run.from.is_some_and(|from| from <= at) && run.to.is_some_and(|to| at <= to)
}

fn phases(account: &Account, run: Span) -> Vec<(String, Duration)> {
    let all = || account.databases.iter().flat_map(|d| &d.times.phases);
    let mut names: Vec<(&str, Option<Moment>)> = Vec::new();
    for phase in all().filter(|phase| !RESTING.contains(&phase.name.as_str())) {
        match names.iter_mut().find(|(name, _)| *name == phase.name) {
            Some((_, began)) => *began = phase.began().min(*began),
            None => names.push((&phase.name, phase.began())),
        }
    }
    names.sort_by_key(|(_, began)| *began);
    let took = |name: &str| {
        let spans = all().filter(|phase| phase.name == name);
        covered(spans.flat_map(|phase: &Bar| phase.spans.iter().copied()), run)
    };
    let timed = names.into_iter().map(|(name, _)| (name.to_owned(), took(name)));
    timed.filter(|(_, took)| !took.is_zero()).collect()
}

/// How much of the run lies in at least one of the spans.
fn covered(spans: impl Iterator<Item = Span>, run: Span) -> Duration {
    let clipped = |span: Span| {
        let (from, to) = (span.from.max(run.from)?, span.to?.min(run.to?));
        (from < to).then_some((from, to))
    };
    let mut spans: Vec<(Moment, Moment)> = spans.filter_map(clipped).collect();
    spans.sort();
    let mut covered = Duration::ZERO;
    let mut until: Option<Moment> = None;
    for (from, to) in spans {
        let from = until.map_or(from, |until| from.max(until));
        covered += Duration::try_from(to.0 - from.0).unwrap_or_default();
        until = until.max(Some(to));
    }
    covered
}

fn slowest(mut copied: Vec<(&Database, &Table)>) -> Vec<Slow> {
    copied.sort_by_key(|(_, table)| Reverse(table.span.took()));
    let slow = |(database, table): (&Database, &Table)| Slow {
        database: database.view.name.clone(),
        table: table.name.clone(),
        took: table.span.took().unwrap_or_default(),
        bytes: table.bytes,
        together: table.together.filter(|tables| *tables > 1),
    };
    copied.into_iter().take(SLOWEST).map(slow).collect()
}

/// The most frequent first, then the longest.
fn repeated(pauses: &[Pause], run: Span) -> Vec<Repeated> {
    let mut all: Vec<Repeated> = Vec::new();
    for pause in pauses
        .iter()
        .filter(|pause| pause.at.is_some_and(|at| within(run, at)))
    {
        let same = |known: &&mut Repeated| known.database == pause.database && known.what == pause.what;
        match all.iter_mut().find(same) {
            Some(known) => {
                known.times += pause.times;
                known.took += pause.took;
            }
            None => all.push(Repeated {
                database: pause.database.clone(),
                what: pause.what.clone(),
                times: pause.times,
                took: pause.took,
            }),
        }
    }
    all.sort_by_key(|repeated| Reverse((repeated.times, repeated.took)));
    all
}
