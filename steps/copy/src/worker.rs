//! The workers that copy tables side by side.

use crate::{CopiedTable, item_name};
use futures_util::future::try_join_all;
use pghaul_copy::{Copied, Snapshot, Table, copy, tables};
use pghaul_step::postgres::{ReadOnly, ReadWrite, Session, Source, Target};
use pghaul_step::{Code, Context, Database, Failure, Progress, TableClass};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

/// How long a worker waits for ACCESS SHARE on a table before it comes back to it.
const LOCK_TIMEOUT: &str = "SET lock_timeout = '5s'";

/// How often a worker comes back to a table that somebody has locked.
const LOCK_TRIES: u32 = 24;

/// Everything that the workers share.
pub(crate) struct Crew<'a> {
    ctx: &'a Context<Database>,
    snapshot: &'a Snapshot,
    generation: u32,
    tables: &'a [(u32, Table)],
    next: AtomicUsize,
    done: AtomicU64,
    bytes: AtomicU64,
    total: u64,
}

impl<'a> Crew<'a> {
    pub(crate) fn new(
        ctx: &'a Context<Database>,
        snapshot: &'a Snapshot,
        generation: u32,
        tables: &'a [(u32, Table)],
    ) -> Self {
        let total = tables.iter().map(|(_, table)| table.bytes).sum();
        let (next, done, bytes) = (AtomicUsize::new(0), AtomicU64::new(0), AtomicU64::new(0));
        Self {
            ctx,
            snapshot,
            generation,
            tables,
            next,
            done,
            bytes,
            total,
        }
    }

    /// Copies all tables; the first failure stops all workers.
    pub(crate) async fn work(&self) -> Result<(), Failure> {
        let workers = self.ctx.jobs().clamp(1, self.tables.len().max(1));
        try_join_all((0..workers).map(|_| self.worker())).await?;
        Ok(())
    }

    async fn worker(&self) -> Result<(), Failure> {
        let database = self.ctx.database().as_str();
        let source = self.snapshot.session(self.ctx.source_server(), database).await?;
        source.doing("set lock_timeout").query(LOCK_TIMEOUT, &[]).await?;
        let mut target = self.ctx.target().await?;
        while let Some((number, table)) = self.tables.get(self.next.fetch_add(1, Ordering::Relaxed)) {
            self.ctx.check_cancelled()?;
            self.lock(&source, table).await?;
            let copied = self.copy_one(&source, &mut target, *number, table).await?;
            tables::unlock(&source).await?;
            let item = CopiedTable {
                table: table.name.to_string(),
                generation: self.generation,
                as_of: self.snapshot.position().to_string(),
                rows: copied.rows_written,
                bytes: copied.bytes,
            };
            self.ctx.item(item_name(self.generation, *number), &item).await?;
            self.done.fetch_add(1, Ordering::Relaxed);
            self.show();
        }
        Ok(())
    }

    /// Takes ACCESS SHARE on the source's table, so that nobody can rewrite it under the copy, and makes sure
    /// that nobody has since the snapshot.
    ///
    /// The lock is taken under a time limit: it never waits long behind a waiting ALTER TABLE.
    async fn lock(&self, source: &Session<Source, ReadOnly>, table: &Table) -> Result<(), Failure> {
        for _ in 0..LOCK_TRIES {
            self.ctx.check_cancelled()?;
            match tables::lock(source, table).await {
                Ok(()) => return tables::check_file_node(source, table).await,
                Err(failure) if failure.code == Code::LockTimeout => {
                    let what = format!("the lock on table {} of the source", table.name);
                    self.ctx.progress(Progress::Waiting { what });
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
                Err(failure) => return Err(failure),
            }
        }
        Err(Failure::new(
            Code::LockTimeout,
            format!("table {} stays locked on the source", table.name),
        )
        .with_hint("look in pg_locks for the session that holds it; the copy starts over when it is free"))
    }

    async fn copy_one(
        &self,
        source: &Session<Source, ReadOnly>,
        target: &mut Session<Target, ReadWrite>,
        number: u32,
        table: &Table,
    ) -> Result<Copied, Failure> {
        let class = self.ctx.plan().table(number).map(|t| &t.class);
        let filter = match class {
            Some(TableClass::ExtensionRows { filter }) => filter.as_str(),
            _ => "",
        };
        let transaction = self.ctx.begin(target).await?;
        transaction
            .batch("empty a table", &emptying(table, class))
            .await?;
        let passed = |bytes| {
            self.bytes.fetch_add(bytes, Ordering::Relaxed);
            self.show();
        };
        let copied = copy(source, transaction.inner(), table, filter, &passed).await?;
        transaction
            .effect(&format!("copy/{}", item_name(self.generation, number)))
            .await?;
        transaction.commit("copy a table").await?;
        Ok(copied)
    }

    fn show(&self) {
        self.ctx.progress(Progress::Copy {
            bytes: self.bytes.load(Ordering::Relaxed),
            total_bytes: self.total,
            tables: self.done.load(Ordering::Relaxed),
            total_tables: self.tables.len() as u64,
        });
    }
}

/// The statement that empties a table before its rows are copied, in the same transaction: an earlier
/// generation may have filled it. The rows of an extension's configuration table that the extension made
/// itself stay.
fn emptying(table: &Table, class: Option<&TableClass>) -> String {
    match class {
        Some(TableClass::ExtensionRows { filter }) => format!("DELETE FROM ONLY {} {filter}", table.name),
        _ => format!("TRUNCATE ONLY {}", table.name),
    }
}
