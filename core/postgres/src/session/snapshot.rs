//! Snapshots: several sessions that see the source at the same instant, see
//! [Snapshot Synchronization](https://www.postgresql.org/docs/current/functions-admin.html#FUNCTIONS-SNAPSHOT-SYNCHRONIZATION).

use super::{Right, Session, SideMarker, Source};
use crate::error::PgError;
use std::fmt;

/// The name of an exported snapshot, such as `00000003-0000001B-1`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SnapshotId(String);

/// A text that can't be the name of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not the name of a snapshot")]
pub struct SnapshotIdError {
    /// The text.
    pub text: String,
}

impl SnapshotId {
    /// Takes the name that a server gave.
    ///
    /// # Errors
    /// Anything but hexadecimal digits and dashes.
    pub fn new(text: impl Into<String>) -> Result<Self, SnapshotIdError> {
        let text = text.into();
        let fits = (1..=63).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
        if fits {
            Ok(Self(text))
        } else {
            Err(SnapshotIdError { text })
        }
    }

    /// The name, for `pg_dump --snapshot`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SnapshotId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

impl<S: SideMarker, R: Right> Session<S, R> {
    /// Begins a transaction that reads one snapshot until [`Session::end_snapshot`].
    ///
    /// # Errors
    /// What the server says, or a lost connection.
    pub async fn begin_snapshot(&self) -> Result<(), PgError> {
        self.run("begin a snapshot", BEGIN).await
    }

    /// Ends the transaction that [`Session::begin_snapshot`] or [`Session::adopt_snapshot`] began.
    ///
    /// # Errors
    /// A lost connection.
    pub async fn end_snapshot(&self) -> Result<(), PgError> {
        self.run("end the snapshot", "ROLLBACK").await
    }

    async fn run(&self, operation: &str, sql: &str) -> Result<(), PgError> {
        let done = self.client.batch_execute(sql).await;
        done.map_err(|error| PgError::from_driver(&self.place, operation, &error))
    }
}

impl<R: Right> Session<Source, R> {
    /// Makes this session's snapshot known to others, for as long as its transaction lasts.
    ///
    /// # Errors
    /// As [`Session::begin_snapshot`].
    pub async fn export_snapshot(&self) -> Result<SnapshotId, PgError> {
        let doing = self.doing("export the snapshot");
        let row = doing
            .query_one("SELECT pg_catalog.pg_export_snapshot()", &[])
            .await?;
        let name: String = row.try_get(0).map_err(|error| doing.error(&error))?;
        SnapshotId::new(name).map_err(|error| {
            PgError::new(
                pghaul_core::Code::ServerError,
                &self.place,
                "export the snapshot",
                error.to_string(),
            )
        })
    }

    /// Begins a transaction that sees what another session's snapshot sees.
    ///
    /// # Errors
    /// As [`Session::begin_snapshot`]; also that the snapshot is gone.
    pub async fn adopt_snapshot(&self, snapshot: &SnapshotId) -> Result<(), PgError> {
        let adopted = self
            .run(
                "adopt the snapshot",
                &format!("{BEGIN}; SET TRANSACTION SNAPSHOT '{snapshot}'"),
            )
            .await;
        if adopted.is_err() && !self.is_closed() {
            self.end_snapshot().await?;
        }
        adopted
    }
}
