//! Relations, and what belongs to them.

use super::{TableName, Text};
use serde::{Deserialize, Serialize};
use strum::Display;

/// `pg_class.relkind` of what has columns and is no index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Display, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum RelationKind {
    /// An ordinary table, also a leaf of a partition tree.
    Table,
    /// A partitioned table, which has no rows of its own.
    PartitionedTable,
    /// A materialized view.
    MaterializedView,
    /// A foreign table.
    ForeignTable,
    /// A view, which is in no plan.
    View,
}

/// `pg_class.relpersistence`. Temporary relations are in no catalog of pghaul's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Persistence {
    /// Its changes are in the WAL.
    Permanent,
    /// Its changes are not in the WAL.
    Unlogged,
}

/// A relation, and what belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relation {
    /// `pg_class.oid`.
    pub oid: u32,
    /// Its name.
    pub name: TableName,
    /// Its kind.
    pub kind: RelationKind,
    /// Whether its changes are in the WAL.
    pub persistence: Persistence,
    /// Its owner.
    pub owner: Text,
    /// Whether the connecting role has the rights of its owner.
    pub owned: bool,
    /// Whether the connecting role may read all columns.
    pub readable: bool,
    /// Its access method, where it has one.
    pub access_method: Option<Text>,
    /// `pg_class.reloptions`.
    pub options: Vec<Text>,
    /// Whether policies limit the rows that roles see.
    pub row_security: RowSecurity,
    /// `pg_class.relreplident`.
    pub replica_identity: ReplicaIdentity,
    /// `pg_relation_filenode()`: a TRUNCATE and a rewriting ALTER TABLE change it. 0 where it has no storage.
    pub file_node: u32,
    /// Whether a materialized view has been filled.
    pub populated: bool,
    /// Its place in a partition tree, where it is a partition.
    pub partition: Option<Partition>,
    /// The tables that it inherits from without being a partition, by oid.
    pub inherits: Vec<u32>,
    /// The extension that it is a member of.
    pub extension: Option<Membership>,
    /// Its size, where it was asked for.
    pub size: Option<Size>,
    /// The partition key of a partitioned table or the query of a view, where definitions were asked for.
    pub definition: Option<Text>,
    /// Its columns, in their order.
    pub columns: Vec<Column>,
    /// Its indexes.
    pub indexes: Vec<Index>,
    /// Its constraints but for NOT NULL constraints that are valid.
    pub constraints: Vec<Constraint>,
    /// Its triggers but for internal ones.
    pub triggers: Vec<Trigger>,
    /// Its rules but for the one that makes a view.
    pub rules: Vec<Rule>,
    /// Whether the selection moves it without its rows.
    pub without_rows: bool,
}

/// Row-level security of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowSecurity {
    /// Off.
    Disabled,
    /// On for all but the owner.
    Enabled,
    /// On for the owner too.
    Forced,
}

/// `pg_class.relreplident`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplicaIdentity {
    /// The primary key.
    Default,
    /// None.
    Nothing,
    /// The whole row.
    Full,
    /// An index.
    Index,
}

/// A partition's place in its tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    /// The oid of the partitioned table that it is attached to.
    pub parent: u32,
    /// The oid of the topmost table that its changes can be published as; none where that is the relation itself.
    pub root: Option<u32>,
    /// Whether a detachment has begun and not ended.
    pub detachment: Detachment,
    /// The partition bound, where definitions were asked for.
    pub bound: Option<Text>,
}

/// How far `ALTER TABLE … DETACH PARTITION … CONCURRENTLY` is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detachment {
    /// Not begun.
    None,
    /// Interrupted: the root no longer shows the partition's rows, and `FINALIZE` is still to come.
    Pending,
}

/// The membership in an extension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// The extension's name.
    pub extension: Text,
    /// Where the extension says that rows are the user's, which: `pg_extension.extcondition`, with the word WHERE; may be
    /// empty.
    pub configuration: Option<Text>,
}

/// What a relation takes on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Bytes, with TOAST and without indexes.
    pub bytes: u64,
    /// The blocks of the main fork.
    pub blocks: u64,
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: Text,
    /// `pg_attribute.attnum`.
    pub number: i16,
    /// The oid of its type.
    pub type_oid: u32,
    /// Its type with the modifier, as `format_type` gives it.
    pub type_name: Text,
    /// Its collation, quoted, where that is not the type's.
    pub collation: Option<Text>,
    /// NOT NULL.
    pub not_null: bool,
    /// Whether its values are computed from other columns.
    pub generated: Generated,
    /// `pg_attribute.attidentity`: `a` for ALWAYS, `d` for BY DEFAULT.
    pub identity: Option<char>,
    /// `pg_attribute.attstorage`.
    pub storage: char,
    /// The default or generation expression, where definitions were asked for.
    pub expression: Option<Text>,
}

/// `pg_attribute.attgenerated`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Generated {
    /// It is an ordinary column.
    No,
    /// Computed when a row is written.
    Stored,
    /// Computed when a row is read.
    Virtual,
}

