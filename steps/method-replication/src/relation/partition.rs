//! Partitions that are made while their tree is replicated.
//!
//! A tree that is published as its root includes them from their first row on. The target needs each as well, and TRUNCATE of it
//! alone, or rows that it had before it was attached, are not replicated.

use super::Tables;
use super::drift::is_followed;
use pghaul_step::plan::RelationKind;
use pghaul_step::{Code, Failure, Incomplete, Side, TableName, TablePlan};

/// A table that the plan lacks, and the planned root that its changes are published as.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NewPartition<'a> {
    name: &'a TableName,
    root: &'a TableName,
}

impl<'a> NewPartition<'a> {
    pub(crate) fn find(name: &'a TableName, source: &Tables, plan: &'a [TablePlan]) -> Option<Self> {
        let published_as = source.name_of(source.get(name)?.publication.as_ref()?.root)?;
        let is_root = |table: &&TablePlan| {
            table.kind == RelationKind::PartitionedTable && is_followed(table) && table.name == *published_as
        };
        let root = &plan.iter().find(is_root)?.name;
        (root != name).then_some(Self { name, root })
    }

    /// Where the target does not have it in its place: the first row of it stops the subscription.
    pub(crate) fn problem(&self, target: &Tables) -> Option<Failure> {
        let Self { name, root } = self;
        let (message, hint) = match target.get(name) {
            None => (
                format!("partition {name} of {root} is new on the source, and not on the target"),
                "create it on the target as well, and run again: its rows are replicated with those of the tree",
            ),
            Some(there) if target.name_of(there.now.topmost) != Some(root) => (
                format!(
                    "partition {name} of {root} is new on the source, and not attached to {root} on the target"
                ),
                "attach it there as well, and run again: its rows are replicated with those of the tree",
            ),
            Some(_) => return None,
        };
        Some(
            Failure::new(Code::PlanChanged, message)
                .with_side(Side::Target)
                .with_hint(hint),
        )
    }

    /// What only the user knows.
    pub(crate) fn in_doubt(&self) -> Incomplete {
        let Self { name, root } = self;
        Incomplete {
            object: format!("partition {name}"),
            why: format!(
                "is new on both sides, and its changes are replicated with those of {root}: accept it where it was created or attached empty on the source, and not truncated by itself since; other rows are missing on the target, or too many there"
            ),
            ..Incomplete::default()
        }
    }
}
