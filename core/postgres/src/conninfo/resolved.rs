//! A conninfo that is complete: what is connected to, and how.

use super::password_file::{self, Entry};
use super::{ConnInfo, parameter};
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

/// libpq's [sslmode](https://www.postgresql.org/docs/current/libpq-ssl.html#LIBPQ-SSL-SSLMODE-STATEMENTS).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SslMode {
    /// Never TLS.
    Disable,
    /// TLS when the server insists.
    Allow,
    /// TLS when the server can. The default.
    Prefer,
    /// TLS; the certificate is checked only when there is a root certificate.
    Require,
    /// TLS, and a certificate that a trusted authority signed.
    VerifyCa,
    /// The same, and the certificate is that of the host.
    VerifyFull,
}

impl SslMode {
    /// As it is written in a conninfo.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Disable => "disable",
            Self::Allow => "allow",
            Self::Prefer => "prefer",
            Self::Require => "require",
            Self::VerifyCa => "verify-ca",
            Self::VerifyFull => "verify-full",
        }
    }
}

/// How TLS begins: after a question, or at once (PostgreSQL 17).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SslNegotiation {
    /// The server is asked first.
    Postgres,
    /// TLS at once.
    Direct,
}

/// The TLS versions that rustls speaks; older ones are insecure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsVersion {
    /// TLS 1.2.
    V12,
    /// TLS 1.3.
    V13,
}

/// What the TLS parameters say, with the default files filled in where they exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsOptions {
    /// When to use TLS and what to check.
    pub mode: SslMode,
    /// How it begins.
    pub negotiation: SslNegotiation,
    /// The file with the certificates to trust; `None` when there is none or the system's are used.
    pub root_file: Option<PathBuf>,
    /// `sslrootcert=system`.
    pub system_roots: bool,
    /// The client's certificate and its key.
    pub client: Option<(PathBuf, PathBuf)>,
    /// Whether to tell the server which host is wanted.
    pub sni: bool,
    /// The lowest version to accept.
    pub min_version: TlsVersion,
    /// The highest version to offer.
    pub max_version: TlsVersion,
}

/// A way to a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    /// Over TCP.
    Tcp {
        /// The name, which is looked up unless there is an address, and which a certificate must have.
        name: Option<String>,
        /// The address (`hostaddr`).
        address: Option<IpAddr>,
    },
    /// Through the socket in a directory; a name that begins with `@` is in Linux' abstract name space.
    Socket {
        /// The directory.
        directory: PathBuf,
    },
}

/// A host and a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// The host.
    pub host: Host,
    /// The port.
    pub port: u16,
}

impl Endpoint {
    /// Whether it is on this machine, as far as the address tells: a Unix socket or a loopback address.
    pub fn is_local(&self) -> bool {
        match &self.host {
            Host::Socket { .. } => true,
            Host::Tcp {
                address: Some(address),
                ..
            } => address.is_loopback(),
            Host::Tcp { name, .. } => name.as_deref().is_none_or(|name| {
                name.eq_ignore_ascii_case("localhost")
                    || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
            }),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Tcp { name: Some(name), .. } => write!(f, "{name}:{}", self.port),
            Host::Tcp {
                address: Some(IpAddr::V6(address)),
                ..
            } => write!(f, "[{address}]:{}", self.port),
            Host::Tcp {
                address: Some(address),
                ..
            } => write!(f, "{address}:{}", self.port),
            Host::Tcp { .. } => write!(f, "localhost:{}", self.port),
            Host::Socket { directory } => write!(f, "{}/.s.PGSQL.{}", directory.display(), self.port),
        }
    }
}

/// libpq's `target_session_attrs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionAttributes {
    /// Any server.
    Any,
    /// Sessions can write.
    ReadWrite,
    /// Sessions can't write.
    ReadOnly,
    /// Not a standby.
    Primary,
    /// A standby.
    Standby,
    /// A standby if one of the hosts is one.
    PreferStandby,
}

/// TCP keepalives. The default finds a dead peer within two minutes; libpq leaves it to the system: two hours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keepalives {
    /// Silence before the first probe.
    pub idle: Duration,
    /// Between two probes.
    pub interval: Duration,
    /// Unanswered probes until the connection counts as lost.
    pub count: u32,
}

impl Default for Keepalives {
    fn default() -> Self {
        Self {
            idle: Duration::from_secs(60),
            interval: Duration::from_secs(10),
            count: 6,
        }
    }
}

/// A password, or where to look for one.
#[derive(Clone)]
pub(super) enum PasswordSource {
    Given(String),
    File(Vec<Entry>),
}

