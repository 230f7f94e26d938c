//! The steps after the data: `constraints` before the target follows the source, `post-data` at the end.

use crate::archive::Entry;
use crate::builder::{Builder, Readiness, Ready};
use crate::crossing::Crossing;
use crate::fate::Pass;
use crate::of_tables::Tables;
use crate::refusals::Refusals;
use crate::rest::rest;
use crate::restore::{Restorer, is_built};
use crate::{dumped, foreign_keys, held_back, unsafe_checks};
use async_trait::async_trait;
use libpgdump::ObjectType;
use pghaul_contracts::{
    ConstraintsOutput, CopyOutput, DeferredCopyOutput, IndexesOutput, InitialCopyOutput, LargeObjectsOutput,
    PostDataOutput, Rest, SchemaOutput, SnapshotCopyOutput, SnapshotIndexesOutput,
};
use pghaul_step::plan::RelationKind;
use pghaul_step::{
    Context, Contract, Database, Descriptor, Failure, Incomplete, Method, Occasion, Probe, Proof, Repeats,
    Route, Standing, Step, StepPhase,
};
use std::collections::BTreeSet;

/// Step `constraints`: everything after the data that no table has to be waited for, while the copied tables are
/// still at rest.
#[derive(Debug, Default)]
pub struct Constraints;

#[async_trait]
impl Step for Constraints {
    type Scope = Database;
    type Output = ConstraintsOutput;

    fn descriptor(&self) -> Descriptor {
        Descriptor {
            routes: &[Route::ReplicationBySnapshot],
            after: &[
                SnapshotCopyOutput::STEP,
                SnapshotIndexesOutput::STEP,
                Rest::<SnapshotCopyOutput>::STEP,
                Rest::<SnapshotIndexesOutput>::STEP,
            ],
            ..Descriptor::of::<ConstraintsOutput>(
                "restores foreign keys, triggers, privileges",
                StepPhase::Data,
            )
        }
    }

    async fn probe(&self, _: &Context<Database>) -> Result<Probe<ConstraintsOutput>, Failure> {
        Ok(Probe::Partial)
    }

    async fn run(&self, ctx: &Context<Database>) -> Result<ConstraintsOutput, Failure> {
        let dumped = dumped::obtain(ctx).await?;
        let archive = &dumped.archive;
        let restorer = Restorer::new(ctx, &dumped).await?;
        let tables = Tables::of(archive, ctx.plan());
        let Crossing {
            entries, held_back, ..
        } = Crossing::of(&restorer, &tables)?;
        let mut waiting = tables.waiting(&restorer, &rest(ctx)?);
        waiting.extend(entries);
        restore_after_data(&restorer, &waiting).await?;
        Ok(ConstraintsOutput {
            skipped: Vec::new(),
            held_back,
        })
    }
}

/// Step `post-data`: everything that is left.
#[derive(Debug, Default)]
pub struct PostData;

#[async_trait]
impl Step for PostData {
    type Scope = Database;
    type Output = PostDataOutput;

    fn descriptor(&self) -> Descriptor {
        Descriptor {
            after: &[
                CopyOutput::STEP,
                IndexesOutput::STEP,
                InitialCopyOutput::STEP,
                DeferredCopyOutput::STEP,
                LargeObjectsOutput::STEP,
            ],
            repeats: Repeats::Removal,
            tries_again: true,
            ..Descriptor::of::<PostDataOutput>(
                "restores what is left: constraints, triggers, privileges",
                StepPhase::Data,
            )
        }
    }

    fn is_needed(&self, ctx: &Context<Database>) -> Result<bool, Failure> {
        // The removal adds checks and what was held back, nothing else.
        if ctx.occasion() != Some(Occasion::Removal) {
            return Ok(true);
        }
        let schema: Option<SchemaOutput> = ctx.output()?;
        let has_checks = schema.is_some_and(|schema| !schema.checks.is_empty());
        Ok(has_checks || held_back::is_completed(ctx) && !held_back::all(ctx)?.is_empty())
    }

    async fn probe(&self, _: &Context<Database>) -> Result<Probe<PostDataOutput>, Failure> {
        Ok(Probe::Partial)
    }

    async fn run(&self, ctx: &Context<Database>) -> Result<PostDataOutput, Failure> {
        // What was refused before may be accepted now: rows have changed, or somebody has changed the target.
        Refusals::forget(ctx);
        let dumped = dumped::obtain(ctx).await?;
        let archive = &dumped.archive;
        let tables = Tables::of(archive, ctx.plan());
        let restorer = Restorer::new(ctx, &dumped).await?;
        let before: Vec<&Entry> = restorer.open(Pass::BeforeData).collect();
        restorer.restore("objects", &before).await?;
        let builder = Builder::new(&restorer, tables.built(&restorer)).await?;
        builder.build(EveryTable::of(ctx)).await?;
        let restorer = Restorer::new(ctx, &dumped).await?;
        let crossing = Crossing::of(&restorer, &tables)?;
        restore_after_data(&restorer, &crossing.entries).await?;
        let mut incomplete = Vec::new();
        let at_removal = ctx.occasion() == Some(Occasion::Removal);
        let follows = ctx.method() == Method::Replication && !at_removal;
        let completes = at_removal && held_back::is_completed(ctx);
        if !completes {
            incomplete.extend(without(&restorer, &crossing));
        }
        if follows {
            incomplete.extend(unsafe_checks::held_back(restorer.checks));
        } else {
            let keep = ctx.method() == Method::Dump;
            unsafe_checks::add(ctx, restorer.checks, keep, &restorer.refusals).await?;
            restorer.restore_comments_on_checks().await?;
        }
        let mut firing = Vec::new();
        if completes {
            held_back::create_keys(&restorer, &crossing).await?;
            firing = held_back::firing(ctx).await?;
        }
        incomplete.extend(restorer.refusals.list());
        incomplete.extend(restorer.without_owner()?);
        Ok(PostDataOutput {
            skipped: Vec::new(),
            incomplete,
            firing,
        })
    }

