//! What is sent to the target in one transaction.

use crate::archive::Entry;
use crate::effect_key::{index_key, key};

/// Entries, statements that come after them, and the effect keys of all.
#[derive(Debug, Clone, Default)]
pub(crate) struct Batch<'a> {
    pub(crate) parts: Vec<Part<'a>>,
    pub(crate) then: Vec<Then>,
}

/// An entry, or the first part of one.
#[derive(Debug, Clone)]
pub(crate) struct Part<'a> {
    pub(crate) entry: &'a Entry,
    /// The statements, where they are not those of the archive.
    pub(crate) statements: Option<String>,
    /// The effect keys: the entry's own first.
    pub(crate) keys: Vec<String>,
}

/// Statements that come after all entries, such as ANALYZE.
#[derive(Debug, Clone)]
pub(crate) struct Then {
    /// What they concern, as `status` names it.
    pub(crate) object: String,
    pub(crate) statements: String,
    /// The effect key that tells that they were run.
    pub(crate) key: String,
}

impl<'a> Batch<'a> {
    pub(crate) fn of(entries: &[&'a Entry]) -> Self {
        let mut batch = Self::default();
        for entry in entries {
            batch.add(entry, None);
        }
        batch
    }

    /// Adds an entry, with other statements than the archive's where they are given.
    pub(crate) fn add(&mut self, entry: &'a Entry, statements: Option<String>) {
        self.parts.push(Part {
            entry,
            statements,
            keys: vec![key(entry)],
        });
    }

    /// Adds the index that a constraint will adopt.
    pub(crate) fn add_index_of(&mut self, constraint: &'a Entry, statement: String) {
        self.parts.push(Part {
            entry: constraint,
            statements: Some(statement),
            keys: vec![index_key(constraint)],
        });
    }

    /// Adds an effect key that tells more of the entry that was added last.
    pub(crate) fn note(&mut self, key: String) {
        if let Some(last) = self.parts.last_mut() {
            last.keys.push(key);
        }
    }

    /// Whether anything may be computed from rows: indexes, constraints, statistics.
    pub(crate) fn evaluates_expressions(&self) -> bool {
        !self.then.is_empty() || self.parts.iter().any(|part| !part.entry.before_data)
    }

    /// How many entries it has.
    pub(crate) fn len(&self) -> usize {
        self.parts.len()
    }
}
