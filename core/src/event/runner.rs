//! The process that works on a migration, and what it was started with.

use crate::id::Epoch;
use serde::{Deserialize, Serialize};

/// A process that works on the migration.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Runner {
    /// Its host.
    pub host: String,
    /// Its process id.
    pub pid: u32,
    /// The operating system's user: the effective one, by its number. Without `invocation`, the variable `USER`.
    pub user: String,
    /// Its epoch, one more than the last runner's.
    pub epoch: Epoch,
    /// The command: `run`, `remove` or `migrations close`.
    pub command: String,
    /// The version of pghaul; absent where the first release wrote the event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pghaul: Option<String>,
    /// Whether it took over from a runner on another host, as the user asked.
    #[serde(default)]
    pub took_over: bool,
    /// Whether the run before has not ended in order, as one that was killed. Absent in journals of before 0.2.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub last_unended: bool,
    /// Who started it, and how. Absent in journals of before 0.2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invocation: Option<Box<Invocation>>,
}

/// Who started a process, and how.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Invocation {
    /// The real user, by the operating system.
    pub real: Account,
    /// The effective user, by the operating system.
    pub effective: Account,
    /// The user that `sudo` reports to have called it. Only root can have been called so, and root can write anything here: a
    /// claim, not a proof.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sudo: Option<Account>,
    /// The program's name.
    pub program: String,
    /// The command line, the program first, with `***` in place of every secret.
    pub command_line: Vec<String>,
    /// The working directory, which relative paths of the command line are meant from. Absent in journals of before 0.2, and where it
    /// is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub directory: Option<String>,
    /// The configuration that it was started with. Absent in journals of before 0.2, and where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub configuration: Option<ConfigurationFile>,
    /// The options that differ from their defaults, also those given by the environment.
    pub options: Vec<GivenOption>,
    /// `--reason`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The file `pghaul.toml` as it was read.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ConfigurationFile {
    /// Its path.
    pub file: String,
    /// The SHA-256 of its bytes, as lower-case hexadecimal digits.
    pub sha256: String,
}

/// A user of the operating system.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Account {
    /// The name; `uid 1234` where the system knows none.
    pub name: String,
    /// The number.
    pub uid: u32,
}

/// An option that was given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GivenOption {
    /// The option, such as `--jobs`.
    pub option: String,
    /// Its values, with `***` in place of every secret; empty for a switch.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
    /// The environment variable that it came from; absent for the command line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variable: Option<String>,
}

impl Runner {
    /// Who it is: `user@host`, with the user that `sudo` reports.
    pub fn identity(&self) -> String {
        let sudo = self.invocation.as_ref().and_then(|i| i.sudo.as_ref());
        let caller = sudo
            .map(|account| format!(" (sudo: {})", account.name))
            .unwrap_or_default();
        format!("{}@{}{caller}", self.user, self.host)
    }

    /// Why its options override something, where the user gave a reason.
    pub fn reason(&self) -> Option<String> {
        self.invocation.as_ref().and_then(|i| i.reason.clone())
    }
}
