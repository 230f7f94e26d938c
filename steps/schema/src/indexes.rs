//! Step `indexes`: builds indexes and keys while other tables are still copied.

use crate::builder::{Builder, Readiness, Ready};
use crate::dumped;
use crate::fate::Pass;
use crate::of_tables::Tables;
use crate::rest::{rest, second};
use crate::restore::Restorer;
use async_trait::async_trait;
use libpgdump::ObjectType;
use pghaul_step::{Context, Database, Descriptor, Failure, Generation, Probe, Route, Step, StepPhase};
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

/// Step `snapshot-indexes`: the same beside the initial copy of replication. Step `rest-indexes`: beside its second
/// generation.
#[derive(Debug)]
pub struct SnapshotIndexes(pub Generation);

#[async_trait]
impl Step for SnapshotIndexes {
    type Scope = Database;
    type Output = ();

    fn descriptor(&self) -> Descriptor {
        Descriptor {
            routes: &[Route::ReplicationBySnapshot],
            beside: Some(self.0.copy()),
            ..Descriptor::new(
                self.0.indexes(),
                "builds indexes while other tables are copied",
                StepPhase::Data,
            )
        }
    }

    fn is_needed(&self, ctx: &Context<Database>) -> Result<bool, Failure> {
        self.0.is_there(ctx)
    }

    async fn probe(&self, _: &Context<Database>) -> Result<Probe<()>, Failure> {
        Ok(Probe::Partial)
    }

    async fn run(&self, ctx: &Context<Database>) -> Result<(), Failure> {
        build_beside(ctx, self.0.copy()).await
    }
}

/// Builds what belongs to each table as soon as the copy has finished it, then what belongs to several: the indexes
/// of partitioned tables and their attachments.
async fn build_beside(ctx: &Context<Database>, copy: &'static str) -> Result<(), Failure> {
    // Before the copy finishes its first table: what was finished by now is that of an earlier one.
    let copied = Copied::beside(ctx, copy)?;
    let dumped = dumped::obtain(ctx).await?;
    let archive = &dumped.archive;
    let tables = Tables::of(archive, ctx.plan());
    let restorer = Restorer::new(ctx, archive).await?;
    let builder = Builder::new(&restorer, tables.built(&restorer)).await?;
    builder.build(copied).await?;
    let restorer = Restorer::new(ctx, archive).await?;
    let mut waiting = tables.waiting(&restorer, &rest(ctx)?);
    if copy == Generation::First.copy() {
        // Rows get into tables without keys faster.
        waiting.extend(tables.waiting_with_keys(&restorer, &second(ctx)?));
    }
    let left: Vec<_> = restorer
        .open(Pass::Keys)
        .chain(restorer.open(Pass::AfterData))
        .filter(|entry| {
            matches!(
                entry.kind,
                ObjectType::Constraint | ObjectType::Index | ObjectType::IndexAttach | ObjectType::Statistics
            )
        })
        .filter(|entry| !entry.may_be_violated() && !waiting.contains(&entry.id))
        .collect();
    restorer.restore("indexes and constraints", &left).await?;
    Ok(())
}

/// The tables that a step has copied, as the journal says.
struct Copied<'a> {
    ctx: &'a Context<Database>,
    copy: &'static str,
    /// The items that were seen; from the beginning those of a copy that was killed, whose tables are copied again.
    seen: BTreeSet<String>,
    told: Told,
}

/// The tables that were told to be ready. A copy that was killed and has then finished has an item of each generation.
#[derive(Debug, Default)]
struct Told(BTreeSet<u32>);

impl Told {
    /// Whether the table of an item is told for the first time.
    fn first(&mut self, item: &str) -> Option<u32> {
        let number = item.split_once('/')?.1.parse().ok()?;
        self.0.insert(number).then_some(number)
    }
}

/// What is needed of an item of the copy.
#[derive(Deserialize)]
struct Item {
    bytes: u64,
}

/// What is needed of the output of the step that holds the snapshot.
#[derive(Deserialize)]
struct Slot {
    attempt: u32,
}

impl<'a> Copied<'a> {
    fn beside(ctx: &'a Context<Database>, copy: &'static str) -> Result<Self, Failure> {
        Ok(Self {
            ctx,
            copy,
            seen: outdated(ctx, copy)?,
            told: Told::default(),
        })
    }
}

/// The items of a copy that was killed, whose tables are copied again.
fn outdated(ctx: &Context<Database>, copy: &str) -> Result<BTreeSet<String>, Failure> {
    let items = || ctx.items_of::<Item>(copy).map(BTreeMap::into_keys);
    let holder = [Generation::First, Generation::Second]
        .into_iter()
        .find(|generation| generation.copy() == copy)
        .map(Generation::slot);
    match holder {
        Some(slot) => {
            let slot: Option<Slot> = ctx.output(slot)?;
            let prefix = slot.map_or_else(String::new, |slot| format!("{}/", slot.attempt));
            Ok(items()?.filter(|item| !item.starts_with(&prefix)).collect())
        }
        None if ctx.has_finished(copy) => Ok(BTreeSet::new()),
        None => Ok(items()?.collect()),
    }
}

impl Readiness for Copied<'_> {
    fn look(&mut self) -> Result<Ready, Failure> {
        // First the end, then the tables: whatever was finished before the end is seen.
        let last = self.ctx.has_finished(self.copy);
        let mut tables = Vec::new();
        if self.ctx.count_items_of(self.copy) > self.seen.len() {
            let seen = |name: &str| self.seen.contains(name);
            let items: BTreeMap<String, Item> = self.ctx.more_items_of(self.copy, seen)?;
            for (name, item) in items {
                tables.extend(self.told.first(&name).map(|number| (number, Some(item.bytes))));
                self.seen.insert(name);
            }
        }
        Ok(Ready { tables, last })
    }
}

#[cfg(test)]
mod tests {
    use super::Told;

    #[test]
    fn a_table_is_ready_once_however_often_it_was_copied() {
        let mut told = Told::default();
        let first: Vec<Option<u32>> = ["1/7", "2/7", "2/8", "x", "2/y"]
            .map(|item| told.first(item))
            .into();
        assert_eq!(first, [Some(7), None, Some(8), None, None]);
    }
}
