//! The hash chain: each event's hash covers its stored bytes and the hash of the event before.

use pghaul_core::MigrationId;
use rusqlite::types::ValueRef;
use sha2::{Digest, Sha256};

/// A SHA-256 hash.
pub(crate) type Hash = [u8; 32];

/// The stored columns of an event in the order of the table, without the hash.
pub(crate) type Columns<'a> = [ValueRef<'a>; 10];

/// The hash that the first event of a migration follows.
pub(crate) fn genesis(migration: &MigrationId) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update(b"pghaul journal 1\n");
    hasher.update(migration.as_str().as_bytes());
    hasher.finalize().into()
}

/// The hash of an event: of the hash before, then of every column as a letter for its type and its bytes, texts
/// with their length before them, so that no two rows have the same encoding.
pub(crate) fn link(before: &Hash, columns: &Columns<'_>) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update(before);
    for column in columns {
        match column {
            ValueRef::Null => hasher.update(b"N"),
            ValueRef::Integer(number) => {
                hasher.update(b"I");
                hasher.update(number.to_be_bytes());
            }
            ValueRef::Real(number) => {
                hasher.update(b"R");
                hasher.update(number.to_be_bytes());
            }
            ValueRef::Text(bytes) => sized(&mut hasher, b"T", bytes),
            ValueRef::Blob(bytes) => sized(&mut hasher, b"B", bytes),
        }
    }
    hasher.finalize().into()
}

fn sized(hasher: &mut Sha256, letter: &[u8], bytes: &[u8]) {
    hasher.update(letter);
    hasher.update((bytes.len() as u64).to_be_bytes());
    hasher.update(bytes);
}
