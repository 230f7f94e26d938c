//! Step `matviews`: refreshes the materialized views that are populated on the source, each after those that it reads.

use async_trait::async_trait;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use pghaul_step::postgres::QualifiedName;
use pghaul_step::{Context, Database, Descriptor, Failure, Probe, Progress, Step, StepPhase};
use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicU64, Ordering};

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
        let done = ctx.effects("matview/").await?;
        let mut views = Vec::with_capacity(rows.len());
        for row in &rows {
            let (schema, name): (String, String) = (row.get("schema"), row.get("name"));
            let view = View {
                name: QualifiedName::new(schema, name)?,
                depth: row.get("depth"),
            };
            if !done.contains(&view.key()) {
                views.push(view);
            }
        }
        let total = rows.len() as u64;
        let refreshed = AtomicU64::new(total - views.len() as u64);
        // Those of the same depth do not read each other.
        for same_depth in views.chunk_by(|a, b| a.depth == b.depth) {
            let mut crew = Vec::new();
            for view in same_depth {
                crew.push(refresh(ctx, view, &refreshed, total));
            }
            let side_by_side = stream::iter(crew).buffer_unordered(ctx.jobs());
            side_by_side.try_collect::<()>().await?;
        }
        Ok(MatviewsOutput { refreshed: total })
    }
}

/// A populated materialized view.
struct View {
    name: QualifiedName,
    /// Deeper than those that it reads.
    depth: i32,
}

impl View {
    /// Its effect key.
    fn key(&self) -> String {
        format!("matview/{}", self.name)
    }
}

/// Refreshes a view and analyzes it: its rows are new.
async fn refresh(
    ctx: &Context<Database>,
    view: &View,
    refreshed: &AtomicU64,
    total: u64,
) -> Result<(), Failure> {
    ctx.check_cancelled()?;
    let _worker = ctx.worker().await?;
    let mut target = ctx.target().await?;
    let transaction = ctx.begin(&mut target).await?;
    let name = &view.name;
    let statements = format!("REFRESH MATERIALIZED VIEW {name}; ANALYZE {name}");
    transaction
        .batch("refresh a materialized view", &statements)
        .await?;
    transaction.effect(&view.key()).await?;
    transaction.commit("refresh a materialized view").await?;
    ctx.progress(Progress::Count {
        what: "materialized views",
        done: 1 + refreshed.fetch_add(1, Ordering::Relaxed),
        total,
    });
    Ok(())
}
