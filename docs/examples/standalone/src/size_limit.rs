//! The check: a database is not larger than agreed.

use pghaul_step::{
    Check, CheckContext, CheckDescriptor, Database, Failure, Finding, FindingKind, Subject, async_trait,
};

/// The name, for findings and `--accept`.
const NAME: &str = "size-limit";

/// What the check can find: a variant for each kind, with its facts. Both are API, for `--json`.
#[derive(serde::Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
enum Oversize {
    DatabaseTooLarge { bytes: i64, limit: i64 },
}

impl FindingKind for Oversize {
    fn message(&self) -> String {
        let Self::DatabaseTooLarge { bytes, limit } = self;
        format!("it has {bytes} bytes, {limit} were agreed")
    }

    fn hint(&self) -> Option<String> {
        Some("archive old rows, or ask for a larger target".to_owned())
    }
}

/// The check itself, with what it must be given.
pub struct SizeLimit {
    /// The most bytes of a database.
    pub limit: i64,
}

#[async_trait]
impl Check for SizeLimit {
    type Scope = Database;

    fn descriptor(&self) -> CheckDescriptor {
        CheckDescriptor {
            name: NAME,
            summary: "the database is not larger than agreed",
            after: &["database-connection"],
        }
    }

    async fn examine(&self, ctx: &CheckContext<Database>) -> Result<Vec<Finding>, Failure> {
        let session = ctx.source().await?;
        let sql = "SELECT pg_catalog.pg_database_size(pg_catalog.current_database())";
        let bytes: i64 = session
            .doing("measure the database")
            .query_one(sql, &[])
            .await?
            .get(0);
        if bytes <= self.limit {
            return Ok(Vec::new());
        }
        let limit = self.limit;
        let found = Oversize::DatabaseTooLarge { bytes, limit };
        Ok(vec![found.about(NAME, Subject::Database(ctx.database().clone()))])
    }
}
