//! What a rehearsal finds.

use pghaul_step::{FindingKind, Severity, listed};
use serde::Serialize;

/// What a rehearsal of a database finds, about one of its objects or about all of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub(crate) enum RehearsalFinding {
    /// The target refuses an object that a run can't do without.
    ObjectFails {
        /// What the server answers.
        why: String,
        /// What can't be created without it.
        dependents: Vec<String>,
        /// Whether a function of users names what the server does not find.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        in_function: bool,
    },
    /// The target refuses an object that a run lists as incomplete.
    ObjectRefused {
        /// What the server answers.
        why: String,
        /// What can't be created without it.
        dependents: Vec<String>,
        /// Whether a function of users names what the server does not find.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        in_function: bool,
    },
    /// The target refuses rows of a table.
    RowsRefused {
        /// What the server answers.
        why: String,
        /// Whether functions of users may be the reason, which may read what a rehearsal lacks, or expressions that differ in a run.
        calls_functions: bool,
    },
    /// A function of users that a table's rows need does not find what it names.
    FunctionFails {
        /// What the server answers.
        why: String,
    },
    /// Rows do not fulfil a check that is added after them.
    CheckViolated {
        /// What the server answers.
        why: String,
        /// As in [`RehearsalFinding::RowsRefused`].
        calls_functions: bool,
    },
    /// A materialized view can't be refreshed.
    ViewNotRefreshed {
        /// What the server answers.
        why: String,
    },
    /// Nothing was rehearsed.
    NotRehearsed {
        /// Why not.
        why: String,
        /// Whether something failed that should not have.
        failed: bool,
    },
    /// Some objects were not rehearsed.
    PartlyRehearsed {
        /// Why not.
        why: String,
        /// Which.
        objects: Vec<String>,
    },
}

impl FindingKind for RehearsalFinding {
    fn severity(&self) -> Severity {
        match self {
            Self::ObjectFails { .. }
            | Self::FunctionFails { .. }
            | Self::RowsRefused {
                calls_functions: false,
                ..
            } => Severity::Error,
            Self::ObjectRefused { .. }
            | Self::RowsRefused { .. }
            | Self::CheckViolated {
                calls_functions: false,
                ..
            }
            | Self::ViewNotRefreshed { .. }
            | Self::NotRehearsed { failed: true, .. } => Severity::Warning,
            Self::CheckViolated { .. } | Self::NotRehearsed { .. } | Self::PartlyRehearsed { .. } => {
                Severity::Note
            }
        }
    }

    fn message(&self) -> String {
        match self {
            Self::ObjectFails { why, dependents, .. } | Self::ObjectRefused { why, dependents, .. } => {
                match dependents.as_slice() {
                    [] => format!("refused by the target: {why}"),
                    _ => format!(
                        "refused by the target: {why}; these depend on it: {}",
                        listed(dependents)
                    ),
                }
            }
            Self::RowsRefused { why, .. } => format!("the target refuses rows of it: {why}"),
            Self::FunctionFails { why } => {
                format!("a function that its rows need fails on the target: {why}")
            }
            Self::CheckViolated { why, .. } => format!("some rows do not fulfil it: {why}"),
            Self::ViewNotRefreshed { why } => format!("it can't be refreshed: {why}"),
            Self::NotRehearsed { why, .. } => format!("the schema was not rehearsed: {why}"),
            Self::PartlyRehearsed { why, objects } => {
                format!("these objects were not rehearsed: {}: {why}", listed(objects))
            }
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::ObjectFails {
                in_function: true, ..
            }
            | Self::ObjectRefused {
                in_function: true, ..
            }
            | Self::FunctionFails { .. } => {
                "objects are restored and rows are replicated with an empty search_path: name in the function every object with its \
                 schema, or on the source: ALTER FUNCTION … SET search_path = …"
            }
            Self::ObjectFails { .. } => {
                "provide on the target what the server names, or change or drop the object on the source"
            }
            Self::ObjectRefused { .. } => {
                "provide on the target what the server names, or change or drop the object on the source; \
                 a run would list it as incomplete and continue"
            }
            Self::RowsRefused {
                calls_functions: false,
                ..
            } => "change the rows or the table on the source",
            Self::RowsRefused { .. } => {
                "check the functions that the table uses: a run would fail, unless they read rows that a rehearsal lacks, or \
                 depend on the name of the database or the role"
            }
            Self::CheckViolated { .. } => {
                "change the rows or the constraint on the source; a run would list it as incomplete and continue"
            }
            Self::ViewNotRefreshed { .. } => {
                "change its query, or what it reads; a run would list it as incomplete and continue"
            }
            Self::NotRehearsed { failed: true, .. } => {
                "fix what failed and check again, or give --no-rehearsal"
            }
            Self::NotRehearsed { .. } | Self::PartlyRehearsed { .. } => return None,
        };
        Some(hint.to_owned())
    }
}