    /// Names what is held back until the cutover, and what is not moved at all.
    async fn standing(&self, ctx: &Context<Database>) -> Result<Option<Standing>, Failure> {
        let restored = ctx.output::<PostDataOutput>()?;
        let mut incomplete = restored.map(|restored| restored.incomplete).unwrap_or_default();
        if ctx.method() == Method::Replication {
            let refused = |item: &Incomplete| incomplete.iter().any(|known| known.object == item.object);
            let held = held_back::all(ctx)?;
            let open: Vec<_> = held
                .iter()
                .map(|held| held_back::listed(ctx, held))
                .filter(|item| !refused(item))
                .collect();
            incomplete.splice(0..0, open);
        }
        incomplete.extend(large_objects(ctx).await?);
        let proof = Proof {
            incomplete,
            ..Proof::default()
        };
        Ok(Some(Standing {
            proof,
            ..Standing::default()
        }))
    }

    async fn follow_again(&self, ctx: &Context<Database>) -> Result<(), Failure> {
        held_back::drop_keys(ctx).await
    }

    /// Enables triggers: nothing is replicated any more.
    async fn complete(&self, ctx: &Context<Database>) -> Result<(), Failure> {
        match ctx.output::<PostDataOutput>()? {
            Some(output) => held_back::enable(ctx, &output.firing).await,
            None => Ok(()),
        }
    }
}

/// What is not created since it depends on a foreign key that is held back.
fn without(restorer: &Restorer<'_>, crossing: &Crossing<'_>) -> Vec<Incomplete> {
    let of_plan = restorer
        .without()
        .map(|(entry, held)| (entry, held_back::object(held)));
    let crossing = crossing
        .dependents
        .iter()
        .map(|(entry, key)| (*entry, key.object()));
    of_plan
        .chain(crossing)
        .map(|(entry, key)| Incomplete {
            object: entry.object(),
            why: format!("held back with {key}"),
            by_removal: held_back::is_completed(restorer.ctx),
            ..Incomplete::default()
        })
        .collect()
}

/// The large objects of the source, where the plan is of a release that did not move them: the user has accepted that.
async fn large_objects(ctx: &Context<Database>) -> Result<Option<Incomplete>, Failure> {
    if LargeObjectsOutput::is_planned(ctx.plan()) {
        return Ok(None);
    }
    let source = ctx.source().await?;
    let sql = "SELECT count(*) FROM pg_catalog.pg_largeobject_metadata";
    let count: i64 = source
        .doing("count the large objects")
        .query_one(sql, &[])
        .await?
        .get(0);
    Ok((count > 0).then(|| Incomplete {
        object: format!("{count} large object{}", if count == 1 { "" } else { "s" }),
        why: "not moved".to_owned(),
        ..Incomplete::default()
    }))
}

/// Every table with rows: all of them are there. Partitioned tables have statistics of their own.
struct EveryTable(Vec<u32>);

impl EveryTable {
    fn of(ctx: &Context<Database>) -> Self {
        let tables = ctx.plan().tables.iter();
        let analyzed =
            tables.filter(|t| t.kind == RelationKind::PartitionedTable || t.copied_by_us(Route::Dump));
        Self(analyzed.map(|t| t.number).collect())
    }
}

impl Readiness for EveryTable {
    fn look(&mut self) -> Result<Ready, Failure> {
        let tables = std::mem::take(&mut self.0);
        Ok(Ready {
            tables: tables.into_iter().map(|number| (number, None)).collect(),
            last: true,
        })
    }
}

/// Restores what comes after the data, but for entries that have to wait: what is built from rows, foreign keys,
/// then the rest in the archive's order, privileges last.
async fn restore_after_data(restorer: &Restorer<'_>, waiting: &BTreeSet<i32>) -> Result<(), Failure> {
    let open = |pass| restorer.open(pass).filter(|entry| !waiting.contains(&entry.id));
    let after: Vec<&Entry> = open(Pass::Keys).chain(open(Pass::AfterData)).collect();
    let (foreign_keys, others): (Vec<&Entry>, Vec<&Entry>) = after
        .into_iter()
        .partition(|entry| entry.kind == ObjectType::FkConstraint);
    let late = restorer.late();
    let (built, others): (Vec<&Entry>, Vec<&Entry>) = others
        .into_iter()
        .partition(|entry| is_built(entry) && !late.contains(&entry.id));
    restorer.restore("indexes and constraints", &built).await?;
    foreign_keys::restore(restorer, &foreign_keys, waiting).await?;
    restorer.restore("triggers and rules", &others).await?;
    let last: Vec<&Entry> = open(Pass::Last).collect();
    restorer.restore("privileges", &last).await
}
