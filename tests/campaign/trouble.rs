//! What does not pass by itself: it must be named, somebody fixes it, and the migration goes on.

use crate::dice::Dice;
use crate::fault::Server;
use std::time::Duration;

/// Something wrong with a server, a right or an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Trouble {
    /// The servers are at another address from now on; later runs are told so.
    AddressChanged,
    /// The role's password is changed; later runs are told so.
    PasswordChanged,
    /// The role may no longer read one of the tables.
    SelectRevoked,
    /// The role may no longer replicate.
    ReplicationRevoked,
    /// The role may have no more sessions on the source.
    NoSession,
    /// The target has no connection left, also not for a superuser.
    NoConnection,
    /// The source has no replication slot left.
    NoSlot,
    /// The target starts no workers for logical replication.
    NoWorker,
    /// The target's disk is full.
    DiskFull,
    SlotDropped,
    /// The source has removed WAL that the slot still needed.
    SlotInvalidated,
    PublicationDropped,
    SubscriptionDisabled,
    SubscriptionDropped,
    /// A row on the target stands where the source's is to go.
    RowWritten,
    /// A table is made on the source.
    TableNew,
    /// A table of the source is dropped there.
    TableDropped,
    /// A table that was moved is dropped on the target.
    TargetTableDropped,
    /// A column is added on the source, and used.
    ColumnAdded,
    /// A column is dropped on the target.
    TargetColumnDropped,
    /// A partition of the source is detached, and written to.
    PartitionDetached,
    /// Two tables of the source swap their names, and are written to.
    NamesSwapped,
    /// A column of the source gets another type, and a value that the old one can't hold.
    TypeAltered,
    /// A sequence is made on the source, and used.
    SequenceNew,
    /// Whatever the worker applies fails, again and again, and it is started again each time.
    WorkerFails,
    /// A server is put back into the state that it had before the last changes arrived.
    Restored(Server),
    /// A server goes on as a standby of it that was promoted.
    Promoted(Server),
}

use Trouble as T;

impl Trouble {
    /// Those that can come at any time.
    const ANY_TIME: [Self; 13] = [
        T::AddressChanged,
        T::PasswordChanged,
        T::SelectRevoked,
        T::ReplicationRevoked,
        T::NoSession,
        T::NoConnection,
        T::NoSlot,
        T::NoWorker,
        T::DiskFull,
        T::ColumnAdded,
        T::TableDropped,
        T::TargetTableDropped,
        T::TargetColumnDropped,
    ];

    /// Those for a database that is up to date.
    const IN_STEP: [Self; 27] = [
        T::AddressChanged,
        T::PasswordChanged,
        T::ReplicationRevoked,
        T::NoSession,
        T::NoConnection,
        T::NoWorker,
        T::DiskFull,
        T::SlotDropped,
        T::SlotInvalidated,
        T::PublicationDropped,
        T::SubscriptionDisabled,
        T::SubscriptionDropped,
        T::RowWritten,
        T::TableNew,
        T::TableDropped,
        T::TargetTableDropped,
        T::ColumnAdded,
        T::TargetColumnDropped,
        T::PartitionDetached,
        T::NamesSwapped,
        T::TypeAltered,
        T::SequenceNew,
        T::WorkerFails,
        T::Restored(Server::Source),
        T::Restored(Server::Target),
        T::Promoted(Server::Source),
        T::Promoted(Server::Target),
    ];

    /// One for a round, and when it comes: so long after the first run began, or when the database is up to date.
    pub(crate) fn any(dice: &mut Dice, replicated: bool) -> Option<(Self, Option<Duration>)> {
        match (replicated, dice.below(4)) {
            (_, 0) => {
                let trouble = dice.one_of(&Self::ANY_TIME);
                let only_replicated = matches!(
                    trouble,
                    T::ReplicationRevoked | T::NoSlot | T::NoWorker | T::ColumnAdded
                );
                let fits = replicated || !only_replicated;
                // Tables are there, and copied, later in the run.
                let latest = if trouble.voids_the_plan() { 4000 } else { 900 };
                fits.then(|| (trouble, Some(dice.moment(Duration::from_millis(latest)))))
            }
            (true, 1 | 2) => Some((dice.one_of(&Self::IN_STEP), None)),
            _ => None,
        }
    }

