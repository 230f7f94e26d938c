//! `COPY … TO STDOUT`.

use super::{Right, Session, SideMarker};
use crate::connect::RowCounts;
use crate::error::{PgError, Place};
use bytes::Bytes;
use futures_util::StreamExt as _;
use std::pin::Pin;
use tokio_postgres::{CopyOutStream, Statement};

/// The rows that the server sends, as they are, in messages of one size.
pub struct CopyOut<'s> {
    stream: Pin<Box<CopyOutStream>>,
    counts: &'s RowCounts,
    place: &'s Place,
    operation: String,
}

impl<S: SideMarker, R: Right> Session<S, R> {
    /// Runs a prepared `COPY … TO STDOUT`. Several may be under way: they are to be read in the order in which they were
    /// begun, each to its end.
    ///
    /// # Errors
    /// What the server says, or a lost connection.
    pub async fn copy_out(&self, operation: &str, statement: &Statement) -> Result<CopyOut<'_>, PgError> {
        let place = &self.place;
        let stream = self.client.copy_out(statement).await;
        let stream = stream.map_err(|error| PgError::from_driver(place, operation, &error))?;
        Ok(CopyOut {
            stream: Box::pin(stream),
            counts: &self.counts,
            place,
            operation: operation.to_owned(),
        })
    }
}

impl CopyOut<'_> {
    /// The next bytes, 64 KiB at the most; nothing at the end. Where a row begins they do not tell.
    ///
    /// # Errors
    /// What the server says, or a lost connection.
    pub async fn next(&mut self) -> Result<Option<Bytes>, PgError> {
        let next = self.stream.next().await.transpose();
        next.map_err(|error| PgError::from_driver(self.place, &self.operation, &error))
    }

    /// After the end, how many messages the server had sent: one for each row, and in the binary format one more.
    pub fn messages(self) -> Option<u64> {
        self.counts.pop()
    }
}
