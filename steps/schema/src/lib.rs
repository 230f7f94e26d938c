//! The schema: everything that `pg_dump --schema-only` knows, restored in the right order around the data.
//!
//! - step `schema` dumps the source's schema, makes the target database, and restores what belongs before the
//!   data: types, functions, tables, views;
//! - steps `indexes`, `snapshot-indexes` and `rest-indexes` build indexes, keys and statistics of each table as soon as its rows
//!   are there, while others are still copied;
//! - step `constraints` restores foreign keys, triggers and privileges before the target follows the source;
//! - step `keys` restores what replication needs before the target's workers copy;
//! - step `post-data` restores what is left after the data, last of all privileges;
//! - step `matviews` refreshes materialized views in the order in which they depend on each other.
//!
//! The check `rehearsal` restores all of it into a throwaway database beforehand, with a few rows of each table.
//!
//! [`pg_dump`] finds the program; `archive` reads what it wrote, if `seal` finds it whole; `fate` is the one table of what becomes of
//! each kind of entry; `of_tables` knows which table an entry belongs to; `script` and `filter` make the statements;
//! `restore` sends them, each exactly once; `builder` does so with several workers.

mod after_data;
mod archive;
mod attempt;
mod batch;
mod before_data;
mod builder;
mod check;
mod constraint;
mod crossing;
mod database;
mod database_settings;
mod dumped;
mod effect_key;
mod fate;
mod filter;
mod foreign_keys;
mod held_back;
mod indexes;
mod keywords;
mod left_out;
mod matviews;
mod nobody;
mod not_null;
mod of_tables;
mod operators;
mod owned;
mod owner;
mod passes;
pub mod pg_dump;
mod pieces;
mod public;
mod raw;
mod refusals;
mod rehearsal;
mod rest;
mod restore;
mod rows_in_the_way;
mod script;
mod seal;
mod sizes;
mod spelling;
mod unreadable;
mod unsafe_checks;

pub use after_data::{Constraints, PostData};
pub use before_data::{Keys, Schema};
pub use check::PgDumpFits;
pub use indexes::{Indexes, SnapshotIndexes};
pub use matviews::Matviews;
pub use rehearsal::Rehearsal;

use pghaul_step::Registry;

/// Adds the checks of this package.
pub fn register_checks(registry: Registry) -> Registry {
    registry.with_cluster_check(PgDumpFits).with_check(Rehearsal)
}
