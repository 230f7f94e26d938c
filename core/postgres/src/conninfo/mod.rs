//! Where a server is and how to get in: libpq's conninfo with everything that feeds into it.
//!
//! [`ConnInfo`] is what a user wrote; [`ConnInfo::resolve`] adds the service file, the `PG*` variables, the
//! password file and the defaults, and gives a [`Resolved`] that is ready to connect. Nothing here ever shows a
//! password: not `Debug`, not `Display`, no error.

mod environment;
mod error;
mod parameter;
mod parse;
mod password_file;
mod resolve;
mod resolved;
mod service;
mod subscription;
#[cfg(test)]
mod tests;

pub use environment::Environment;
pub use error::ConnInfoError;
pub use resolved::{
    Endpoint, GivenPassword, Host, Keepalives, Resolved, SessionAttributes, SslMode, SslNegotiation,
    TlsOptions, TlsVersion,
};
pub(crate) use subscription::startup_options;
pub use subscription::{OtherPassword, other_password, renewed_conninfo};

use std::collections::BTreeMap;
use std::fmt;

/// A conninfo as it was written, parsed and not yet completed from the environment.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct ConnInfo {
    values: BTreeMap<&'static str, String>,
}

impl ConnInfo {
    /// Parses a URI (`postgresql://…`) or `key=value` pairs by libpq's rules. An empty text is allowed: all
    /// comes from the environment then.
    ///
    /// Stricter than libpq in one thing: a second `@` in a URI is refused, because it is a password that was not
    /// percent-encoded and would be shown as part of a host name.
    ///
    /// # Errors
    /// A text that is neither; an unknown parameter; one that pghaul can't keep.
    ///
    /// ```
    /// use pghaul_postgres::ConnInfo;
    /// let conninfo = ConnInfo::parse("postgresql://app:p%40ss@db.example.com/shop?sslmode=verify-full")?;
    /// assert_eq!(conninfo.get("password"), Some("p@ss"));
    /// assert_eq!(conninfo.to_string(), "host=db.example.com dbname=shop user=app sslmode=verify-full");
    /// # Ok::<(), pghaul_postgres::ConnInfoError>(())
    /// ```
    pub fn parse(text: &str) -> Result<Self, ConnInfoError> {
        let mut conninfo = Self::default();
        for (name, value) in parse::parse(text)? {
            conninfo.set(name, value)?;
        }
        Ok(conninfo)
    }

    /// The value of a parameter as written here, without the environment.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// The same with another database.
    #[must_use]
    pub fn with_database(mut self, name: &str) -> Self {
        self.values.insert("dbname", name.to_owned());
        self
    }

    /// `key=value` pairs without passwords, which [`ConnInfo::parse`] reads back. For the journal and for people.
    pub fn without_secrets(&self) -> String {
        self.pairs(|name| !parameter::is_secret(name))
    }

    /// Sets a parameter if pghaul can keep it.
    fn set(&mut self, name: &'static str, value: String) -> Result<(), ConnInfoError> {
        check(name, &value)?;
        self.values.insert(name, value);
        Ok(())
    }

    /// Sets a parameter from a place that ranks lower than those already merged.
    fn set_default(&mut self, name: &'static str, value: &str) -> Result<(), ConnInfoError> {
        if self.values.contains_key(name) {
            return Ok(());
        }
        self.set(name, value.to_owned())
    }

    /// The pairs whose names are wanted, quoted as libpq reads them.
    fn pairs(&self, wanted: impl Fn(&str) -> bool) -> String {
        let pairs: Vec<String> = parameter::PARAMETERS
            .iter()
            .filter(|parameter| wanted(parameter.name))
            .filter_map(|parameter| Some((parameter.name, self.get(parameter.name)?)))
            .map(|(name, value)| format!("{name}={}", quoted(value)))
            .collect();
        pairs.join(" ")
    }
}

/// Whether pghaul can keep what the parameter says.
fn check(name: &'static str, value: &str) -> Result<(), ConnInfoError> {
    let handling = parameter::find(name).map(|parameter| parameter.handling);
    match handling {
        Some(parameter::Handling::Unsupported(why)) if !value.is_empty() => {
            Err(ConnInfoError::Unsupported { name, why })
        }
        _ => Ok(()),
    }
}

/// A value as libpq reads it back in `key=value` pairs.
fn quoted(value: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"_-./:,@+%*[]".contains(&b);
    if !value.is_empty() && value.bytes().all(plain) {
        return value.to_owned();
    }
    format!("'{}'", escaped_value(value))
}

/// A value as it stands between the apostrophes of a conninfo.
pub fn escaped_value(value: &str) -> String {
    value.replace('\\', r"\\").replace('\'', r"\'")
}

impl fmt::Display for ConnInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.without_secrets())
    }
}

impl fmt::Debug for ConnInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ConnInfo({self})")
    }
}
