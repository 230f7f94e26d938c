//! Trying things out: what only the server can tell, without leaving anything behind.

use super::grants::met;
use super::settings::Known;
use super::{Doing, Rehearsal, Session, SideMarker, secret};
use crate::connect::UnmetRights;
use crate::error::{PgError, Place};
use pghaul_core::Code;
use tokio_postgres::types::ToSql;

/// A transaction that will be rolled back whatever happens. There is no commit, and dropping it rolls back too.
pub struct Rehearsed<'a> {
    transaction: tokio_postgres::Transaction<'a>,
    place: &'a Place,
    known: Known,
    unmet: &'a UnmetRights,
}

/// What a rehearsal tries.
pub(super) enum Attempt<'a> {
    /// A statement, with its parameters.
    Statement(&'a str, &'a [&'a (dyn ToSql + Sync)]),
    /// A statement that holds a secret.
    Secret(&'a str),
}

/// How often a statement is tried that meets a lock. Each try waits for it as long as the session's `lock_timeout` says.
const LOCK_TRIES: u32 = 30;

/// The words with which a statement could end the transaction or leave it.
const FORBIDDEN: &[&str] = &[
    "abort",
    "begin",
    "commit",
    "end",
    "prepare",
    "release",
    "rollback",
    "savepoint",
    "start",
];

impl<S: SideMarker> Session<S, Rehearsal> {
    /// Begins a rehearsal. Effects outside of transactions stay even so: never create a slot in one.
    ///
    /// # Errors
    /// A lost connection.
    pub async fn rehearse(&mut self) -> Result<Rehearsed<'_>, PgError> {
        let (place, known, unmet) = (&self.place, self.facts.known, &*self.unmet);
        let transaction = self.client.build_transaction().read_only(false).start().await;
        let transaction =
            transaction.map_err(|error| PgError::from_driver(place, "begin a rehearsal", &error))?;
        Ok(Rehearsed {
            transaction,
            place,
            known,
            unmet,
        })
    }
}

impl Rehearsed<'_> {
    /// Tries a statement; when it fails, what was tried before still stands and more can be tried. It never waits long for
    /// a lock, but comes back to one for a while: rehearsals of several databases may be in each other's way.
    ///
    /// # Errors
    /// What the server says, which is the point of it; a warning that a right was not granted or not revoked is an error. A
    /// statement that controls transactions is refused.
    pub async fn attempt(
        &mut self,
        operation: &str,
        sql: &str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<u64, PgError> {
        self.attempt_repeatedly(operation, &Attempt::Statement(sql, parameters))
            .await
    }

    pub(super) async fn attempt_repeatedly(
        &mut self,
        operation: &str,
        attempt: &Attempt<'_>,
    ) -> Result<u64, PgError> {
        for _ in 1..LOCK_TRIES {
            match self.attempt_once(operation, attempt).await {
                Err(error) if error.code() == Code::LockTimeout => {}
                outcome => return outcome,
            }
        }
        self.attempt_once(operation, attempt).await
    }

    async fn attempt_once(&mut self, operation: &str, attempt: &Attempt<'_>) -> Result<u64, PgError> {
        let (Attempt::Statement(sql, _) | Attempt::Secret(sql)) = attempt;
        let word = first_word(sql);
        if word.is_empty() || FORBIDDEN.contains(&word.to_ascii_lowercase().as_str()) {
            let message = "a rehearsal can't control its transaction";
            return Err(PgError::new(Code::Bug, self.place, operation, message));
        }
        let (place, known) = (self.place, self.known);
        let error = |error: tokio_postgres::Error| PgError::from_driver(place, operation, &error);
        let savepoint = self.transaction.transaction().await.map_err(error)?;
        self.unmet.take();
        // The extended protocol takes one statement only, so nothing can follow it unseen.
        let touched = match attempt {
            Attempt::Statement(sql, parameters) => savepoint.execute(*sql, parameters).await.map_err(error),
            // The body of a function in SQL can't control transactions, either.
            Attempt::Secret(sql) => {
                let doing = Doing::<Rehearsal>::new(savepoint.client(), place, operation);
                secret::run(&doing, known, sql).await.map(|()| 0)
            }
        };
        let touched = touched.and_then(|rows| met(self.unmet, place, operation).map(|()| rows));
        match touched {
            Ok(rows) => savepoint.commit().await.map_err(error).map(|()| rows),
            Err(failed) => savepoint.rollback().await.map_err(error).and(Err(failed)),
        }
    }

    /// As [`Self::attempt`], for a statement that holds a secret.
    ///
    /// # Errors
    /// What the server says, without the statement.
    pub async fn attempt_secretly(&mut self, operation: &str, statement: &str) -> Result<(), PgError> {
        self.attempt_repeatedly(operation, &Attempt::Secret(statement))
            .await
            .map(drop)
    }

    /// Reads what the rehearsal sees. An error ends the rehearsal.
    pub fn doing<'a>(&'a self, operation: &'a str) -> Doing<'a, Rehearsal> {
        Doing::new(self.transaction.client(), self.place, operation)
    }

    /// Rolls back and waits for it.
    ///
    /// # Errors
    /// A lost connection; the server has rolled back then, too.
    pub async fn roll_back(self) -> Result<(), PgError> {
        let place = self.place;
        let rolled_back = self.transaction.rollback().await;
        rolled_back.map_err(|error| PgError::from_driver(place, "roll back the rehearsal", &error))
    }
}

/// The first word of a statement, after comments that fill a line.
fn first_word(sql: &str) -> &str {
    let code = sql
        .lines()
        .map(str::trim_start)
        .find(|line| !line.is_empty() && !line.starts_with("--"));
    code.unwrap_or_default()
        .split(|c: char| !c.is_ascii_alphabetic())
        .next()
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::first_word;

    #[test]
    fn comments_before_a_statement_hide_nothing() {
        assert_eq!(first_word("-- a comment\n  SELECT 1"), "SELECT");
        assert_eq!(first_word("-- a comment\n\ncommit; -- x"), "commit");
        assert_eq!(first_word("/* hidden */ COMMIT"), "");
    }
}
