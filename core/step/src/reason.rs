//! Why a step works again, or is taken back.

use serde::{Deserialize, Serialize};
use strum::{Display, EnumIter};

/// Why a step that has finished is done once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occasion {
    /// What it follows changes on the source: see [`Repeats::EveryRun`].
    EveryRun,
    /// The same for what may take long: see [`Repeats::Removal`].
    Removal,
    /// The target refused something of it: see [`Descriptor::tries_again`].
    Refused,
}

/// Why a step's effects are taken back: see [`Context::undo_reason`].
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Display, EnumIter,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum UndoReason {
    /// The migration is removed before the database has arrived, or although it may lack something.
    Abandoned,
    /// Replication is not possible after all: the database is dumped instead.
    FellBack,
    /// Its rows are discarded and copied again, or its slot was dropped.
    Restarted,
    /// The migration is removed from a database that has arrived. [`Step::complete`] is called, not [`Step::undo`].
    Completed,
}
