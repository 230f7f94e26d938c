//! Progress: latest wins, and never journaled.

use pghaul_core::{DatabaseName, Event};

/// How far something is, for whoever watches.
#[derive(Debug, Clone, PartialEq)]
pub enum Progress {
    /// A step began, or goes on.
    Step {
        /// The step.
        step: String,
    },
    /// The copy of a database's rows.
    Copy {
        /// Bytes that have passed so far, of all tables.
        bytes: u64,
        /// The estimate of all bytes, from the sizes of the source's tables.
        total_bytes: u64,
        /// Tables that are complete.
        tables: u64,
        /// Tables to be copied.
        total_tables: u64,
        /// Workers that copy at this moment.
        workers: u64,
    },
    /// How many of a step's objects are done, such as indexes.
    Count {
        /// What is counted, in the plural: `indexes and constraints`.
        what: &'static str,
        /// Done.
        done: u64,
        /// To be done.
        total: u64,
    },
    /// What is being waited for.
    Waiting {
        /// It, as it stands after the words "waiting for".
        what: String,
    },
}

/// Whoever wants to see progress: a terminal, a log, a test.
pub trait Observer: Send + Sync {
    /// Something moved. `database` is absent for cluster steps. Must not block.
    fn progress(&self, database: Option<&DatabaseName>, progress: Progress);

    /// How many bytes the tables of a database have on the source, before they are copied. Absent for a database that an
    /// earlier run has planned. Must not block.
    fn measured(&self, database: &DatabaseName, bytes: u64) {
        let _ = (database, bytes);
    }

    /// An event became durable. Must not block.
    fn journaled(&self, event: &Event) {
        let _ = event;
    }
}

/// Sees nothing.
#[derive(Debug)]
pub struct Blind;

impl Observer for Blind {
    fn progress(&self, _: Option<&DatabaseName>, _: Progress) {}
}
