//! The check `large-objects`.

use pghaul_step::{
    Check, CheckContext, CheckDescriptor, Database, Failure, Finding, FindingKind, async_trait,
    exclude_database, shell_word,
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
        let are = match count {
            1 => "is 1 large object".to_owned(),
            many => format!("are {many} large objects"),
        };
        // The size of so few that they fill no page of their own says nothing.
        let size = match *bytes as f64 / (1024.0 * 1024.0) {
            small if small < 0.05 => String::new(),
            mib => format!(" of {mib:.1} MiB together"),
        };
        format!("there {are}{size}, which this version of pghaul does not move")
    }

    fn hint(&self) -> Option<String> {
        let Self::LargeObjectsNotMoved { database, .. } = self;
        Some(format!(
            "remove those that nothing refers to with vacuumlo {}; where some are needed, move the whole database with \
             pg_dump and pg_restore and leave it out here: {}",
            shell_word(database),
            exclude_database(database)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn found(database: &str, count: i64, bytes: i64) -> LargeObjectsFound {
        LargeObjectsFound::LargeObjectsNotMoved {
            database: database.to_owned(),
            count,
            bytes,
        }
    }

    #[test]
    fn one_is_not_many() {
        let not_moved = "which this version of pghaul does not move";
        assert_eq!(
            found("shop", 1, 8192).message(),
            format!("there is 1 large object, {not_moved}")
        );
        assert_eq!(
            found("shop", 3, 2 << 20).message(),
            format!("there are 3 large objects of 2.0 MiB together, {not_moved}")
        );
    }

    #[test]
    fn a_shell_expands_nothing_in_the_hint() {
        let hint = found("$(id) *", 1, 0).hint().unwrap();
        assert!(hint.contains("vacuumlo '$(id) *';"), "{hint}");
        assert!(hint.ends_with(r"'--exclude-database=$(id) \*'"), "{hint}");
    }
}
