//! What a check found: data, not text, so that renderers, the method choice and tests can use it.

use crate::id::{CheckName, DatabaseName};
use serde::{Deserialize, Serialize};
use std::fmt;
use strum::Display;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Display, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Severity {
    /// Worth knowing; nothing has to be done.
    Note,
    /// The migration works, but somebody may be surprised.
    Warning,
    /// An error that the user takes upon himself, with `--accept`.
    Accepted,
    /// What the finding [concerns](Concern) can't work.
    Error,
}

/// What becomes impossible when a finding is an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Display, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Concern {
    /// The migration of the subject, by any method.
    Migration,
    /// The method `replication` only: the database is dumped instead.
    Replication,
}

/// What a finding is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Subject {
    /// The servers as a whole.
    Cluster,
    /// One database.
    Database(DatabaseName),
    /// One object in a database, named as PostgreSQL's documentation would: `table "public"."t"`.
    Object {
        /// The database the object is in.
        database: DatabaseName,
        /// Kind and quoted name.
        object: String,
    },
}

impl Subject {
    /// The database the finding is limited to, if any.
    pub fn database(&self) -> Option<&DatabaseName> {
        match self {
            Self::Cluster => None,
            Self::Database(database) | Self::Object { database, .. } => Some(database),
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cluster => f.write_str("cluster"),
            Self::Database(database) => write!(f, "database {database}"),
            Self::Object { database, object } => write!(f, "{object} in database {database}"),
        }
    }
}

/// One thing that a check found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// Which check found it.
    pub check: CheckName,
    /// How bad it is.
    pub severity: Severity,
    /// What becomes impossible when it is an error.
    pub concern: Concern,
    /// What it is about.
    pub subject: Subject,
    /// The stable name of the kind of finding, such as `no-replica-identity`.
    pub kind: String,
    /// The facts behind the sentence, for programs.
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    pub facts: serde_json::Value,
    /// One sentence for people.
    pub message: String,
    /// What the user can do, where possible something to paste.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Finding {
    /// Whether the subject can't be moved at all.
    pub fn stops_migration(&self) -> bool {
        self.severity == Severity::Error && self.concern == Concern::Migration
    }

    /// Whether the subject can't be moved by the method `replication`.
    pub fn stops_replication(&self) -> bool {
        self.severity == Severity::Error
    }
}
