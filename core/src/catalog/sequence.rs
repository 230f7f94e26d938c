//! Sequences.

use super::{Membership, Persistence, TableName, Text};

/// A sequence. Its position is no fact of the catalogs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sequence {
    /// `pg_class.oid`.
    pub oid: u32,
    /// Its name.
    pub name: TableName,
    /// Its owner.
    pub owner: Text,
    /// Whether the connecting role may read it.
    pub readable: bool,
    /// Whether it survives a crash.
    pub persistence: Persistence,
    /// The column that it belongs to.
    pub belongs_to: Option<SequenceOwner>,
    /// The extension that it is a member of.
    pub extension: Option<Membership>,
    /// The type of its values.
    pub data_type: Text,
    /// Its first value.
    pub start: i64,
    /// What is added each time.
    pub increment: i64,
    /// The least value.
    pub minimum: i64,
    /// The greatest value.
    pub maximum: i64,
    /// How many values a session takes at once.
    pub cache: i64,
    /// Whether it begins anew at its end.
    pub cycles: bool,
}

/// The column that a sequence belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SequenceOwner {
    /// The oid of the table.
    pub table: u32,
    /// The number of the column.
    pub column: i16,
    /// Whether the column is an identity column, rather than one that owns the sequence.
    pub identity: bool,
}

impl Sequence {
    /// Whether its position is the user's: also that of a sequence that an extension marks as configuration.
    pub fn is_of_users(&self) -> bool {
        self.extension
            .as_ref()
            .is_none_or(|membership| membership.configuration.is_some())
    }
}
