//! From what a user wrote to what is connected to: service, variables, password file, defaults, in libpq's order.

use super::environment::Environment;
use super::error::ConnInfoError;
use super::parameter::{Handling, PARAMETERS};
use super::password_file;
use super::resolved::{
    Endpoint, Host, Keepalives, PasswordSource, Resolved, SessionAttributes, SslMode, SslNegotiation,
    TlsOptions, TlsVersion,
};
use super::{ConnInfo, service};
use std::net::IpAddr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio_postgres::config::ChannelBinding;

const DEFAULT_PORT: u16 = 5432;
const DEFAULT_CONNECT_TIMEOUT: Duration = Duration::from_secs(15);

impl ConnInfo {
    /// Completes the conninfo: the service file, then the `PG*` variables, the password file and the defaults.
    ///
    /// # Errors
    /// A service that is not defined, a value that its parameter does not take, a certificate file that is
    /// missing or can be read by others, no user.
    pub fn resolve(&self, environment: &Environment) -> Result<Resolved, ConnInfoError> {
        let (mut conninfo, service_password) = self.merged(environment)?;
        conninfo.check_fixed_values()?;
        let user = match conninfo.given("user") {
            Some(user) => user.to_owned(),
            None => environment.os_user().ok_or(ConnInfoError::NoUser)?.to_owned(),
        };
        let database = conninfo.given("dbname").unwrap_or(&user).to_owned();
        let endpoints = conninfo.endpoints(environment)?;
        let tls = conninfo.tls_options(environment)?;
        let (password, warning) = conninfo.password_source(environment);
        conninfo.values.remove("password");
        if !service_password {
            conninfo.values.remove("service");
        }
        conninfo.values.insert("user", user.clone());
        conninfo.values.insert("dbname", database.clone());
        conninfo.write_endpoints(&endpoints);
        Ok(Resolved {
            connect_timeout: match conninfo.number("connect_timeout")? {
                None => Some(DEFAULT_CONNECT_TIMEOUT),
                Some(seconds) if seconds <= 0 => None,
                // libpq, too, takes 2 for 1.
                Some(seconds) => Some(Duration::from_secs(seconds.unsigned_abs().max(2))),
            },
            keepalives: conninfo.keepalives()?,
            tcp_user_timeout: conninfo
                .number("tcp_user_timeout")?
                .filter(|ms| *ms > 0)
                .map(milliseconds),
            attributes: conninfo.session_attributes()?,
            shuffle_hosts: conninfo.one_of(
                "load_balance_hosts",
                "disable or random",
                &[("disable", false), ("random", true)],
            )?,
            channel_binding: conninfo.channel_binding()?,
            warnings: warning.into_iter().collect(),
            conninfo,
            password,
            endpoints,
            user,
            database,
            tls,
        })
    }

    /// All parameters, and whether the password came from the service file.
    fn merged(&self, environment: &Environment) -> Result<(Self, bool), ConnInfoError> {
        let mut merged = self.clone();
        if let Some(password) = environment.password() {
            merged.set_default("password", password)?;
        }
        let had_password = merged.given("password").is_some();
        let service = merged
            .given("service")
            .or_else(|| environment.variable("PGSERVICE"))
            .map(str::to_owned);
        if let Some(service) = service {
            for (name, value) in service::look_up(&service, environment)? {
                merged.set_default(name, &value)?;
            }
            merged.set_default("service", &service)?;
        }
        let service_password = !had_password && merged.given("password").is_some();
        for parameter in PARAMETERS
            .iter()
            .filter(|parameter| parameter.handling != Handling::Ignored)
        {
            if let Some(value) = parameter
                .variable
                .and_then(|variable| environment.variable(variable))
            {
                merged.set_default(parameter.name, value)?;
            }
        }
        Ok((merged, service_password))
    }

    /// A value that is there and not empty; libpq takes an empty one for the default.
    pub(super) fn given(&self, name: &str) -> Option<&str> {
        self.get(name).filter(|value| !value.is_empty())
    }

