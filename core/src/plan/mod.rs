//! The plan: what is moved, and how. Made from the catalogs, shown by `plan`, frozen in the journal by `run`.

mod classify;
mod hold_back;

pub use crate::catalog::RelationKind;
pub use classify::classify;
pub use hold_back::{HeldBack, HeldBackKind, hold_back};

use crate::catalog::TableName;
use crate::finding::Finding;
use crate::id::DatabaseName;
use crate::selection::Listed;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use strum::{Display, EnumIter, EnumString};

/// How the data of a database gets to the target.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Display, EnumString, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Method {
    /// Native logical replication: an initial copy, then every change until it is removed.
    Replication,
    /// One copy of one snapshot.
    Dump,
}

/// Who makes the initial copy of a replicated database.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Default,
    Display,
    EnumString,
    Serialize,
    Deserialize,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum InitialCopy {
    /// pghaul, from the snapshot of the replication slot.
    Snapshot,
    /// The target's own workers. Journals that say nothing were written when there was nothing else.
    #[default]
    Server,
}

/// The way of a database: which steps it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Display, EnumIter)]
#[strum(serialize_all = "kebab-case")]
pub enum Route {
    /// Replication whose initial copy pghaul makes.
    ReplicationBySnapshot,
    /// Replication whose initial copy the target's workers make.
    ReplicationByServer,
    /// One copy.
    Dump,
}

impl Route {
    /// The way of a method.
    pub fn of(method: Method, initial_copy: InitialCopy) -> Self {
        match (method, initial_copy) {
            (Method::Dump, _) => Self::Dump,
            (Method::Replication, InitialCopy::Snapshot) => Self::ReplicationBySnapshot,
            (Method::Replication, InitialCopy::Server) => Self::ReplicationByServer,
        }
    }

    /// The method that it belongs to.
    pub fn method(self) -> Method {
        match self {
            Self::ReplicationBySnapshot | Self::ReplicationByServer => Method::Replication,
            Self::Dump => Method::Dump,
        }
    }
}

/// The formats of [COPY](https://www.postgresql.org/docs/current/sql-copy.html).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Display, EnumString, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum CopyFormat {
    /// Text: safe between all versions.
    Text,
    /// Binary: faster, where both sides agree on every type.
    Binary,
}

/// What happens to the rows of a table.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "class", rename_all = "kebab-case")]
pub enum TableClass {
    /// Copied, and replicated afterwards where the method is replication.
    Replicate,
    /// Copied, but UPDATE and DELETE could not be replicated; the target keeps the rows as of the copy.
    NoIdentity {
        /// Why it has no usable replica identity.
        why: NoIdentity,
    },
    /// Copied, but PostgreSQL does not publish such tables; the target keeps the rows as of the copy.
    CannotBePublished {
        /// Why it can't be published.
        why: Unpublishable,
    },
    /// Not copied: the rows are computed on the target, as for a materialized view.
    ViewOfOthers,
    /// Not copied: the rows belong to somebody else.
    NotOurs {
        /// Who owns the rows.
        why: NotOurs,
    },
    /// A partitioned table that is not published itself: its leaves hold the rows.
    Partitioned,
    /// Not copied: the selection moves the table without its rows.
    SchemaOnly,
    /// The configuration table of an extension: the rows that its filter selects are copied, nothing more.
    ExtensionRows {
        /// The extension's WHERE clause, with the word WHERE, as `pg_extension.extcondition` has it; may be
        /// empty.
        filter: String,
    },
}

/// Why a table has no usable replica identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Display, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum NoIdentity {
    /// No primary key.
    NoPrimaryKey,
    /// `REPLICA IDENTITY NOTHING`.
    Nothing,
    /// The key is deferrable, so PostgreSQL does not accept it as an identity.
    Deferrable,
    /// A partition of the tree lacks an identity.
    Partition,
}

/// Why a table can't be in a publication.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Display, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Unpublishable {
    /// Unlogged: its changes are not in the WAL.
    Unlogged,
}

/// Who owns the rows of a table that is not copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Display, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum NotOurs {
    /// A foreign table: the rows are on another server.
    Foreign,
    /// Created by an extension, which fills it itself.
    Extension,
}

/// One table, materialized view or foreign table of a database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TablePlan {
    /// Its number in the plan, from 1; effects and items name tables by it.
    pub number: u32,
    /// Its name.
    #[serde(flatten)]
    pub name: TableName,
    /// Its kind.
    pub kind: RelationKind,
    /// What happens to its rows.
    #[serde(flatten)]
    pub class: TableClass,
    /// The published root of the partition tree that this table is a leaf of, as a table number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<u32>,
}

impl TablePlan {
    /// Whether pghaul's own COPY moves this table's rows on this way.
    pub fn copied_by_us(&self, route: Route) -> bool {
        if self.kind != RelationKind::Table {
            return false;
        }
        match (&self.class, route) {
            (TableClass::Replicate, Route::Dump | Route::ReplicationBySnapshot) => true,
            (
                TableClass::NoIdentity { .. }
                | TableClass::CannotBePublished { .. }
                | TableClass::ExtensionRows { .. },
                _,
            ) => true,
            (TableClass::Replicate, Route::ReplicationByServer) => false,
            (
                TableClass::ViewOfOthers
                | TableClass::NotOurs { .. }
                | TableClass::Partitioned
                | TableClass::SchemaOnly,
                _,
            ) => false,
        }
    }