/// A password that was found; it has no `Display` and no `Debug` that shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct GivenPassword(pub(super) String);

impl GivenPassword {
    /// The password itself, for the server or a child's environment (`PGPASSWORD`), nothing else.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for GivenPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GivenPassword(…)")
    }
}

/// A conninfo completed from its environment.
#[derive(Clone)]
pub struct Resolved {
    /// All parameters after merging; neither password nor, unless its password is needed, service.
    pub(super) conninfo: ConnInfo,
    pub(super) password: PasswordSource,
    pub(super) endpoints: Vec<Endpoint>,
    pub(super) user: String,
    pub(super) database: String,
    pub(super) tls: TlsOptions,
    pub(super) connect_timeout: Option<Duration>,
    pub(super) keepalives: Option<Keepalives>,
    pub(super) tcp_user_timeout: Option<Duration>,
    pub(super) attributes: SessionAttributes,
    pub(super) shuffle_hosts: bool,
    pub(super) channel_binding: tokio_postgres::config::ChannelBinding,
    pub(super) warnings: Vec<String>,
}

impl Resolved {
    /// The hosts in the order in which they are tried; never empty.
    pub fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
    }

    /// The role to connect as.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The database of the conninfo; by default the one named like the role.
    pub fn database(&self) -> &str {
        &self.database
    }

    /// What the TLS parameters say.
    pub fn tls(&self) -> &TlsOptions {
        &self.tls
    }

    /// The user's own `options`, without ours.
    pub fn options(&self) -> Option<&str> {
        self.conninfo.get("options").filter(|options| !options.is_empty())
    }

    /// How long one attempt may take; `None` is for ever.
    pub fn connect_timeout(&self) -> Option<Duration> {
        self.connect_timeout
    }

    /// The TCP keepalives, unless they are switched off.
    pub fn keepalives(&self) -> Option<&Keepalives> {
        self.keepalives.as_ref()
    }

    /// How long sent data may stay unacknowledged.
    pub fn tcp_user_timeout(&self) -> Option<Duration> {
        self.tcp_user_timeout
    }

    /// Which of several hosts are acceptable.
    pub fn session_attributes(&self) -> SessionAttributes {
        self.attributes
    }

    /// Whether hosts and addresses are tried in random order.
    pub fn shuffles_hosts(&self) -> bool {
        self.shuffle_hosts
    }

    pub(crate) fn channel_binding(&self) -> tokio_postgres::config::ChannelBinding {
        self.channel_binding
    }

    /// What was ignored, such as a password file that others can read.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The same with another database.
    #[must_use]
    pub fn with_database(mut self, name: &str) -> Self {
        self.conninfo = self.conninfo.with_database(name);
        name.clone_into(&mut self.database);
        self
    }

    /// The password for a database at an endpoint, from wherever it comes.
    pub fn password_for(&self, endpoint: &Endpoint, database: &str) -> Option<GivenPassword> {
        let password = match &self.password {
            PasswordSource::Given(password) => Some(password.as_str()),
            PasswordSource::File(entries) => {
                let host = password_file_host(&endpoint.host);
                password_file::find(entries, [&host, &endpoint.port.to_string(), database, &self.user])
            }
        };
        password.map(|password| GivenPassword(password.to_owned()))
    }

    /// The same with another password.
    #[must_use]
    pub fn with_password(&self, password: &str) -> Self {
        Self {
            password: PasswordSource::Given(password.to_owned()),
            ..self.clone()
        }
    }

    /// `key=value` pairs without passwords, which [`ConnInfo::parse`] reads back: all that is needed to find the
    /// same server again in another environment. For the journal and for people.
    pub fn without_secrets(&self) -> String {
        self.conninfo.pairs(|name| !parameter::is_secret(name))
    }
}

/// The host as password files name it: sockets in their default places are `localhost`.
fn password_file_host(host: &Host) -> String {
    match host {
        Host::Tcp { name: Some(name), .. } => name.clone(),
        Host::Tcp {
            address: Some(address),
            ..
        } => address.to_string(),
        Host::Tcp { .. } => "localhost".to_owned(),
        Host::Socket { directory } => match directory.to_string_lossy().trim_end_matches('/') {
            "/tmp" | "/var/run/postgresql" | "/run/postgresql" => "localhost".to_owned(),
            other => other.to_owned(),
        },
    }
}

impl fmt::Display for Resolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.without_secrets())
    }
}

impl fmt::Debug for Resolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Resolved({self})")
    }
}
