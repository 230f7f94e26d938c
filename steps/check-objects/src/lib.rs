//! The checks of what is in a database of the source, but not, or not so, in the target's version of PostgreSQL.
//!
//! - [`RemovedTypes`]: columns of types that newer versions do not have, or that mean nothing elsewhere
//! - [`RemovedObjects`]: objects, columns of system views and settings that newer versions do not have
//! - [`RestoreConflicts`]: what a schema that was dumped and restored is not the same in
//!
//! They look for what `pg_upgrade --check` looks for as far as it matters to a dump and to COPY, and for more.

mod conflict;
mod conflicts;
mod objects;
mod types;

pub use conflict::Conflict;
pub use conflicts::RestoreConflicts;
pub use objects::{RemovedObject, RemovedObjects};
pub use types::{RemovedTypes, TypeProblem};

use pghaul_step::{CheckContext, Database, Registry, Subject};

/// Adds the checks of this package.
pub fn register(registry: Registry) -> Registry {
    registry
        .with_check(RemovedTypes)
        .with_check(RemovedObjects)
        .with_check(RestoreConflicts)
}

/// What the checks of one database come after.
const AFTER: &[&str] = &["database-connection", "version"];

fn database(ctx: &CheckContext<Database>) -> Subject {
    Subject::Database(ctx.database().clone())
}

/// A list that is a finding unless it is empty.
fn unless_empty<T>(names: Vec<String>, found: impl FnOnce(Vec<String>) -> T) -> Option<T> {
    (!names.is_empty()).then(|| found(names))
}
