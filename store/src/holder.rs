//! The process that holds a migration's lock.

use crate::account::account;
use crate::clock::Clock;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The process that holds a migration's lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Its process id.
    pub pid: u32,
    /// Its host.
    pub host: String,
    /// The operating system's effective user, by its number.
    pub user: String,
    /// When it took the lock: RFC 3339, UTC.
    pub since: String,
}

impl Holder {
    /// This process, now.
    pub fn this_process(clock: &Clock) -> Self {
        Self {
            pid: std::process::id(),
            host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
            user: account(nix::unistd::geteuid().as_raw()).name,
            since: clock.now(),
        }
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            pid,
            host,
            user,
            since,
        } = self;
        write!(f, "pid {pid} of user {user} on host {host} since {since}")
    }
}
