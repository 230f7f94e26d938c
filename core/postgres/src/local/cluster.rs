//! One throwaway cluster.

use super::process::{Postmaster, RunAs, command, run, tail};
use super::{Binaries, LocalError};
use crate::conninfo::escaped_value;
use rustix::process::Signal;
use std::fmt::Write as _;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// How a cluster is made.
#[derive(Debug, Clone, Default)]
pub struct ClusterSettings {
    /// The superuser's password; everybody must give one then (SCRAM). Without it everybody is trusted.
    pub password: Option<String>,
    /// Lines for `postgresql.conf`, such as `("wal_level", "logical")`.
    pub settings: Vec<(String, String)>,
    /// All of `pg_hba.conf`, instead of what `password` means.
    pub hba: Option<String>,
    /// Whether the server may trust the operating system's cache: fast, and lost with the machine.
    pub without_fsync: bool,
}

impl ClusterSettings {
    /// Adds a line for `postgresql.conf`.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.settings.push((name.into(), value.into()));
        self
    }
}

/// How to stop a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// Ends all sessions and writes a checkpoint.
    Fast,
    /// Like a crash.
    Immediate,
}

impl Stop {
    fn signal(self) -> Signal {
        match self {
            Self::Fast => Signal::INT,
            Self::Immediate => Signal::QUIT,
        }
    }
}

/// A cluster that is gone when it is dropped.
#[derive(Debug)]
pub struct LocalCluster {
    binaries: Binaries,
    run_as: Option<RunAs>,
    port: u16,
    password: Option<String>,
    postmaster: Option<Postmaster>,
    directory: TempDir,
}

