//! The objects of a database, and what they depend on.

use std::collections::HashMap;

/// What `pg_depend` identifies an object by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId {
    /// The oid of the system catalog that it is in.
    pub catalog: u32,
    /// Its oid.
    pub oid: u32,
}

/// `pg_class`
pub(super) const RELATIONS: u32 = 1259;

/// What a selection must know of an object's kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ObjectKind {
    /// An ordinary table.
    Table,
    /// A partitioned table.
    PartitionedTable,
    /// A view.
    View,
    /// A materialized view.
    MaterializedView,
    /// A foreign table.
    ForeignTable,
    /// A sequence.
    Sequence,
    /// A schema.
    Schema,
    /// An extension.
    Extension,
    /// An event trigger.
    EventTrigger,
    /// A publication.
    Publication,
    /// A table or a schema in a publication.
    Published,
    /// A foreign key.
    ForeignKey,
    /// A default, a generation expression or a check constraint: part of the statement that creates its table.
    Inline,
    /// A trigger.
    Trigger,
    /// A cast or a transform: in no schema, and of no use without the types that it is between.
    Conversion,
    /// Anything else.
    Other,
}

impl ObjectKind {
    /// Whether `--table` can match it.
    pub(super) fn is_relation(self) -> bool {
        self.is_table()
            || matches!(
                self,
                Self::View | Self::MaterializedView | Self::ForeignTable | Self::Sequence
            )
    }

    /// Whether it may hold rows of its own.
    pub(super) fn is_table(self) -> bool {
        matches!(self, Self::Table | Self::PartitionedTable)
    }
}

/// An object of a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// What identifies it.
    pub id: ObjectId,
    /// Its kind.
    pub kind: ObjectKind,
    /// The schema that it is in itself.
    pub schema: Option<String>,
    /// Its own name, unquoted; empty where its kind has none.
    pub name: String,
    /// The oid of the table that a trigger or a constraint belongs to.
    pub table: Option<u32>,
    /// Kind and identity, as `pg_identify_object` has them: `table public.orders`.
    pub label: String,
}

/// How an object depends on another one: `pg_depend.deptype`.
///
/// Source: <https://www.postgresql.org/docs/current/catalog-pg-depend.html>
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DependencyKind {
    /// It needs the other one.
    Normal,
    /// It belongs to the other one, and can be dropped alone.
    Auto,
    /// It is part of the other one, which can't be without it.
    Internal,
    /// It belongs to the partition of the other one's table.
    Partition,
    /// It is a member of an extension.
    Member,
    /// It goes with an extension, and can be without.
    AutoMember,
}

impl DependencyKind {
    /// Whether the dependent object belongs to the other one.
    pub(super) fn is_of_part(self) -> bool {
        matches!(self, Self::Auto | Self::Internal | Self::Partition)
    }
}

/// That one object depends on another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dependency {
    /// The one that depends.
    pub dependent: ObjectId,
    /// The one that it depends on.
    pub needed: ObjectId,
    /// How.
    pub kind: DependencyKind,
}

/// One end of a dependency.
#[derive(Debug, Clone, Copy)]
pub(super) struct Edge {
    pub(super) to: usize,
    pub(super) kind: DependencyKind,
}

/// The objects of one database and their dependencies.
#[derive(Debug, Clone, Default)]
pub struct Graph {
    objects: Vec<Object>,
    needs: Vec<Vec<Edge>>,
    dependents: Vec<Vec<Edge>>,
}

impl Graph {
    /// Connects objects. Dependencies on others than these are PostgreSQL's own objects, and left out.
    pub fn new(objects: Vec<Object>, dependencies: impl IntoIterator<Item = Dependency>) -> Self {
        let places: HashMap<ObjectId, usize> = objects.iter().map(|object| object.id).zip(0..).collect();
        let mut needs = vec![Vec::new(); objects.len()];
        let mut dependents = needs.clone();
        for Dependency {
            dependent,
            needed,
            kind,
        } in dependencies
        {
            let (Some(from), Some(to)) = (places.get(&dependent), places.get(&needed)) else {
                continue;
            };
            // Columns are not told apart: what a table's columns need of each other is no dependency of objects.
            if from == to {
                continue;
            }
            if let (Some(needs), Some(dependents)) = (needs.get_mut(*from), dependents.get_mut(*to)) {
                needs.push(Edge { to: *to, kind });
                dependents.push(Edge { to: *from, kind });
            }
        }
        Self {
            objects,
            needs,
            dependents,
        }
    }

    /// All objects.
    pub fn objects(&self) -> &[Object] {
        &self.objects
    }

    pub(super) fn object(&self, place: usize) -> Option<&Object> {
        self.objects.get(place)
    }

    pub(super) fn kind(&self, place: usize) -> ObjectKind {
        self.object(place).map_or(ObjectKind::Other, |object| object.kind)
    }

    /// What an object depends on.
    pub(super) fn needs(&self, place: usize) -> &[Edge] {
        self.needs.get(place).map_or(&[], Vec::as_slice)
    }

    /// What depends on an object.
    pub(super) fn dependents(&self, place: usize) -> &[Edge] {
        self.dependents.get(place).map_or(&[], Vec::as_slice)
    }

    /// The partitioned table that a table is a partition of.
    pub(super) fn parent(&self, place: usize) -> Option<usize> {
        let is_parent = |edge: &&Edge| {
            edge.kind == DependencyKind::Auto && self.kind(edge.to) == ObjectKind::PartitionedTable
        };
        let is_partition = self.kind(place).is_relation() && self.kind(place) != ObjectKind::Sequence;
        let needs = self.needs(place).iter();
        is_partition
            .then(|| needs.into_iter().find(is_parent))?
            .map(|edge| edge.to)
    }

    /// The topmost table of the partition tree that a table is in; itself where it is in none.
    pub(super) fn root(&self, place: usize) -> usize {
        let mut root = place;
        while let Some(parent) = self.parent(root) {
            root = parent;
        }
        root
    }

    /// Whether a sequence belongs to a column.
    pub(super) fn is_owned_sequence(&self, place: usize) -> bool {
        self.kind(place) == ObjectKind::Sequence
            && self
                .needs(place)
                .iter()
                .any(|edge| edge.kind.is_of_part() && self.kind(edge.to).is_relation())
    }
}
