//! The conninfo that a subscription keeps: with it the target server connects to the source.

use super::error::ConnInfoError;
use super::{ConnInfo, Resolved, quoted};
use std::collections::BTreeMap;

/// The settings that every connection of the target to the source needs: rows must not be filtered, values are written
/// so that they can be read in one way only, and nothing may time out while a snapshot or an idle stream is held.
const SETTINGS: &[(&str, &str)] = &[
    ("row_security", "off"),
    ("DateStyle", "ISO"),
    ("IntervalStyle", "postgres"),
    ("extra_float_digits", "3"),
    ("bytea_output", "hex"),
    ("default_transaction_isolation", "read committed"),
    ("statement_timeout", "0"),
    ("lock_timeout", "0"),
    ("idle_in_transaction_session_timeout", "0"),
];

/// What finds a dead source in minutes instead of hours, unless the user says otherwise.
const NETWORK: &[(&str, &str)] = &[
    ("connect_timeout", "15"),
    ("keepalives_idle", "60"),
    ("keepalives_interval", "10"),
    ("keepalives_count", "6"),
];

/// What a subscription's conninfo carries; the rest is ours alone or the server's.
const CARRIED: &[&str] = &[
    "host",
    "hostaddr",
    "port",
    "user",
    "sslmode",
    "sslnegotiation",
    "sslrootcert",
    "sslsni",
    "ssl_min_protocol_version",
    "ssl_max_protocol_version",
    "channel_binding",
    "gssencmode",
    "keepalives",
    "tcp_user_timeout",
    "target_session_attrs",
    "load_balance_hosts",
    "connect_timeout",
    "keepalives_idle",
    "keepalives_interval",
    "keepalives_count",
];

impl Resolved {
    /// The text for `CREATE SUBSCRIPTION … CONNECTION`, in `key=value` form **with the password**: it goes into
    /// that statement and nowhere else. All hosts are kept.
    ///
    /// A service and a password file have been read by now, so their values are carried. `extra` are further
    /// settings for the session on the source, such as `("transaction_timeout", "0")` for one that knows it.
    ///
    /// # Errors
    /// Client certificates and root certificate files are on this machine, not on the target: the user must say
    /// with `--source-from-target` what the target shall use.
    pub fn for_subscription(&self, database: &str, extra: &[(&str, &str)]) -> Result<String, ConnInfoError> {
        let password = self
            .endpoints
            .iter()
            .find_map(|endpoint| self.password_for(endpoint, database));
        let password = password.as_ref().map(|password| password.reveal());
        text(&self.conninfo, password, database, extra)
    }

    /// The same for a conninfo that the user wrote for the target (`--source-from-target`). Role and options that
    /// it leaves out are those of this one, and so is the password of the same role.
    ///
    /// # Errors
    /// As [`Resolved::for_subscription`]; here a service or a password file can't be used either.
    pub fn for_subscription_through(
        &self,
        from_target: &ConnInfo,
        database: &str,
        extra: &[(&str, &str)],
    ) -> Result<String, ConnInfoError> {
        for name in ["service", "passfile"] {
            if from_target.given(name).is_some() {
                return Err(ConnInfoError::LocalFile { name });
            }
        }
        let mut conninfo = from_target.clone();
        for name in ["user", "options"] {
            if let Some(value) = self.conninfo.get(name) {
                conninfo.set_default(name, value)?;
            }
        }
        let same_role = conninfo.given("user") == self.conninfo.given("user");
        let own = self
            .endpoints
            .iter()
            .filter(|_| same_role)
            .find_map(|endpoint| self.password_for(endpoint, database));
        let password = conninfo
            .given("password")
            .or_else(|| own.as_ref().map(|password| password.reveal()));
        text(&conninfo, password, database, extra)
    }
}

/// What a subscription whose conninfo is `kept` is to be told when `wanted` leads to its source now: `None` where that
/// is what it has. Both are **with the password**.
///
/// A password that only the subscription knows stays: whoever runs again need not know it. Where it can't be read, which
/// takes a superuser, the subscription is told only of a way that has one.
pub fn renewed_conninfo(kept: Option<&str>, wanted: &str) -> Option<String> {
    let kept = kept.and_then(|kept| ConnInfo::parse(kept).ok());
    let wanted_parsed = ConnInfo::parse(wanted).ok();
    if kept.is_some() && kept == wanted_parsed {
        return None;
    }
    if wanted_parsed.is_some_and(|wanted| wanted.given("password").is_some()) {
        return Some(wanted.to_owned());
    }
    let kept = kept?;
    match kept.given("password") {
        None => Some(wanted.to_owned()),
        Some(password) => {
            let wanted = format!("{wanted} password={}", quoted(password));
            (ConnInfo::parse(&wanted).ok().as_ref() != Some(&kept)).then_some(wanted)
        }
    }
}

/// A password that another one may have replaced.
pub struct OtherPassword {
    /// The one that the subscription has.
    pub kept: String,
    /// The subscription's conninfo with the other one, **with the password**.
    pub renewed: String,
}

/// Where a subscription whose conninfo is `kept` connects as `role` with another password than `wanted` has: both. All else
/// stays as it is.
pub fn other_password(kept: &str, wanted: &str, role: &str) -> Option<OtherPassword> {
    let mut conninfo = ConnInfo::parse(kept).ok()?;
    let wanted = ConnInfo::parse(wanted).ok()?;
    let password = wanted.given("password")?;
    let kept = conninfo.given("password")?.to_owned();
    let same_role = [&conninfo, &wanted].iter().all(|c| c.given("user") == Some(role));
    if !same_role || kept == password {
        return None;
    }
    conninfo.set("password", password.to_owned()).ok()?;
    let renewed = conninfo.pairs(|_| true);
    Some(OtherPassword { kept, renewed })
}

fn text(
    conninfo: &ConnInfo,
    password: Option<&str>,
    database: &str,
    extra: &[(&str, &str)],
) -> Result<String, ConnInfoError> {
    for name in ["sslcert", "sslkey", "sslrootcert"] {
        if conninfo
            .given(name)
            .is_some_and(|value| !(name == "sslrootcert" && value == "system"))
        {
            return Err(ConnInfoError::LocalFile { name });
        }
    }
    let network: BTreeMap<&str, &str> = NETWORK.iter().copied().collect();
    let mut pairs = vec![format!("dbname={}", quoted(database))];
    for name in CARRIED.iter().copied() {
        if let Some(value) = conninfo.given(name).or_else(|| network.get(name).copied()) {
            pairs.push(format!("{name}={}", quoted(value)));
        }
    }
    if let Some(password) = password {
        pairs.push(format!("password={}", quoted(password)));
    }
    pairs.push(format!(
        "options={}",
        quoted(&startup_options(
            conninfo.get("options"),
            SETTINGS.iter().chain(extra)
        ))
    ));
    Ok(pairs.join(" "))
}

/// Options for the startup packet: the user's, then ours, which win.
pub(crate) fn startup_options<'a>(
    user: Option<&str>,
    settings: impl IntoIterator<Item = &'a (&'a str, &'a str)>,
) -> String {
    let mut all: Vec<String> = user
        .map(str::trim)
        .filter(|o| !o.is_empty())
        .map(str::to_owned)
        .into_iter()
        .collect();
    all.extend(settings.into_iter().map(|(name, value)| {
        // The server splits at blanks and takes the character after a backslash as it is.
        let value = value.replace('\\', "\\\\").replace(' ', "\\ ");
        format!("-c {name}={value}")
    }));
    all.join(" ")
}
