//! The checks of whether the target can take what the source has.
//!
//! - [`TargetRights`]: the target takes writes, and pghaul's role may create databases and roles
//! - [`TargetEmpty`]: a database that exists already is empty, or this migration's own
//! - [`Locale`]: a database can be created with the source's locale
//! - [`Extensions`], [`Languages`], [`Libraries`], [`Tablespaces`]: what the schema needs is there
//! - [`Owners`], [`SuperuserObjects`]: pghaul's role can create everything, and give it to its owner
//!
//! All but the first look at one database. Each check has a module with its enum of findings and its queries
//! beside it.

mod empty;
mod extensions;
mod languages;
mod libraries;
mod locale;
mod owners;
mod rights;
mod superuser_objects;
mod tablespaces;
mod version;

pub use empty::{NotFree, TargetEmpty};
pub use extensions::{ExtensionProblem, Extensions};
pub use languages::{Languages, MissingLanguage};
pub use libraries::{Libraries, LibraryProblem};
pub use locale::{Locale, MissingLocale};
pub use owners::{OwnerProblem, Owners};
pub use rights::{MissingRight, TargetRights};
pub use superuser_objects::{NeedsSuperuser, SuperuserObjects};
pub use tablespaces::{MissingTablespace, Tablespaces};

use pghaul_step::postgres::{ReadOnly, Session, Target};
use pghaul_step::{CheckContext, Database, Failure, Registry, Subject};

/// Adds the checks of this package.
pub fn register(registry: Registry) -> Registry {
    registry
        .with_cluster_check(TargetRights)
        .with_check(TargetEmpty)
        .with_check(Extensions)
        .with_check(Languages)
        .with_check(Libraries)
        .with_check(Owners)
        .with_check(SuperuserObjects)
        .with_check(Locale)
        .with_check(Tablespaces)
}

/// What the checks of one database come after.
const AFTER: &[&str] = &["database-connection"];

/// How many objects a message names.
const NAMED: usize = 40;

/// Names of objects, nearly all of them: each is something that is missing on the target later. The facts of a finding have
/// the others.
fn each(names: &[String]) -> String {
    let first: Vec<&str> = names.iter().take(NAMED).map(String::as_str).collect();
    match names.len().checked_sub(NAMED) {
        Some(more @ 1..) => format!(
            "{} and {more} more (`pghaul check --json` names them)",
            first.join(", ")
        ),
        _ => first.join(", "),
    }
}

fn database(ctx: &CheckContext<Database>) -> Subject {
    Subject::Database(ctx.database().clone())
}

/// Whether the target has the database already.
async fn exists(target: &Session<Target, ReadOnly>, ctx: &CheckContext<Database>) -> Result<bool, Failure> {
    let sql = "SELECT 1 FROM pg_catalog.pg_database WHERE datname = $1";
    let row = target
        .doing("look for the database")
        .query_opt(sql, &[&ctx.target_name().as_str()])
        .await?;
    Ok(row.is_some())
}