    /// Which of its rows are the user's, where it is the configuration table of an extension.
    pub fn filter(&self) -> Option<&str> {
        match &self.class {
            TableClass::ExtensionRows { filter } => Some(filter),
            _ => None,
        }
    }

    /// Whether a publication lists it: it is replicated, and not as a leaf of a root.
    pub fn is_published(&self) -> bool {
        self.class == TableClass::Replicate && self.root.is_none()
    }

    /// What entries of `incomplete` call it.
    pub fn object(&self) -> String {
        format!("table {}", self.name)
    }

    /// Whether the rows stay as of their copy until the cutover, although the method is replication.
    pub fn deferred(&self) -> bool {
        self.kind == RelationKind::Table
            && matches!(
                self.class,
                TableClass::NoIdentity { .. }
                    | TableClass::CannotBePublished { .. }
                    | TableClass::ExtensionRows { .. }
            )
    }
}

/// The frozen plan of one database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatabasePlan {
    /// The database, as the source names it.
    pub database: DatabaseName,
    /// Its name on the target, where that is another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_database: Option<DatabaseName>,
    /// Its number in the migration, from 1; names of objects carry it.
    pub number: u32,
    /// How its data is moved.
    pub method: Method,
    /// Who makes the initial copy where it is replicated.
    #[serde(default)]
    pub initial_copy: InitialCopy,
    /// Whether the user chose the method: then it never falls back.
    pub forced: bool,
    /// Why it is not replicated, one sentence each; empty for the method replication.
    pub reasons: Vec<String>,
    /// The steps in the order in which they run.
    pub steps: Vec<crate::id::StepName>,
    /// The hashes of what defines those of its steps that are no code of the program; absent in journals of before 0.2.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub definitions: BTreeMap<crate::id::StepName, String>,
    /// Every table, in the order of their numbers.
    pub tables: Vec<TablePlan>,
    /// Objects that would break or be broken by replication: not active on the target until the cutover. A
    /// dump ignores the list.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub held_back: Vec<HeldBack>,
    /// What the selection leaves out and brings along; absent where everything is moved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub objects: Option<Box<PlannedObjects>>,
}

/// What the selection makes of a database's objects, as of its plan. Objects that are created later are judged by the
/// same patterns.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedObjects {
    /// Whether only what patterns name is moved, with what that needs.
    #[serde(default)]
    pub only_named: bool,
    /// What is left out: by a pattern, or because it needs something that is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<Listed>,
    /// What comes along since something selected needs it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub brought: Vec<Listed>,
    /// How many tables no pattern names, where patterns name what is moved.
    #[serde(default)]
    pub not_named: u64,
}

impl DatabasePlan {
    /// The way that the plan begins with.
    pub fn route(&self) -> Route {
        Route::of(self.method, self.initial_copy)
    }

    /// Why it can't be the plan of this database, if so. A journal that was put together by hand may hold one.
    pub fn contradiction(&self, database: &DatabaseName, number: u32) -> Option<String> {
        if self.database != *database {
            return Some(format!("that of database {}", self.database));
        }
        if self.number != number {
            return Some(format!("for number {}, not {number}", self.number));
        }
        let misplaced = (1..).zip(&self.tables).find(|(place, t)| t.number != *place);
        if let Some((place, table)) = misplaced {
            return Some(format!("numbering table {place} as {}", table.number));
        }
        let count = u32::try_from(self.tables.len()).unwrap_or(u32::MAX);
        let mut roots = self.tables.iter().filter_map(|t| t.root);
        let missing = roots.find(|root| !(1..=count).contains(root))?;
        Some(format!("naming table {missing}, which it lacks, as a root"))
    }

    /// The table with a number: tables are numbered from 1, in their order.
    pub fn table(&self, number: u32) -> Option<&TablePlan> {
        let place = usize::try_from(number).ok()?.checked_sub(1)?;
        self.tables.get(place).filter(|table| table.number == number)
    }

    /// The tables that the target's subscription must list, exactly: replicated ones, where the leaves of a
    /// published root are represented by their root.
    pub fn replicated(&self) -> impl Iterator<Item = &TablePlan> {
        self.tables.iter().filter(|t| t.is_published())
    }

    /// The tables whose rows stay as of their copy although the method is replication.
    pub fn deferred(&self) -> impl Iterator<Item = &TablePlan> {
        let replicating = self.method == Method::Replication;
        self.tables.iter().filter(move |t| replicating && t.deferred())
    }
}

/// A method, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MethodChoice {
    /// The method.
    pub method: Method,
    /// Why not replication.
    pub reasons: Vec<String>,
}

/// Chooses the method of one database from the findings about it and about the cluster.
///
/// Replication is the default; an error that concerns only replication makes it a dump. A forced method is
/// taken as it is: whether it can work, the findings say.
pub fn choose_method(forced: Option<Method>, findings: &[Finding], database: &DatabaseName) -> MethodChoice {
    let reasons: Vec<String> = findings
        .iter()
        .filter(|f| f.stops_replication() && !f.stops_migration())
        .filter(|f| f.subject.database().is_none_or(|d| d == database))
        .map(|f| f.message.clone())
        .collect();
    match forced {
        Some(Method::Replication) => MethodChoice {
            method: Method::Replication,
            reasons: Vec::new(),
        },
        Some(Method::Dump) => MethodChoice {
            method: Method::Dump,
            reasons: vec!["--method dump was given".to_owned()],
        },
        None if reasons.is_empty() => MethodChoice {
            method: Method::Replication,
            reasons,
        },
        None => MethodChoice {
            method: Method::Dump,
            reasons,
        },
    }
}
