//! The checks of settings: those that change what data means, and those that limit what can be done at once.
//!
//! - [`LockTable`]: each server can lock all tables of a database at once
//! - [`SettingsDiffer`]: the servers agree in what gives statements and values their meaning
//! - [`TimeZones`]: both servers know the same rules for the time zones in use
//! - [`Money`]: amounts of money are written alike
//! - [`Encoding`]: texts survive the way into the target's database
//! - [`Collations`]: the target has the collations in use, and the source's indexes are sorted by the one it has now
//!
//! Each check has a module with its enum of findings and its queries beside it.

mod collations;
mod encoding;
mod lock_table;
mod money;
mod settings;
mod time_zones;

pub use collations::{CollationProblem, Collations};
pub use encoding::{Encoding, EncodingProblem};
pub use lock_table::{LockTable, LockTableTooSmall};
pub use money::{Money, MoneyDiffers};
pub use settings::{SettingDiffers, SettingsDiffer};
pub use time_zones::{TimeZoneProblem, TimeZones};

use pghaul_step::{CheckContext, Database, Registry, Subject};

/// Adds the checks of this package.
pub fn register(registry: Registry) -> Registry {
    registry
        .with_cluster_check(SettingsDiffer)
        .with_cluster_check(TimeZones)
        .with_check(LockTable)
        .with_check(Encoding)
        .with_check(Collations)
        .with_check(Money)
}

/// What the checks of one database come after.
const AFTER: &[&str] = &["database-connection"];

fn database(ctx: &CheckContext<Database>) -> Subject {
    Subject::Database(ctx.database().clone())
}
