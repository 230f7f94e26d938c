//! What a durable journal promises. `pghaul-store` keeps it in SQLite; tests keep it in memory.

use crate::event::{Event, Note, NoteSubject, UnknownRecord};
use crate::id::{MigrationId, Seq};
use crate::machine::{IllegalTransition, Migration};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The end of a journal: its last event's number and hash. Whoever holds an older head can tell whether the
/// journal was cut or rewritten since.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The last event's number; 0 for an empty journal.
    pub seq: Seq,
    /// The last event's SHA-256, as lower-case hexadecimal digits; empty for an empty journal.
    pub hash: String,
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.seq, self.hash)
    }
}

/// A text that is not a head.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a head is a number, a colon and 64 hexadecimal digits, as `status` prints it")]
pub struct NotAHead;

impl FromStr for Head {
    type Err = NotAHead;

    fn from_str(text: &str) -> Result<Self, NotAHead> {
        let (seq, hash) = text.split_once(':').ok_or(NotAHead)?;
        let digits = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
        if hash.len() != 64 || !hash.chars().all(digits) {
            return Err(NotAHead);
        }
        let seq = seq.parse().ok().filter(|seq| *seq > 0).ok_or(NotAHead)?;
        let hash = hash.to_owned();
        Ok(Self { seq: Seq(seq), hash })
    }
}

/// Why an event could not be journaled.
#[derive(Debug, Clone, thiserror::Error)]
pub enum JournalError {
    /// The event makes no sense in the present state. Nothing was written.
    #[error(transparent)]
    Illegal(#[from] IllegalTransition),
    /// The event can't be written in the journal's format.
    #[error(transparent)]
    Format(#[from] UnknownRecord),
    /// The journal could not be written. It takes no further events until it is opened again.
    #[error("the journal can't be written: {reason}")]
    NotWritten {
        /// What the store says.
        reason: String,
    },
    /// The journal could not be read.
    #[error("the journal can't be read: {reason}")]
    NotRead {
        /// What the store says.
        reason: String,
    },
    /// Another process appended to this migration although we hold its lock.
    #[error("another process wrote event {seq} of this migration")]
    Overtaken {
        /// The number that we wanted.
        seq: Seq,
    },
}

/// The journal of one migration, open for writing by this process alone.
#[async_trait]
pub trait Journal: Send + Sync {
    /// The migration.
    fn migration(&self) -> &MigrationId;

    /// Appends events, all or none. When it returns, they are validated, durable and part of the state.
    ///
    /// # Errors
    /// See [`JournalError`]. After an error none of the events is part of the state.
    async fn append(&self, events: Vec<Event>) -> Result<Seq, JournalError>;

    /// Adds a note without waiting: it becomes durable with the next append, or soon. Nothing may rest on it: a process
    /// that is killed may lose it. A journal that keeps no notes ignores it.
    fn note(&self, subject: NoteSubject, note: Note) {
        let _ = (subject, note);
    }

    /// Shows the state as of the last durable event.
    fn look(&self, look: &mut dyn FnMut(&Migration));

    /// The end of the journal.
    fn head(&self) -> Head;

    /// Whether the journal goes on from a head that was seen earlier. Without hashes, numbers are all that tells.
    ///
    /// # Errors
    /// When the journal can't be read.
    async fn continues(&self, earlier: &Head) -> Result<bool, JournalError> {
        Ok(earlier.seq <= self.head().seq)
    }
}

impl dyn Journal + '_ {
    /// Reads something out of the state as of the last durable event.
    pub fn read<T>(&self, read: impl FnOnce(&Migration) -> T) -> T {
        let mut read = Some(read);
        let mut value = None;
        self.look(&mut |migration| value = read.take().map(|read| read(migration)));
        match value {
            Some(value) => value,
            None => unreachable!("Journal::look calls its argument exactly once"),
        }
    }
}
