//! Events that only tell: they change no state and are legal in every state, so none of them can stop a run.

use crate::failure::Failure;
use crate::id::{DatabaseName, StepName};
use serde::{Deserialize, Serialize};
use strum::{Display, EnumDiscriminants, EnumIter, EnumString, IntoStaticStr};

/// What a note is about; nothing of both: the migration as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NoteSubject {
    /// The database, if it is about one.
    pub database: Option<DatabaseName>,
    /// The step, if it is about one.
    pub step: Option<StepName>,
}

/// Who copied the rows of a table.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, Display, EnumIter, EnumString, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum CopiedBy {
    /// pghaul's workers, with COPY on both sides.
    #[default]
    Pghaul,
    /// The table synchronization workers of the target's subscription.
    TargetWorkers,
}

/// Something failed and is done again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Retry {
    /// What is done again, such as `copy of public.orders`.
    pub what: String,
    /// Why it failed.
    pub failure: Box<Failure>,
    /// How often it has failed by now, 1 or more.
    pub tries: u32,
    /// The pause before the next try, in milliseconds.
    pub pause_ms: u64,
    /// How many retries of the same kind were left out since the last one that is journaled.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub left_out: u64,
}

/// A wait of more than a second that has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wait {
    /// What was waited for, as it stands after the words "waited for".
    pub what: String,
    /// How long, in milliseconds.
    pub waited_ms: u64,
    /// How many waits of the same kind were left out since the last one that is journaled.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub left_out: u64,
}

/// An event that only tells.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, EnumDiscriminants, IntoStaticStr)]
#[strum_discriminants(derive(EnumIter, IntoStaticStr), strum(serialize_all = "snake_case"))]
#[strum_discriminants(name(NoteKind), doc = "The kinds of [`Note`].")]
#[serde(tag = "kind", content = "payload", rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Note {
    /// The copy of tables begins: of one, or of several small ones in one transaction.
    TablesStarted {
        /// Their names, quoted.
        tables: Vec<String>,
        /// Who copies them.
        by: CopiedBy,
    },
    /// Something failed and is done again.
    Retried(Retry),
    /// pghaul waited for more than a second.
    Waited(Wait),
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}
