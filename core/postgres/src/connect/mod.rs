//! From a resolved conninfo to a running connection: addresses, TLS by sslmode, start-up, authentication.

mod copy_rows;
mod established;
mod replication_startup;
mod socket;
mod unmet_rights;

pub(crate) use copy_rows::RowCounts;
pub(crate) use socket::{Address, SocketOptions, addresses};
use socket::{Wire, open};
pub(crate) use unmet_rights::UnmetRights;

use crate::conninfo::{GivenPassword, SslMode, SslNegotiation};
use crate::error::{PgError, Phase, Place, io_code};
use crate::tls::{Tls, TlsError};
use copy_rows::CopyRows;
use established::Established;
use pghaul_core::Code;
use replication_startup::ReplicationStartup;
use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::task::JoinHandle;
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres::{AsyncMessage, Client, Config, Connection, NoTls};

/// One address of one endpoint, where a server was or may be found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) endpoint: crate::conninfo::Endpoint,
    pub(crate) address: Address,
}

/// What the start-up packet says, and how the socket is set up.
#[derive(Clone)]
pub(crate) struct Startup {
    pub(crate) user: String,
    pub(crate) database: String,
    pub(crate) password: Option<GivenPassword>,
    pub(crate) options: String,
    pub(crate) application_name: String,
    pub(crate) channel_binding: tokio_postgres::config::ChannelBinding,
    pub(crate) replication: bool,
    pub(crate) timeout: Option<Duration>,
    pub(crate) socket: socket::SocketOptions,
}

/// A connection whose driver runs in a task of its own.
pub(crate) struct Connected {
    pub(crate) client: Client,
    pub(crate) driver: JoinHandle<()>,
    pub(crate) encrypted: bool,
    pub(crate) counts: Arc<RowCounts>,
    pub(crate) unmet: Arc<UnmetRights>,
}

/// Why one attempt at one address failed.
enum AttemptError {
    Io(io::Error),
    TlsRefused,
    Tls(io::Error),
    TlsSetup(TlsError),
    Driver(tokio_postgres::Error),
    TimedOut(Duration),
}

impl AttemptError {
    /// Whether libpq would try again without, or with, TLS where the sslmode allows both.
    fn may_depend_on_encryption(&self) -> bool {
        match self {
            Self::Tls(_) | Self::TlsRefused => true,
            Self::Driver(error) => error.code().is_some_and(|state| state.code() == "28000"),
            Self::Io(_) | Self::TlsSetup(_) | Self::TimedOut(_) => false,
        }
    }

    fn into_error(self, place: &Place, operation: String) -> PgError {
        match self {
            Self::Io(error) => PgError::new(io_code(error.kind()), place, operation, error.to_string()),
            Self::TlsRefused => PgError::new(
                Code::TlsFailed,
                place,
                operation,
                "the server does not support TLS",
            )
            .with_hint("switch ssl on in the server, or use sslmode=prefer if the network is trusted"),
            Self::Tls(error) => PgError::new(Code::TlsFailed, place, operation, error.to_string()),
            Self::TlsSetup(error) => {
                let mut own = PgError::new(Code::TlsFailed, place, operation, error.to_string());
                if let Some(source) = std::error::Error::source(&error) {
                    own = own.with_cause(source);
                }
                own
            }
            Self::Driver(error) => PgError::classified(place, operation, &error, Phase::Connecting),
            Self::TimedOut(limit) => {
                let message = format!("no answer within {} seconds", limit.as_secs());
                PgError::new(Code::ConnectionTimedOut, place, operation, message)
            }
        }
    }
}

/// How to encrypt in one attempt.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Encryption {
    No,
    /// When the server offers it.
    Offered,
    Yes,
}