    /// Whether it concerns only a role that is no superuser.
    pub(crate) fn is_about_the_role(self) -> bool {
        matches!(
            self,
            T::PasswordChanged | T::SelectRevoked | T::ReplicationRevoked | T::NoSession
        )
    }

    /// Whether a role that may not ask for the age of the server's files may see nothing of it.
    pub(crate) fn needs_a_superuser(self) -> bool {
        self == T::Restored(Server::Source)
    }

    /// What the user is told: the error's code. `tool-failed` is pg_dump, whose own words follow.
    ///
    /// A check that meets it, which is `check-failed`, quotes the server.
    pub(crate) fn codes(self) -> &'static [&'static str] {
        match self {
            T::AddressChanged => &["connection-lost", "connection-refused", "tool-failed"],
            T::PasswordChanged => &["authentication-failed", "apply-failed", "tool-failed"],
            T::SelectRevoked => &["permission-denied", "check-failed", "apply-failed", "tool-failed"],
            T::ReplicationRevoked => &[
                "permission-denied",
                "replication-impossible",
                "check-failed",
                "apply-failed",
            ],
            T::NoSession | T::NoConnection => &["too-many-connections", "apply-failed", "tool-failed"],
            T::NoSlot => &[
                "out-of-resources",
                "replication-impossible",
                "check-failed",
                "apply-failed",
            ],
            T::NoWorker => &["apply-failed", "check-failed"],
            T::DiskFull => &["out-of-resources", "apply-failed"],
            T::SlotDropped | T::PublicationDropped | T::SubscriptionDropped => {
                &["state-lost", "slot-lost", "apply-failed"]
            }
            T::SlotInvalidated => &["slot-lost"],
            T::SubscriptionDisabled | T::RowWritten | T::WorkerFails => &["apply-failed"],
            T::PartitionDetached => &["partition-detached"],
            T::NamesSwapped => &["tables-exchanged"],
            T::TypeAltered => &["column-changed", "table-rewritten", "apply-failed"],
            // It is listed, and stops nothing.
            T::SequenceNew => &[],
            T::Restored(Server::Source) | T::Promoted(Server::Source) => {
                &["source-went-back", "slot-lost", "state-lost"]
            }
            T::Restored(Server::Target) | T::Promoted(Server::Target) => &["target-went-back"],
            T::TableNew => &["plan-changed"],
            T::TableDropped => &[
                "plan-changed",
                "table-dropped",
                "state-lost",
                "apply-failed",
                "tool-failed",
            ],
            T::TargetTableDropped => &["state-lost", "apply-failed"],
            T::ColumnAdded => &["apply-failed", "plan-changed"],
            T::TargetColumnDropped => &["plan-changed", "apply-failed", "schema-failed"],
        }
    }

    /// Whether the run that meets it may not notice: it holds what it needs already, or nothing more is asked for. A full
    /// disk may have room in the pages that are there.
    pub(crate) fn may_pass_unseen(self) -> bool {
        matches!(self, T::ReplicationRevoked | T::PasswordChanged | T::DiskFull)
    }

    /// Whether `run` succeeds, and `status` lists this object.
    pub(crate) fn is_listed_as(self) -> Option<&'static str> {
        (self == T::SequenceNew).then_some("sequence public.fresh")
    }

    /// Whether the source's applications may notice it.
    pub(crate) fn hits_applications(self) -> bool {
        matches!(self, T::Restored(Server::Source) | T::Promoted(Server::Source))
    }

    /// Whether changes have been missed, or may have been, so that the data must be copied again.
    pub(crate) fn loses_changes(self) -> bool {
        matches!(
            self,
            T::SlotDropped
                | T::SlotInvalidated
                | T::PublicationDropped
                | T::SubscriptionDropped
                | T::PartitionDetached
                | T::NamesSwapped
                | T::TypeAltered
                | T::Restored(_)
                | T::Promoted(_)
        )
    }

    /// Whether the plan no longer holds, so that the migration is removed and begun anew.
    pub(crate) fn voids_the_plan(self) -> bool {
        matches!(
            self,
            T::TableDropped | T::TargetTableDropped | T::TargetColumnDropped
        )
    }
}
