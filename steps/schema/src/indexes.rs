//! Step `indexes`: builds indexes and keys while other tables are still copied.

use crate::builder::{Builder, Readiness, Ready};
use crate::dumped;
use crate::fate::Pass;
use crate::of_tables::Tables;
use crate::rest::{rest, second};
use crate::restore::{Restorer, is_built};
use async_trait::async_trait;
use pghaul_contracts::{
    CopiedTable, CopyItem, CopyOutput, Generation, IndexesOutput, Rest, SlotOutput, SnapshotCopyOutput,
    SnapshotIndexesOutput,
};
use pghaul_step::{
    Context, Contract, Database, Descriptor, Failure, Itemized, Probe, Route, Step, StepPhase,
};
use std::collections::{BTreeMap, BTreeSet};
use std::marker::PhantomData;

/// The step.
#[derive(Debug, Default)]
pub struct Indexes;

#[async_trait]
impl Step for Indexes {
    type Scope = Database;
    type Output = IndexesOutput;

    fn descriptor(&self) -> Descriptor {
        Descriptor {
            routes: &[Route::Dump],
            beside: Some(CopyOutput::STEP),
            ..Descriptor::of::<IndexesOutput>("builds indexes while other tables are copied", StepPhase::Data)
        }
    }

    async fn probe(&self, _: &Context<Database>) -> Result<Probe<IndexesOutput>, Failure> {
        // What is there, the effect keys say: `run` reads them.
        Ok(Probe::Partial)
    }

    async fn run(&self, ctx: &Context<Database>) -> Result<IndexesOutput, Failure> {
        // What a copy has finished that was killed is copied again.
        let outdated = match ctx.has_finished::<CopyOutput>() {
            true => BTreeSet::new(),
            false => ctx.items_of::<CopyOutput>()?.into_keys().collect(),
        };
        build_beside::<CopyOutput>(ctx, outdated, &BTreeSet::new()).await?;
        Ok(IndexesOutput)
    }
}

/// Step `snapshot-indexes`: the same beside the initial copy of replication. Step `rest-indexes`: beside its second
/// generation.
#[derive(Debug)]
pub struct SnapshotIndexes(pub Generation);

#[async_trait]
impl Step for SnapshotIndexes {
    type Scope = Database;
    type Output = SnapshotIndexesOutput;

    fn descriptor(&self) -> Descriptor {
        Descriptor {
            routes: &[Route::ReplicationBySnapshot],
            beside: Some(self.0.step::<SnapshotCopyOutput>()),
            ..self.0.descriptor::<SnapshotIndexesOutput>(
                "builds indexes while other tables are copied",
                StepPhase::Data,
            )
        }
    }

    fn is_needed(&self, ctx: &Context<Database>) -> Result<bool, Failure> {
        self.0.is_there(ctx)
    }

    async fn probe(&self, _: &Context<Database>) -> Result<Probe<SnapshotIndexesOutput>, Failure> {
        Ok(Probe::Partial)
    }

    async fn run(&self, ctx: &Context<Database>) -> Result<SnapshotIndexesOutput, Failure> {
        let outdated = self.outdated(ctx)?;
        match self.0 {
            Generation::First => {
                // Rows get into tables without keys faster.
                build_beside::<SnapshotCopyOutput>(ctx, outdated, &second(ctx)?).await?;
            }
            Generation::Second => {
                build_beside::<Rest<SnapshotCopyOutput>>(ctx, outdated, &BTreeSet::new()).await?;
            }
        }
        Ok(SnapshotIndexesOutput)
    }
}

impl SnapshotIndexes {
    /// The items of earlier attempts at the copy, whose tables are copied again.
    fn outdated(&self, ctx: &Context<Database>) -> Result<BTreeSet<CopyItem>, Failure> {
        let slot = self.0.output::<SlotOutput>(ctx)?;
        let items = self.0.items_of::<SnapshotCopyOutput>(ctx)?.into_keys();
        let of_another = |item: &CopyItem| slot.as_ref().is_some_and(|slot| slot.attempt != item.attempt);
        Ok(items.filter(of_another).collect())
    }
}