/// Connects to one address, with the attempts that the sslmode allows.
pub(crate) async fn connect(
    target: &Target,
    tls: &Tls,
    startup: &Startup,
    place: &Place,
) -> Result<Connected, PgError> {
    let attempts: &[Encryption] = match (&target.address, tls.mode()) {
        (Address::Unix(_), _) | (_, SslMode::Disable) => &[Encryption::No],
        (_, SslMode::Allow) => &[Encryption::No, Encryption::Yes],
        (_, SslMode::Prefer) => &[Encryption::Offered, Encryption::No],
        (_, SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull) => &[Encryption::Yes],
    };
    let operation = || format!("connect to {}", target.endpoint);
    let mut first: Option<PgError> = None;
    for (number, encryption) in attempts.iter().enumerate() {
        let outcome = within(startup.timeout, attempt(target, *encryption, tls, startup)).await;
        let error = match outcome {
            Ok(connected) => return Ok(connected),
            Err(error) => error,
        };
        let again = number + 1 < attempts.len() && error.may_depend_on_encryption();
        let error = error.into_error(place, operation());
        match first.take() {
            None if again => first = Some(error),
            None => return Err(error),
            // The server's word on who may come in says more than that TLS failed; of two such words, the one to
            // the encrypted attempt.
            Some(first)
                if error.code() == Code::TlsFailed
                    || (tls.mode() == SslMode::Prefer && first.code() != Code::TlsFailed) =>
            {
                return Err(first.with_cause(error));
            }
            Some(first) => return Err(error.with_cause(first)),
        }
    }
    Err(first.unwrap_or_else(|| PgError::new(Code::Bug, place, operation(), "no attempt was made")))
}

async fn within<T>(
    limit: Option<Duration>,
    work: impl Future<Output = Result<T, AttemptError>>,
) -> Result<T, AttemptError> {
    match limit {
        None => work.await,
        Some(limit) => tokio::time::timeout(limit, work)
            .await
            .unwrap_or(Err(AttemptError::TimedOut(limit))),
    }
}

async fn attempt(
    target: &Target,
    encryption: Encryption,
    tls: &Tls,
    startup: &Startup,
) -> Result<Connected, AttemptError> {
    let mut wire = open(&target.address, &startup.socket)
        .await
        .map_err(AttemptError::Io)?;
    let encrypt = match encryption {
        Encryption::No => false,
        _ if tls.negotiation() == SslNegotiation::Direct => true,
        _ => match (
            ask_for_tls(&mut wire).await.map_err(AttemptError::Io)?,
            encryption,
        ) {
            (true, _) => true,
            (false, Encryption::Yes) => return Err(AttemptError::TlsRefused),
            (false, _) => false,
        },
    };
    let counts = Arc::default();
    let unmet = Arc::default();
    if encrypt {
        let wire = handshake(wire, target, tls).await?;
        let wire = ReplicationStartup::new(wire, startup.replication);
        let wire = CopyRows::new(wire, Arc::clone(&counts));
        let (client, connection) = startup
            .config(true)
            .connect_raw(tokio::io::empty(), Established(wire))
            .await
            .map_err(AttemptError::Driver)?;
        Ok(Connected {
            client,
            driver: tokio::spawn(drive(connection, Arc::clone(&unmet))),
            encrypted: true,
            counts,
            unmet,
        })
    } else {
        let wire = ReplicationStartup::new(wire, startup.replication);
        let wire = CopyRows::new(wire, Arc::clone(&counts));
        let (client, connection) = startup
            .config(false)
            .connect_raw(wire, NoTls)
            .await
            .map_err(AttemptError::Driver)?;
        Ok(Connected {
            client,
            driver: tokio::spawn(drive(connection, Arc::clone(&unmet))),
            encrypted: false,
            counts,
            unmet,
        })
    }
}

/// PostgreSQL's SSLRequest; `true` when the server goes on with TLS.
async fn ask_for_tls(wire: &mut Wire) -> io::Result<bool> {
    wire.write_all(&[0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]).await?;
    wire.flush().await?;
    match wire.read_u8().await? {
        b'S' => Ok(true),
        b'N' => Ok(false),
        _ => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "the answer is not that of a PostgreSQL server",
        )),
    }
}

