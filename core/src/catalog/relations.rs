//! All relations of a database, by name and by oid.

use super::{Detachment, Relation, RelationKind, TableName};
use std::collections::HashMap;

/// Relations in the order of their names, each partition with the root of its tree.
#[derive(Debug, Clone, Default)]
pub struct Relations {
    ordered: Vec<Relation>,
    /// Where the relation with an oid stands.
    places: HashMap<u32, usize>,
}

impl Relations {
    /// Orders the relations, and finds the root of each partition tree.
    pub fn new(mut relations: Vec<Relation>) -> Self {
        relations.sort_by(|a, b| a.name.cmp(&b.name));
        let places = relations
            .iter()
            .enumerate()
            .map(|(place, relation)| (relation.oid, place));
        let mut all = Self {
            places: places.collect(),
            ordered: relations,
        };
        let roots: Vec<Option<u32>> = all.iter().map(|relation| all.root_of(relation)).collect();
        for (relation, root) in all.ordered.iter_mut().zip(roots) {
            if let Some(partition) = &mut relation.partition {
                partition.root = root;
            }
        }
        all
    }

    /// All of them.
    pub fn iter(&self) -> std::slice::Iter<'_, Relation> {
        self.ordered.iter()
    }

    /// Ordinary and partitioned tables.
    pub fn tables(&self) -> impl Iterator<Item = &Relation> {
        self.iter().filter(|relation| {
            matches!(
                relation.kind,
                RelationKind::Table | RelationKind::PartitionedTable
            )
        })
    }

    /// The relation with an oid.
    pub fn by_oid(&self, oid: u32) -> Option<&Relation> {
        self.ordered.get(*self.places.get(&oid)?)
    }

    /// The relation with a name.
    pub fn by_name(&self, name: &TableName) -> Option<&Relation> {
        let place = self
            .ordered
            .binary_search_by(|relation| relation.name.cmp(name))
            .ok()?;
        self.ordered.get(place)
    }

    /// A partition whose detachment is pending has no ancestors for logical replication: neither its changes nor those
    /// of partitions below it are published as the root's.
    fn root_of(&self, relation: &Relation) -> Option<u32> {
        let mut root = None;
        let mut current = relation;
        while let Some(partition) = &current.partition
            && partition.detachment == Detachment::None
            && let Some(parent) = self.by_oid(partition.parent)
        {
            root = Some(parent.oid);
            current = parent;
        }
        root
    }
}
