//! What all rounds came to.

use std::collections::BTreeMap;
use std::fmt;

/// Counts of one round, or of all.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) rounds: u64,
    /// Of `pghaul run`.
    pub(crate) runs: u64,
    /// Transactions that the source's application has committed meanwhile.
    pub(crate) transactions: u64,
    /// Errors that it saw although no fault was for everybody.
    pub(crate) errors: u64,
    /// Errors that it saw while the source itself was down or had a time limit.
    pub(crate) errors_of_all: u64,
    /// How often each fault or trouble struck.
    struck: BTreeMap<String, u64>,
    /// Which error named a trouble, and how often.
    named: BTreeMap<String, u64>,
}

impl Tally {
    pub(crate) fn of_a_round() -> Self {
        Self {
            rounds: 1,
            ..Self::default()
        }
    }

    pub(crate) fn struck(&mut self, what: impl Into<String>) {
        *self.struck.entry(what.into()).or_default() += 1;
    }

    pub(crate) fn named(&mut self, what: impl Into<String>) {
        *self.named.entry(what.into()).or_default() += 1;
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.rounds += other.rounds;
        self.runs += other.runs;
        self.transactions += other.transactions;
        self.errors += other.errors;
        self.errors_of_all += other.errors_of_all;
        for (name, times) in other.struck {
            *self.struck.entry(name).or_default() += times;
        }
        for (name, times) in other.named {
            *self.named.entry(name).or_default() += times;
        }
    }
}

impl fmt::Display for Tally {
    /// Of the rounds that passed: one that loses or doubles a row, or leaves an object, fails.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let faults: u64 = self.struck.values().sum();
        writeln!(f, "rounds that passed: {}", self.rounds)?;
        writeln!(f, "runs of pghaul: {}", self.runs)?;
        writeln!(
            f,
            "transactions of the source's application: {}",
            self.transactions
        )?;
        writeln!(
            f,
            "errors that it saw: {} (while the source was down for everybody: {})",
            self.errors, self.errors_of_all
        )?;
        writeln!(
            f,
            "rows lost or doubled: 0\nobjects left behind: 0\nfaults: {faults}"
        )?;
        for (name, times) in &self.struck {
            writeln!(f, "  {times:5}  {name}")?;
        }
        writeln!(f, "named by:")?;
        for (name, times) in &self.named {
            writeln!(f, "  {times:5}  {name}")?;
        }
        Ok(())
    }
}
