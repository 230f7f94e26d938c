//! The journal: one append-only SQLite file with a hash chain.
