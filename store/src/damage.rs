//! What can be wrong with a stored event.

use pghaul_core::event::UnknownRecord;
use pghaul_core::journal::Head;
use pghaul_core::{IllegalTransition, Seq};

/// The first event that is not as it was written.
#[derive(Debug, thiserror::Error)]
#[error("damaged at event {seq}: {reason}")]
pub struct Damage {
    /// The event's number.
    pub seq: Seq,
    /// What is wrong with it.
    pub reason: DamageReason,
}

/// What is wrong with an event.
#[derive(Debug, thiserror::Error)]
pub enum DamageReason {
    /// The event, or the one before, is not what was written.
    #[error("its hash does not fit its content and the event before")]
    HashMismatch,
    /// Events are missing.
    #[error("it is missing; the next event is {found}")]
    Gap {
        /// The number of the event found in its place.
        found: i64,
    },
    /// The hash fits but the payload does not have the shape that its version promises.
    #[error("{0}")]
    Unreadable(UnknownRecord),
    /// The hash fits, and a newer pghaul wrote the event: nothing is damaged.
    #[error("{record}")]
    Newer {
        /// What the event is about.
        subject: String,
        /// What is not known here.
        record: UnknownRecord,
        /// The release that wrote it, where its runner has said so.
        release: Option<String>,
    },
    /// The hash fits but a column does not have the type that the format promises.
    #[error("column {column} does not hold what it should")]
    Column {
        /// The column's name.
        column: &'static str,
    },
    /// The event makes no sense after those before it.
    #[error("{0}")]
    Illegal(IllegalTransition),
    /// The journal knows the migration by another name than its first event does.
    #[error("the first event names the migration {in_event:?}, the journal's list {in_list:?}")]
    Name {
        /// The name in the first event.
        in_event: String,
        /// The name in the list of migrations.
        in_list: String,
    },
    /// The list knows the migration, and there is none of its events.
    #[error("it is missing; the journal's list names the migration, and it has no event of it")]
    NoEvent,
    /// The journal's list gives the migration another time than its first event has.
    #[error("the first event is of {in_event}, by the journal's list the migration is of {in_list:?}")]
    CreatedAt {
        /// The time of the first event.
        in_event: String,
        /// The time in the list of migrations.
        in_list: String,
    },
    /// The journal ends before a head that was seen earlier: its tail was cut, or it is an old copy.
    #[error("it is missing; the journal once reached {expected}")]
    Cut {
        /// The head that was seen earlier.
        expected: Head,
    },
    /// The event is not the one that an earlier head names: the journal was rewritten.
    #[error("its hash is {found}; it was {expected}")]
    Rewritten {
        /// The hash seen earlier.
        expected: String,
        /// The hash now.
        found: String,
    },
}