    /// Parameters with a single acceptable meaning.
    fn check_fixed_values(&self) -> Result<(), ConnInfoError> {
        self.one_of(
            "gssencmode",
            "disable or prefer (GSSAPI encryption is not supported)",
            &[("prefer", ()), ("disable", ())],
        )?;
        match self.given("client_encoding") {
            None => Ok(()),
            Some(encoding) if matches!(encoding.to_ascii_lowercase().as_str(), "utf8" | "utf-8" | "auto") => {
                Ok(())
            }
            Some(_) => Err(ConnInfoError::BadValue {
                name: "client_encoding",
                expected: "UTF8 or auto",
            }),
        }
    }

    fn one_of<T: Clone>(
        &self,
        name: &'static str,
        expected: &'static str,
        choices: &[(&str, T)],
    ) -> Result<T, ConnInfoError> {
        let chosen = match self.given(name) {
            Some(value) => choices.iter().find(|(choice, _)| *choice == value),
            None => choices.first(),
        };
        chosen
            .map(|(_, meaning)| meaning.clone())
            .ok_or(ConnInfoError::BadValue { name, expected })
    }

    fn number(&self, name: &'static str) -> Result<Option<i64>, ConnInfoError> {
        let parsed = self
            .given(name)
            .map(|value| value.trim().parse::<i32>().map(i64::from))
            .transpose();
        parsed.map_err(|_| ConnInfoError::BadValue {
            name,
            expected: "a whole number",
        })
    }

    fn keepalives(&self) -> Result<Option<Keepalives>, ConnInfoError> {
        let mut keepalives = Keepalives::default();
        let seconds = |seconds: i64| Duration::from_secs(seconds.unsigned_abs());
        if let Some(idle) = self.number("keepalives_idle")?.filter(|n| *n > 0) {
            keepalives.idle = seconds(idle);
        }
        if let Some(interval) = self.number("keepalives_interval")?.filter(|n| *n > 0) {
            keepalives.interval = seconds(interval);
        }
        if let Some(count) = self.number("keepalives_count")?.filter(|n| *n > 0) {
            keepalives.count = u32::try_from(count).unwrap_or(keepalives.count);
        }
        Ok((self.number("keepalives")? != Some(0)).then_some(keepalives))
    }

    fn session_attributes(&self) -> Result<SessionAttributes, ConnInfoError> {
        self.one_of(
            "target_session_attrs",
            "any, read-write, read-only, primary, standby or prefer-standby",
            &[
                ("any", SessionAttributes::Any),
                ("read-write", SessionAttributes::ReadWrite),
                ("read-only", SessionAttributes::ReadOnly),
                ("primary", SessionAttributes::Primary),
                ("standby", SessionAttributes::Standby),
                ("prefer-standby", SessionAttributes::PreferStandby),
            ],
        )
    }

    fn channel_binding(&self) -> Result<ChannelBinding, ConnInfoError> {
        self.one_of(
            "channel_binding",
            "disable, prefer or require",
            &[
                ("prefer", ChannelBinding::Prefer),
                ("disable", ChannelBinding::Disable),
                ("require", ChannelBinding::Require),
            ],
        )
    }

    fn password_source(&self, environment: &Environment) -> (PasswordSource, Option<String>) {
        if let Some(password) = self.given("password") {
            return (PasswordSource::Given(password.to_owned()), None);
        }
        let file = self
            .given("passfile")
            .map(PathBuf::from)
            .or_else(|| environment.in_home(".pgpass"));
        let (entries, warning) = file.map(|file| password_file::read(&file)).unwrap_or_default();
        (PasswordSource::File(entries), warning)
    }

    fn endpoints(&self, environment: &Environment) -> Result<Vec<Endpoint>, ConnInfoError> {
        let list = |name| {
            self.given(name)
                .map(|value| value.split(',').map(str::trim).collect::<Vec<_>>())
        };
        let (names, addresses, ports) = (list("host"), list("hostaddr"), list("port"));
        let (left_name, left) = match (&names, &addresses) {
            (_, Some(addresses)) => ("hostaddr", addresses.len()),
            (Some(names), None) => ("host", names.len()),
            (None, None) => ("host", 1),
        };
        let same_length = |right_name, right: usize| {
            let differ = ConnInfoError::ListsDiffer {
                left_name,
                left,
                right_name,
                right,
            };
            if left == right { Ok(()) } else { Err(differ) }
        };
        if let Some(names) = &names {
            same_length("host", names.len())?;
        }
        if let Some(ports) = ports.as_ref().filter(|ports| ports.len() > 1) {
            same_length("port", ports.len())?;
        }
        let endpoint = |index| {
            let port = match ports.as_ref().map(Vec::len) {
                Some(1) => entry(&ports, 0),
                _ => entry(&ports, index),
            };
            let port = port.map_or(Ok(DEFAULT_PORT), parse_port)?;
            let host = host(entry(&names, index), entry(&addresses, index), port, environment)?;
            Ok(Endpoint { host, port })
        };
        (0..left).map(endpoint).collect()
    }

