//! What was refused in a rehearsal, and the findings of it.

use super::finding::RehearsalFinding;
use super::lacking::Lacking;
use super::script::{Missing, Script, is_left_out};
use crate::archive::{Archive, Entry};
use crate::pieces::finds_nothing;
use crate::refusals::{is_indispensable, is_refusal, needed_by};
use crate::restore::is_built;
use libpgdump::ObjectType;
use pghaul_step::{Failure, TableName};
use std::collections::BTreeMap;

/// What a piece of the rehearsal is about.
#[derive(Debug, Clone)]
pub(super) enum Of<'a> {
    Entry(&'a Entry),
    /// The rows of a table.
    Rows {
        table: &'a TableName,
        calls_functions: bool,
    },
    /// A check that is added after the rows.
    Check {
        object: String,
        calls_functions: bool,
    },
    /// The refresh of a materialized view.
    View(String),
}

/// 42501 insufficient_privilege, 23514 check_violation.
const NOT_PERMITTED: &str = "42501";
const CHECK_VIOLATION: &str = "23514";

/// What was refused so far.
#[derive(Debug, Default)]
pub(super) struct Report {
    lacking: Lacking,
    refused: BTreeMap<i32, Refused>,
    /// The entries that are not there, each with the refused one that it depends on, where that is reported.
    missing: BTreeMap<i32, Option<i32>>,
    others: Vec<(String, RehearsalFinding)>,
    /// What could not be tried, by the reason.
    untried: BTreeMap<String, Vec<String>>,
}

#[derive(Debug)]
struct Refused {
    object: String,
    why: String,
    /// Whether a run fails without it.
    fails: bool,
    /// Whether a function of users names what the server does not find.
    in_function: bool,
    dependents: Vec<String>,
}

impl Report {
    pub(super) fn of(lacking: Lacking) -> Self {
        Self {
            lacking,
            ..Self::default()
        }
    }

    /// Whether something it depends on is missing. It is noted then.
    pub(super) fn keeps_out(&mut self, of: &Of<'_>) -> bool {
        let Of::Entry(entry) = of else { return false };
        if self.missing.contains_key(&entry.id) {
            return true;
        }
        let mut needed = entry.dependencies.iter();
        let Some(root) = needed.find_map(|id| self.missing.get(id).copied()) else {
            return false;
        };
        self.missing.insert(entry.id, root);
        if let Some(refused) = root.and_then(|root| self.refused.get_mut(&root)) {
            refused.dependents.push(entry.object());
        }
        true
    }

    /// The tables and views that are missing: nothing can be tried with them.
    pub(super) fn missing(&self, script: &Script) -> Missing {
        script.named(&self.missing)
    }

    /// Notes what the target answers.
    pub(super) fn refuse(&mut self, archive: &Archive, of: &Of<'_>, failure: &Failure) {
        let state = failure.sqlstate.as_deref().unwrap_or_default();
        let why = failure.message.clone();
        match of {
            Of::Entry(entry) => self.refuse_entry(archive, entry, failure),
            _ if !is_refusal(failure) || self.lacking.explains(failure) => self.not_tried(of.object(), why),
            // Its owner may be allowed more than the owner of everything in a rehearsal. Rows are copied by the connecting role.
            Of::Rows { .. } if state == NOT_PERMITTED && !self.lacking.rights() => {
                let found = RehearsalFinding::RowsRefused {
                    why,
                    calls_functions: true,
                };
                self.others.push((of.object(), found));
            }
            _ if state == NOT_PERMITTED => self.not_tried(of.object(), why),
            Of::Rows {
                calls_functions: true,
                ..
            } if finds_nothing(failure) && !self.lacks_objects(archive) => {
                // Rows that a rehearsal lacks are not the reason.
                self.others
                    .push((of.object(), RehearsalFinding::FunctionFails { why }));
            }
            Of::Rows { calls_functions, .. } => {
                // A value may name an object, as those of regclass do.
                let is_lacking = finds_nothing(failure) && self.lacks_objects(archive);
                let calls_functions = *calls_functions || is_lacking;
                let found = RehearsalFinding::RowsRefused { why, calls_functions };
                self.others.push((of.object(), found));
            }
            Of::Check {
                object,
                calls_functions,
            } => {
                let calls_functions = *calls_functions;
                let found = match state {
                    CHECK_VIOLATION => RehearsalFinding::CheckViolated { why, calls_functions },
                    _ => RehearsalFinding::ObjectRefused {
                        why,
                        in_function: false,
                        dependents: Vec::new(),
                    },
                };
                self.others.push((object.clone(), found));
            }
            // What another server answers says nothing about the view.
            Of::View(_) if ["08", "HV"].iter().any(|class| state.starts_with(class)) => {
                self.not_tried(of.object(), why);
            }
            Of::View(object) => {
                let found = RehearsalFinding::ViewNotRefreshed { why };
                self.others.push((object.clone(), found));
            }
        }
    }

