//! The effect keys of entries.

use crate::archive::Entry;
use pghaul_contracts::EffectKey;

/// The effect key of an entry.
pub(crate) fn key(entry: &Entry) -> String {
    EffectKey::Entry(entry.id).to_string()
}

/// The effect key of the index that a constraint will adopt.
pub(crate) fn index_key(constraint: &Entry) -> String {
    EffectKey::IndexOfEntry(constraint.id).to_string()
}
