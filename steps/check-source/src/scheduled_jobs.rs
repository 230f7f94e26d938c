//! The check `scheduled-jobs`.

use pghaul_step::plan::classify;
use pghaul_step::{
    Check, CheckContext, CheckDescriptor, Code, Database, Failure, Finding, FindingKind, Severity, TableName,
    TablePlan, async_trait,
};
use serde::Serialize;

/// Jobs that the target's server would run too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Scheduled {
    /// Jobs of pg_cron.
    JobsRunTwice {
        /// How many are active; unknown where pghaul's role may not read all of them.
        jobs: Option<u64>,
    },
}

impl FindingKind for Scheduled {
    fn severity(&self) -> Severity {
        Severity::Warning
    }

    fn message(&self) -> String {
        let Self::JobsRunTwice { jobs } = self;
        let jobs = jobs.map_or_else(String::new, |jobs| format!(" ({jobs} active)"));
        format!(
            "the jobs of pg_cron{jobs} are moved: from then on, the target runs them as well as the source"
        )
    }

    fn hint(&self) -> Option<String> {
        Some(
            "set cron.launch_active_jobs = off on the target until the cutover (pg_cron 1.5 or later); or leave the jobs out with \
             --schema-only-table cron.job, and schedule them on the target after the cutover"
                .to_owned(),
        )
    }
}

/// The check `scheduled-jobs`: would the target run jobs while the source still does?
#[derive(Debug, Clone, Copy)]
pub struct ScheduledJobs;

#[async_trait]
impl Check for ScheduledJobs {
    type Scope = Database;

    fn descriptor(&self) -> CheckDescriptor {
        CheckDescriptor {
            name: "scheduled-jobs",
            summary: "no job would run on both servers",
            after: super::AFTER,
        }
    }

    async fn examine(&self, ctx: &CheckContext<Database>) -> Result<Vec<Finding>, Failure> {
        let catalog = ctx.catalog().await?;
        // Its rows are moved, since pg_cron marks the table as configuration.
        let jobs = TableName::new("cron", "job");
        let is_moved = |table: &TablePlan| table.name == jobs && table.filter().is_some();
        if !classify(&catalog).iter().any(is_moved) {
            return Ok(Vec::new());
        }
        let source = ctx.source().await?;
        let doing = source.doing("count the jobs of pg_cron");
        let counted = doing
            .query_one("SELECT pg_catalog.count(*) FROM cron.job WHERE active", &[])
            .await;
        let jobs = match counted {
            Ok(row) => Some(row.get::<_, i64>(0).unsigned_abs()),
            // Without a policy for pghaul's role, or without the right to read.
            Err(error) if error.code() == Code::PermissionDenied => None,
            Err(error) => return Err(error.into()),
        };
        let found = (jobs != Some(0)).then_some(Scheduled::JobsRunTwice { jobs });
        let found = found.map(|found| found.about("scheduled-jobs", super::database(ctx)));
        Ok(found.into_iter().collect())
    }
}
