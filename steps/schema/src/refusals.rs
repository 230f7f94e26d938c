//! What the target refuses: which entries may be missing for a while, which errors are refusals, and the list of them.
//!
//! Rows, and what identifies them, must be there. An index, a check, a view, a comment that the rows or the target do not
//! admit is left out with all that depends on it, listed, and tried again by every run and by the removal.

use crate::archive::{Archive, Entry};
use crate::rows_in_the_way::query;
use libpgdump::ObjectType;
use pghaul_step::{Code, Context, Database, Failure, Incomplete};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Whether an entry is needed for rows, for numbers, or to identify rows.
pub(crate) fn is_indispensable(entry: &Entry) -> bool {
    match entry.kind {
        ObjectType::Schema
        | ObjectType::Extension
        | ObjectType::Table
        | ObjectType::TableAttach
        | ObjectType::Default
        | ObjectType::Sequence
        | ObjectType::SequenceOwnedBy => true,
        ObjectType::Constraint | ObjectType::Index => identifies_rows(entry),
        _ => false,
    }
}

/// Whether it is a primary key, or the index of a replica identity.
fn identifies_rows(entry: &Entry) -> bool {
    entry.statements.contains(" PRIMARY KEY ") || entry.statements.contains(" REPLICA IDENTITY USING INDEX ")
}

/// Whether an error of a statement of an entry says that the rows or the target do not admit it. What another session, a
/// full disk or the administrator causes passes, and a later try may do better.
pub(crate) fn is_refusal(failure: &Failure) -> bool {
    let Some(state) = failure.sqlstate.as_deref() else {
        return false;
    };
    // Where a function of a user raises one of these, it is a server error like any other.
    let passes = match state.get(..2) {
        Some("25" | "40") => true,
        Some("53" | "57") => failure.code != Code::ServerError,
        _ => false,
    };
    !passes && !matches!(state, "55P03" | "58000" | "58030")
}

/// What was refused, by what it concerns.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Subject {
    /// An entry of the archive, by its place.
    Entry(i32),
    /// Something that has an effect key of its own, such as the validation of a foreign key.
    Effect(String),
}

/// What was refused in this run so far.
#[derive(Debug, Default)]
pub(crate) struct Refusals(Mutex<BTreeMap<Subject, Incomplete>>);

impl Refusals {
    /// Those of the steps before: what was refused a moment ago is not tried by each of them.
    pub(crate) fn of(ctx: &Context<Database>) -> Arc<Self> {
        ctx.kept::<Self>().unwrap_or_else(|| ctx.keep(Self::default()))
    }

    /// Forgets them: everything is tried again.
    pub(crate) fn forget(ctx: &Context<Database>) {
        ctx.keep(Self::default());
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<Subject, Incomplete>> {
        // A panic of another worker does not matter: it ends the run.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The list, in the archive's order.
    pub(crate) fn list(&self) -> Vec<Incomplete> {
        self.all().values().cloned().collect()
    }

    /// Notes what the target says about an entry.
    pub(crate) fn refuse(&self, entry: &Entry, failure: &Failure) {
        let incomplete = Incomplete {
            sql: query(&entry.statements, failure),
            ..refused(entry.object(), failure)
        };
        tracing::warn!(
            object = incomplete.object,
            why = incomplete.why,
            "the target refuses an object"
        );
        self.all().insert(Subject::Entry(entry.id), incomplete);
    }

    /// Notes what the target says about something that has an effect key of its own.
    pub(crate) fn refuse_effect(&self, key: &str, incomplete: Incomplete) {
        tracing::warn!(
            object = incomplete.object,
            why = incomplete.why,
            "the target refuses a statement"
        );
        self.all().insert(Subject::Effect(key.to_owned()), incomplete);
    }

    /// Whether something with an effect key of its own was refused.
    pub(crate) fn has_effect(&self, key: &str) -> bool {
        self.all().contains_key(&Subject::Effect(key.to_owned()))
    }

    /// Whether an entry was refused, or what it depends on.
    pub(crate) fn has(&self, entry: &Entry) -> bool {
        self.all().contains_key(&Subject::Entry(entry.id))
    }

    /// Whether an entry can't be restored since it, or what it depends on, was refused. It is listed then.
    pub(crate) fn keep_out(&self, entry: &Entry) -> bool {
        let mut all = self.all();
        if all.contains_key(&Subject::Entry(entry.id)) {
            return true;
        }
        let missing = entry
            .dependencies
            .iter()
            .find_map(|id| all.get(&Subject::Entry(*id)));
        let Some(missing) = missing else { return false };
        let incomplete = Incomplete {
            object: entry.object(),
            why: format!("it depends on {}, which the target refuses", missing.object),
            refused: true,
            ..Incomplete::default()
        };
        all.insert(Subject::Entry(entry.id), incomplete);
        true
    }
}

/// An object that the target refuses, with its words.
pub(crate) fn refused(object: String, failure: &Failure) -> Incomplete {
    Incomplete {
        object,
        why: format!("refused by the target: {}", failure.message),
        refused: true,
        ..Incomplete::default()
    }
}

/// The first indispensable entry that depends on an entry.
pub(crate) fn needed_by<'a>(archive: &'a Archive, entry: &Entry) -> Option<&'a Entry> {
    let dependents: BTreeSet<i32> = archive.with_dependents(|other| other.id == entry.id);
    let mut others = archive.entries.iter().filter(|other| other.id != entry.id);
    others.find(|other| dependents.contains(&other.id) && is_indispensable(other))
}
