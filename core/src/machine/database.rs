//! The state machine of one database.

use crate::event::DatabaseEvent;
use crate::plan::Method;
use strum::{Display, EnumIter};

/// The name of a state, as users see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Display, EnumIter)]
#[strum(serialize_all = "lowercase")]
pub enum Phase {
    /// Selected, nothing done.
    Pending,
    /// Pre-flight checks and the plan.
    Checking,
    /// Roles, the database, its schema without indexes.
    Schema,
    /// Initial copy and set-up of replication.
    Replicating,
    /// One-time copy.
    Dumping,
    /// Caught up and following. A safe state to stop in.
    Syncing,
    /// Completely copied. A safe state to stop in.
    Done,
    /// Stopped by a failure; a run goes on where it failed.
    Failed,
    /// pghaul's objects are being removed.
    Removing,
    /// Nothing of pghaul is left on either side.
    Removed,
}

/// Where a database is, with what exists only there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum DatabaseState {
    /// Selected, nothing done.
    #[default]
    Pending,
    /// Pre-flight checks and the plan.
    Checking {
        /// The frozen plan's method, once there is one.
        planned: Option<Method>,
    },
    /// Roles, the database, its schema without indexes.
    Schema {
        /// The frozen plan's method.
        method: Method,
    },
    /// Initial copy and set-up of replication.
    Replicating {
        /// Whether the first row may have been copied: then there is no falling back.
        copy_began: bool,
    },
    /// One-time copy.
    Dumping,
    /// Caught up and following.
    Syncing,
    /// Completely copied.
    Done,
    /// What was copied is given up and taken away, to be copied again. Users see it as replicating or dumping.
    Discarding {
        /// How it is copied again.
        method: Method,
    },
    /// Stopped by a failure.
    Failed {
        /// The state that it goes on in.
        during: Box<DatabaseState>,
    },
    /// pghaul's objects are being removed.
    Removing,
    /// Nothing of pghaul is left on either side.
    Removed,
}

impl DatabaseState {
    /// The name of the state.
    pub fn phase(&self) -> Phase {
        match self {
            Self::Pending => Phase::Pending,
            Self::Checking { .. } => Phase::Checking,
            Self::Schema { .. } => Phase::Schema,
            Self::Replicating { .. }
            | Self::Discarding {
                method: Method::Replication,
            } => Phase::Replicating,
            Self::Dumping | Self::Discarding { method: Method::Dump } => Phase::Dumping,
            Self::Syncing => Phase::Syncing,
            Self::Done => Phase::Done,
            Self::Failed { .. } => Phase::Failed,
            Self::Removing => Phase::Removing,
            Self::Removed => Phase::Removed,
        }
    }

    /// The state that work goes on in: a failed database's is the one that it failed in.
    pub fn work(&self) -> &Self {
        match self {
            Self::Failed { during } => during.work(),
            other => other,
        }
    }

    /// The transition function: the state after an event, or `None` where the event is not possible.
    pub fn apply(&self, event: &DatabaseEvent) -> Option<Self> {
        use DatabaseEvent as E;
        match (self, event) {
            (Self::Pending | Self::Checking { .. }, E::CheckingStarted) => {
                Some(Self::Checking { planned: None })
            }
            (Self::Checking { .. }, E::Checked { .. }) => Some(Self::Checking { planned: None }),
            (Self::Checking { planned: None }, E::Planned { plan }) => Some(Self::Checking {
                planned: Some(plan.method),
            }),
            (
                Self::Checking {
                    planned: Some(method),
                },
                E::SchemaStarted,
            ) => Some(Self::Schema { method: *method }),
            (
                Self::Schema {
                    method: Method::Replication,
                },
                E::ReplicatingStarted,
            ) => Some(Self::Replicating { copy_began: false }),
            (Self::Schema { method: Method::Dump }, E::DumpingStarted) => Some(Self::Dumping),
            (Self::Replicating { copy_began: false }, E::CopyBegan) => {
                Some(Self::Replicating { copy_began: true })
            }
            (Self::Replicating { copy_began: false }, E::FellBack { .. }) => Some(Self::Dumping),
            (Self::Replicating { .. }, E::SyncingProven { .. }) => Some(Self::Syncing),
            (Self::Syncing, E::SyncingProven { .. }) => Some(Self::Syncing),
            // Once more, when what the target had refused was tried again.
            (Self::Dumping | Self::Done, E::DoneProven { .. }) => Some(Self::Done),
            (state @ (Self::Replicating { .. } | Self::Syncing), E::WalLimitReached { .. }) => {
                Some(state.clone())
            }
            (Self::Replicating { .. } | Self::Syncing, E::DiscardStarted { .. }) => Some(Self::Discarding {
                method: Method::Replication,
            }),
            (Self::Done, E::DiscardStarted { .. }) => Some(Self::Discarding { method: Method::Dump }),
            (state @ Self::Discarding { .. }, E::DiscardStarted { .. }) => Some(state.clone()),
            (Self::Discarding { method }, E::DataDiscarded) => Some(match method {
                Method::Replication => Self::Replicating { copy_began: false },
                Method::Dump => Self::Dumping,
            }),
            (Self::Failed { during }, E::Resumed) => Some((**during).clone()),
            (Self::Failed { .. } | Self::Removed | Self::Done | Self::Pending, E::Failed { .. }) => None,
            (working, E::Failed { .. }) => Some(Self::Failed {
                during: Box::new(working.clone()),
            }),
            (Self::Removed, E::RemovalStarted { .. }) => None,
            (_, E::RemovalStarted { .. }) => Some(Self::Removing),
            (Self::Removing, E::Removed) => Some(Self::Removed),
            _ => None,
        }
    }
}