    /// Writes the hosts back, so that the text finds them again where other defaults hold.
    fn write_endpoints(&mut self, endpoints: &[Endpoint]) {
        let name = |endpoint: &Endpoint| match &endpoint.host {
            Host::Tcp { name, .. } => name.clone().unwrap_or_default(),
            Host::Socket { directory } => directory.display().to_string(),
        };
        let names: Vec<String> = endpoints.iter().map(name).collect();
        if names.iter().any(|name| !name.is_empty()) {
            self.values.insert("host", names.join(","));
        }
        let ports: Vec<String> = endpoints
            .iter()
            .map(|endpoint| endpoint.port.to_string())
            .collect();
        self.values.insert("port", ports.join(","));
    }
}

/// One entry of a list, where it is not empty.
fn entry<'a>(list: &Option<Vec<&'a str>>, index: usize) -> Option<&'a str> {
    list.as_ref()
        .and_then(|list| list.get(index).copied())
        .filter(|entry| !entry.is_empty())
}

fn milliseconds(number: i64) -> Duration {
    Duration::from_millis(number.unsigned_abs())
}

fn parse_port(text: &str) -> Result<u16, ConnInfoError> {
    let port = text.parse().ok().filter(|port| *port > 0);
    port.ok_or(ConnInfoError::BadValue {
        name: "port",
        expected: "a number from 1 to 65535",
    })
}

fn host(
    name: Option<&str>,
    address: Option<&str>,
    port: u16,
    environment: &Environment,
) -> Result<Host, ConnInfoError> {
    if let Some(address) = address {
        let bad = ConnInfoError::BadValue {
            name: "hostaddr",
            expected: "an IPv4 or IPv6 address",
        };
        let address: IpAddr = address.parse().map_err(|_| bad)?;
        return Ok(Host::Tcp {
            name: name.map(str::to_owned),
            address: Some(address),
        });
    }
    match name {
        Some(name) if name.starts_with(['/', '@']) => Ok(Host::Socket {
            directory: name.into(),
        }),
        Some(name) => Ok(Host::Tcp {
            name: Some(name.to_owned()),
            address: None,
        }),
        None => {
            let socket = environment
                .socket_directories()
                .iter()
                .find(|directory| directory.join(format!(".s.PGSQL.{port}")).exists());
            Ok(match socket {
                Some(directory) => Host::Socket {
                    directory: directory.clone(),
                },
                None => Host::Tcp {
                    name: Some("localhost".to_owned()),
                    address: None,
                },
            })
        }
    }
}

impl ConnInfo {
    fn tls_options(&self, environment: &Environment) -> Result<TlsOptions, ConnInfoError> {
        let modes = [
            ("prefer", SslMode::Prefer),
            ("disable", SslMode::Disable),
            ("allow", SslMode::Allow),
            ("require", SslMode::Require),
            ("verify-ca", SslMode::VerifyCa),
            ("verify-full", SslMode::VerifyFull),
        ];
        let mut mode = self.one_of(
            "sslmode",
            "disable, allow, prefer, require, verify-ca or verify-full",
            &modes,
        )?;
        let system_roots = self.given("sslrootcert") == Some("system");
        if system_roots && self.given("sslmode").is_none() {
            mode = SslMode::VerifyFull;
        }
        if system_roots && mode != SslMode::VerifyFull {
            let expected = "verify-full with sslrootcert=system";
            return Err(ConnInfoError::BadValue {
                name: "sslmode",
                expected,
            });
        }
        let negotiation = self.one_of(
            "sslnegotiation",
            "postgres or direct",
            &[
                ("postgres", SslNegotiation::Postgres),
                ("direct", SslNegotiation::Direct),
            ],
        )?;
        if negotiation == SslNegotiation::Direct && mode < SslMode::Require {
            let expected = "require or stronger with sslnegotiation=direct";
            return Err(ConnInfoError::BadValue {
                name: "sslmode",
                expected,
            });
        }
        let (min_version, max_version) = self.tls_versions()?;
        Ok(TlsOptions {
            mode,
            negotiation,
            root_file: if system_roots {
                None
            } else {
                self.root_file(mode, environment)?
            },
            system_roots,
            client: if mode == SslMode::Disable {
                None
            } else {
                self.client_certificate(environment)?
            },
            sni: self.one_of("sslsni", "0 or 1", &[("1", true), ("0", false)])?,
            min_version,
            max_version,
        })
    }

