//! Client programs of PostgreSQL as child processes: how they connect, and that they end with us.

use crate::conninfo::{Endpoint, Host};
use crate::session::{Server, SideMarker};
use std::process::Stdio;
use tokio::process::Command;

/// Makes a libpq program connect as we do, to the endpoint that we are connected to.
///
/// Everything goes through the environment, which only the same user and root can read: no password is in the
/// argument list. Variables of ours that would change the meaning are removed. The child dies with this process.
pub fn connect_like_us<S: SideMarker>(
    command: &mut Command,
    server: &Server<S>,
    endpoint: &Endpoint,
    database: &str,
) {
    let resolved = server.resolved();
    let settings = server.settings_for_programs();
    without_our_variables(command.as_std_mut());
    match &endpoint.host {
        Host::Tcp { name, address } => {
            if let Some(name) = name {
                command.env("PGHOST", name);
            }
            if let Some(address) = address {
                command.env("PGHOSTADDR", address.to_string());
            }
        }
        Host::Socket { directory } => {
            command.env("PGHOST", directory);
        }
    }
    command
        .env("PGPORT", endpoint.port.to_string())
        .env("PGUSER", resolved.user())
        .env("PGDATABASE", database)
        .env("PGAPPNAME", server.application_name())
        .env("PGSSLMODE", resolved.tls().mode.as_str())
        .env(
            "PGOPTIONS",
            crate::conninfo::startup_options(resolved.options(), &settings),
        )
        .env("PGPASSFILE", NO_FILE)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    if let Some(password) = resolved.password_for(endpoint, database) {
        command.env("PGPASSWORD", password.reveal());
    }
    if let Some(file) = &resolved.tls().root_file {
        command.env("PGSSLROOTCERT", file);
    } else if resolved.tls().system_roots {
        command.env("PGSSLROOTCERT", "system");
    }
    if let Some((certificate, key)) = &resolved.tls().client {
        command.env("PGSSLCERT", certificate).env("PGSSLKEY", key);
    }
    if let Some(timeout) = resolved.connect_timeout() {
        command.env("PGCONNECT_TIMEOUT", timeout.as_secs().max(2).to_string());
    }
    die_with_parent(command);
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
fn die_with_parent(command: &mut Command) {
    // SAFETY: between fork and exec only prctl(2) is called, which is async-signal-safe and allocates nothing.
    unsafe {
        command.pre_exec(|| {
            rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
            Ok(())
        });
    }
}

#[cfg(not(target_os = "linux"))]
fn die_with_parent(_: &mut Command) {}