    /// Whether objects are missing that a run has: an extension, or what was not tried.
    fn lacks_objects(&self, archive: &Archive) -> bool {
        let left_out = |entry: &Entry| entry.kind == ObjectType::Extension && is_left_out(entry);
        self.missing.values().any(Option::is_none) || archive.entries.iter().any(left_out)
    }

    fn refuse_entry(&mut self, archive: &Archive, entry: &Entry, failure: &Failure) {
        let why = failure.message.clone();
        // Whether an extension can be created, another check says.
        let is_extension = entry.kind == ObjectType::Extension;
        // Functions of an index run with the rights of the table's owner.
        let is_not_permitted = is_built(entry) && failure.sqlstate.as_deref() == Some(NOT_PERMITTED);
        let is_lacking = self.lacking.explains(failure) || (is_not_permitted && self.lacking.rights());
        let root = if is_extension || is_lacking || !is_refusal(failure) {
            self.not_tried(entry.object(), why);
            None
        } else {
            let refused = Refused {
                object: entry.object(),
                why,
                fails: is_indispensable(entry) || needed_by(archive, entry).is_some(),
                in_function: finds_nothing(failure)
                    && failure.causes.iter().any(|cause| cause.contains("function")),
                dependents: Vec::new(),
            };
            self.refused.insert(entry.id, refused);
            Some(entry.id)
        };
        self.missing.insert(entry.id, root);
    }

    fn not_tried(&mut self, object: String, why: String) {
        self.untried.entry(why).or_default().push(object);
    }

    /// The findings, each with its object; those without are about the database.
    pub(super) fn findings(self) -> Vec<(Option<String>, RehearsalFinding)> {
        let refused = self.refused.into_values().map(|refused| {
            let Refused {
                object,
                why,
                fails,
                in_function,
                dependents,
            } = refused;
            let found = match fails {
                true => RehearsalFinding::ObjectFails {
                    why,
                    dependents,
                    in_function,
                },
                false => RehearsalFinding::ObjectRefused {
                    why,
                    dependents,
                    in_function,
                },
            };
            (Some(object), found)
        });
        let others = self
            .others
            .into_iter()
            .map(|(object, found)| (Some(object), found));
        let untried = self
            .untried
            .into_iter()
            .map(|(why, objects)| (None, RehearsalFinding::PartlyRehearsed { why, objects }));
        refused.chain(others).chain(untried).collect()
    }
}

impl Of<'_> {
    /// Whether its statements may hold a secret.
    pub(super) fn may_hold_a_secret(&self) -> bool {
        match self {
            Self::Entry(entry) => entry.may_hold_a_secret(),
            Self::Rows { .. } | Self::Check { .. } | Self::View(_) => false,
        }
    }

    fn object(&self) -> String {
        match self {
            Self::Entry(entry) => entry.object(),
            Self::Rows { table, .. } => format!("table {table}"),
            Self::Check { object, .. } | Self::View(object) => object.clone(),
        }
    }
}
