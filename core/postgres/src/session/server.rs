//! A server and the way to it.

use super::idle::{Idle, Pooled, Reader, Writer};
use super::settings::{self, Known};
use super::{ReadOnly, Right, Session, SideMarker, Way};
use crate::connect::{self, Address, Connected, SocketOptions, Startup, Target};
use crate::conninfo::{Endpoint, Resolved, SessionAttributes};
use crate::error::{PgError, Place, io_code};
use crate::tls::Tls;
use pghaul_core::Code;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::marker::PhantomData;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::{Mutex, OnceCell, OwnedSemaphorePermit, Semaphore};
use tokio_postgres::SimpleQueryMessage;

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
    resolved: Resolved,
    application_name: String,
    pub(super) budget: Arc<Semaphore>,
    /// How many sessions there may be at the very most.
    pub(super) most: usize,
    /// How many there may be now.
    pub(super) limit: Arc<std::sync::Mutex<usize>>,
    tls: OnceCell<Arc<Tls>>,
    /// Where the first connection went; later ones go nowhere else.
    pinned: Mutex<Option<Target>>,
    idle: Arc<Idle<S>>,
    /// What the first session has learned.
    known: OnceLock<Known>,
}

impl<S> std::fmt::Debug for Inner<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server")
            .field("conninfo", &self.resolved)
            .field("application_name", &self.application_name)
            .finish_non_exhaustive()
    }
}

