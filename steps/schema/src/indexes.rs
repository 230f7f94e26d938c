//! Step `indexes`: builds indexes and keys while other tables are still copied.

use crate::builder::{Builder, Readiness, Ready};
use crate::dumped;
use crate::fate::Pass;
use crate::of_tables::Tables;
use crate::rest::rest;
use crate::restore::Restorer;
use async_trait::async_trait;
use libpgdump::ObjectType;
use pghaul_step::{Context, Database, Descriptor, Failure, Probe, Route, Step, StepPhase};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// The step.
#[derive(Debug, Default)]
pub struct Indexes;

#[async_trait]
impl Step for Indexes {
    type Scope = Database;
    type Output = ();

    fn descriptor(&self) -> Descriptor {
        Descriptor {
            routes: &[Route::Dump],
            beside: Some("copy"),
            ..Descriptor::new(
                "indexes",
                "builds indexes while other tables are copied",
                StepPhase::Data,
            )
        }
    }

    async fn probe(&self, _: &Context<Database>) -> Result<Probe<()>, Failure> {
        // What is there, the effect keys say: `run` reads them.
        Ok(Probe::Partial)
    }

    async fn run(&self, ctx: &Context<Database>) -> Result<(), Failure> {
        build_beside(ctx, "copy").await
    }
}

/// Step `snapshot-indexes`: the same beside the initial copy of replication.
#[derive(Debug, Default)]
pub struct SnapshotIndexes;

#[async_trait]
impl Step for SnapshotIndexes {
    type Scope = Database;
    type Output = ();

    fn descriptor(&self) -> Descriptor {
        Descriptor {
            routes: &[Route::ReplicationBySnapshot],
            beside: Some("snapshot-copy"),
            ..Descriptor::new(
                "snapshot-indexes",
                "builds indexes while other tables are copied",
                StepPhase::Data,
            )
        }
    }

    async fn probe(&self, _: &Context<Database>) -> Result<Probe<()>, Failure> {
        Ok(Probe::Partial)
    }

    async fn run(&self, ctx: &Context<Database>) -> Result<(), Failure> {
        build_beside(ctx, "snapshot-copy").await
    }
}

/// Builds what belongs to each table as soon as the copy has finished it, then what belongs to several: the indexes
/// of partitioned tables and their attachments.
async fn build_beside(ctx: &Context<Database>, copy: &'static str) -> Result<(), Failure> {
    let dumped = dumped::obtain(ctx).await?;
    let archive = &dumped.archive;
    let tables = Tables::of(archive, ctx.plan());
    let restorer = Restorer::new(ctx, archive).await?;
    let builder = Builder::new(&restorer, tables.built(&restorer)).await?;
    builder.build(Copied::beside(ctx, copy)?).await?;
    let restorer = Restorer::new(ctx, archive).await?;
    let waiting = tables.waiting(&restorer, &rest(ctx)?);
    let left: Vec<_> = restorer
        .open(Pass::Keys)
        .chain(restorer.open(Pass::AfterData))
        .filter(|entry| {
            matches!(
                entry.kind,
                ObjectType::Constraint | ObjectType::Index | ObjectType::IndexAttach | ObjectType::Statistics
            )
        })
        .filter(|entry| !waiting.contains(&entry.id))
        .collect();
    restorer.restore("indexes and constraints", &left).await?;
    Ok(())
}

/// The tables that a step has copied, as the journal says.
struct Copied<'a> {
    ctx: &'a Context<Database>,
    copy: &'static str,
    seen: BTreeSet<u32>,
    /// Items of a dump that was killed: its tables are copied again.
    outdated: BTreeSet<String>,
}

/// What is needed of an item of the copy.
#[derive(Deserialize)]
struct Item {
    bytes: u64,
}

impl<'a> Copied<'a> {
    fn beside(ctx: &'a Context<Database>, copy: &'static str) -> Result<Self, Failure> {
        let starts_over = ctx.route() == Route::Dump && !ctx.has_finished(copy);
        let outdated = if starts_over {
            ctx.items_of::<Item>(copy)?.into_keys().collect()
        } else {
            BTreeSet::new()
        };
        Ok(Self {
            ctx,
            copy,
            seen: BTreeSet::new(),
            outdated,
        })
    }
}

impl Readiness for Copied<'_> {
    fn look(&mut self) -> Result<Ready, Failure> {
        // First the end, then the tables: whatever was finished before the end is seen.
        let last = self.ctx.has_finished(self.copy);
        let mut tables = Vec::new();
        if self.ctx.count_items_of(self.copy) > self.seen.len() + self.outdated.len() || last {
            let items: BTreeMap<String, Item> = self.ctx.items_of(self.copy)?;
            for (name, item) in items {
                let number = name.split_once('/').and_then(|(_, number)| number.parse().ok());
                if let Some(number) = number
                    && !self.outdated.contains(&name)
                    && self.seen.insert(number)
                {
                    tables.push((number, Some(item.bytes)));
                }
            }
        }
        Ok(Ready { tables, last })
    }
}
