//! `doctor`: everything of pghaul on the servers, whosever journal it is in, and what is wrong with it.
//!
//! [`examine`] looks and touches nothing. It needs no journal: names carry the migration's id, and the schema
//! `pghaul` of a target database says whose that is. [`judge`] adds what is wrong, by what the journal knows.
//! [`Cleanup`] drops what is left of one migration after its journal was lost.

mod drop;
mod examine;
mod judge;

pub use drop::Cleanup;
pub(crate) use drop::drop_slot;
pub(crate) use examine::table_worker;
pub use examine::{Unseen, examine};
pub use judge::{Known, Looked, Trouble, judge};

use pghaul_core::{Epoch, MigrationId, Side};
use serde::Serialize;

/// Something of pghaul's on a server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Remain {
    /// The server.
    pub side: Side,
    /// The database it is in, or, of a slot, that it decodes.
    pub database: Option<String>,
    /// Its name on the server.
    pub name: String,
    /// The migration; none where nothing tells.
    pub migration: Option<MigrationId>,
    /// What it is.
    #[serde(flatten)]
    pub what: What,
}

/// What a remain is, with what can be told of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "what", rename_all = "kebab-case")]
pub enum What {
    /// A publication.
    Publication,
    /// A replication slot: of a subscription of pghaul's, or of a worker that copied one table for it.
    Slot(SlotFacts),
    /// A subscription.
    Subscription {
        /// Whether it is enabled.
        enabled: bool,
        /// Whether a worker of it runs.
        working: bool,
        /// Its slot on the source.
        slot: Option<String>,
    },
    /// A replication origin: how far a subscription has applied.
    Origin,
    /// The schema `pghaul` with its bookkeeping.
    Schema {
        /// The epoch of the last runner that claimed the database.
        epoch: i32,
        /// The last event of the journal that the database knows of.
        head: String,
    },
    /// A database that was being made, under its temporary name.
    TemporaryDatabase,
    /// A database in which a check rehearses a schema.
    RehearsalDatabase {
        /// Whether the session of the check is still there.
        in_use: bool,
    },
    /// A session of a runner.
    Session {
        /// Its process on the server.
        pid: i32,
        /// The runner's epoch.
        epoch: Epoch,
    },
}

impl What {
    /// What it is called in a sentence.
    pub fn noun(&self) -> &'static str {
        match self {
            Self::Publication => "publication",
            Self::Slot(_) => "slot",
            Self::Subscription { .. } => "subscription",
            Self::Origin => "replication origin",
            Self::Schema { .. } => "schema",
            Self::TemporaryDatabase | Self::RehearsalDatabase { .. } => "database",
            Self::Session { .. } => "session",
        }
    }
}

/// What can be told of a replication slot.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct SlotFacts {
    /// Whether a walsender uses it.
    pub active: bool,
    /// `reserved`, `extended`, `unreserved` or `lost`; none before PostgreSQL 13.
    pub wal_status: Option<String>,
    /// How many bytes of WAL the server keeps for it.
    pub retained_bytes: Option<u64>,
    /// How many bytes of WAL its subscriber is behind.
    pub lag_bytes: Option<u64>,
    /// `max_slot_wal_keep_size` in bytes, where there is a limit.
    pub limit_bytes: Option<u64>,
    /// Whether it is one of a worker that copied one table.
    pub of_table_worker: bool,
}
