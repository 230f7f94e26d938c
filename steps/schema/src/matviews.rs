//! Step `matviews`: refreshes the materialized views that are populated on the source, each after those that it reads.
//!
//! After the copy, and once more in `remove`: replication does not carry them, and until then they show the rows of the
//! copy.

use async_trait::async_trait;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use pghaul_contracts::{EffectKey, MatviewsOutput, PostDataOutput};
use pghaul_step::postgres::QualifiedName;
use pghaul_step::{
    Context, Contract, Database, Descriptor, Failure, Probe, Progress, Repeats, Step, StepPhase,
};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};

/// The step.
#[derive(Debug, Default)]
pub struct Matviews;

#[async_trait]
impl Step for Matviews {
    type Scope = Database;
    type Output = MatviewsOutput;

    fn descriptor(&self) -> Descriptor {
        Descriptor {
            after: &[PostDataOutput::STEP],
            repeats: Repeats::Removal,
            ..Descriptor::of::<MatviewsOutput>("refreshes materialized views", StepPhase::Data)
        }
    }

    async fn probe(&self, _: &Context<Database>) -> Result<Probe<MatviewsOutput>, Failure> {
        Ok(Probe::Partial)
    }

    async fn run(&self, ctx: &Context<Database>) -> Result<MatviewsOutput, Failure> {
        let source = ctx.source().await?;
        let doing = source.doing("list the materialized views");
        let rows = doing.query(include_str!("matviews.sql"), &[]).await?;
        let mut views = Vec::with_capacity(rows.len());
        for row in &rows {
            let (schema, name): (String, String) = (row.get("schema"), row.get("name"));
            let (name, depth) = (QualifiedName::new(schema, name)?, row.get("depth"));
            views.push(View { name, depth });
        }
        let once_more = ctx.output::<MatviewsOutput>()?.is_some();
        if once_more {
            retain_those_there(ctx, &mut views).await?;
        }
        let total = views.len() as u64;
        if !once_more {
            let done = ctx.effects(EffectKey::REFRESHED).await?;
            views.retain(|view| !done.contains(&view.key()));
        }
        let refreshed = AtomicU64::new(total - views.len() as u64);
        // Those of the same depth do not read each other.
        for same_depth in views.chunk_by(|a, b| a.depth == b.depth) {
            let mut crew = Vec::new();
            for view in same_depth {
                let key = (!once_more).then(|| view.key());
                crew.push(refresh(ctx, view, key, &refreshed, total));
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
        EffectKey::Refreshed(self.name.to_string()).to_string()
    }
}

/// Leaves out the views that the target does not have: no change of the schema since the copy was moved.
async fn retain_those_there(ctx: &Context<Database>, views: &mut Vec<View>) -> Result<(), Failure> {
    let names: Vec<String> = views.iter().map(|view| view.name.to_string()).collect();
    let target = ctx.target_for_reading().await?;
    let sql = "SELECT name FROM pg_catalog.unnest($1::text[]) AS name WHERE pg_catalog.to_regclass(name) IS NOT NULL";
    let doing = target.doing("look for the materialized views");
    let rows = doing.query(sql, &[&names]).await?;
    let there: BTreeSet<String> = rows.iter().map(|row| row.get(0)).collect();
    views.retain(|view| there.contains(&view.name.to_string()));
    Ok(())
}

/// Refreshes a view and analyzes it: its rows are new. Its effect key is noted with it.
async fn refresh(
    ctx: &Context<Database>,
    view: &View,
    key: Option<String>,
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
    if let Some(key) = key {
        transaction.effect(&key).await?;
    }
    transaction.commit("refresh a materialized view").await?;
    ctx.progress(Progress::Count {
        what: "materialized views",
        done: 1 + refreshed.fetch_add(1, Ordering::Relaxed),
        total,
    });
    Ok(())
}
