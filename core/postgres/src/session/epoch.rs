//! Ending what earlier runners left behind on a server.

use super::{ReadWrite, Session, SideMarker};
use crate::error::PgError;
use pghaul_core::{Code, Epoch, MigrationId};
use std::time::Duration;
use tokio::time::Instant;
use tokio_postgres::types::ToSql;

/// How long [`Session::terminate_older_epochs`] waits for sessions to end, unless told otherwise.
pub const OLDER_EPOCHS_TIMEOUT: Duration = Duration::from_secs(30);

const PAUSE: Duration = Duration::from_millis(50);
const FIND: &str = include_str!("older_epochs.sql");
const FIND_IN_DATABASE: &str = "SELECT pid FROM pg_catalog.pg_stat_activity \
                                WHERE pg_catalog.left(application_name, pg_catalog.length($1)) = $1 \
                                AND datname = $2::text AND pid <> pg_catalog.pg_backend_pid() ORDER BY pid";
/// The name is compared again, because the system may have given the number to another process by now.
const TERMINATE: &str = "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity \
                         WHERE pid = $1 AND application_name LIKE $2";

type Parameter<'a> = &'a (dyn ToSql + Sync);

impl<S: SideMarker> Session<S, ReadWrite> {
    /// Terminates every session on this server, in all databases, whose `application_name` says that it belongs to
    /// an older epoch of the migration, and waits until they are gone. A killed client's CREATE INDEX, or its slot
    /// that waits, lives on for minutes otherwise. Sessions of this epoch, of newer ones and of other migrations
    /// are left alone. Returns the processes that were ended.
    ///
    /// # Errors
    /// Sessions that may not be terminated or do not end in time, with their process ids.
    pub async fn terminate_older_epochs(
        &self,
        migration: &MigrationId,
        epoch: Epoch,
        timeout: Duration,
    ) -> Result<Vec<i32>, PgError> {
        let prefix = format!("pghaul/{migration}/");
        let older = (FIND, [&prefix as Parameter<'_>, &i64::from(epoch.0)]);
        self.terminate_all(older, &format!("{prefix}%"), timeout).await
    }

    /// Terminates every other session of this migration in one database, and waits until they are gone: what was broken off
    /// in the middle of a statement may still be on its way.
    ///
    /// # Errors
    /// As [`Session::terminate_older_epochs`].
    pub async fn terminate_in_database(
        &self,
        migration: &MigrationId,
        database: &str,
        timeout: Duration,
    ) -> Result<Vec<i32>, PgError> {
        let prefix = format!("pghaul/{migration}/");
        let there = (FIND_IN_DATABASE, [&prefix as Parameter<'_>, &database]);
        self.terminate_all(there, &format!("{prefix}%"), timeout).await
    }

    async fn terminate_all(
        &self,
        (find, parameters): (&str, [Parameter<'_>; 2]),
        names: &str,
        timeout: Duration,
    ) -> Result<Vec<i32>, PgError> {
        let operation = "end sessions of earlier runs";
        let deadline = Instant::now() + timeout;
        let mut ended: Vec<i32> = Vec::new();
        let mut refused: Option<PgError> = None;
        loop {
            let left = self.found(find, &parameters).await?;
            if left.is_empty() {
                return Ok(ended);
            }
            if Instant::now() >= deadline {
                let pids: Vec<String> = left.iter().map(ToString::to_string).collect();
                let message = format!("these processes are still there: {}", pids.join(", "));
                let code = refused.as_ref().map_or(Code::StateLost, PgError::code);
                let error = PgError::new(code, &self.place, operation, message).with_hint(
                    "end them as the role that owns them or as a superuser: pg_terminate_backend(PID)",
                );
                return Err(match refused {
                    Some(refused) => error.with_cause(refused.message()),
                    None => error,
                });
            }
            for pid in left {
                match self.doing(operation).query_opt(TERMINATE, &[&pid, &names]).await {
                    Ok(_) if !ended.contains(&pid) => ended.push(pid),
                    Ok(_) => {}
                    Err(error) if error.sqlstate().is_some() => refused = Some(error),
                    Err(error) => return Err(error),
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn found(&self, find: &str, parameters: &[Parameter<'_>]) -> Result<Vec<i32>, PgError> {
        let doing = self.doing("look for sessions of earlier runs");
        let rows = doing.query(find, parameters).await?;
        rows.iter()
            .map(|row| row.try_get(0).map_err(|error| doing.error(&error)))
            .collect()
    }
}
