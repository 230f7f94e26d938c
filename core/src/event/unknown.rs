//! What can't be read of a journal.

/// A record that this version of pghaul can't read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnknownRecord {
    /// A kind that this version does not know.
    #[error("unknown kind of event {kind:?}; a newer pghaul wrote it")]
    Kind {
        /// The kind.
        kind: String,
    },
    /// A version of a known kind that this version does not know.
    #[error("event {kind:?} has version {version}; this pghaul reads up to {known}")]
    Version {
        /// The kind.
        kind: String,
        /// Its version.
        version: u32,
        /// The newest known version.
        known: u32,
    },
    /// A payload that does not have the shape its version promises.
    #[error("event {kind:?} has a payload that can't be read: {reason}")]
    Payload {
        /// The kind.
        kind: String,
        /// What is wrong.
        reason: String,
    },
}
