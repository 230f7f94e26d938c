//! The check `partitions`.

use pghaul_step::postgres::QualifiedName;
use pghaul_step::{
    Check, CheckContext, CheckDescriptor, Concern, Database, Failure, Finding, FindingKind, Method, Severity,
    async_trait, listed,
};
use serde::Serialize;

/// From this version on a partition tree is published as its root.
const PUBLISHES_ROOTS: u32 = 130_000;

/// Partition trees that can't be published as such.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum ByLeaf {
    /// The partitions are published one by one.
    PublishedByLeaf {
        /// The roots of the trees.
        tables: Vec<String>,
    },
}

impl FindingKind for ByLeaf {
    fn severity(&self) -> Severity {
        Severity::Warning
    }

    fn concern(&self) -> Concern {
        Concern::Replication
    }

    fn message(&self) -> String {
        let Self::PublishedByLeaf { tables } = self;
        format!(
            "PostgreSQL before 13 publishes partitions one by one: one that is made or attached during the migration is \
             not replicated ({}): {}",
            tables.len(),
            listed(tables)
        )
    }

    fn hint(&self) -> Option<String> {
        Some(
            "make the partitions that will be needed until the cutover beforehand, and switch off what makes them by itself"
                .to_owned(),
        )
    }
}

/// The check `partitions`: are there partition trees that the source publishes leaf by leaf?
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
        let session = ctx.source().await?;
        if session.server_version() >= PUBLISHES_ROOTS || ctx.landscape().forced == Some(Method::Dump) {
            return Ok(Vec::new());
        }
        let doing = session.doing("look for partition trees");
        let rows = doing.query(include_str!("partitions.sql"), &[]).await?;
        let mut tables = Vec::with_capacity(rows.len());
        for row in &rows {
            let name = QualifiedName::new(row.get::<_, String>("schema"), row.get::<_, String>("name"))?;
            tables.push(name.short());
        }
        if tables.is_empty() {
            return Ok(Vec::new());
        }
        let found = ByLeaf::PublishedByLeaf { tables };
        Ok(vec![found.about("partitions", super::database(ctx))])
    }
}
