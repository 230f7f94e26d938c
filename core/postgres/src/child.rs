//! Client programs of PostgreSQL as child processes: how they connect, and that they end with us.

use crate::conninfo::{Endpoint, Host};
use crate::session::{Server, SideMarker};
use std::path::Path;
use std::process::Stdio;
use tokio::process::Command;

/// Makes a libpq program connect as we do, to the endpoint that we are connected to.
///
/// Everything goes through the environment, which only the same user and root can read: no password is in the
/// argument list. Variables of pghaul's that would change the meaning are removed. The child dies with this process.
pub fn connect_like_us<S: SideMarker>(
    command: &mut Command,
    server: &Server<S>,
    endpoint: &Endpoint,
    database: &str,
) {
    let settings = server.settings_for_programs();
    without_our_variables(command.as_std_mut());
    for (keyword, value) in parameters(server, endpoint, database, &settings) {
        let variable = VARIABLES.iter().find(|(known, _)| *known == keyword);
        if let Some((_, variable)) = variable {
            command.env(variable, value);
        }
    }
    command
        .env("PGPASSFILE", NO_FILE)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    die_with_parent(command);
}

/// The keywords of a conninfo that [`parameters`] has, and libpq's variables for them.
const VARIABLES: [(&str, &str); 13] = [
    ("host", "PGHOST"),
    ("hostaddr", "PGHOSTADDR"),
    ("port", "PGPORT"),
    ("user", "PGUSER"),
    ("dbname", "PGDATABASE"),
    ("application_name", "PGAPPNAME"),
    ("sslmode", "PGSSLMODE"),
    ("options", "PGOPTIONS"),
    ("password", "PGPASSWORD"),
    ("sslrootcert", "PGSSLROOTCERT"),
    ("sslcert", "PGSSLCERT"),
    ("sslkey", "PGSSLKEY"),
    ("connect_timeout", "PGCONNECT_TIMEOUT"),
];

/// The parameters with which a libpq program connects as we do, **with the password**, and the settings of its
/// sessions.
pub fn parameters<S: SideMarker>(
    server: &Server<S>,
    endpoint: &Endpoint,
    database: &str,
    settings: &[(&'static str, &'static str)],
) -> Vec<(&'static str, String)> {
    let resolved = server.resolved();
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let mut parameters = Vec::new();
    match &endpoint.host {
        Host::Tcp { name, address } => {
            parameters.extend(name.clone().map(|name| ("host", name)));
            parameters.extend(address.map(|address| ("hostaddr", address.to_string())));
        }
        Host::Socket { directory } => parameters.push(("host", text(directory))),
    }
    parameters.extend([
        ("port", endpoint.port.to_string()),
        ("user", resolved.user().to_owned()),
        ("dbname", database.to_owned()),
        ("application_name", server.application_name().to_owned()),
        ("sslmode", resolved.tls().mode.as_str().to_owned()),
        (
            "options",
            crate::conninfo::startup_options(resolved.options(), settings),
        ),
    ]);
    let password = resolved.password_for(endpoint, database);
    parameters.extend(password.map(|password| ("password", password.reveal().to_owned())));
    if let Some(file) = &resolved.tls().root_file {
        parameters.push(("sslrootcert", text(file)));
    } else if resolved.tls().system_roots {
        parameters.push(("sslrootcert", "system".to_owned()));
    }
    if let Some((certificate, key)) = &resolved.tls().client {
        parameters.extend([("sslcert", text(certificate)), ("sslkey", text(key))]);
    }
    let timeout = resolved.connect_timeout();
    parameters.extend(timeout.map(|timeout| ("connect_timeout", timeout.as_secs().max(2).to_string())));
    parameters
}

/// Keeps libpq's and pghaul's variables from a program: the passwords of both servers are among them.
pub fn without_our_variables(command: &mut std::process::Command) {
    for (name, _) in std::env::vars_os() {
        if name.as_encoded_bytes().starts_with(b"PG") {
            command.env_remove(name);
        }
    }
}

/// A password file that can't be there: libpq would complain of one that is no plain file.
const NO_FILE: &str = "/dev/null/none";

/// Lets the kernel kill the child when this process dies, even by `kill -9`.
#[cfg(target_os = "linux")]
#[expect(
    unsafe_code,
    reason = "pre_exec; the closure makes one async-signal-safe system call"
)]
pub fn die_with_parent(command: &mut Command) {
    // SAFETY: between fork and exec only prctl(2) is called, which is async-signal-safe and allocates nothing.
    unsafe {
        command.pre_exec(|| {
            rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
            Ok(())
        });
    }
}

/// Other systems have no such signal.
#[cfg(not(target_os = "linux"))]
pub fn die_with_parent(_: &mut Command) {}