/// Builds what belongs to each table as soon as the copy has finished it, then what belongs to several: the indexes
/// of partitioned tables and their attachments. Tables that are copied `later` get their keys later.
async fn build_beside<C>(
    ctx: &Context<Database>,
    outdated: BTreeSet<CopyItem>,
    later: &BTreeSet<u32>,
) -> Result<(), Failure>
where
    C: Itemized<Name = CopyItem, Item = CopiedTable>,
{
    // Before the copy finishes its first table: what was finished by now is that of an earlier one.
    let copied = Finished::<C>::new(ctx, outdated);
    let dumped = dumped::obtain(ctx).await?;
    let archive = &dumped.archive;
    let tables = Tables::of(archive, ctx.plan());
    let restorer = Restorer::new(ctx, &dumped).await?;
    let builder = Builder::new(&restorer, tables.built(&restorer)).await?;
    builder.build(copied).await?;
    let restorer = Restorer::new(ctx, &dumped).await?;
    let mut waiting = tables.waiting(&restorer, &rest(ctx)?);
    if !later.is_empty() {
        waiting.extend(tables.waiting_with_keys(&restorer, later));
    }
    waiting.extend(restorer.late());
    let left: Vec<_> = restorer
        .open(Pass::Keys)
        .chain(restorer.open(Pass::AfterData))
        .filter(|entry| is_built(entry))
        .filter(|entry| !entry.may_be_violated() && !waiting.contains(&entry.id))
        .collect();
    restorer.restore("indexes and constraints", &left).await?;
    Ok(())
}

/// The tables that the step with output `C` has copied, as the journal says.
struct Finished<'a, C> {
    ctx: &'a Context<Database>,
    /// The items that were seen; from the beginning those whose tables are copied again.
    seen: BTreeSet<String>,
    told: Told,
    of: PhantomData<fn() -> C>,
}

/// The tables that were told to be ready. A copy that was killed and has then finished has an item of each attempt.
#[derive(Debug, Default)]
struct Told(BTreeSet<u32>);

impl Told {
    /// Whether the table of an item is told for the first time.
    fn first(&mut self, item: CopyItem) -> bool {
        self.0.insert(item.table)
    }
}

impl<'a, C> Finished<'a, C> {
    fn new(ctx: &'a Context<Database>, outdated: BTreeSet<CopyItem>) -> Self {
        Self {
            ctx,
            seen: outdated.iter().map(ToString::to_string).collect(),
            told: Told::default(),
            of: PhantomData,
        }
    }
}

impl<C: Itemized<Name = CopyItem, Item = CopiedTable>> Readiness for Finished<'_, C> {
    fn look(&mut self) -> Result<Ready, Failure> {
        // First the end, then the tables: whatever was finished before the end is seen.
        let last = self.ctx.has_finished::<C>();
        let mut tables = Vec::new();
        if self.ctx.count_items_of::<C>() > self.seen.len() {
            let seen = |name: &str| self.seen.contains(name);
            let items: BTreeMap<CopyItem, CopiedTable> = self.ctx.more_items_of::<C>(seen)?;
            for (item, copied) in items {
                tables.extend(self.told.first(item).then_some((item.table, Some(copied.bytes))));
                self.seen.insert(item.to_string());
            }
        }
        Ok(Ready { tables, last })
    }
}

#[cfg(test)]
mod tests {
    use super::{CopyItem, Told};

    #[test]
    fn a_table_is_ready_once_however_often_it_was_copied() {
        let mut told = Told::default();
        let mut first = |attempt, table| told.first(CopyItem { attempt, table });
        assert!(first(1, 7) && !first(2, 7) && first(2, 8));
    }
}
