//! Where a server is in its own history.

use crate::error::PgError;
use crate::lsn::Lsn;
use crate::session::{Right, Session, SideMarker, Source};
use pghaul_core::event::{Decoded, ServerPosition};

/// Asked beforehand: a role without this right could not even begin the statement that calls the function.
const MAY_STAT: &str = "SELECT pg_catalog.has_function_privilege('pg_catalog.pg_stat_file(text)', 'EXECUTE')";

/// A copy of a data directory can preserve the time of a file's last modification, but not of its last change.
const FILES_CHANGED: &str = "SELECT extract(epoch FROM coalesce(f.change, f.creation))::bigint \
     FROM pg_catalog.pg_stat_file('PG_VERSION') f";

impl<S: SideMarker, R: Right> Session<S, R> {
    /// Where the server is in its own history. Not on a standby.
    ///
    /// # Errors
    /// The server is a standby; a service that hides `pg_control_system()`; a lost connection.
    pub async fn position(&self) -> Result<ServerPosition, PgError> {
        let row = self
            .doing("read the server's position")
            .query_one(include_str!("position.sql"), &[])
            .await?;
        Ok(ServerPosition {
            system_identifier: row.get("system_identifier"),
            timeline: row.get("timeline"),
            lsn: row.get::<_, Lsn>("lsn").to_string(),
            files_changed: self.files_changed().await?,
            standby_slots: row.get("standby_slots"),
        })
    }

    async fn files_changed(&self) -> Result<Option<i64>, PgError> {
        let doing = self.doing("read the age of the data directory");
        if !doing.query_one(MAY_STAT, &[]).await?.get::<_, bool>(0) {
            return Ok(None);
        }
        match doing.query_one(FILES_CHANGED, &[]).await {
            Ok(row) => Ok(row.get(0)),
            // A service may have made the function refuse by itself.
            Err(error) if error.sqlstate().is_some_and(|state| state.starts_with("42")) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl<R: Right> Session<Source, R> {
    /// What a slot has decoded; nothing before PostgreSQL 14.
    ///
    /// # Errors
    /// A lost connection.
    pub async fn decoded(&self, slot: &str) -> Result<Option<Decoded>, PgError> {
        if self.server_version() < 140_000 {
            return Ok(None);
        }
        let doing = self.doing("read what a slot has decoded");
        let row = doing.query_opt(include_str!("decoded.sql"), &[&slot]).await?;
        Ok(row.map(|row| Decoded {
            transactions: row.get("total_txns"),
            bytes: row.get("total_bytes"),
            reset: row.get("reset"),
        }))
    }
}
