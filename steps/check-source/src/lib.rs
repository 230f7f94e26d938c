//! The checks of what is in the source's databases.
//!
//! Errors, each of which would otherwise show itself late or never:
//!
//! - [`RowSecurity`]: row-level security would hide rows from pghaul's role
//! - [`Privileges`]: pghaul's role may not read everything
//! - [`ReservedSchema`]: a schema of users has the name of pghaul's
//!
//! Worth knowing before a cutover:
//!
//! - [`Tables`]: what is copied once and not replicated, or not copied at all
//! - [`Sequences`]: how many stand still until the cutover
//! - [`Partitions`], [`Truncate`]: what old versions do not replicate
//! - [`ScheduledJobs`]: jobs that the target would run while the source still does
//! - [`UserMappings`]: options of user mappings that pghaul's role may not read
//! - [`TriggersAlways`]: triggers that replication would fire a second time, so they are held back
//!
//! Each check has a module with its enum of findings and its queries beside it.

mod partitions;
mod privileges;
mod reserved_schema;
mod row_security;
mod scheduled_jobs;
mod sequences;
mod tables;
mod triggers;
mod truncate;
mod user_mappings;

pub use partitions::{ByLeaf, Partitions};
pub use privileges::{MissingPrivilege, Privileges};
pub use reserved_schema::{NameTaken, ReservedSchema};
pub use row_security::{HiddenRows, RowSecurity};
pub use scheduled_jobs::{Scheduled, ScheduledJobs};
pub use sequences::{NotFollowed, Sequences};
pub use tables::{NotReplicated, Tables};
pub use triggers::{HeldBack, TriggersAlways};
pub use truncate::{NotSent, Truncate};
pub use user_mappings::{HiddenOptions, UserMappings};

use pghaul_step::{CheckContext, Database, Registry, Subject};

/// Adds the checks of this package.
pub fn register(registry: Registry) -> Registry {
    registry
        .with_cluster_check(Truncate)
        .with_check(RowSecurity)
        .with_check(Privileges)
        .with_check(UserMappings)
        .with_check(ScheduledJobs)
        .with_check(ReservedSchema)
        .with_check(Tables)
        .with_check(TriggersAlways)
        .with_check(Sequences)
        .with_check(Partitions)
}

/// What the checks of one database come after.
const AFTER: &[&str] = &["database-connection"];

fn database(ctx: &CheckContext<Database>) -> Subject {
    Subject::Database(ctx.database().clone())
}
