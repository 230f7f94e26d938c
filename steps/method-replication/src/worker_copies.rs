//! The tables that the target's workers copy, as the journal has them: a note when the copy begins, an item when it is done.

use pghaul_contracts::{Generation, Generations};
use pghaul_step::postgres::{QualifiedName, ReadWrite, Session, Target};
use pghaul_step::{Context, CopiedBy, Database, Failure, Route, TableName};
use serde::Serialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// With more tables than this, they are read less often.
const MANY: i64 = 1000;

/// How often many tables are read.
const READ_MANY_EVERY: Duration = Duration::from_secs(5);

/// A table that a worker has copied. Its rows are not counted: no server reports them.
#[derive(Serialize)]
struct WorkerCopy {
    table: String,
    by: CopiedBy,
    /// The size of the table on the target when the copy was seen to be done.
    bytes: u64,
    /// How long the copy took, as far as it was watched.
    #[serde(skip_serializing_if = "Option::is_none")]
    took_ms: Option<u64>,
}

/// Watches the workers of one subscription.
pub(crate) struct WorkerCopies<'a> {
    ctx: &'a Context<Database>,
    subscription: &'a str,
    /// The tables that are left to the workers; absent where all are.
    left: Option<BTreeSet<TableName>>,
    /// Tables that are journaled.
    known: BTreeSet<String>,
    begun: BTreeMap<String, Instant>,
    read: Option<Instant>,
}

impl<'a> WorkerCopies<'a> {
    pub(crate) fn new(
        ctx: &'a Context<Database>,
        generation: Generation,
        subscription: &'a str,
    ) -> Result<Self, Failure> {
        let known = ctx.items::<String, Value>()?.into_keys().collect();
        let left = match ctx.route() {
            Route::ReplicationBySnapshot => {
                let generations = Generations::of(ctx)?;
                let numbers = generations.left_to_the_workers(generation).iter();
                let tables = numbers.filter_map(|number| ctx.plan().table(*number));
                Some(tables.map(|table| table.name.clone()).collect())
            }
            _ => None,
        };
        Ok(Self {
            ctx,
            subscription,
            left,
            known,
            begun: BTreeMap::new(),
            read: None,
        })
    }

    /// Journals what has begun and ended since the last time. `last` reads in any case.
    pub(crate) async fn journal(
        &mut self,
        target: &Session<Target, ReadWrite>,
        tables: i64,
        last: bool,
    ) -> Result<(), Failure> {
        let recently = self.read.is_some_and(|read| read.elapsed() < READ_MANY_EVERY);
        if tables > MANY && recently && !last {
            return Ok(());
        }
        let doing = target.doing("read the tables that the workers copy");
        let rows = doing
            .query(include_str!("worker_copies.sql"), &[&self.subscription])
            .await?;
        self.read = Some(Instant::now());
        let (mut started, mut done) = (Vec::new(), Vec::new());
        for row in rows {
            let name = TableName::new(row.get::<_, String>("schema"), row.get::<_, String>("name"));
            let (table, copying) = (QualifiedName::try_from(&name)?.to_string(), row.get("copying"));
            let is_left = self.left.as_ref().is_none_or(|left| left.contains(&name));
            if !is_left || self.known.contains(&table) {
                continue;
            }
            if copying {
                if !self.begun.contains_key(&table) {
                    self.begun.insert(table.clone(), Instant::now());
                    started.push(table);
                }
                continue;
            }
            let took = self.begun.remove(&table).map(|begun| begun.elapsed());
            self.known.insert(table.clone());
            let copy = WorkerCopy {
                table: table.clone(),
                by: CopiedBy::TargetWorkers,
                bytes: row.get::<_, i64>("bytes").unsigned_abs(),
                took_ms: took.and_then(|took| u64::try_from(took.as_millis()).ok()),
            };
            done.push((table, copy));
        }
        if !started.is_empty() {
            self.ctx.notes().tables_started(started, CopiedBy::TargetWorkers);
        }
        self.ctx.items_finished(&done).await
    }
}
