//! Sessions to read in that are used one after the other: to open one costs more than most questions.

use super::{ReadOnly, Session, SideMarker};
use futures_util::future::join_all;
use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep, timeout};
use tokio_postgres::SimpleQueryMessage;

/// How long a session waits for whoever reads next.
const KEPT: Duration = Duration::from_secs(2);

/// How long a session may take to show that it still works, before another is opened in its place; and to end, before its
/// connection is just closed.
const PATIENCE: Duration = Duration::from_secs(1);

/// A read-only session for as long as somebody reads in it. Then it waits a little for whoever reads next in the same
/// database, unless somebody wants its place in the connection budget.
///
/// It is used like a [`Session`], for single statements: so nothing of one reader is left for the next.
pub struct Reader<S: SideMarker> {
    /// There until it is dropped.
    session: Option<Session<S, ReadOnly>>,
    idle: Arc<Idle<S>>,
}

/// The sessions of one server that nobody uses.
pub(super) struct Idle<S>(Mutex<Sessions<S>>);

struct Sessions<S> {
    free: Vec<Free<S>>,
    /// How many wait for a place in the connection budget: nothing is kept from them.
    waiting: usize,
}

struct Free<S> {
    session: Session<S, ReadOnly>,
    since: Instant,
}

/// Somebody who waits for a place, as long as it lives.
pub(super) struct Waiting<'a, S>(&'a Idle<S>);

impl<S: SideMarker> Reader<S> {
    pub(super) fn new(session: Session<S, ReadOnly>, idle: &Arc<Idle<S>>) -> Self {
        Self {
            session: Some(session),
            idle: Arc::clone(idle),
        }
    }

    /// Ends it: nobody reads next, and its place on the server is needed.
    pub async fn close(mut self) {
        if let Some(session) = self.session.take() {
            session.close().await;
        }
    }
}

impl<S: SideMarker> Deref for Reader<S> {
    type Target = Session<S, ReadOnly>;

    fn deref(&self) -> &Self::Target {
        match &self.session {
            Some(session) => session,
            None => unreachable!("only dropping takes it"),
        }
    }
}

impl<S: SideMarker> Drop for Reader<S> {
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
    /// One in this database that still works.
    pub(super) async fn take(&self, database: &str) -> Option<Session<S, ReadOnly>> {
        loop {
            let session = self.find(database)?;
            if let Ok(true) = timeout(PATIENCE, is_free(&session)).await {
                return Some(session);
            }
        }
    }

    fn find(&self, database: &str) -> Option<Session<S, ReadOnly>> {
        let mut sessions = self.sessions();
        let is_there = |free: &Free<S>| free.session.database() == database;
        let position = sessions.free.iter().rposition(is_there)?;
        Some(sessions.free.remove(position).session)
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
    fn keep(idle: &Arc<Self>, session: Session<S, ReadOnly>) {
        // Without a runtime there is nobody left to read.
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        let mut sessions = idle.sessions();
        if sessions.waiting > 0 || session.is_closed() {
            return;
        }
        sessions.free.push(Free {
            session,
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