    fn tls_versions(&self) -> Result<(TlsVersion, TlsVersion), ConnInfoError> {
        let (v12, v13) = (TlsVersion::V12, TlsVersion::V13);
        let low = [
            ("TLSv1.2", v12),
            ("TLSv1", v12),
            ("TLSv1.1", v12),
            ("TLSv1.3", v13),
        ];
        let min = self.one_of(
            "ssl_min_protocol_version",
            "TLSv1, TLSv1.1, TLSv1.2 or TLSv1.3",
            &low,
        )?;
        let high = [("TLSv1.3", v13), ("TLSv1.2", v12)];
        let expected = "TLSv1.2 or TLSv1.3, and not below ssl_min_protocol_version";
        let max = self.one_of("ssl_max_protocol_version", expected, &high)?;
        if min > max {
            return Err(ConnInfoError::BadValue {
                name: "ssl_max_protocol_version",
                expected,
            });
        }
        Ok((min, max))
    }

    /// The file with root certificates, if it exists; only the modes that verify insist on one.
    fn root_file(&self, mode: SslMode, environment: &Environment) -> Result<Option<PathBuf>, ConnInfoError> {
        let given = self.given("sslrootcert").map(PathBuf::from);
        let file = given.or_else(|| environment.in_home(".postgresql/root.crt"));
        match file {
            Some(file) if file.exists() => Ok(Some(file)),
            file if mode >= SslMode::VerifyCa => Err(ConnInfoError::NoRootCertificate {
                mode: mode.as_str(),
                file: file.unwrap_or_else(|| ".postgresql/root.crt".into()),
            }),
            _ => Ok(None),
        }
    }

    fn client_certificate(
        &self,
        environment: &Environment,
    ) -> Result<Option<(PathBuf, PathBuf)>, ConnInfoError> {
        let expected = "disable or allow";
        if !self.one_of("sslcertmode", expected, &[("allow", true), ("disable", false)])? {
            return Ok(None);
        }
        let given = self.given("sslcert").map(PathBuf::from);
        let default = || {
            environment
                .in_home(".postgresql/postgresql.crt")
                .filter(|file| file.exists())
        };
        let Some(certificate) = given.or_else(default) else {
            return Ok(None);
        };
        let missing = |file: &Path, problem| ConnInfoError::ClientCertificate {
            file: file.to_owned(),
            problem,
        };
        if !certificate.exists() {
            return Err(missing(&certificate, "the client certificate does not exist"));
        }
        let key = self.given("sslkey").map(PathBuf::from);
        let key = key.or_else(|| environment.in_home(".postgresql/postgresql.key"));
        let key = key.ok_or_else(|| missing(&certificate, "its key is missing; give sslkey"))?;
        let metadata = std::fs::metadata(&key)
            .map_err(|_| missing(&key, "the client certificate's key does not exist"))?;
        let (too_open, problem) = match metadata.uid() {
            0 => (
                0o037,
                "the private key must have permissions u=rw,g=r (0640) or less",
            ),
            _ => (0o077, "the private key must have permissions u=rw (0600) or less"),
        };
        if metadata.mode() & too_open != 0 {
            return Err(missing(&key, problem));
        }
        Ok(Some((certificate, key)))
    }
}
