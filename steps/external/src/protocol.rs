//! The messages: one JSON object on each line, in both directions.

use pghaul_step::Severity;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The version of the protocol. A program that speaks another one is refused.
pub const VERSION: u32 = 1;

/// What pghaul sends.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub(crate) enum Sent<'a> {
    /// First: the version of both.
    Hello { protocol: u32, pghaul: &'static str },
    /// What a check is to look at.
    Check(&'a Request),
    /// Whether the effects of a step are there.
    Probe(&'a Request),
    /// To act.
    Run(&'a Request),
    /// To take the effects back.
    Undo(&'a Request),
    /// A fact or an item is durable in the journal.
    Recorded,
}

impl Sent<'_> {
    /// The name of the request, as the program's environment has it too.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Hello { .. } => "hello",
            Self::Check(_) => "check",
            Self::Probe(_) => "probe",
            Self::Run(_) => "run",
            Self::Undo(_) => "undo",
            Self::Recorded => "recorded",
        }
    }
}

/// What every request carries.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Request {
    /// The name of the check or the step.
    pub(crate) name: String,
    /// The database; absent in the scope of the cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) database: Option<String>,
    /// The migration's id; absent in a check before the first run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) migration: Option<String>,
    /// `replication` or `dump`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) method: Option<String>,
    /// Why the effects are taken back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
    /// Why a step that had finished runs once more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) again: Option<&'static str>,
    /// A conninfo for the source, with its password.
    pub(crate) source: String,
    /// A conninfo for the target, with its password.
    pub(crate) target: String,
    /// What earlier calls of the step have recorded, the oldest first.
    pub(crate) facts: Vec<Value>,
    /// The items that earlier calls have finished.
    pub(crate) items: Map<String, Value>,
}

/// What a program answers. Messages of other types are skipped.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub(crate) enum Answer {
    /// First: the version that the program speaks.
    Hello { protocol: u32 },
    /// How far it is.
    Progress { done: u64, total: u64 },
    /// Something that a check found.
    Finding(FoundByProgram),
    /// Something that the step must know again after a crash.
    Fact { value: Value },
    /// An item is complete and durable.
    Item {
        name: String,
        #[serde(default)]
        value: Value,
    },
    /// The request is done.
    Done {
        /// The answer to `probe`.
        #[serde(default)]
        state: Option<Presence>,
        /// What `state` means, where it stops the step.
        #[serde(default)]
        message: Option<String>,
        /// What is journaled of a `run`.
        #[serde(default)]
        output: Value,
    },
    /// It can't be done.
    Error {
        message: String,
        #[serde(default)]
        hint: Option<String>,
    },
    /// A message of a later version of the protocol.
    #[serde(other)]
    Unknown,
}

/// Whether the effects of a step are there: see [`pghaul_step::Probe`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Presence {
    Absent,
    Partial,
    Present,
    Foreign,
    Lost,
}

/// A finding of a program.
#[derive(Debug, Deserialize)]
pub(crate) struct FoundByProgram {
    pub(crate) message: String,
    #[serde(default)]
    pub(crate) severity: FoundSeverity,
    #[serde(default)]
    pub(crate) kind: Option<String>,
    #[serde(default)]
    pub(crate) object: Option<String>,
    #[serde(default)]
    pub(crate) hint: Option<String>,
    #[serde(default)]
    pub(crate) facts: Value,
}

/// How bad it is. Only a user accepts something.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum FoundSeverity {
    Note,
    Warning,
    #[default]
    Error,
}

impl From<FoundSeverity> for Severity {
    fn from(severity: FoundSeverity) -> Self {
        match severity {
            FoundSeverity::Note => Self::Note,
            FoundSeverity::Warning => Self::Warning,
            FoundSeverity::Error => Self::Error,
        }
    }
}
