//! Sessions that the checks of a survey share.

use pghaul_postgres::{PgError, ReadOnly, Reader, Server, Session, SideMarker};
use std::ops::Deref;
use std::sync::Arc;
use tokio::sync::Mutex;

/// A read-only session that several checks use at the same time: their statements follow each other on one
/// connection. So nobody begins a transaction on it, sets something, or takes a lock of the session.
///
/// It is used like a [`Session`]. The connection lives until the survey ends, whoever lets go of it.
pub struct SharedSession<S: SideMarker>(Arc<Reader<S>>);

impl<S: SideMarker> Clone for SharedSession<S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<S: SideMarker> Deref for SharedSession<S> {
    type Target = Session<S, ReadOnly>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

/// A place to look from: one database of one server, with a session that is opened when somebody first looks.
pub(crate) struct Lookout<S: SideMarker> {
    server: Server<S>,
    database: String,
    session: Mutex<Option<SharedSession<S>>>,
}

impl<S: SideMarker> Lookout<S> {
    /// One in the given database.
    pub(crate) fn new(server: &Server<S>, database: &str) -> Self {
        Self {
            server: server.clone(),
            database: database.to_owned(),
            session: Mutex::new(None),
        }
    }

    /// One in the database that the conninfo names, to look at the server as a whole.
    pub(crate) fn maintenance(server: &Server<S>) -> Self {
        Self::new(server, server.resolved().database())
    }

    /// The session, a new one where there is none or its connection was lost.
    pub(crate) async fn session(&self) -> Result<SharedSession<S>, PgError> {
        let mut session = self.session.lock().await;
        if let Some(open) = session.as_ref().filter(|open| !open.is_closed()) {
            return Ok(open.clone());
        }
        // The broken one gives its place in the connection budget back first.
        *session = None;
        // On the heap: what connects is large, and each check that looks would have it on its stack.
        let opened = Box::pin(self.server.reader(&self.database)).await?;
        let opened = SharedSession(Arc::new(opened));
        *session = Some(opened.clone());
        Ok(opened)
    }

    /// Gives the session back, once nobody uses it any more.
    pub(crate) async fn close(&self) {
        drop(self.session.lock().await.take());
    }
}
