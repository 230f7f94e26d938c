//! How a program reaches the servers: a conninfo in its request, and a service file that libpq's programs read.
//!
//! Neither an argument nor a variable holds a password.

mod passwords;
mod private_file;

pub(crate) use passwords::Passwords;
use passwords::escaped_in_password_file;
use pghaul_step::postgres::conninfo::escaped_value;
use pghaul_step::postgres::{Server, SideMarker, child};
use pghaul_step::{Code, Failure};
use private_file::PrivateFile;
use std::path::Path;

/// The sessions of a check can't write.
pub(crate) const READ_ONLY: &[(&str, &str)] = &[("default_transaction_read_only", "on")];

/// The longest line that libpq of every version reads from a service file.
const LONGEST_LINE: usize = 250;

/// One side, for a program.
#[derive(Debug)]
pub(crate) struct ServerAccess {
    pub(crate) side: &'static str,
    pub(crate) parameters: Vec<(&'static str, String)>,
}

impl ServerAccess {
    /// The access to a database, as pghaul has it.
    pub(crate) async fn to<S: SideMarker>(
        side: &'static str,
        server: &Server<S>,
        database: &str,
        settings: &[(&'static str, &'static str)],
    ) -> Result<Self, Failure> {
        let pinned = server.pinned().await;
        let endpoint = pinned.or_else(|| server.resolved().endpoints().first().cloned());
        let endpoint = endpoint.ok_or_else(|| Failure::bug("a conninfo without a host"))?;
        let settings = [server.settings_for_others().as_slice(), settings].concat();
        Ok(Self {
            side,
            parameters: child::parameters(server, &endpoint, database, &settings),
        })
    }

    /// `key='value'` pairs, with the password.
    pub(crate) fn conninfo(&self) -> String {
        let pairs = self.parameters.iter();
        let pairs: Vec<String> = pairs
            .map(|(key, value)| format!("{key}='{}'", escaped_value(value)))
            .collect();
        pairs.join(" ")
    }

    /// The lines of a service; `None` where the format can't express a value.
    fn service(&self, password_file: &Path) -> Option<String> {
        let mut lines = format!("[{}]\n", self.side);
        let own = self.parameters.iter().filter(|(key, _)| *key != "password");
        for (key, value) in own {
            lines.push_str(&line(key, value)?);
        }
        lines.push_str(&line("passfile", &password_file.to_string_lossy())?);
        Some(lines)
    }

    /// The line of a password file; `None` where there is no password.
    fn password_line(&self) -> Option<String> {
        let (_, password) = self.parameters.iter().find(|(key, _)| *key == "password")?;
        Some(format!("*:*:*:*:{}\n", escaped_in_password_file(password)))
    }
}

fn line(key: &str, value: &str) -> Option<String> {
    let expressible = value.trim_end() == value && !value.contains(['\n', '\r']);
    let line = format!("{key}={value}\n");
    (expressible && line.len() <= LONGEST_LINE).then_some(line)
}

/// The files of one request. They are in memory, where the system can do that: not even a killed process leaves one.
#[derive(Debug)]
pub(crate) struct ServiceFile {
    services: PrivateFile,
    _password_files: Vec<PrivateFile>,
    passwords: Passwords,
}

impl ServiceFile {
    /// Writes the services `source` and `target`.
    pub(crate) fn write(accesses: &[&ServerAccess]) -> Result<Self, Failure> {
        let unwritable = |error: std::io::Error| {
            Failure::new(
                Code::OutOfResources,
                "the service file for a program can't be written",
            )
            .with_cause(error)
        };
        let mut services = String::new();
        let mut password_files = Vec::new();
        let mut passwords = Passwords::default();
        for access in accesses {
            let password = access.password_line().unwrap_or_default();
            let file = PrivateFile::new(&password).map_err(unwritable)?;
            services.push_str(&access.service(file.path()).unwrap_or_default());
            password_files.push(file);
            passwords.add(&access.parameters);
        }
        Ok(Self {
            services: PrivateFile::new(&services).map_err(unwritable)?,
            _password_files: password_files,
            passwords,
        })
    }

    /// The passwords in the files.
    pub(crate) fn passwords(&self) -> &Passwords {
        &self.passwords
    }

    /// For `PGSERVICEFILE`.
    pub(crate) fn path(&self) -> &Path {
        self.services.path()
    }
}
