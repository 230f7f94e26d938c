//! What can be wrong with a conninfo. No variant ever holds a password or a piece of one.

use pghaul_core::{Code, Failure};
use std::path::PathBuf;

/// What is wrong with a conninfo, a service file or a setting in the environment.
#[derive(Debug, thiserror::Error)]
pub enum ConnInfoError {
    /// Neither a URI nor `key=value` pairs.
    #[error("the conninfo is not valid at character {position}: {problem}")]
    Syntax {
        /// Where, counted in characters from 1.
        position: usize,
        /// What is missing or too much there.
        problem: &'static str,
    },
    /// A URI that breaks a rule.
    #[error("the connection URI is not valid: {0}")]
    Uri(&'static str),
    /// No parameter of libpq.
    #[error("unknown conninfo parameter `{name}`{}", did_you_mean(.similar))]
    UnknownParameter {
        /// As written.
        name: String,
        /// What was probably meant.
        similar: Option<&'static str>,
    },
    /// An unknown parameter right behind a password without quotes: it may be a piece of it.
    #[error("unknown conninfo parameter after the password; put quotes around a password with spaces")]
    UnknownAfterPassword,
    /// A parameter of libpq that pghaul can't keep.
    #[error("the conninfo parameter `{name}` can't be used: {why}")]
    Unsupported {
        /// The parameter.
        name: &'static str,
        /// Why not.
        why: &'static str,
    },
    /// A value outside of what the parameter takes.
    #[error("the value of `{name}` is not valid: it must be {expected}")]
    BadValue {
        /// The parameter.
        name: &'static str,
        /// What it takes.
        expected: &'static str,
    },
    /// Lists of hosts, addresses and ports of different lengths.
    #[error("{left} entries in `{left_name}` do not match {right} in `{right_name}`")]
    ListsDiffer {
        /// The first parameter.
        left_name: &'static str,
        /// Its entries.
        left: usize,
        /// The second parameter.
        right_name: &'static str,
        /// Its entries.
        right: usize,
    },
    /// The service is in none of the files.
    #[error("the service `{service}` is not defined in {}", file_list(.files))]
    UnknownService {
        /// Its name.
        service: String,
        /// Where it was looked for.
        files: Vec<PathBuf>,
    },
    /// A service file with a line that makes no sense.
    #[error("{}, line {line}: {problem}", file.display())]
    ServiceFile {
        /// The file.
        file: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What is wrong.
        problem: String,
    },
    /// A file that is named can't be read.
    #[error("can't read {}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// `verify-ca` and `verify-full` need certificates to trust.
    #[error("sslmode={mode} needs a root certificate, and {} does not exist", file.display())]
    NoRootCertificate {
        /// The sslmode.
        mode: &'static str,
        /// Where it was looked for.
        file: PathBuf,
    },
    /// A client key that others can read, or a certificate without a key.
    #[error("{}: {problem}", file.display())]
    ClientCertificate {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        problem: &'static str,
    },
    /// A parameter names something on this machine, which the target server doesn't have.
    #[error("`{name}` names something on this machine that the target server can't use")]
    LocalFile {
        /// The parameter.
        name: &'static str,
    },
    /// There is no role to connect as.
    #[error("no user is given and this process' user has no name")]
    NoUser,
}

fn did_you_mean(similar: &Option<&'static str>) -> String {
    similar
        .map(|name| format!("; did you mean `{name}`?"))
        .unwrap_or_default()
}

fn file_list(files: &[PathBuf]) -> String {
    let files: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
    if files.is_empty() {
        "any service file (there is none)".to_owned()
    } else {
        files.join(", ")
    }
}

impl ConnInfoError {
    /// What the user can do.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Syntax { .. } => "put a value with spaces into single quotes; write \\' and \\\\ inside",
            Self::Uri(_) => {
                "percent-encode `%`, `@`, `:`, `/`, `?`, `#` and spaces in a password: `p@ss` is `p%40ss`"
            }
            Self::UnknownParameter { .. } => {
                "see https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS"
            }
            Self::UnknownAfterPassword => "write password='two words'",
            Self::Unsupported { .. } => "leave it out",
            Self::BadValue { .. } => {
                "correct it where it comes from: the conninfo, the service file or a PG* variable"
            }
            Self::ListsDiffer { .. } => "give one entry for each host, or a single one for all",
            Self::UnknownService { .. } => "check PGSERVICEFILE and ~/.pg_service.conf",
            Self::ServiceFile { .. } => "correct the line, or leave the service out",
            Self::Unreadable { .. } => "check the file's path and permissions",
            Self::NoRootCertificate { .. } => {
                "give sslrootcert=FILE or sslrootcert=system, or use sslmode=require, which does not verify"
            }
            Self::ClientCertificate { .. } => {
                "check sslcert and sslkey; nobody but its owner may read the key"
            }
            Self::LocalFile { .. } => {
                "give the conninfo that the target server shall use with --source-from-target"
            }
            Self::NoUser => "give user=NAME in the conninfo, or set PGUSER",
        }
    }
}

impl From<ConnInfoError> for Failure {
    fn from(error: ConnInfoError) -> Self {
        let mut failure = Self::new(Code::BadInput, error.to_string()).with_hint(error.hint());
        if let Some(source) = std::error::Error::source(&error) {
            failure = failure.with_cause(source);
        }
        failure
    }
}