type TlsWire = <tokio_postgres_rustls::MakeRustlsConnect as MakeTlsConnect<Wire>>::Stream;

async fn handshake(wire: Wire, target: &Target, tls: &Tls) -> Result<TlsWire, AttemptError> {
    let name = target.tls_name();
    let mut connector = tls.connector(name).map_err(AttemptError::TlsSetup)?;
    // rustls wants a name even where none is checked: the address does.
    let handshake_name = name
        .filter(|name| rustls_pki_types::ServerName::try_from(*name).is_ok())
        .map_or_else(|| target.address.ip_text(), str::to_owned);
    let connect = MakeTlsConnect::<Wire>::make_tls_connect(&mut connector, &handshake_name)
        .map_err(|never| match never {})?;
    connect.connect(wire).await.map_err(AttemptError::Tls)
}

impl Target {
    /// The name that the user gave, which certificates are compared with.
    fn tls_name(&self) -> Option<&str> {
        match &self.endpoint.host {
            crate::conninfo::Host::Tcp { name, .. } => name.as_deref(),
            crate::conninfo::Host::Socket { .. } => None,
        }
    }

    /// Asks the server to cancel what a session is doing, over a connection of its own.
    pub(crate) async fn cancel(
        &self,
        token: &tokio_postgres::CancelToken,
        tls: Option<&Tls>,
        startup_socket: &socket::SocketOptions,
    ) -> io::Result<()> {
        let mut wire = open(&self.address, startup_socket).await?;
        let done = match tls {
            Some(tls) => {
                if tls.negotiation() == SslNegotiation::Postgres && !ask_for_tls(&mut wire).await? {
                    return Err(io::Error::other("the server does not support TLS any more"));
                }
                let wire = handshake(wire, self, tls).await;
                let wire = wire.map_err(|_| io::Error::other("TLS for the cancel request failed"))?;
                send_cancel(token, tokio::io::empty(), Established(wire)).await
            }
            None => send_cancel(token, wire, NoTls).await,
        };
        done.map_err(io::Error::other)
    }
}

async fn send_cancel<S, T>(
    token: &tokio_postgres::CancelToken,
    stream: S,
    tls: T,
) -> Result<(), tokio_postgres::Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
    T: TlsConnect<S>,
{
    token.cancel_query_raw(stream, tls).await
}

impl Startup {
    fn config(&self, encrypted: bool) -> Config {
        use tokio_postgres::config::{SslMode as DriverSslMode, SslNegotiation as DriverNegotiation};
        let mut config = Config::new();
        config
            .user(&self.user)
            .dbname(&self.database)
            .options(&self.options)
            .application_name(&self.application_name)
            .channel_binding(self.channel_binding)
            // The handshake is done by now; `Direct` keeps the driver from asking the server again.
            .ssl_mode(if encrypted {
                DriverSslMode::Require
            } else {
                DriverSslMode::Disable
            })
            .ssl_negotiation(if encrypted {
                DriverNegotiation::Direct
            } else {
                DriverNegotiation::Postgres
            });
        if let Some(password) = &self.password {
            config.password(password.reveal());
        }
        config
    }
}

/// Runs a connection until it ends. Notices go to the log; one of rights is kept until the session looks.
async fn drive<S, T>(mut connection: Connection<S, T>, unmet: Arc<UnmetRights>)
where
    S: AsyncRead + AsyncWrite + Unpin,
    T: AsyncRead + AsyncWrite + Unpin,
{
    while let Some(message) = poll_fn(|context| connection.poll_message(context)).await {
        match message {
            Ok(AsyncMessage::Notice(notice)) => {
                tracing::debug!(
                    sqlstate = notice.code().code(),
                    "{}: {}",
                    notice.severity(),
                    notice.message()
                );
                unmet.look_at(notice);
            }
            Ok(_) => {}
            // The error also reaches whoever waits for a result.
            Err(error) => {
                tracing::debug!("a connection ended: {error}");
                return;
            }
        }
    }
}
