//! Throwaway clusters on this machine, for the demo and for tests. Nothing here is async.
//!
//! A [`LocalCluster`] lives in a fresh directory, listens on a free port of 127.0.0.1 and in a socket of its own,
//! and is gone with its directory when it is dropped, also by a panic. When the process is killed, the kernel stops
//! the server (where `setpriv` is installed).

mod binaries;
mod cluster;
mod process;

pub use binaries::{Binaries, find_binaries};
pub use cluster::{ClusterSettings, LocalCluster, Stop};

use pghaul_core::{Code, Failure};
use std::path::PathBuf;

/// Why there is no local cluster.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    /// A file or directory.
    #[error("can't {operation} {}", path.display())]
    File {
        /// What was done with it.
        operation: &'static str,
        /// Which.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// A program that can't be started.
    #[error("can't run {}", program.display())]
    Run {
        /// Which.
        program: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// A program that failed.
    #[error("{} failed: {output}", program.display())]
    Failed {
        /// Which.
        program: PathBuf,
        /// The end of what it said.
        output: String,
    },
    /// PostgreSQL does not run as root, and there is no user to run it as.
    #[error("PostgreSQL does not run as root, and there is neither a user `postgres` nor `nobody`")]
    NoUser,
    /// No free port.
    #[error("there is no free port on 127.0.0.1")]
    NoPort(#[source] std::io::Error),
}

impl From<LocalError> for Failure {
    fn from(error: LocalError) -> Self {
        let failure = Self::new(Code::ToolFailed, error.to_string());
        match std::error::Error::source(&error) {
            Some(source) => failure.with_cause(source),
            None => failure,
        }
    }
}
