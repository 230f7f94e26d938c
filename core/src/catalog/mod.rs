//! What a database holds, as facts: read in one transaction, judged by everybody who asks.
//!
//! A [`Catalog`] holds the relations of users with everything that belongs to them. It knows no SQL; `pghaul-postgres`
//! reads it. Texts that PostgreSQL deparses, such as the definition of an index, are there where they were asked for.
//! They were read with an empty `search_path`, so that two of them are comparable.

mod mark;
mod name;
mod relation;
mod relations;
mod sequence;
mod types;

pub use mark::Mark;
pub use name::TableName;
pub use relation::{
    Column, Constraint, ConstraintKind, Detachment, Generated, Index, Membership, Partition, Persistence,
    Relation, RelationKind, ReplicaIdentity, RowSecurity, Rule, Size, Trigger, TriggerState,
};
pub use relations::Relations;
pub use sequence::{Sequence, SequenceOwner};
pub use types::{Type, TypeKind};

use std::collections::BTreeMap;
use std::sync::Arc;

/// A text that many facts share, such as the name of a type.
pub type Text = Arc<str>;

/// What one database holds.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    /// `server_version_num`.
    pub server_version: u32,
    /// Tables, partitioned tables, views, materialized views and foreign tables.
    pub relations: Relations,
    /// Sequences, in the order of their names.
    pub sequences: Vec<Sequence>,
    /// The types of all columns and what these are made of, by oid.
    pub types: BTreeMap<u32, Type>,
    /// The schemas of users.
    pub schemas: Vec<Schema>,
    /// The extensions.
    pub extensions: Vec<Extension>,
    /// Event triggers that are no members of extensions.
    pub event_triggers: Vec<EventTrigger>,
}

/// A schema of users.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schema {
    /// Its name.
    pub name: Text,
    /// Its owner.
    pub owner: Text,
    /// Whether the connecting role may use it.
    pub usable: bool,
}

/// An extension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extension {
    /// Its name.
    pub name: Text,
    /// Its version.
    pub version: Text,
    /// The schema of its objects.
    pub schema: Text,
}

/// An event trigger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventTrigger {
    /// Its name.
    pub name: Text,
    /// The event that fires it.
    pub event: Text,
    /// When it fires.
    pub state: TriggerState,
    /// Its function, with the schema.
    pub function: Text,
    /// The command tags that it is limited to.
    pub tags: Vec<Text>,
}

impl Catalog {
    /// Whether values of a type can be compared, as must be where a row is found by its values.
    pub fn is_comparable(&self, type_oid: u32) -> bool {
        let Some(found) = self.types.get(&type_oid) else {
            return true;
        };
        match found.kind {
            TypeKind::Base if found.parts.is_empty() => found.comparable,
            TypeKind::Base | TypeKind::Domain | TypeKind::Composite => {
                found.parts.iter().all(|part| self.is_comparable(*part))
            }
            _ => true,
        }
    }

    /// The bytes of ordinary tables that are moved with their rows, with TOAST and without indexes; empty where sizes were
    /// not asked for.
    pub fn table_sizes(&self) -> BTreeMap<TableName, u64> {
        let tables = self
            .relations
            .iter()
            .filter(|r| r.kind == RelationKind::Table && !r.without_rows);
        tables
            .filter_map(|table| Some((table.name.clone(), table.size?.bytes)))
            .collect()
    }
}