/// An index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Index {
    /// Its name.
    pub name: Text,
    /// Whether it is that of the primary key.
    pub primary: bool,
    /// Whether it is unique.
    pub unique: bool,
    /// Whether it is marked as the replica identity.
    pub replica_identity: bool,
    /// Whether uniqueness is enforced at once: its constraint is not deferrable.
    pub immediate: bool,
    /// Whether queries can use it.
    pub valid: bool,
    /// `pg_get_indexdef()`, where definitions were asked for.
    pub definition: Option<Text>,
}

/// A constraint of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Constraint {
    /// Its name.
    pub name: Text,
    /// Its kind.
    pub kind: ConstraintKind,
    /// Whether it comes from the same constraint of the partitioned table.
    pub of_parent: bool,
    /// Whether all rows are known to fulfil it.
    pub validated: bool,
    /// Whether it is enforced at all (PostgreSQL 18).
    pub enforced: bool,
    /// DEFERRABLE.
    pub deferrable: bool,
    /// INITIALLY DEFERRED.
    pub deferred: bool,
    /// `pg_get_constraintdef()`, where definitions were asked for. Keys have the definition of their index instead.
    pub definition: Option<Text>,
}

/// `pg_constraint.contype`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConstraintKind {
    /// CHECK.
    Check,
    /// A foreign key.
    ForeignKey {
        /// The oid of the table that it references.
        references: u32,
    },
    /// PRIMARY KEY.
    PrimaryKey,
    /// UNIQUE.
    Unique,
    /// EXCLUDE.
    Exclusion,
    /// NOT NULL.
    NotNull,
}

/// A trigger of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trigger {
    /// Its name.
    pub name: Text,
    /// When it fires.
    pub state: TriggerState,
    /// Whether it fires on TRUNCATE.
    pub on_truncate: bool,
    /// Whether it is a member of an extension.
    pub of_extension: bool,
    /// `pg_get_triggerdef()`, where definitions were asked for.
    pub definition: Option<Text>,
}

/// `pg_trigger.tgenabled`, also of rules and event triggers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TriggerState {
    /// It fires in ordinary sessions.
    Origin,
    /// It never fires.
    Disabled,
    /// It fires in ordinary sessions and for replicated changes.
    Always,
    /// It fires only for replicated changes.
    Replica,
}

/// A rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Its name.
    pub name: Text,
    /// When it acts.
    pub state: TriggerState,
    /// `pg_get_ruledef()`, where definitions were asked for.
    pub definition: Option<Text>,
}

impl Relation {
    /// A relation with a name and nothing that belongs to it: a permanent table without columns.
    pub fn new(oid: u32, name: TableName) -> Self {
        Self {
            oid,
            name,
            kind: RelationKind::Table,
            persistence: Persistence::Permanent,
            owner: Text::from(""),
            owned: true,
            readable: true,
            access_method: None,
            options: Vec::new(),
            row_security: RowSecurity::Disabled,
            replica_identity: ReplicaIdentity::Default,
            file_node: 0,
            populated: true,
            partition: None,
            inherits: Vec::new(),
            extension: None,
            size: None,
            definition: None,
            columns: Vec::new(),
            indexes: Vec::new(),
            constraints: Vec::new(),
            triggers: Vec::new(),
            rules: Vec::new(),
            without_rows: false,
        }
    }

    /// Whether its size is read: a materialized view's would wait for a `REFRESH`.
    pub fn has_size(&self) -> bool {
        self.kind == RelationKind::Table
    }

    /// Whether its rows are the user's: also those of an extension's configuration table.
    pub fn holds_rows_of_users(&self) -> bool {
        self.extension
            .as_ref()
            .is_none_or(|membership| membership.configuration.is_some())
    }

    /// Whether its changes are not in the WAL.
    pub fn is_unlogged(&self) -> bool {
        self.persistence == Persistence::Unlogged
    }

    /// The root of its partition tree, where that is another relation.
    pub fn root(&self) -> Option<u32> {
        self.partition.as_ref().and_then(|partition| partition.root)
    }

    /// Whether its partition is being detached.
    pub fn is_being_detached(&self) -> bool {
        self.partition
            .as_ref()
            .is_some_and(|partition| partition.detachment == Detachment::Pending)
    }

    /// The index of its primary key.
    pub fn primary_key(&self) -> Option<&Index> {
        self.indexes.iter().find(|index| index.primary)
    }

    /// The index that is marked as its replica identity.
    pub fn identity_index(&self) -> Option<&Index> {
        self.indexes.iter().find(|index| index.replica_identity)
    }

    /// The columns that COPY may name: generated ones are computed on the target.
    pub fn copied_columns(&self) -> impl Iterator<Item = &Column> {
        self.columns
            .iter()
            .filter(|column| column.generated == Generated::No)
    }
}

impl Trigger {
    /// Whether it fires although it is replication that writes.
    pub fn fires_for_replication(&self) -> bool {
        matches!(self.state, TriggerState::Always | TriggerState::Replica) && !self.of_extension
    }
}

impl Index {
    /// Whether it can be a replica identity: PostgreSQL refuses a deferrable key and an invalid index.
    pub fn is_usable_identity(&self) -> bool {
        self.valid && self.immediate
    }
}
