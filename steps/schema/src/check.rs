//! Check `pg-dump`: is there a pg_dump that fits both servers?

use crate::pg_dump;
use async_trait::async_trait;
use pghaul_step::{
    Check, CheckContext, CheckDescriptor, Cluster, Concern, Failure, Finding, Severity, Subject,
};

/// The check.
#[derive(Debug, Default)]
pub struct PgDumpFits;

const NAME: &str = "pg-dump";

#[async_trait]
impl Check for PgDumpFits {
    type Scope = Cluster;

    fn descriptor(&self) -> CheckDescriptor {
        CheckDescriptor {
            name: NAME,
            summary: "a pg_dump is there that is not older than the source",
            after: &["connection"],
        }
    }

    async fn examine(&self, ctx: &CheckContext<Cluster>) -> Result<Vec<Finding>, Failure> {
        let source = ctx.source().await?.server_version() / 10_000;
        let target = ctx.target().await?.server_version() / 10_000;
        let Err(failure) = pg_dump::find(source, target).await else {
            return Ok(Vec::new());
        };
        Ok(vec![Finding {
            check: NAME.into(),
            severity: Severity::Error,
            concern: Concern::Migration,
            subject: Subject::Cluster,
            kind: "no-pg-dump".to_owned(),
            facts: serde_json::json!({ "source": source, "target": target }),
            message: failure.message,
            hint: failure.hint,
        }])
    }
}
