//! Names of things. Newtypes, so that a step name is never passed where a database name belongs.

use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Takes the text as it is.
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self::new(text)
            }
        }
    };
}

text_id!(
    /// Identifies one migration for ever: eight lower-case letters and digits, random, so that names of
    /// objects on the servers never collide between migrations.
    MigrationId
);
text_id!(
    /// The name of a database, as PostgreSQL stores it, never quoted.
    DatabaseName
);
text_id!(
    /// The stable name of a step, such as `schema`; it is part of the journal's format.
    StepName
);
text_id!(
    /// The stable name of a check, such as `same-server`; users write it after `--accept`.
    CheckName
);

/// The position of an event in its migration's journal; the first event has number 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seq(pub u64);

impl Seq {
    /// The number after this one.
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How many runners have worked on a migration so far. Each runner has its own epoch; everything that an
/// older epoch left running on the servers is stopped before a newer one acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Epoch(pub u32);

impl Epoch {
    /// The epoch after this one.
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Whether a text may be the name of a migration, which is typed again and again, and stands in messages and in commands to type:
/// letters, digits, hyphens, underscores and dots, 60 at most.
///
/// ```
/// use pghaul_core::id::is_migration_name;
/// assert!(is_migration_name("shops-2026_b.1"));
/// for other in ["", "-x", "a b", "a/b", "a;b", "a\nb", &"x".repeat(61)] {
///     assert!(!is_migration_name(other));
/// }
/// ```
pub fn is_migration_name(text: &str) -> bool {
    let plain = |c: char| c.is_alphanumeric() || "-_.".contains(c);
    !text.is_empty() && !text.starts_with('-') && text.chars().count() <= 60 && text.chars().all(plain)
}

/// The name that every server session of a runner carries as its `application_name`.
///
/// ```
/// use pghaul_core::id::{application_name, Epoch, MigrationId};
/// assert_eq!(application_name(&MigrationId::new("k3v9x2ab"), Epoch(2)), "pghaul/k3v9x2ab/2");
/// ```
pub fn application_name(migration: &MigrationId, epoch: Epoch) -> String {
    format!("pghaul/{migration}/{epoch}")
}

/// The name of a publication, slot or subscription of pghaul's: the migration, the database's number in it, the
/// generation of the copy and the attempt at it. A name is never used twice and fits PostgreSQL's 63 bytes.
///
/// ```
/// use pghaul_core::id::{object_name, MigrationId};
/// assert_eq!(object_name(&MigrationId::new("k3v9x2ab"), 3, 1, 2), "pghaul_k3v9x2ab_3_g1a2");
/// ```
pub fn object_name(migration: &MigrationId, database: u32, generation: u32, attempt: u32) -> String {
    format!("pghaul_{migration}_{database}_g{generation}a{attempt}")
}

/// The migration in the name of a publication, slot, subscription or temporary database of pghaul's.
///
/// ```
/// use pghaul_core::id::{migration_of_object, MigrationId};
/// assert_eq!(migration_of_object("pghaul_k3v9x2ab_3_g1a2"), Some(MigrationId::new("k3v9x2ab")));
/// assert_eq!(migration_of_object("pghaul_k3v9x2ab_3_new"), Some(MigrationId::new("k3v9x2ab")));
/// assert_eq!(migration_of_object("pghaul_reports"), None);
/// ```
pub fn migration_of_object(name: &str) -> Option<MigrationId> {
    parts(name).map(|(id, _)| MigrationId::new(id))
}

/// The database's number in such a name.
///
/// ```
/// use pghaul_core::id::database_of_object;
/// assert_eq!(database_of_object("pghaul_k3v9x2ab_12_g1a1_16410_sync_16394"), Some(12));
/// assert_eq!(database_of_object("pghaul_k3v9x2ab_x_g1a1"), None);
/// ```
pub fn database_of_object(name: &str) -> Option<u32> {
    parts(name)?.1.parse().ok()
}

/// The migration's id and the database's number.
fn parts(name: &str) -> Option<(&str, &str)> {
    let (id, rest) = name.strip_prefix("pghaul_")?.split_once('_')?;
    let (database, what) = rest.split_once('_')?;
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let ours = id.len() == 8
        && id.chars().all(plain)
        && !database.is_empty()
        && database.chars().all(|c| c.is_ascii_digit())
        && (what == "new" || what.starts_with('g'));
    ours.then_some((id, database))
}
