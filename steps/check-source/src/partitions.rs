//! The check `partitions`.

use pghaul_step::catalog::{Catalog, Relation, RelationKind};
use pghaul_step::plan::classify;
use pghaul_step::postgres::QualifiedName;
use pghaul_step::{
    Check, CheckContext, CheckDescriptor, Concern, Database, Failure, Finding, FindingKind, Method, Severity,
    TableClass, TableName, async_trait, listed,
};
use serde::Serialize;
use std::collections::BTreeSet;

/// From this version on a partition tree is published as its root.
const PUBLISHES_ROOTS: u32 = 130_000;

/// Partition trees that are not moved as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum ByLeaf {
    /// The partitions are published one by one, as PostgreSQL before 13 does.
    PublishedByLeaf {
        /// The roots of the trees.
        tables: Vec<String>,
    },
    /// The partitions are published one by one, because the root can't stand for them.
    TreePublishedByLeaf {
        /// The roots of the trees.
        tables: Vec<String>,
    },
    /// `DETACH PARTITION … CONCURRENTLY` was interrupted.
    DetachmentPending {
        /// The partitions.
        tables: Vec<String>,
        /// The statements that end it.
        statements: Vec<String>,
    },
}

impl FindingKind for ByLeaf {
    fn severity(&self) -> Severity {
        Severity::Warning
    }

    fn concern(&self) -> Concern {
        match self {
            Self::DetachmentPending { .. } => Concern::Migration,
            _ => Concern::Replication,
        }
    }

    fn message(&self) -> String {
        match self {
            Self::PublishedByLeaf { tables } => format!(
                "PostgreSQL before 13 publishes partitions one by one: one that is made or attached during the migration is \
                 not replicated ({}): {}",
                tables.len(),
                listed(tables)
            ),
            Self::TreePublishedByLeaf { tables } => format!(
                "the partitions of trees whose root can't be published for all of them are published one by one: one that \
                 is made or attached during the migration is not replicated ({}): {}",
                tables.len(),
                listed(tables)
            ),
            Self::DetachmentPending { tables, .. } => format!(
                "the detachment of partitions was interrupted: the partitioned table on the source does not show their \
                 rows, that on the target will ({}): {}",
                tables.len(),
                listed(tables)
            ),
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::DetachmentPending { statements, .. } => statements.join(" "),
            _ => {
                "make the partitions that will be needed until the cutover beforehand, and switch off what makes them by itself"
                    .to_owned()
            }
        })
    }
}

/// The check `partitions`: are there partition trees that are published leaf by leaf, or half detached?
#[derive(Debug, Clone, Copy)]
pub struct Partitions;

#[async_trait]
impl Check for Partitions {
    type Scope = Database;

    fn descriptor(&self) -> CheckDescriptor {
        CheckDescriptor {
            name: "partitions",
            summary: "new partitions are replicated as well",
            after: super::AFTER,
        }
    }

    async fn examine(&self, ctx: &CheckContext<Database>) -> Result<Vec<Finding>, Failure> {
        let catalog = ctx.catalog().await?;
        let mut found = Vec::new();
        if ctx.landscape().forced != Some(Method::Dump) {
            found.extend(by_leaf(&catalog)?);
        }
        found.extend(pending(&catalog)?);
        Ok(found
            .iter()
            .map(|found| found.about("partitions", super::database(ctx)))
            .collect())
    }
}

fn by_leaf(catalog: &Catalog) -> Result<Option<ByLeaf>, Failure> {
    let plan = classify(catalog);
    let replicated: BTreeSet<&TableName> = plan
        .iter()
        .filter(|table| table.class == TableClass::Replicate)
        .map(|table| &table.name)
        .collect();
    let is_root = |r: &&Relation| r.kind == RelationKind::PartitionedTable && r.root().is_none();
    let old = catalog.server_version < PUBLISHES_ROOTS;
    let leaves = |root: &Relation| {
        let leaves = catalog
            .relations
            .tables()
            .filter(|leaf| leaf.root() == Some(root.oid));
        leaves.filter(|leaf| replicated.contains(&leaf.name)).count()
    };
    let roots = catalog.relations.iter().filter(is_root);
    let tables = roots
        .filter(|root| old || !replicated.contains(&root.name) && leaves(root) > 0)
        .map(|root| Ok(QualifiedName::try_from(&root.name)?.short()))
        .collect::<Result<Vec<_>, Failure>>()?;
    Ok(match (tables.is_empty(), old) {
        (true, _) => None,
        (false, true) => Some(ByLeaf::PublishedByLeaf { tables }),
        (false, false) => Some(ByLeaf::TreePublishedByLeaf { tables }),
    })
}

fn pending(catalog: &Catalog) -> Result<Option<ByLeaf>, Failure> {
    let (mut tables, mut statements) = (Vec::new(), Vec::new());
    for relation in catalog
        .relations
        .iter()
        .filter(|relation| relation.is_being_detached())
    {
        let name = QualifiedName::try_from(&relation.name)?.short();
        let parent = relation
            .partition
            .as_ref()
            .and_then(|p| catalog.relations.by_oid(p.parent));
        if let Some(parent) = parent {
            let parent = QualifiedName::try_from(&parent.name)?.short();
            statements.push(format!("ALTER TABLE {parent} DETACH PARTITION {name} FINALIZE;"));
        }
        tables.push(name);
    }
    Ok((!tables.is_empty()).then_some(ByLeaf::DetachmentPending { tables, statements }))
}
