//! Step `matviews`: refreshes the materialized views that are populated on the source.

use async_trait::async_trait;
use pghaul_step::ownership::effects;
use pghaul_step::postgres::QualifiedName;
use pghaul_step::{Context, Database, Descriptor, Failure, Probe, Progress, Step, StepPhase};
use serde::{Deserialize, Serialize};

/// The step.
#[derive(Debug, Default)]
pub struct Matviews;

/// How many materialized views were refreshed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MatviewsOutput {
    /// How many.
    pub refreshed: u64,
}

#[async_trait]
impl Step for Matviews {
    type Scope = Database;
    type Output = MatviewsOutput;

    fn descriptor(&self) -> Descriptor {
        Descriptor {
            after: &["post-data"],
            ..Descriptor::new("matviews", "refreshes materialized views", StepPhase::Data)
        }
    }

    async fn probe(&self, _: &Context<Database>) -> Result<Probe<MatviewsOutput>, Failure> {
        Ok(Probe::Partial)
    }

    async fn run(&self, ctx: &Context<Database>) -> Result<MatviewsOutput, Failure> {
        let source = ctx.source().await?;
        let doing = source.doing("list the materialized views");
        let rows = doing.query(include_str!("matviews.sql"), &[]).await?;
        let mut target = ctx.target().await?;
        let done = effects(&target, "matview/").await?;
        for (place, row) in (0..).zip(&rows) {
            ctx.check_cancelled()?;
            let (schema, name): (String, String) = (row.get("schema"), row.get("name"));
            let name = QualifiedName::new(schema, name)?;
            let key = format!("matview/{name}");
            if done.contains(&key) {
                continue;
            }
            let transaction = ctx.begin(&mut target).await?;
            let refresh = format!("REFRESH MATERIALIZED VIEW {name}");
            transaction.batch("refresh a materialized view", &refresh).await?;
            transaction.effect(&key).await?;
            transaction.commit("refresh a materialized view").await?;
            let (what, total) = ("materialized views", rows.len() as u64);
            ctx.progress(Progress::Count {
                what,
                done: place + 1,
                total,
            });
        }
        Ok(MatviewsOutput {
            refreshed: rows.len() as u64,
        })
    }
}
