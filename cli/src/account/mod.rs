//! What a journal says of a whole migration, for `report`: runs, decisions, troubles, phases, steps and tables with their times.

mod fold;
mod summary;

pub(crate) use fold::Fold;
pub(crate) use summary::{Repeated, Slow, Summary};

use crate::journals;
use crate::moment::{Moment, Span};
use crate::report::history::Weight;
use crate::view::{DatabaseView, Times, View};
use pghaul_core::event::{Created, Incomplete};
use pghaul_core::{Code, DatabaseName, Failure, Finding, Seq};
use pghaul_store::OpenMigration;
use std::collections::BTreeMap;
use std::time::Duration;

/// A migration from its first event to its last.
pub(crate) struct Account {
    pub(crate) id: String,
    pub(crate) created: Created,
    /// Its state by the journal; the servers are not asked.
    pub(crate) state: String,
    pub(crate) head: String,
    pub(crate) events: u64,
    pub(crate) span: Span,
    pub(crate) runs: Vec<Run>,
    /// Overrides, acceptances, data that was given up.
    pub(crate) decisions: Vec<Entry>,
    /// Failures, retries and warnings, oldest first.
    pub(crate) troubles: Vec<Entry>,
    /// What failed and was done again.
    pub(crate) retries: Vec<Pause>,
    /// Waits of more than a second.
    pub(crate) waits: Vec<Pause>,
    /// What the checks found last, of the servers as a whole.
    pub(crate) findings: Vec<Finding>,
    /// Steps of the cluster as a whole.
    pub(crate) steps: Vec<Bar>,
    pub(crate) databases: Vec<Database>,
}

/// A database of a migration.
pub(crate) struct Database {
    pub(crate) view: DatabaseView,
    pub(crate) times: DatabaseTimes,
}

/// What happened to a database, and when.
#[derive(Default)]
pub(crate) struct DatabaseTimes {
    pub(crate) findings: Vec<Finding>,
    pub(crate) phases: Vec<Bar>,
    pub(crate) steps: Vec<Bar>,
    /// By the order in which their copies ended.
    pub(crate) tables: Vec<Table>,
    /// What the removal left, or the last proof lists.
    pub(crate) left: Vec<Incomplete>,
}

/// One process that worked on the migration.
pub(crate) struct Run {
    pub(crate) epoch: String,
    pub(crate) command: String,
    pub(crate) who: String,
    /// The version of pghaul.
    pub(crate) version: String,
    pub(crate) command_line: String,
    pub(crate) reason: Option<String>,
    pub(crate) span: Span,
    /// How it ended; absent where it was killed, or still works.
    pub(crate) ending: Option<String>,
}

/// An event in words.
pub(crate) struct Entry {
    pub(crate) seq: u64,
    pub(crate) at: String,
    pub(crate) database: Option<DatabaseName>,
    pub(crate) step: Option<String>,
    pub(crate) weight: Weight,
    pub(crate) text: String,
}

impl Entry {
    /// Database and step.
    pub(crate) fn about(&self) -> String {
        let database = self.database.as_ref().map(|database| database.as_str());
        let parts = database.into_iter().chain(self.step.as_deref());
        parts.collect::<Vec<_>>().join(" ")
    }
}

/// Time that went by before a retry, or until something was no longer in the way.
pub(crate) struct Pause {
    pub(crate) at: Option<Moment>,
    pub(crate) database: Option<DatabaseName>,
    /// What was done again, or what was waited for.
    pub(crate) what: String,
    /// 1, and those that were not journaled.
    pub(crate) times: u64,
    pub(crate) took: Duration,
}

/// Something that took time, once or several times.
pub(crate) struct Bar {
    pub(crate) name: String,
    pub(crate) spans: Vec<Span>,
    pub(crate) failed: bool,
}

impl Bar {
    fn new(name: &str, at: Option<Moment>) -> Self {
        let mut span = Span::default();
        span.add(at);
        Self {
            name: name.to_owned(),
            spans: vec![span],
            failed: false,
        }
    }

    /// It goes on until then, or begins once more.
    fn add(&mut self, at: Option<Moment>, anew: bool) {
        if anew {
            self.spans.push(Span::default());
        }
        if let Some(last) = self.spans.last_mut() {
            last.add(at);
        }
    }

    /// The moment when it began first.
    pub(crate) fn began(&self) -> Option<Moment> {
        self.spans.first().and_then(|span| span.from)
    }

    /// How long it took in all.
    pub(crate) fn took(&self) -> Option<Duration> {
        self.spans
            .iter()
            .filter_map(|span| span.took())
            .reduce(|all, one| all + one)
    }
}

/// A table whose rows were copied.
pub(crate) struct Table {
    pub(crate) name: String,
    /// Whether the target's workers copied it.
    pub(crate) by_workers: bool,
    pub(crate) span: Span,
    /// As both sides counted them.
    pub(crate) rows: Option<u64>,
    /// Of COPY data; the size on the target for what the target's workers copied.
    pub(crate) bytes: u64,
    /// How many tables were copied in the same transaction, and took this time together.
    pub(crate) together: Option<u64>,
}

impl Account {
    /// Reads the journal of a migration, up to an event where one is given.
    ///
    /// # Errors
    /// When the journal can't be read.
    pub(crate) fn read(open: &OpenMigration, until: Option<Seq>) -> Result<Self, Failure> {
        let mut fold = Fold::default();
        let mut times = Times::new();
        let mut last = Seq(0);
        for envelope in open.events() {
            let envelope = envelope?;
            if until.is_some_and(|until| envelope.seq > until) {
                break;
            }
            last = envelope.seq;
            fold.add(&envelope);
            journals::note_proof(&mut times, envelope);
        }
        // A run may have written more since.
        let loaded = open.load_until(last)?;
        let view = View::of_journal(&open.entry().id, &loaded.migration, loaded.head, &times);
        fold.account(view).ok_or_else(|| {
            Failure::new(Code::JournalDamaged, "the migration has no first event")
                .with_hint("restore the journal from a backup")
        })
    }

    /// Rows and bytes of all tables.
    pub(crate) fn copied(&self) -> (u64, u64) {
        let tables = self.databases.iter().flat_map(|database| &database.times.tables);
        tables.fold((0, 0), |(rows, bytes), table| {
            (rows + table.rows.unwrap_or_default(), bytes + table.bytes)
        })
    }

    /// How many tables were copied.
    pub(crate) fn tables(&self) -> u64 {
        self.databases
            .iter()
            .map(|database| database.times.tables.len() as u64)
            .sum()
    }
}

/// Findings by severity, the worst first.
pub(crate) fn by_severity(
    findings: &[Finding],
) -> BTreeMap<std::cmp::Reverse<pghaul_core::Severity>, Vec<&Finding>> {
    let mut sorted: BTreeMap<_, Vec<&Finding>> = BTreeMap::new();
    for finding in findings {
        sorted
            .entry(std::cmp::Reverse(finding.severity))
            .or_default()
            .push(finding);
    }
    sorted
}
