//! Step `matviews`: refreshes the materialized views that are populated on the source, each after those that it reads.
//!
//! After the copy, and once more in `remove`: replication does not carry them, and until then they show the rows of the
//! copy.
//!
//! A view that can't be refreshed stops nothing: it may read another one through a function, and is tried again as long as
//! any other could be. What is left then is incomplete, with the words of the server.

use crate::refusals::is_refusal;
use async_trait::async_trait;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use pghaul_contracts::{EffectKey, MatviewsOutput, PostDataOutput};
use pghaul_step::postgres::QualifiedName;
use pghaul_step::{
    Context, Contract, Database, Descriptor, Expressions, Failure, Home, Incomplete, Occasion, Probe,
    Progress, Proof, Repeats, Standing, Step, StepPhase,
};
use std::collections::{BTreeMap, BTreeSet};
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
            follows_rows: true,
            tries_again: true,
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
        let selected = ctx.selected(&source).await?;
        let mut views = Vec::with_capacity(rows.len());
        for row in &rows {
            let (schema, name): (String, String) = (row.get("schema"), row.get("name"));
            if selected
                .as_ref()
                .is_some_and(|selected| !selected.holds_named(&schema, &name))
            {
                continue;
            }
            views.push(View {
                name: QualifiedName::new(schema, name)?,
                owner: row.get("owner"),
                depth: row.get("depth"),
            });
        }
        let before = ctx.output::<MatviewsOutput>()?;
        if before.is_some() {
            retain_those_there(ctx, &mut views).await?;
        }
        let total = views.len() as u64;
        // What was refused is tried again alone; the removal refreshes all.
        let once_more = before.is_some() && ctx.occasion() != Some(Occasion::Refused);
        if !once_more {
            let done = ctx.effects(EffectKey::REFRESHED).await?;
            views.retain(|view| !done.contains(&view.key()));
        }
        let home = Home::of(ctx).await?;
        let all = Refreshes {
            ctx,
            home: &home,
            once_more,
            refreshed: AtomicU64::new(total - views.len() as u64),
            total,
        };
        let failed = all.complete(views).await?;
        let incomplete: Vec<Incomplete> = failed.iter().map(|(view, why)| unrefreshed(view, why)).collect();
        Ok(MatviewsOutput {
            refreshed: total - incomplete.len() as u64,
            incomplete,
        })
    }

    async fn standing(&self, ctx: &Context<Database>) -> Result<Option<Standing>, Failure> {
        let output = ctx.output::<MatviewsOutput>()?.unwrap_or_default();
        let proof = Proof {
            incomplete: output.incomplete,
            ..Proof::default()
        };
        Ok(Some(Standing {
            proof,
            ..Standing::default()
        }))
    }
}

/// The name under which a view is listed.
fn object(view: &View) -> String {
    format!("materialized view {}", view.name.short())
}

fn unrefreshed(view: &View, why: &Failure) -> Incomplete {
    Incomplete {
        object: object(view),
        why: format!("not refreshed: {}", why.causes.last().unwrap_or(&why.message)),
        refused: true,
        ..Incomplete::default()
    }
}

/// A populated materialized view.
struct View {
    name: QualifiedName,
    /// Whose rights and settings its query has.
    owner: String,
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

/// What the refreshes of a database share.
struct Refreshes<'a> {
    ctx: &'a Context<Database>,
    home: &'a Home,
    /// Whether they were refreshed before: then no effect key is noted.
    once_more: bool,
    refreshed: AtomicU64,
    total: u64,
}

impl Refreshes<'_> {
    /// Refreshes views, each after those that it reads, and again those that failed as long as any other did not.
    async fn complete(&self, views: Vec<View>) -> Result<Vec<(View, Failure)>, Failure> {
        let mut open = views;
        loop {
            let before = open.len();
            let failed = self.pass(open).await?;
            if failed.is_empty() || failed.len() == before {
                return Ok(failed);
            }
            open = failed.into_iter().map(|(view, _)| view).collect();
        }
    }

    /// Tries each view once. Those of the same depth do not read each other.
    async fn pass(&self, views: Vec<View>) -> Result<Vec<(View, Failure)>, Failure> {
        let mut by_depth: BTreeMap<i32, Vec<View>> = BTreeMap::new();
        for view in views {
            by_depth.entry(view.depth).or_default().push(view);
        }
        let mut failed = Vec::new();
        for same_depth in by_depth.into_values() {
            let crew = same_depth
                .into_iter()
                .map(async |view| match self.refresh(&view).await {
                    Ok(()) => Ok(None),
                    Err(failure) if is_refusal(&failure) => Ok(Some((view, failure))),
                    Err(failure) => Err(failure),
                });
            let outcomes: Vec<Option<(View, Failure)>> = stream::iter(crew)
                .buffer_unordered(self.ctx.jobs())
                .try_collect()
                .await?;
            failed.extend(outcomes.into_iter().flatten());
        }
        Ok(failed)
    }

    /// Refreshes a view and analyzes it: its rows are new. Its effect key is noted with it.
    async fn refresh(&self, view: &View) -> Result<(), Failure> {
        self.ctx.check_cancelled()?;
        let _worker = self.ctx.worker().await?;
        let mut target = self.ctx.target().await?;
        let transaction = self.ctx.begin(&mut target).await?;
        let name = &view.name;
        let owner = view.owner.as_str();
        self.home
            .enter(&transaction, Expressions::OfView { owner })
            .await?;
        // No statement of pghaul's runs under the search_path of the database.
        let statements =
            format!("REFRESH MATERIALIZED VIEW {name}; ANALYZE {name}; SET LOCAL search_path = ''");
        let operation = "refresh a materialized view";
        transaction.batch(operation, &statements).await?;
        if !self.once_more {
            transaction.effect(&view.key()).await?;
        }
        transaction.commit(operation).await?;
        self.ctx.progress(Progress::Count {
            what: "materialized views",
            done: 1 + self.refreshed.fetch_add(1, Ordering::Relaxed),
            total: self.total,
        });
        Ok(())
    }
}
