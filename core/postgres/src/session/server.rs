//! A server and the way to it.

use super::idle::{Idle, Pooled, Reader, Writer};
use super::route::Route;
use super::settings::{self, Known};
use super::{ReadOnly, Right, Session, SideMarker, Way};
use crate::conninfo::{Endpoint, Resolved};
use crate::error::{PgError, Place};
use pghaul_core::Code;
use std::marker::PhantomData;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Pauses before the second and the third try of [`Server::read`].
const RETRY_PAUSES: [Duration; 2] = [Duration::from_millis(200), Duration::from_secs(1)];

/// One of the two servers: how to reach it, under which name, with how many connections at most. Cheap to clone.
#[derive(Debug)]
pub struct Server<S> {
    pub(super) inner: Arc<Inner<S>>,
    side: PhantomData<fn() -> S>,
}

impl<S> Clone for Server<S> {
    fn clone(&self) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
            side: PhantomData,
        }
    }
}

pub(super) struct Inner<S> {
    pub(super) route: Route,
    pub(super) budget: Arc<Semaphore>,
    /// How many sessions there may be at the very most.
    pub(super) most: usize,
    /// How many there may be now.
    pub(super) limit: Arc<std::sync::Mutex<usize>>,
    idle: Arc<Idle<S>>,
    /// What the first session has learned.
    known: OnceLock<Known>,
}

impl<S> std::fmt::Debug for Inner<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server")
            .field("conninfo", &self.route.resolved)
            .field("application_name", &self.route.application_name)
            .finish_non_exhaustive()
    }
}

impl<S: SideMarker> Server<S> {
    /// A server that is not connected to yet. At most `connections` sessions are open at a time; a further
    /// `connect` waits.
    pub fn new(resolved: Resolved, application_name: impl Into<String>, connections: usize) -> Self {
        let most = connections.clamp(1, Semaphore::MAX_PERMITS);
        let inner = Inner {
            route: Route::new(resolved, application_name.into()),
            budget: Arc::new(Semaphore::new(most)),
            most,
            limit: Arc::new(std::sync::Mutex::new(most)),
            idle: Arc::default(),
            known: OnceLock::new(),
        };
        Self {
            inner: Arc::new(inner),
            side: PhantomData,
        }
    }

    /// The conninfo.
    pub fn resolved(&self) -> &Resolved {
        &self.inner.route.resolved
    }

    /// The `application_name` of every session.
    pub fn application_name(&self) -> &str {
        &self.inner.route.application_name
    }

    /// The same server, and the same idle sessions, under another `application_name`.
    pub async fn renamed(&self, application_name: &str) -> Self {
        let inner = &self.inner;
        inner.idle.rename(application_name).await;
        let renamed = Inner {
            route: inner.route.renamed(application_name).await,
            budget: Arc::clone(&inner.budget),
            most: inner.most,
            limit: Arc::clone(&inner.limit),
            idle: Arc::clone(&inner.idle),
            known: inner.known.clone(),
        };
        Self {
            inner: Arc::new(renamed),
            side: PhantomData,
        }
    }

    /// Host and port of the first connection, which later ones use too.
    pub async fn pinned(&self) -> Option<Endpoint> {
        self.inner.route.pinned().await
    }

    /// How many more sessions could be opened now.
    pub fn free_connections(&self) -> usize {
        self.inner.budget.available_permits() + self.inner.idle.len()
    }

    /// Opens a session in a database, waiting for a free place in the connection budget.
    ///
    /// # Errors
    /// Whatever keeps us out, told apart by its code.
    pub async fn connect<R: Right>(&self, database: &str) -> Result<Session<S, R>, PgError> {
        let place = self.place(database);
        let permit = self.permit(&place).await?;
        let route = &self.inner.route;
        let startup = route.startup(database, &settings::for_right::<R>(self.known()));
        let (connected, target) = route.open(startup, &place).await?;
        let way = Way {
            target,
            tls: route.tls(&place).await?,
            socket: route.socket_options(),
            permit,
        };
        let session = Session::begin(connected, place, way).await?;
        self.inner.known.get_or_init(|| session.facts.known);
        Ok(session)
    }

    /// What a session has learned of the server and its role, once there was one.
    pub(super) fn known(&self) -> Option<Known> {
        self.inner.known.get().copied()
    }

    /// The settings of a session that another program, or the other server, opens here in pghaul's name: without limits
    /// of time, and without users' login triggers where the role may switch them off.
    pub fn settings_for_others(&self) -> Vec<(&'static str, &'static str)> {
        settings::for_others(self.known())
    }

    /// The settings of a client program's session, whose texts are read by pghaul.
    pub(crate) fn settings_for_programs(&self) -> Vec<(&'static str, &'static str)> {
        settings::for_programs(self.known())
    }

    /// Ends the sessions that nobody uses.
    pub async fn close_idle(&self) {
        while self.inner.idle.len() > 0 {
            self.inner.idle.close_oldest().await;
        }
    }

    /// A session to read in, in a database: an idle one, or a new one as by [`connect`](Self::connect).
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub async fn reader(&self, database: &str) -> Result<Reader<S>, PgError> {
        self.pooled(database).await
    }

    /// The same to write in.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub async fn writer(&self, database: &str) -> Result<Writer<S>, PgError> {
        self.pooled(database).await
    }

    async fn pooled<R: Right>(&self, database: &str) -> Result<Pooled<S, R>, PgError> {
        let idle = &self.inner.idle;
        let session = match idle.take(database).await {
            Some(session) => session,
            None => self.connect(database).await?,
        };
        Ok(Pooled::new(session, idle))
    }

    /// Reads something, and does it again on a new session when the connection was lost or the server was not
    /// ready: three tries within about a second. The closure may run more than once and must only read.
    ///
    /// # Errors
    /// Any other error at once, the last one otherwise.
    pub async fn read<T>(
        &self,
        database: &str,
        read: impl AsyncFn(&Session<S, ReadOnly>) -> Result<T, PgError>,
    ) -> Result<T, PgError> {
        let mut pauses = RETRY_PAUSES.iter();
        loop {
            let outcome = async {
                let session = self.reader(database).await?;
                read(&session).await
            };
            let outcome: Result<T, PgError> = outcome.await;
            match outcome {
                Err(error) if matches!(error.code(), Code::ConnectionLost | Code::ServerNotReady) => {
                    let Some(pause) = pauses.next() else {
                        return Err(error);
                    };
                    tracing::debug!("trying again: {error}");
                    tokio::time::sleep(*pause).await;
                }
                other => return other,
            }
        }
    }

    pub(super) fn place(&self, database: &str) -> Place {
        Place {
            side: S::SIDE,
            database: Some(database.to_owned()),
        }
    }

    pub(super) async fn permit(&self, place: &Place) -> Result<OwnedSemaphorePermit, PgError> {
        let budget = &self.inner.budget;
        if let Ok(permit) = Arc::clone(budget).try_acquire_owned() {
            return Ok(permit);
        }
        let _waiting = self.inner.idle.wait();
        self.inner.idle.close_oldest().await;
        let permit = Arc::clone(budget).acquire_owned().await;
        permit.map_err(|closed| {
            PgError::new(Code::Bug, place, "wait for a free connection", closed.to_string())
        })
    }
}