impl<S: SideMarker> Server<S> {
    /// A server that is not connected to yet. At most `connections` sessions are open at a time; a further
    /// `connect` waits.
    pub fn new(resolved: Resolved, application_name: impl Into<String>, connections: usize) -> Self {
        let most = connections.clamp(1, Semaphore::MAX_PERMITS);
        let inner = Inner {
            resolved,
            application_name: application_name.into(),
            budget: Arc::new(Semaphore::new(most)),
            most,
            limit: Arc::new(std::sync::Mutex::new(most)),
            tls: OnceCell::new(),
            pinned: Mutex::new(None),
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
        &self.inner.resolved
    }

    /// The `application_name` of every session.
    pub fn application_name(&self) -> &str {
        &self.inner.application_name
    }

    /// The same server, and the same idle sessions, under another `application_name`.
    pub async fn renamed(&self, application_name: &str) -> Self {
        let inner = &self.inner;
        inner.idle.rename(application_name).await;
        let renamed = Inner {
            resolved: inner.resolved.clone(),
            application_name: application_name.to_owned(),
            budget: Arc::clone(&inner.budget),
            most: inner.most,
            limit: Arc::clone(&inner.limit),
            tls: inner.tls.clone(),
            pinned: Mutex::new(inner.pinned.lock().await.clone()),
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
        self.inner
            .pinned
            .lock()
            .await
            .as_ref()
            .map(|target| target.endpoint.clone())
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
        let startup = self.startup(database, &settings::for_right::<R>(self.known()));
        let (connected, target) = self.open(startup, &place).await?;
        let way = Way {
            target,
            tls: self.tls(&place).await?,
            socket: self.socket_options(),
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

    pub(super) fn startup(&self, database: &str, settings: &[(&str, &str)]) -> Startup {
        let resolved = &self.inner.resolved;
        Startup {
            user: resolved.user().to_owned(),
            database: database.to_owned(),
            password: None,
            options: crate::conninfo::startup_options(resolved.options(), settings),
            application_name: self.inner.application_name.clone(),
            channel_binding: resolved.channel_binding(),
            replication: false,
            timeout: resolved.connect_timeout(),
            socket: self.socket_options(),
        }
    }

    fn socket_options(&self) -> SocketOptions {
        SocketOptions {
            keepalives: self.inner.resolved.keepalives().cloned(),
            tcp_user_timeout: self.inner.resolved.tcp_user_timeout(),
        }
    }

    async fn tls(&self, place: &Place) -> Result<Arc<Tls>, PgError> {
        let load = async || Tls::load(self.inner.resolved.tls()).map(Arc::new);
        let tls = self.inner.tls.get_or_try_init(load).await.map_err(|error| {
            let own = PgError::new(Code::TlsFailed, place, "set up TLS", error.to_string());
            match std::error::Error::source(&error) {
                Some(source) => own.with_cause(source),
                None => own,
            }
        });
        tls.map(Arc::clone)
    }

    /// Connects to the pinned endpoint, or to the first of all that lets us in, which is pinned then.
    pub(super) async fn open(&self, startup: Startup, place: &Place) -> Result<(Connected, Target), PgError> {
        let tls = self.tls(place).await?;
        let mut pinned = self.inner.pinned.lock().await;
        if let Some(target) = pinned.clone() {
            drop(pinned);
            return self.open_pinned(&target, &tls, startup, place).await;
        }
        let attributes = self.inner.resolved.session_attributes();
        let found = match attributes {
            SessionAttributes::PreferStandby => {
                let preferred = self
                    .open_first(SessionAttributes::Standby, &tls, &startup, place)
                    .await;
                match preferred {
                    Ok(found) => Ok(found),
                    Err(_) => {
                        self.open_first(SessionAttributes::Any, &tls, &startup, place)
                            .await
                    }
                }
            }
            attributes => self.open_first(attributes, &tls, &startup, place).await,
        }?;
        *pinned = Some(found.1.clone());
        Ok(found)
    }

    /// The name is looked up again, so that a managed server whose address moves is found; the known address goes
    /// first while the name still has it.
    async fn open_pinned(
        &self,
        pinned: &Target,
        tls: &Tls,
        startup: Startup,
        place: &Place,
    ) -> Result<(Connected, Target), PgError> {
        let mut addresses = self.look_up(&pinned.endpoint, place).await?;
        addresses.sort_by_key(|address| *address != pinned.address);
        let endpoint = pinned.endpoint.clone();
        let mut errors = Vec::new();
        for address in addresses {
            let target = Target {
                endpoint: endpoint.clone(),
                address,
            };
            match self.open_one(&target, tls, &startup, place).await {
                Ok(connected) => return Ok((connected, target)),
                Err(error) if is_about_the_way(error.code()) => errors.push(error),
                Err(error) => return Err(error),
            }
        }
        Err(combined(errors, place))
    }

    async fn open_first(
        &self,
        attributes: SessionAttributes,
        tls: &Tls,
        startup: &Startup,
        place: &Place,
    ) -> Result<(Connected, Target), PgError> {
        let mut errors = Vec::new();
        for endpoint in self.in_order(self.inner.resolved.endpoints().to_vec()) {
            let addresses = match self.look_up(&endpoint, place).await {
                Ok(addresses) => self.in_order(addresses),
                Err(error) => {
                    errors.push(error);
                    continue;
                }
            };
            for address in addresses {
                let target = Target {
                    endpoint: endpoint.clone(),
                    address,
                };
                let attempt = async {
                    self.check_attributes(attributes, &target, tls, place).await?;
                    self.open_one(&target, tls, startup, place).await
                };
                match attempt.await {
                    Ok(connected) => return Ok((connected, target)),
                    Err(error) if is_about_the_way(error.code()) => errors.push(error),
                    Err(error) => return Err(error),
                }
            }
        }
        Err(combined(errors, place))
    }

    async fn open_one(
        &self,
        target: &Target,
        tls: &Tls,
        startup: &Startup,
        place: &Place,
    ) -> Result<Connected, PgError> {
        let mut startup = startup.clone();
        startup.password = self
            .inner
            .resolved
            .password_for(&target.endpoint, &startup.database);
        connect::connect(target, tls, &startup, place).await
    }

    /// libpq's `target_session_attrs`. Asked in a session without settings of pghaul's, which would change the answer.
    async fn check_attributes(
        &self,
        wanted: SessionAttributes,
        target: &Target,
        tls: &Tls,
        place: &Place,
    ) -> Result<(), PgError> {
        if wanted == SessionAttributes::Any {
            return Ok(());
        }
        let database = place.database.as_deref().unwrap_or_default();
        let connected = self
            .open_one(target, tls, &self.startup(database, &[]), place)
            .await?;
        let sql =
            "SELECT pg_catalog.pg_is_in_recovery(), pg_catalog.current_setting('transaction_read_only')";
        let operation = format!(
            "see whether {} is what target_session_attrs asks for",
            target.endpoint
        );
        let answer = connected.client.simple_query(sql).await;
        connected.driver.abort();
        let answer = answer.map_err(|error| PgError::from_driver(place, operation.as_str(), &error))?;
        let row = answer.iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some((row.get(0) == Some("t"), row.get(1) == Some("on"))),
            _ => None,
        });
        let (standby, read_only) = row.unwrap_or_default();
        let acceptable = match wanted {
            SessionAttributes::ReadWrite => !standby && !read_only,
            SessionAttributes::ReadOnly => standby || read_only,
            SessionAttributes::Primary => !standby,
            SessionAttributes::Standby => standby,
            SessionAttributes::Any | SessionAttributes::PreferStandby => true,
        };
        let refused = || PgError::new(Code::ServerNotReady, place, operation, "it is not");
        if acceptable { Ok(()) } else { Err(refused()) }
    }

    async fn look_up(&self, endpoint: &Endpoint, place: &Place) -> Result<Vec<Address>, PgError> {
        let operation = || format!("find the address of {endpoint}");
        let limit = self.inner.resolved.connect_timeout().unwrap_or(Duration::MAX);
        match tokio::time::timeout(limit, connect::addresses(endpoint)).await {
            Ok(found) => {
                found.map_err(|error| PgError::new(Code::HostNotFound, place, operation(), error.to_string()))
            }
            Err(late) => Err(PgError::new(
                Code::ConnectionTimedOut,
                place,
                operation(),
                late.to_string(),
            )),
        }
    }

    /// The same, shuffled where the user wants the load balanced.
    fn in_order<T>(&self, mut things: Vec<T>) -> Vec<T> {
        if self.inner.resolved.shuffles_hosts() {
            things.sort_by_cached_key(|_| RandomState::new().build_hasher().finish());
        }
        things
    }
}

/// Whether another address may do better. As in libpq, a server that refuses us in person ends the search.
fn is_about_the_way(code: Code) -> bool {
    matches!(
        code,
        Code::HostNotFound
            | Code::ConnectionRefused
            | Code::ConnectionTimedOut
            | Code::ConnectionLost
            | Code::ServerNotReady
            | Code::TooManyConnections
            | Code::TlsFailed
    )
}

fn combined(errors: Vec<PgError>, place: &Place) -> PgError {
    let mut errors = errors.into_iter();
    match errors.next() {
        Some(first) => errors.fold(first, PgError::with_cause),
        None => PgError::new(
            io_code_of_nothing(),
            place,
            "connect",
            "there is no host to connect to",
        ),
    }
}

fn io_code_of_nothing() -> Code {
    io_code(std::io::ErrorKind::NotFound)
}
