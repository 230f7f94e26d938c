//! Step `slot`: keeps the source's WAL from here on.

use crate::{Named, last_name, new_name, or_dump};
use async_trait::async_trait;
use pghaul_step::postgres::{Lsn, PgError, ReadOnly, Session, Source};
use pghaul_step::{
    Code, Context, Database, Descriptor, Failure, Method, Probe, Progress, Side, Step, StepPhase,
};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How often those that the slot waits for are looked up.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// How long the walsender of a slot that is to be dropped may take to end.
const RELEASE_TRIES: u32 = 100;

/// The step.
#[derive(Debug, Default)]
pub struct Slot;

/// The slot, and the server that it is on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotOutput {
    /// Its name.
    pub name: String,
    /// Changes from here on are kept.
    pub consistent_point: Lsn,
    /// `system_identifier` of the source.
    pub system_identifier: String,
    /// The source's timeline: another one means that a standby was promoted, and the slot is not this one.
    pub timeline: i32,
}

#[async_trait]
impl Step for Slot {
    type Scope = Database;
    type Output = SlotOutput;

    fn descriptor(&self) -> Descriptor {
        Descriptor {
            methods: &[Method::Replication],
            after: &["publication"],
            ..Descriptor::new(
                "slot",
                "creates the replication slot on the source",
                StepPhase::Data,
            )
        }
    }

    async fn probe(&self, ctx: &Context<Database>) -> Result<Probe<SlotOutput>, Failure> {
        let Some(name) = last_name(ctx)? else {
            return Ok(Probe::Absent);
        };
        let source = ctx.source().await?;
        let Some(slot) = source.slot(&name).await? else {
            return Ok(Probe::Partial);
        };
        if slot.wal_status.as_deref() == Some("lost") {
            return Ok(Probe::Lost(lost(&name)));
        }
        match slot.confirmed_flush_lsn {
            Some(point) => Ok(Probe::Present(output(&source, name, point).await?)),
            // The session that was creating it has just been ended; the slot goes with it.
            None => Ok(Probe::Partial),
        }
    }

    async fn run(&self, ctx: &Context<Database>) -> Result<SlotOutput, Failure> {
        let name = new_name(ctx).await?;
        let source = ctx.source_for_writing().await?;
        let doing = source.doing("create the replication slot");
        let sql = "SELECT lsn FROM pg_catalog.pg_create_logical_replication_slot($1::text::name, 'pgoutput')";
        let parameters: [&(dyn pghaul_step::postgres::ToSql + Sync); 1] = [&name];
        let create = ctx.act("create the slot", doing.query_one(sql, &parameters));
        let created: Result<_, PgError> = tokio::select! {
            created = create => created,
            failure = report_blockers(ctx, source.backend_pid()) => return Err(failure),
        };
        let row = created.map_err(or_dump)?;
        output(&ctx.source().await?, name, row.get(0)).await
    }

    async fn undo(&self, ctx: &Context<Database>) -> Result<(), Failure> {
        for named in ctx.facts::<Named>()? {
            drop_slot(ctx, &named.name).await?;
        }
        Ok(())
    }
}

async fn output(
    source: &Session<Source, ReadOnly>,
    name: String,
    consistent_point: Lsn,
) -> Result<SlotOutput, Failure> {
    let (system_identifier, timeline) = (source.identity().await?, source.timeline().await?);
    Ok(SlotOutput {
        name,
        consistent_point,
        system_identifier,
        timeline,
    })
}

pub(crate) fn lost(name: &str) -> Failure {
    Failure::new(Code::SlotLost, format!("the replication slot {name} has lost WAL that was still needed"))
        .with_side(Side::Source)
        .with_hint("raise max_slot_wal_keep_size on the source; then remove this migration with --force, drop the target database, and begin anew")
}

/// A slot is created only when every transaction that has a transaction id, in the whole cluster, has ended.
/// Says which ones are waited for, until it is cancelled; only a lost connection ends it.
async fn report_blockers(ctx: &Context<Database>, creator: i32) -> Failure {
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        match blockers(ctx, creator).await {
            Ok(blockers) if blockers.is_empty() => {}
            Ok(blockers) => {
                let what = format!(
                    "transactions on the source to end, before the slot can be created: {}",
                    blockers.join("; ")
                );
                ctx.progress(Progress::Waiting { what });
            }
            Err(failure) => return failure,
        }
    }
}

async fn blockers(ctx: &Context<Database>, creator: i32) -> Result<Vec<String>, Failure> {
    let source = ctx.source().await?;
    let doing = source.doing("look for the transactions that the slot waits for");
    let rows = doing.query(include_str!("blockers.sql"), &[&creator]).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// Drops a slot, where it exists; ends the walsender that uses it first.
pub(crate) async fn drop_slot(ctx: &Context<Database>, name: &str) -> Result<(), Failure> {
    let source = ctx.source_for_writing().await?;
    for _ in 0..RELEASE_TRIES {
        let Some(slot) = source.slot(name).await? else {
            return Ok(());
        };
        if let Some(pid) = slot.active_pid {
            let sql = "SELECT pg_catalog.pg_terminate_backend($1)";
            source
                .doing("end the slot's walsender")
                .query(sql, &[&pid])
                .await?;
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        }
        let sql = "SELECT pg_catalog.pg_drop_replication_slot($1::text::name)";
        let doing = source.doing("drop the replication slot");
        match ctx.act("drop the slot", doing.query(sql, &[&name])).await {
            // 55006 object_in_use: a walsender was quicker; 42704: it is gone.
            Err(error) if matches!(error.sqlstate(), Some("55006" | "42704")) => {}
            other => return Ok(other.map(|_| ())?),
        }
    }
    Err(Failure::new(
        Code::LockTimeout,
        format!("the replication slot {name} stays in use"),
    )
    .with_side(Side::Source)
    .with_hint("find the process with pg_replication_slots.active_pid and end it"))
}
