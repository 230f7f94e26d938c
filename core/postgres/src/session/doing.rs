//! Statements, each with the words for what it does.

use super::{ReadWrite, Right};
use crate::error::{PgError, Place};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::{FutureExt as _, TryStreamExt as _};
use std::marker::PhantomData;
use std::pin::pin;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, CopyInSink, Row, Statement, ToStatement};

/// What the driver answers. Boxed, as each package that asks would compile the driver's part again otherwise.
type Answer<'a, T> = BoxFuture<'a, Result<T, tokio_postgres::Error>>;

type Parameters<'a> = &'a [&'a (dyn ToSql + Sync)];

#[inline(never)]
fn rows<'a>(client: &'a Client, sql: &'a str, parameters: Parameters<'a>) -> Answer<'a, Vec<Row>> {
    client.query(sql, parameters).boxed()
}

#[inline(never)]
fn one_row<'a>(client: &'a Client, sql: &'a str, parameters: Parameters<'a>) -> Answer<'a, Row> {
    client.query_one(sql, parameters).boxed()
}

#[inline(never)]
fn row_if_any<'a>(client: &'a Client, sql: &'a str, parameters: Parameters<'a>) -> Answer<'a, Option<Row>> {
    client.query_opt(sql, parameters).boxed()
}

#[inline(never)]
fn touched<'a>(client: &'a Client, sql: &'a str, parameters: Parameters<'a>) -> Answer<'a, u64> {
    client.execute(sql, parameters).boxed()
}

/// A statement about to be run, by [`Session::doing`](super::Session::doing) and its like on transactions.
pub struct Doing<'a, R> {
    client: &'a Client,
    place: &'a Place,
    operation: &'a str,
    right: PhantomData<fn() -> R>,
}

impl<'a, R: Right> Doing<'a, R> {
    pub(super) fn new(client: &'a Client, place: &'a Place, operation: &'a str) -> Self {
        Self {
            client,
            place,
            operation,
            right: PhantomData,
        }
    }

    /// The same for what a transaction writes in which its maker lets it: one that is rolled back.
    pub(super) fn for_writing(&self) -> Doing<'a, ReadWrite> {
        Doing::new(self.client, self.place, self.operation)
    }

    /// Runs a query and returns its rows.
    ///
    /// # Errors
    /// What the server says, or a lost connection.
    pub async fn query(&self, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, PgError> {
        rows(self.client, sql, parameters)
            .await
            .map_err(|error| self.error(&error))
    }

    /// Runs a query that has exactly one row.
    ///
    /// # Errors
    /// As [`Doing::query`]; also no row, or more than one.
    pub async fn query_one(&self, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<Row, PgError> {
        one_row(self.client, sql, parameters)
            .await
            .map_err(|error| self.error(&error))
    }

    /// Runs a query that has at most one row.
    ///
    /// # Errors
    /// As [`Doing::query`]; also more than one row.
    pub async fn query_opt(
        &self,
        sql: &str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Option<Row>, PgError> {
        row_if_any(self.client, sql, parameters)
            .await
            .map_err(|error| self.error(&error))
    }

    /// Runs a query and hands over each row as it arrives: a long answer is never in memory as a whole.
    ///
    /// # Errors
    /// As [`Doing::query`].
    pub async fn for_each(
        &self,
        sql: &str,
        parameters: &[&(dyn ToSql + Sync)],
        mut each: impl FnMut(&Row) -> Result<(), tokio_postgres::Error>,
    ) -> Result<(), PgError> {
        let read = async {
            let mut rows = pin!(self.client.query_raw(sql, parameters.iter().copied()).await?);
            while let Some(row) = rows.try_next().await? {
                each(&row)?;
            }
            Ok(())
        };
        read.await.map_err(|error| self.error(&error))
    }

    /// Prepares a statement. Several that are prepared at once cost one round trip.
    ///
    /// # Errors
    /// As [`Doing::query`].
    pub async fn prepare(&self, sql: &str) -> Result<Statement, PgError> {
        self.client.prepare(sql).await.map_err(|error| self.error(&error))
    }

    /// An error of the driver as one of pghaul's, with this side, database and operation.
    pub fn error(&self, error: &tokio_postgres::Error) -> PgError {
        PgError::from_driver(self.place, self.operation, error)
    }
}

impl Doing<'_, ReadWrite> {
    /// Runs a statement and returns how many rows it touched.
    ///
    /// # Errors
    /// As [`Doing::query`].
    pub async fn execute(&self, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<u64, PgError> {
        touched(self.client, sql, parameters)
            .await
            .map_err(|error| self.error(&error))
    }

    /// Runs statements separated by semicolons, without parameters, by the simple protocol: together one
    /// transaction unless they say otherwise.
    ///
    /// # Errors
    /// As [`Doing::query`].
    pub async fn batch(&self, sql: &str) -> Result<(), PgError> {
        self.client
            .batch_execute(sql)
            .await
            .map_err(|error| self.error(&error))
    }

    /// Runs `COPY … FROM STDIN`. Send buffers of 64 KiB and more with `feed`, end with `finish`; dropping the sink
    /// aborts. Its errors are made into ours with [`Doing::error`].
    ///
    /// # Errors
    /// As [`Doing::query`].
    pub async fn copy_in<T: ?Sized + ToStatement>(
        &self,
        statement: &T,
    ) -> Result<CopyInSink<Bytes>, PgError> {
        self.client
            .copy_in(statement)
            .await
            .map_err(|error| self.error(&error))
    }
}
