//! The way to a server: which addresses, in which order, with which encryption.

use crate::connect::{self, Address, Connected, SocketOptions, Startup, Target};
use crate::conninfo::{Endpoint, Resolved, SessionAttributes};
use crate::error::{PgError, Place, io_code};
use crate::tls::Tls;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use pghaul_core::Code;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, OnceCell};
use tokio_postgres::SimpleQueryMessage;

/// How a server is reached, and under which name.
pub(super) struct Route {
    pub(super) resolved: Resolved,
    pub(super) application_name: String,
    tls: OnceCell<Arc<Tls>>,
    /// Where the first connection went; later ones go nowhere else.
    pinned: Mutex<Option<Target>>,
}

impl Route {
    pub(super) fn new(resolved: Resolved, application_name: String) -> Self {
        Self {
            resolved,
            application_name,
            tls: OnceCell::new(),
            pinned: Mutex::new(None),
        }
    }

    /// The same under another `application_name`.
    pub(super) async fn renamed(&self, application_name: &str) -> Self {
        Self {
            resolved: self.resolved.clone(),
            application_name: application_name.to_owned(),
            tls: self.tls.clone(),
            pinned: Mutex::new(self.pinned.lock().await.clone()),
        }
    }

    /// Host and port of the first connection.
    pub(super) async fn pinned(&self) -> Option<Endpoint> {
        let pinned = self.pinned.lock().await;
        pinned.as_ref().map(|target| target.endpoint.clone())
    }

    pub(super) fn startup(&self, database: &str, settings: &[(&str, &str)]) -> Startup {
        let resolved = &self.resolved;
        Startup {
            user: resolved.user().to_owned(),
            database: database.to_owned(),
            password: None,
            options: crate::conninfo::startup_options(resolved.options(), settings),
            application_name: self.application_name.clone(),
            channel_binding: resolved.channel_binding(),
            replication: false,
            timeout: resolved.connect_timeout(),
            socket: self.socket_options(),
        }
    }

    pub(super) fn socket_options(&self) -> SocketOptions {
        SocketOptions {
            keepalives: self.resolved.keepalives().cloned(),
            tcp_user_timeout: self.resolved.tcp_user_timeout(),
        }
    }

    pub(super) async fn tls(&self, place: &Place) -> Result<Arc<Tls>, PgError> {
        let load = async || Tls::load(self.resolved.tls()).map(Arc::new);
        let tls = self.tls.get_or_try_init(load).await.map_err(|error| {
            let own = PgError::new(Code::TlsFailed, place, "set up TLS", error.to_string());
            match std::error::Error::source(&error) {
                Some(source) => own.with_cause(source),
                None => own,
            }
        });
        tls.map(Arc::clone)
    }

    /// Connects to the pinned endpoint, or to the first of all that lets us in, which is pinned then.
    ///
    /// Boxed, as each package that uses it would compile all of it again otherwise.
    #[inline(never)]
    pub(super) fn open<'a>(
        &'a self,
        startup: Startup,
        place: &'a Place,
    ) -> BoxFuture<'a, Result<(Connected, Target), PgError>> {
        self.open_pinned_or_first(startup, place).boxed()
    }

    async fn open_pinned_or_first(
        &self,
        startup: Startup,
        place: &Place,
    ) -> Result<(Connected, Target), PgError> {
        let tls = self.tls(place).await?;
        let mut pinned = self.pinned.lock().await;
        if let Some(target) = pinned.clone() {
            drop(pinned);
            return self.open_pinned(&target, &tls, startup, place).await;
        }
        let attributes = self.resolved.session_attributes();
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
        for endpoint in self.in_order(self.resolved.endpoints().to_vec()) {
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
        startup.password = self.resolved.password_for(&target.endpoint, &startup.database);
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
        let limit = self.resolved.connect_timeout().unwrap_or(Duration::MAX);
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
        if self.resolved.shuffles_hosts() {
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
