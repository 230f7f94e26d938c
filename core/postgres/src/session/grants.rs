//! GRANT and REVOKE that must do what they say. For rights that the role may not grant, PostgreSQL only warns.

use super::{ReadWrite, Session, SideMarker, Transaction};
use crate::connect::UnmetRights;
use crate::error::{PgError, Place};

impl<S: SideMarker> Session<S, ReadWrite> {
    /// Runs statements separated by semicolons; that a right was not granted or not revoked is an error.
    ///
    /// # Errors
    /// What the server says, also as a warning: what the statements did stays then.
    pub async fn batch_of_grants(&self, operation: &str, sql: &str) -> Result<(), PgError> {
        self.unmet.take();
        self.doing(operation).batch(sql).await?;
        met(&self.unmet, &self.place, operation)
    }
}

impl<S: SideMarker> Transaction<'_, S> {
    /// As [`Session::batch_of_grants`].
    ///
    /// # Errors
    /// What the server says, also as a warning: the transaction goes on then.
    pub async fn batch_of_grants(&self, operation: &str, sql: &str) -> Result<(), PgError> {
        self.unmet.take();
        self.doing(operation).batch(sql).await?;
        met(self.unmet, self.place(), operation)
    }
}

/// An error where the server has warned.
pub(super) fn met(unmet: &UnmetRights, place: &Place, operation: &str) -> Result<(), PgError> {
    match unmet.take() {
        None => Ok(()),
        Some(warning) => Err(PgError::from_warning(place, operation, &warning)),
    }
}
