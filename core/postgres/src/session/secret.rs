//! Statements that hold a secret: a password, its verifier, the options of a server or a user mapping.
//!
//! PostgreSQL shows the text of a statement in `pg_stat_activity` while it runs, logs it as it is configured to, always where it fails,
//! and extensions such as `pg_stat_statements` store it. The text of a statement here holds no secret: the secret reaches the
//! server as a row of a COPY into a temporary table, which is neither shown nor logged, and a block builds the statement
//! inside of the server. What the role may switch off for the transaction is off meanwhile: only a superuser, or a role that was
//! granted SET on the settings, keeps nested statements out of `pg_stat_statements` where its `track` is `all`.
//!
//! Where the database has no PL/pgSQL for the role, the statement is sent as it is.

use super::settings::Known;
use super::{Doing, ReadWrite, Right, SideMarker, Transaction};
use crate::error::PgError;
use crate::quote::copy_text;
use bytes::Bytes;
use futures_util::SinkExt as _;
use std::pin::pin;

const QUIET: &str = include_str!("secret_quiet.sql");
const RUN: &str = include_str!("secret_run.sql");
const RUN_PARAMETER: &str = include_str!("secret_run_parameter.sql");

/// The first version in which a role can be granted to set a parameter.
const GRANTS_PARAMETERS: u32 = 150_000;

impl<S: SideMarker> Transaction<'_, S> {
    /// Runs statements that hold a secret, separated by semicolons, so that no text with them is shown, logged or stored.
    ///
    /// # Errors
    /// What the server says, without the statement.
    pub async fn batch_secretly(&self, operation: &str, statements: &str) -> Result<(), PgError> {
        run(&self.doing(operation), self.known, statements).await
    }

    /// Switches off, for this transaction, what shows, logs or stores its statements, as far as the role may.
    ///
    /// # Errors
    /// When the server can't be asked.
    pub async fn quiet(&self, operation: &str) -> Result<(), PgError> {
        quiet(&self.doing(operation), self.known).await.map(drop)
    }
}

/// What a role has to run a statement secretly with.
struct Means {
    plpgsql: bool,
    temporary: bool,
}

async fn quiet<R: Right>(doing: &Doing<'_, R>, known: Known) -> Result<Means, PgError> {
    let granted = match known.version {
        GRANTS_PARAMETERS.. => "pg_catalog.has_parameter_privilege(s.name, 'SET')",
        _ => "false",
    };
    let row = doing.query_one(&QUIET.replace("{granted}", granted), &[]).await?;
    Ok(Means {
        plpgsql: row.get("plpgsql"),
        temporary: row.get("temporary"),
    })
}

/// Runs statements in the transaction that the session is in.
pub(super) async fn run<R: Right>(
    doing: &Doing<'_, R>,
    known: Known,
    statements: &str,
) -> Result<(), PgError> {
    let means = quiet(doing, known).await?;
    let doing: Doing<'_, ReadWrite> = doing.for_writing();
    match (means.plpgsql, means.temporary) {
        (true, true) => {
            let table = "CREATE TEMPORARY TABLE IF NOT EXISTS pghaul_secret (statements text) ON COMMIT DROP; \
                         DELETE FROM pg_temp.pghaul_secret";
            doing.batch(table).await?;
            let rows = doing.copy_in("COPY pg_temp.pghaul_secret FROM STDIN").await?;
            let mut rows = pin!(rows);
            let row = Bytes::from(copy_text(statements) + "\n");
            rows.send(row).await.map_err(|error| doing.error(&error))?;
            rows.finish().await.map_err(|error| doing.error(&error))?;
            doing.batch(RUN).await
        }
        (true, false) => {
            let sql = "SELECT pg_catalog.set_config('pghaul.secret', $1, true) IS NULL";
            doing.query_one(sql, &[&statements]).await?;
            doing.batch(RUN_PARAMETER).await
        }
        (false, _) => doing.batch(statements).await,
    }
}
