//! How the configuration defines programs. The doc comments of the fields are its documentation.

use pghaul_step::{UndoReason, hex};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The programs of a configuration, and the folder that relative paths in it start from.
#[derive(Debug, Clone, Default)]
pub struct Definitions {
    /// The file that they stand in.
    pub file: PathBuf,
    /// The checks.
    pub checks: Vec<CheckDefinition>,
    /// The steps.
    pub steps: Vec<StepDefinition>,
}

/// How a program is run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Command(
    /// The program and its arguments. No shell reads them. A path with a slash is relative to the folder of the file.
    #[schemars(length(min = 1))]
    pub Vec<String>,
);

/// A length of time, such as `30s`, `5min` or `2h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeLimit(pub Duration);

impl<'de> Deserialize<'de> for TimeLimit {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let parsed = humantime::parse_duration(&text)
            .ok()
            .filter(|time| !time.is_zero());
        parsed.map(Self).ok_or_else(|| {
            serde::de::Error::custom(format!(
                "{text:?} is no length of time; write it as 30s, 5min or 2h"
            ))
        })
    }
}

impl Serialize for TimeLimit {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&humantime::format_duration(self.0))
    }
}

impl JsonSchema for TimeLimit {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "TimeLimit".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "A length of time, such as `30s`, `5min` or `2h`.",
        })
    }
}

/// What a program works on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// The servers as a whole: it runs once.
    Cluster,
    /// It runs once for each database.
    #[default]
    Database,
}

/// A state of the database that a step runs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// `schema`
    Schema,
    /// `replicating` or `dumping`
    #[default]
    Data,
}

/// When a step that has finished is run once more, in a database that is replicated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Again {
    /// Never.
    #[default]
    Never,
    /// By every `run`, and by `remove`.
    EveryRun,
    /// By `remove`, before it proves the database for the last time.
    Removal,
}

/// How the rows of a database get to the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// Logical replication.
    Replication,
    /// A one-time copy.
    Dump,
}

/// Why `undo` is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// The migration is given up.
    Abandoned,
    /// Replication is not possible after all: the database is dumped instead.
    FellBack,
    /// Its rows are copied again.
    Restarted,
    /// `remove` ends the migration of a database that has arrived.
    Completed,
    /// For a step with `again = "removal"`: `remove` was refused. Also sent when the next `run` or `remove` begins, as the
    /// one before may have been killed.
    Refused,
}

impl Reason {
    /// As the trait of steps names it.
    pub(crate) fn is(self, reason: UndoReason) -> bool {
        match self {
            Self::Abandoned => reason == UndoReason::Abandoned,
            Self::FellBack => reason == UndoReason::FellBack,
            Self::Restarted => reason == UndoReason::Restarted,
            Self::Completed => reason == UndoReason::Completed,
            Self::Refused => false,
        }
    }
}

/// What a check that could not be made counts as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnCheckFailure {
    /// An error, which stops the migration unless it is accepted.
    #[default]
    Error,
    /// A warning.
    Warning,
}

/// What happens when a step fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnStepFailure {
    /// The database fails, or the run where the step is one of the cluster. `run` tries again.
    #[default]
    Stop,
    /// The failure is logged and journaled, and the next step begins.
    Continue,
}

/// A check that is a program. It reports findings before anything is created.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckDefinition {
    /// The name that `steps`, findings and `--accept` show: lower-case letters, digits and hyphens.
    pub name: String,
    /// What the check expects, in a few words.
    #[serde(default)]
    pub summary: Option<String>,
    /// What it looks at.
    #[serde(default)]
    pub scope: Scope,
    /// The program and its arguments. No shell reads them. A path with a slash is relative to the folder of this file.
    pub command: Command,
    /// How long it may take.
    #[serde(default = "check_time")]
    pub timeout: TimeLimit,
    /// What it counts as when it could not be made.
    #[serde(default)]
    pub on_failure: OnCheckFailure,
    /// Further environment variables of the program.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
}

/// A step that is a program. It acts on the servers, or on something else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StepDefinition {
    /// The name in the plan and in the journal: lower-case letters, digits and hyphens. Never rename a step.
    pub name: String,
    /// What the step does, in a few words.
    #[serde(default)]
    pub summary: Option<String>,
    /// What it works on.
    #[serde(default)]
    pub scope: Scope,
    /// The state of the database in which it runs.
    #[serde(default)]
    pub phase: Phase,
    /// The steps that must have finished before it, where the database has them.
    #[serde(default)]
    pub after: Vec<String>,
    /// The steps that it must have finished before.
    #[serde(default)]
    pub before: Vec<String>,
    /// The methods that it belongs to.
    #[serde(default = "all_methods")]
    pub methods: Vec<Method>,
    /// When it runs once more after it has finished.
    #[serde(default)]
    pub again: Again,
    /// Whether the program answers `probe`. Otherwise `run` is sent without asking.
    #[serde(default)]
    pub probe: bool,
    /// The reasons for which `undo` is sent.
    #[serde(default)]
    pub undo_on: Vec<Reason>,
    /// The program and its arguments. No shell reads them. A path with a slash is relative to the folder of this file.
    pub command: Command,
    /// How long each request may take.
    #[serde(default = "step_time")]
    pub timeout: TimeLimit,
    /// What happens when it fails.
    #[serde(default)]
    pub on_failure: OnStepFailure,
    /// Further environment variables of the program.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
}

/// A program that receives every event of a run. It can't stop or delay anything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ObserverDefinition {
    /// The name in the log.
    pub name: String,
    /// The kinds of events that it receives; all where none is given. See `docs/reference/journal.md`.
    #[serde(default)]
    pub kinds: Vec<String>,
    /// The program and its arguments. No shell reads them. A path with a slash is relative to the folder of this file.
    pub command: Command,
    /// How long it may take to end after the last event.
    #[serde(default = "observer_time")]
    pub timeout: TimeLimit,
    /// Further environment variables of the program.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
}

fn check_time() -> TimeLimit {
    TimeLimit(Duration::from_secs(60))
}

fn step_time() -> TimeLimit {
    TimeLimit(Duration::from_secs(3600))
}

fn observer_time() -> TimeLimit {
    TimeLimit(Duration::from_secs(10))
}

fn all_methods() -> Vec<Method> {
    vec![Method::Replication, Method::Dump]
}

impl Command {
    /// The same, where a program that is named by a path is found from the folder.
    pub fn found_from(&self, folder: &Path) -> Self {
        let mut words = self.0.clone();
        if let Some(program) = words.first_mut()
            && program.contains('/')
        {
            // Without the `.` between folder and program.
            let path: PathBuf = folder.join(&*program).components().collect();
            *program = path.to_string_lossy().into_owned();
        }
        Self(words)
    }
}

impl StepDefinition {
    /// A hash of the definition: another one is reported when a migration goes on.
    pub fn hash(&self) -> String {
        let text = serde_json::to_string(self).unwrap_or_default();
        hex(Sha256::digest(text).get(..8).unwrap_or_default())
    }
}

impl ObserverDefinition {
    /// The same, with its program found from the folder of the configuration.
    #[must_use]
    pub fn found_from(&self, folder: &Path) -> Self {
        Self {
            command: self.command.found_from(folder),
            ..self.clone()
        }
    }
}
