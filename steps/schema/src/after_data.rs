//! The steps after the data: `constraints` before the target follows the source, `post-data` at the end.

use crate::archive::{Archive, Entry};
use crate::builder::{Builder, Readiness, Ready};
use crate::fate::Pass;
use crate::of_tables::Tables;
use crate::rest::rest;
use crate::restore::Restorer;
use crate::{Restored, dumped, foreign_keys};
use async_trait::async_trait;
use libpgdump::ObjectType;
use pghaul_step::plan::{HeldBackKind, RelationKind};
use pghaul_step::{
    Context, Database, Descriptor, Failure, Incomplete, Method, Probe, Proof, Route, Standing, Step,
    StepPhase,
};
use std::collections::BTreeSet;

/// Step `constraints`: everything after the data that no table has to be waited for, while the copied tables are
/// still at rest.
#[derive(Debug, Default)]
pub struct Constraints;

#[async_trait]
impl Step for Constraints {
    type Scope = Database;
    type Output = Restored;

    fn descriptor(&self) -> Descriptor {
        Descriptor {
            routes: &[Route::ReplicationBySnapshot],
            after: &["snapshot-copy", "snapshot-indexes"],
            ..Descriptor::new(
                "constraints",
                "restores foreign keys, triggers, privileges",
                StepPhase::Data,
            )
        }
    }

    async fn probe(&self, _: &Context<Database>) -> Result<Probe<Restored>, Failure> {
        Ok(Probe::Partial)
    }

    async fn run(&self, ctx: &Context<Database>) -> Result<Restored, Failure> {
        let dumped = dumped::obtain(ctx).await?;
        let archive = &dumped.archive;
        let restorer = Restorer::new(ctx, archive).await?;
        let waiting = Tables::of(archive, ctx.plan()).waiting(&restorer, &rest(ctx)?);
        restore_after_data(ctx, archive, &waiting).await
    }
}

/// Step `post-data`: everything that is left.
#[derive(Debug, Default)]
pub struct PostData;

#[async_trait]
impl Step for PostData {
    type Scope = Database;
    type Output = Restored;

    fn descriptor(&self) -> Descriptor {
        Descriptor {
            after: &["copy", "indexes", "initial-copy"],
            ..Descriptor::new(
                "post-data",
                "restores what is left: constraints, triggers, privileges",
                StepPhase::Data,
            )
        }
    }

    async fn probe(&self, _: &Context<Database>) -> Result<Probe<Restored>, Failure> {
        Ok(Probe::Partial)
    }

    async fn run(&self, ctx: &Context<Database>) -> Result<Restored, Failure> {
        let dumped = dumped::obtain(ctx).await?;
        let archive = &dumped.archive;
        let restorer = Restorer::new(ctx, archive).await?;
        let built = Tables::of(archive, ctx.plan()).built(&restorer);
        let builder = Builder::new(&restorer, built).await?;
        builder.build(EveryTable::of(ctx)).await?;
        restore_after_data(ctx, archive, &BTreeSet::new()).await
    }

    /// Names what is held back until the cutover.
    async fn standing(&self, ctx: &Context<Database>) -> Result<Option<Standing>, Failure> {
        if ctx.method() != Method::Replication {
            return Ok(None);
        }
        let incomplete = ctx.plan().held_back.iter().map(|held| Incomplete {
            object: match held.kind {
                HeldBackKind::EventTrigger => format!("{} {}", held.kind, held.name),
                _ => format!(
                    "{} {} of table {}.{}",
                    held.kind, held.name, held.schema, held.table
                ),
            },
            why: format!("held back: {}", held.why),
            as_of: None,
        });
        let proof = Proof {
            incomplete: incomplete.collect(),
            ..Proof::default()
        };
        Ok(Some(Standing {
            proof,
            ..Standing::default()
        }))
    }
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
async fn restore_after_data(
    ctx: &Context<Database>,
    archive: &Archive,
    waiting: &BTreeSet<i32>,
) -> Result<Restored, Failure> {
    let restorer = Restorer::new(ctx, archive).await?;
    let mut skipped = Vec::new();
    let open = |pass| restorer.open(pass).filter(|entry| !waiting.contains(&entry.id));
    let after: Vec<&Entry> = open(Pass::Keys).chain(open(Pass::AfterData)).collect();
    let (foreign_keys, others): (Vec<&Entry>, Vec<&Entry>) = after
        .into_iter()
        .partition(|entry| entry.kind == ObjectType::FkConstraint);
    let (built, others): (Vec<&Entry>, Vec<&Entry>) = others.into_iter().partition(|entry| {
        matches!(
            entry.kind,
            ObjectType::Constraint | ObjectType::Index | ObjectType::IndexAttach | ObjectType::Statistics
        )
    });
    skipped.extend(restorer.restore("indexes and constraints", &built).await?);
    foreign_keys::restore(&restorer, &foreign_keys).await?;
    skipped.extend(restorer.restore("triggers and rules", &others).await?);
    let last: Vec<&Entry> = open(Pass::Last).collect();
    skipped.extend(restorer.restore("privileges", &last).await?);
    Ok(Restored { skipped })
}
