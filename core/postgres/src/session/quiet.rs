//! Keeping statements with secrets out of the server's log.
//!
//! PostgreSQL writes a failing statement to its log, whole, and logs others as it is told to. Statements that
//! hold a password or its verifier have no business there. Only a superuser may switch that off.

use super::{Rehearsed, SideMarker, Transaction};
use crate::error::PgError;

const QUIET: &str = include_str!("quiet.sql");
const OPERATION: &str = "keep statements out of the server's log";
const IS_SUPERUSER: &str = "SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user";

impl<S: SideMarker> Transaction<'_, S> {
    /// Keeps the transaction's further statements out of the server's log, where the role may do that. Returns
    /// whether it may.
    ///
    /// # Errors
    /// A lost connection.
    pub async fn keep_out_of_the_log(&self) -> Result<bool, PgError> {
        let doing = self.doing(OPERATION);
        let superuser: bool = doing.query_one(IS_SUPERUSER, &[]).await?.get(0);
        if superuser {
            doing.query(QUIET, &[]).await?;
        }
        Ok(superuser)
    }
}

impl Rehearsed<'_> {
    /// As [`Transaction::keep_out_of_the_log`].
    ///
    /// # Errors
    /// A lost connection.
    pub async fn keep_out_of_the_log(&mut self) -> Result<bool, PgError> {
        let superuser: bool = self.doing(OPERATION).query_one(IS_SUPERUSER, &[]).await?.get(0);
        if superuser {
            self.attempt(OPERATION, QUIET, &[]).await?;
        }
        Ok(superuser)
    }
}