impl LocalCluster {
    /// Makes a cluster and starts it. The superuser is `postgres`, the encoding UTF8, the locale C.UTF-8 where the
    /// system has it.
    ///
    /// # Errors
    /// A directory, a program or a setting that does not work; nothing is left behind then.
    pub fn create(binaries: &Binaries, settings: &ClusterSettings) -> Result<Self, LocalError> {
        let run_as = RunAs::needed()?;
        let directory = scratch()?;
        RunAs::own(run_as, directory.path())?;
        let mut cluster = Self {
            binaries: binaries.clone(),
            run_as,
            port: 0,
            password: settings.password.clone(),
            postmaster: None,
            directory,
        };
        cluster.initdb()?;
        if let Some(hba) = &settings.hba {
            cluster.install("pg_hba.conf", hba)?;
        }
        // Another process may take the port between pghaul's look and the server's.
        for attempts_left in (0..3).rev() {
            cluster.port = free_port()?;
            cluster.configure(settings)?;
            match cluster.start() {
                Err(_) if attempts_left > 0 && cluster.log().contains("could not bind") => {}
                Err(error) => return Err(error),
                Ok(()) => break,
            }
        }
        Ok(cluster)
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The directory of the Unix-domain socket.
    pub fn socket_directory(&self) -> &Path {
        self.directory.path()
    }

    /// The data directory.
    pub fn data_directory(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// The programs that it runs with.
    pub fn binaries(&self) -> &Binaries {
        &self.binaries
    }

    /// A conninfo for a database as the superuser over TCP, with its password.
    pub fn conninfo(&self, database: &str) -> String {
        let quoted = |text: &str| format!("'{}'", escaped_value(text));
        let mut text = format!(
            "host=127.0.0.1 port={} user=postgres dbname={}",
            self.port,
            quoted(database)
        );
        if let Some(password) = &self.password {
            let _infallible = write!(text, " password={}", quoted(password));
        }
        text
    }

    /// What the server has written so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    /// Puts a file into the data directory, readable by the server only.
    ///
    /// # Errors
    /// The file can't be written.
    pub fn install(&self, name: &str, content: &str) -> Result<PathBuf, LocalError> {
        let path = self.data_directory().join(name);
        let problem = |source| LocalError::File {
            operation: "write",
            path: path.clone(),
            source,
        };
        std::fs::write(&path, content).map_err(problem)?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).map_err(problem)?;
        RunAs::own(self.run_as, &path)?;
        Ok(path)
    }

    /// Starts the server and waits until it accepts connections.
    ///
    /// # Errors
    /// It does not start; the error has the end of its log.
    pub fn start(&mut self) -> Result<(), LocalError> {
        self.stop(Stop::Fast);
        let program = self.binaries.directory.join("postgres");
        let data = self.data_directory();
        let mut postmaster = Postmaster::start(&program, self.run_as, &data, &self.log_file())?;
        if postmaster.wait_until_ready(&data) {
            self.postmaster = Some(postmaster);
            return Ok(());
        }
        postmaster.stop(Signal::QUIT);
        Err(LocalError::Failed {
            program,
            output: tail(&self.log()),
        })
    }

    /// Stops the server, if it runs, and waits until it is gone.
    pub fn stop(&mut self, how: Stop) {
        if let Some(postmaster) = self.postmaster.take() {
            postmaster.stop(how.signal());
        }
    }

    /// Tells the server to read its configuration again. It does so a moment later.
    pub fn reload(&self) {
        if let Some(postmaster) = &self.postmaster {
            postmaster.signal(Signal::HUP);
        }
    }

    fn log_file(&self) -> PathBuf {
        self.directory.path().join("log")
    }

    fn initdb(&self) -> Result<(), LocalError> {
        let password_file = self.directory.path().join("password");
        if let Some(password) = &self.password {
            let problem = |source| LocalError::File {
                operation: "write",
                path: password_file.clone(),
                source,
            };
            std::fs::write(&password_file, password).map_err(problem)?;
            std::fs::set_permissions(&password_file, std::fs::Permissions::from_mode(0o600))
                .map_err(problem)?;
            RunAs::own(self.run_as, &password_file)?;
        }
        let attempt = |locale: &str| {
            let program = self.binaries.directory.join("initdb");
            let mut command = command(&program, self.run_as, self.directory.path());
            command
                .args(["-U", "postgres", "-E", "UTF8", "--no-sync", locale])
                .arg("-D")
                .arg(self.data_directory());
            match &self.password {
                Some(_) => command
                    .args(["-A", "scram-sha-256", "--pwfile"])
                    .arg(&password_file),
                None => command.args(["-A", "trust"]),
            };
            run(&mut command)
        };
        let made = attempt("--locale=C.UTF-8").or_else(|_| attempt("--locale=C"));
        let _there_may_be_none = std::fs::remove_file(&password_file);
        made.map(|_| ())
    }

    fn configure(&self, settings: &ClusterSettings) -> Result<(), LocalError> {
        let quoted = |text: &str| format!("'{}'", text.replace('\'', "''"));
        let socket = self.socket_directory().display().to_string();
        let mut text = String::new();
        let own = [
            ("listen_addresses", "127.0.0.1"),
            ("port", &self.port.to_string()),
            ("unix_socket_directories", &socket),
            ("fsync", if settings.without_fsync { "off" } else { "on" }),
        ];
        let given = settings
            .settings
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        for (name, value) in own.into_iter().chain(given) {
            let _infallible = writeln!(text, "{name} = {}", quoted(value));
        }
        // initdb's own file sets what the system needs, such as the kind of shared memory.
        let path = self.install("pghaul.conf", &text)?;
        let main = self.data_directory().join("postgresql.conf");
        let problem = |source| LocalError::File {
            operation: "read",
            path: main.clone(),
            source,
        };
        let begun = std::fs::read_to_string(&main).map_err(problem)?;
        if !begun.contains("pghaul.conf") {
            let include = format!("{begun}\ninclude {}\n", quoted(&path.display().to_string()));
            self.install("postgresql.conf", &include)?;
        }
        Ok(())
    }
}

impl Drop for LocalCluster {
    fn drop(&mut self) {
        self.stop(Stop::Immediate);
    }
}

/// A fresh directory whose path is short enough for a socket in it (107 bytes).
fn scratch() -> Result<TempDir, LocalError> {
    let usual = std::env::temp_dir();
    let parent = if usual.as_os_str().len() > 60 {
        PathBuf::from("/tmp")
    } else {
        usual
    };
    tempfile::Builder::new()
        .prefix("pghaul-")
        .tempdir_in(&parent)
        .map_err(|source| LocalError::File {
            operation: "make a directory in",
            path: parent,
            source,
        })
}

fn free_port() -> Result<u16, LocalError> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).map_err(LocalError::NoPort)?;
    listener
        .local_addr()
        .map(|address| address.port())
        .map_err(LocalError::NoPort)
}
