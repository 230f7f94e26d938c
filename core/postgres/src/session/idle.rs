//! Sessions that are used one after the other: to open one costs more than most statements.

use super::{ReadOnly, ReadWrite, Right, Session, SideMarker};
use futures_util::future::join_all;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep, timeout};
use tokio_postgres::SimpleQueryMessage;
use tokio_postgres::types::ToSql;

/// How long a session waits for its next user: longer than what watches a server pauses.
const KEPT: Duration = Duration::from_secs(5);

/// How long a session may take to show that it still works, before another is opened in its place; and to end, before its
/// connection is just closed.
const PATIENCE: Duration = Duration::from_secs(1);

/// A session for as long as it is used. Then it waits a little for the next user in the same database, unless its place in
/// the connection budget is wanted.
///
/// It is used like a [`Session`], for single statements and for whole transactions that set nothing for the session: so nothing of one
/// user is left for the next.
pub struct Pooled<S: SideMarker, R: Right> {
    /// There until it is dropped.
    session: Option<Session<S, R>>,
    idle: Arc<Idle<S>>,
}

/// A pooled session to read in.
pub type Reader<S> = Pooled<S, ReadOnly>;

/// A pooled session to write in.
pub type Writer<S> = Pooled<S, ReadWrite>;

/// The sessions of one server that nobody uses.
pub(super) struct Idle<S>(Mutex<Sessions<S>>);

struct Sessions<S> {
    free: Vec<Free<S>>,
    /// How many wait for a place in the connection budget: nothing is kept from them.
    waiting: usize,
}

struct Free<S> {
    /// Typed as if it could only read, whatever its right is.
    session: Session<S, ReadOnly>,
    writes: bool,
    since: Instant,
}

/// Somebody who waits for a place, as long as it lives.
pub(super) struct Waiting<'a, S>(&'a Idle<S>);

impl<S: SideMarker, R: Right> Pooled<S, R> {
    pub(super) fn new(session: Session<S, R>, idle: &Arc<Idle<S>>) -> Self {
        Self {
            session: Some(session),
            idle: Arc::clone(idle),
        }
    }

    /// Ends it: its place on the server is needed.
    pub async fn close(mut self) {
        if let Some(session) = self.session.take() {
            session.close().await;
        }
    }
}

impl<S: SideMarker, R: Right> Deref for Pooled<S, R> {
    type Target = Session<S, R>;

    fn deref(&self) -> &Self::Target {
        match &self.session {
            Some(session) => session,
            None => unreachable!("only dropping takes it"),
        }
    }
}

impl<S: SideMarker, R: Right> DerefMut for Pooled<S, R> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        match &mut self.session {
            Some(session) => session,
            None => unreachable!("only dropping takes it"),
        }
    }
}

impl<S: SideMarker, R: Right> Drop for Pooled<S, R> {
    fn drop(&mut self) {
        if let Some(session) = self.session.take() {
            Idle::keep(&self.idle, session);
        }
    }
}

impl<S> Default for Idle<S> {
    fn default() -> Self {
        Self(Mutex::new(Sessions {
            free: Vec::new(),
            waiting: 0,
        }))
    }
}

impl<S> Idle<S> {
    /// A panic elsewhere leaves the list itself whole.
    fn sessions(&self) -> MutexGuard<'_, Sessions<S>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.sessions().free.len()
    }

    /// Says that somebody waits for a place in the connection budget.
    pub(super) fn wait(&self) -> Waiting<'_, S> {
        self.sessions().waiting += 1;
        Waiting(self)
    }
}

impl<S: SideMarker> Idle<S> {
    /// One in this database, with this right, that still works.
    pub(super) async fn take<R: Right>(&self, database: &str) -> Option<Session<S, R>> {
        loop {
            let session = self.find(database, !R::READ_ONLY_BY_DEFAULT)?;
            if let Ok(true) = timeout(PATIENCE, is_free(&session)).await {
                return Some(session.retyped());
            }
        }
    }

    fn find(&self, database: &str, writes: bool) -> Option<Session<S, ReadOnly>> {
        let mut sessions = self.sessions();
        let is_there = |free: &Free<S>| free.writes == writes && free.session.database() == database;
        let position = sessions.free.iter().rposition(is_there)?;
        Some(sessions.free.remove(position).session)
    }

    /// Gives all of them another `application_name`; those that do not take it are ended.
    pub(super) async fn rename(&self, application_name: &str) {
        let statement = "SELECT pg_catalog.set_config('application_name', $1, false)";
        let all = std::mem::take(&mut self.sessions().free);
        for free in all {
            let parameters: [&(dyn ToSql + Sync); 1] = [&application_name];
            let renamed = free.session.client.query_one(statement, &parameters);
            if let Ok(Ok(_)) = timeout(PATIENCE, renamed).await {
                self.sessions().free.push(free);
            }
        }
    }

    /// Ends the one that has waited longest, for its place in the connection budget.
    pub(super) async fn close_oldest(&self) {
        if let Some(session) = self.oldest() {
            end(session).await;
        }
    }

    fn oldest(&self) -> Option<Session<S, ReadOnly>> {
        let mut sessions = self.sessions();
        (!sessions.free.is_empty()).then(|| sessions.free.remove(0).session)
    }

    /// Keeps a session for a while, or drops it at once where its place is wanted.
    fn keep<R: Right>(idle: &Arc<Self>, session: Session<S, R>) {
        // Without a runtime there is no next user.
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        let mut sessions = idle.sessions();
        if sessions.waiting > 0 || session.is_closed() {
            return;
        }
        sessions.free.push(Free {
            session: session.retyped(),
            writes: !R::READ_ONLY_BY_DEFAULT,
            since: Instant::now(),
        });
        let idle = Arc::downgrade(idle);
        runtime.spawn(async move {
            sleep(KEPT).await;
            let expired = idle.upgrade().map(|idle| idle.expired());
            join_all(expired.into_iter().flatten().map(end)).await;
        });
    }

    fn expired(&self) -> Vec<Session<S, ReadOnly>> {
        let mut sessions = self.sessions();
        let is_expired = |free: &mut Free<S>| free.since.elapsed() >= KEPT;
        let expired = sessions.free.extract_if(.., is_expired);
        expired.map(|free| free.session).collect()
    }
}

/// Whether a session answers, and is in no transaction that somebody left open in it.
async fn is_free<S: SideMarker>(session: &Session<S, ReadOnly>) -> bool {
    let sql = "SELECT 1 WHERE pg_catalog.now() = pg_catalog.statement_timestamp()";
    let answer = session.client.simple_query(sql).await;
    let is_row = |message: &SimpleQueryMessage| matches!(message, SimpleQueryMessage::Row(_));
    answer.is_ok_and(|messages| messages.iter().any(is_row))
}

/// Ends a session; one that is still at work is cut off.
async fn end<S: SideMarker>(session: Session<S, ReadOnly>) {
    let _in_time = timeout(PATIENCE, session.close()).await;
}

impl<S> Drop for Waiting<'_, S> {
    fn drop(&mut self) {
        self.0.sessions().waiting -= 1;
    }
}
