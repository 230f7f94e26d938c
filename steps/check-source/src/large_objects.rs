//! The check `large-objects`.

use pghaul_step::{
    Check, CheckContext, CheckDescriptor, Database, Failure, Finding, FindingKind, async_trait, quoted,
};
use serde::Serialize;

/// Large objects in a database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum LargeObjectsFound {
    /// There are some, and they would not arrive.
    LargeObjectsNotMoved {
        /// The database.
        database: String,
        /// How many.
        count: i64,
        /// Their size, in bytes, with the space that those removed have left.
        bytes: i64,
    },
}

impl FindingKind for LargeObjectsFound {
    fn message(&self) -> String {
        let Self::LargeObjectsNotMoved { count, bytes, .. } = self;
        format!(
            "there are {count} large objects of {:.1} MiB together, which this version of pghaul does not move",
            *bytes as f64 / (1024.0 * 1024.0)
        )
    }

    fn hint(&self) -> Option<String> {
        let Self::LargeObjectsNotMoved { database, .. } = self;
        let database = quoted(database);
        Some(format!(
            "remove those that nothing refers to with vacuumlo {database}; where some are needed, move the whole \
             database with pg_dump and pg_restore and leave it out here: --exclude-database {database}"
        ))
    }
}

/// The check `large-objects`: are there any? Replication does not know them, and COPY does not reach them.
#[derive(Debug, Clone, Copy)]
pub struct LargeObjects;

#[async_trait]
impl Check for LargeObjects {
    type Scope = Database;

    fn descriptor(&self) -> CheckDescriptor {
        CheckDescriptor {
            name: "large-objects",
            summary: "there are no large objects",
            after: super::AFTER,
        }
    }

    async fn examine(&self, ctx: &CheckContext<Database>) -> Result<Vec<Finding>, Failure> {
        let session = ctx.source().await?;
        let sql = "SELECT pg_catalog.count(*), pg_catalog.pg_table_size('pg_catalog.pg_largeobject') \
                   FROM pg_catalog.pg_largeobject_metadata";
        let row = session
            .doing("count the large objects")
            .query_one(sql, &[])
            .await?;
        let count: i64 = row.get(0);
        if count == 0 {
            return Ok(Vec::new());
        }
        let found = LargeObjectsFound::LargeObjectsNotMoved {
            database: ctx.database().to_string(),
            count,
            bytes: row.get(1),
        };
        Ok(vec![found.about("large-objects", super::database(ctx))])
    }
}
