//! Ending whatever on a server uses replication objects of pghaul's that are to be dropped.

use super::{ReadWrite, Session, Source, Target};
use crate::error::PgError;
use pghaul_core::Code;
use std::time::Duration;
use tokio::time::Instant;

/// How long the workers of a disabled subscription, or the walsender of a slot, may take to end once they are told to.
pub const RELEASE_TIMEOUT: Duration = Duration::from_secs(30);

/// How long workers have to end by themselves. In the middle of a transaction they notice nothing; in a lock queue they
/// may wait for hours.
const GRACE: Duration = Duration::from_secs(2);

const PAUSE: Duration = Duration::from_millis(100);

/// The workers of a subscription, each with those whose locks it waits for.
const WORKERS: &str = include_str!("workers.sql");

/// The process is compared again, because the system may have given its number to another by now.
const TERMINATE_WORKER: &str = "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_subscription \
                                WHERE pid = $1 AND subname = $2";
const TERMINATE_WALSENDER: &str = "SELECT pg_catalog.pg_terminate_backend(active_pid) \
                                   FROM pg_catalog.pg_replication_slots WHERE active_pid = $1 AND slot_name = $2";

impl Session<Target, ReadWrite> {
    /// Waits until a subscription that was disabled has no workers any more, and ends those that do not by themselves:
    /// what they have not committed is taken back, and nobody is to apply it again.
    ///
    /// # Errors
    /// Workers that do not end in time, with those that they wait for.
    pub async fn end_workers(&self, subscription: &str, timeout: Duration) -> Result<(), PgError> {
        let begin = Instant::now();
        let mut refused: Option<PgError> = None;
        loop {
            let doing = self.doing("wait for the subscription's workers");
            let workers = doing.query(WORKERS, &[&subscription]).await?;
            if workers.is_empty() {
                return Ok(());
            }
            let waited = begin.elapsed();
            if waited >= timeout {
                let told: Vec<String> = workers.iter().map(|row| row.get("told")).collect();
                let message = format!(
                    "the workers of subscription {subscription} do not end: {}",
                    told.join(", ")
                );
                let error = PgError::new(Code::LockTimeout, &self.place, "end the subscription's workers", message)
                    .with_hint("end them as a superuser of the target (pg_terminate_backend), or those that they wait for; then run the same command again");
                return Err(match refused {
                    Some(refused) => error.with_cause(refused.message()),
                    None => error,
                });
            }
            if waited >= GRACE {
                for worker in &workers {
                    let pid: i32 = worker.get("pid");
                    let doing = self.doing("end the subscription's workers");
                    match doing.query_opt(TERMINATE_WORKER, &[&pid, &subscription]).await {
                        Ok(_) => {}
                        // A worker that somebody else owns may still end by itself.
                        Err(error) if error.sqlstate().is_some() => refused = Some(error),
                        Err(error) => return Err(error),
                    }
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

impl Session<Source, ReadWrite> {
    /// Drops a slot, where it exists; ends the walsender that uses it first.
    ///
    /// # Errors
    /// [`Code::LockTimeout`] when the slot stays in use; a walsender that may not be ended.
    pub async fn release_slot(&self, slot: &str, timeout: Duration) -> Result<(), PgError> {
        let deadline = Instant::now() + timeout;
        while Instant::now() < deadline {
            let Some(found) = self.slot(slot).await? else {
                return Ok(());
            };
            if let Some(pid) = found.active_pid {
                self.end_walsender(slot, pid).await?;
                tokio::time::sleep(PAUSE).await;
                continue;
            }
            let sql = "SELECT pg_catalog.pg_drop_replication_slot($1::text::name)";
            match self.doing("drop the replication slot").query(sql, &[&slot]).await {
                // 55006 object_in_use: a walsender was quicker; 42704: it is gone.
                Err(error) if matches!(error.sqlstate(), Some("55006" | "42704")) => {}
                other => return other.map(drop),
            }
        }
        let message = format!("the replication slot {slot} stays in use");
        let error = PgError::new(
            Code::LockTimeout,
            &self.place,
            "drop the replication slot",
            message,
        );
        Err(error.with_hint("find the process with pg_replication_slots.active_pid and end it; then run the same command again"))
    }

    async fn end_walsender(&self, slot: &str, pid: i32) -> Result<(), PgError> {
        let doing = self.doing("end the slot's walsender");
        doing.query(TERMINATE_WALSENDER, &[&pid, &slot]).await.map(drop)
    }
}
