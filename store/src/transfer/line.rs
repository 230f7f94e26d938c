//! The lines of an export.

use crate::chain::{Columns, Hash};
use rusqlite::types::ValueRef;
use serde::{Deserialize, Serialize};

/// The version of the export's format. Newer ones are refused.
pub(super) const FORMAT: u32 = 1;

/// The first line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Heading {
    /// The version of the format.
    pub(super) pghaul_journal: u32,
    /// The migration's id.
    pub(super) migration: String,
    /// Its name.
    pub(super) name: String,
    /// When it was created. Outside the hash chain: for readers only.
    pub(super) created_at: String,
}

/// A line for each event: the stored columns but the migration's id, as they are, and the hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Line {
    pub(super) seq: i64,
    pub(super) epoch: i64,
    pub(super) at: String,
    pub(super) database: Option<String>,
    pub(super) step: Option<String>,
    pub(super) item: Option<String>,
    pub(super) kind: String,
    pub(super) version: i64,
    /// The JSON text, byte for byte: the hash covers its bytes, not its meaning.
    pub(super) payload: String,
    /// Lower-case hexadecimal digits.
    pub(super) hash: String,
}

/// The last line: without it, the text was cut.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Ending {
    /// `seq:hash` of the last event.
    pub(super) head: String,
}

impl Line {
    /// The columns as they are hashed and stored.
    pub(super) fn columns<'a>(&'a self, migration: &'a str) -> Columns<'a> {
        let optional = |text: &'a Option<String>| text.as_deref().map_or(ValueRef::Null, text_value);
        [
            text_value(migration),
            ValueRef::Integer(self.seq),
            ValueRef::Integer(self.epoch),
            text_value(&self.at),
            optional(&self.database),
            optional(&self.step),
            optional(&self.item),
            text_value(&self.kind),
            ValueRef::Integer(self.version),
            text_value(&self.payload),
        ]
    }

    /// The hash as bytes, where it is one.
    pub(super) fn hash(&self) -> Option<Hash> {
        if self.hash.len() != 64 {
            return None;
        }
        let mut hash = Hash::default();
        for (byte, digits) in hash.iter_mut().zip(self.hash.as_bytes().chunks(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
        }
        // Signs and capitals would be read as well: the text has one form only.
        (pghaul_core::hex(&hash) == self.hash).then_some(hash)
    }
}

fn text_value(text: &str) -> ValueRef<'_> {
    ValueRef::Text(text.as_bytes())
}
