//! Transactions that can be committed.

use super::settings::Known;
use super::{Doing, ReadWrite, Session, SideMarker};
use crate::connect::UnmetRights;
use crate::error::{PgError, Place};
use std::marker::PhantomData;

/// A transaction of a [`ReadWrite`] session; rolled back unless it is committed.
pub struct Transaction<'a, S> {
    inner: tokio_postgres::Transaction<'a>,
    place: &'a Place,
    pub(super) known: Known,
    pub(super) unmet: &'a UnmetRights,
    side: PhantomData<fn() -> S>,
}

impl<S: SideMarker> Session<S, ReadWrite> {
    /// Begins a transaction at the server's default isolation level.
    ///
    /// # Errors
    /// A lost connection.
    pub async fn transaction(&mut self) -> Result<Transaction<'_, S>, PgError> {
        let (place, known, unmet) = (&self.place, self.facts.known, &*self.unmet);
        let inner = self.client.transaction().await;
        let inner = inner.map_err(|error| PgError::from_driver(place, "begin a transaction", &error))?;
        Ok(Transaction {
            inner,
            place,
            known,
            unmet,
            side: PhantomData,
        })
    }
}

impl<S: SideMarker> Transaction<'_, S> {
    /// As [`Session::doing`], inside of this transaction.
    pub fn doing<'a>(&'a self, operation: &'a str) -> Doing<'a, ReadWrite> {
        Doing::new(self.inner.client(), self.place, operation)
    }

    /// Commits.
    ///
    /// # Errors
    /// What the server says. When the connection is lost here, nobody knows whether the commit happened: look for
    /// the effect.
    pub async fn commit(self) -> Result<(), PgError> {
        let place = self.place;
        self.inner
            .commit()
            .await
            .map_err(|error| PgError::from_driver(place, "commit the transaction", &error))
    }

    /// Rolls back and waits for it.
    ///
    /// # Errors
    /// A lost connection; the server has rolled back then, too.
    pub async fn rollback(self) -> Result<(), PgError> {
        let place = self.place;
        let rolled_back = self.inner.rollback().await;
        rolled_back.map_err(|error| PgError::from_driver(place, "roll back the transaction", &error))
    }

    /// The side and database, for errors of pghaul's own.
    pub fn place(&self) -> &Place {
        self.place
    }

    /// A savepoint: rolled back to on drop, kept on commit.
    ///
    /// # Errors
    /// What the server says.
    pub async fn savepoint(&mut self) -> Result<Transaction<'_, S>, PgError> {
        let (place, known, unmet) = (self.place, self.known, self.unmet);
        let inner = self.inner.transaction().await;
        let inner = inner.map_err(|error| PgError::from_driver(place, "set a savepoint", &error))?;
        Ok(Transaction {
            inner,
            place,
            known,
            unmet,
            side: PhantomData,
        })
    }
}
