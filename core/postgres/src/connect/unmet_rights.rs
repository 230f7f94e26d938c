//! What a server says of rights that GRANT and REVOKE leave as they are: a warning only, where the role may not grant them.

use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio_postgres::error::DbError;

/// `warning_privilege_not_revoked` and `warning_privilege_not_granted`.
const STATES: [&str; 2] = ["01006", "01007"];

/// The first such warning of a session that has not been asked for.
#[derive(Debug, Default)]
pub(crate) struct UnmetRights(Mutex<Option<DbError>>);

impl UnmetRights {
    pub(super) fn look_at(&self, notice: DbError) {
        if STATES.contains(&notice.code().code()) {
            self.first().get_or_insert(notice);
        }
    }

    pub(crate) fn take(&self) -> Option<DbError> {
        self.first().take()
    }

    fn first(&self) -> MutexGuard<'_, Option<DbError>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
