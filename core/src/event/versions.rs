//! The one table of versions: how a record of an older version becomes one of the newest.
//!
//! A record has two versions. That of its payload is core's business, and [`PAYLOADS`] is its table. That of what a
//! step noted in it, such as an output, is the step's: a program gives the tables of its steps as [`StepVersions`]. The
//! newest version is always one more than the number of upcasters, so that no version is without its way up.

use super::unknown::UnknownRecord;
use super::{DatabaseEventKind, Event, MigrationEventKind, NoteKind, StepEvent, StepEventKind};
use crate::id::StepName;
use serde_json::Value;
use std::collections::BTreeMap;
use strum::IntoEnumIterator as _;

/// Makes a payload of one version into one of the next, or says why it can't.
type Upcaster = fn(Value) -> Result<Value, String>;

/// The upcasters of each kind whose payload ever changed, from version 1 on.
const PAYLOADS: &[(&str, &[Upcaster])] = &[
    ("item_finished", &[noted_in_version_1]),
    ("step_finished", &[noted_in_version_1]),
];

/// Version 2 says which version the outcome or the output has; before, there was only the first.
fn noted_in_version_1(mut payload: Value) -> Result<Value, String> {
    let fields = payload.as_object_mut().ok_or("it is not an object")?;
    fields.insert("version".to_owned(), Value::from(1));
    Ok(payload)
}

/// The version of a kind's payload that this pghaul writes, and the newest that it reads.
pub fn newest_version(kind: &str) -> u32 {
    newest(upcasters(kind))
}

fn upcasters(kind: &str) -> &'static [Upcaster] {
    let of_kind = PAYLOADS.iter().find(|(changed, _)| *changed == kind);
    of_kind.map_or(&[], |(_, upcasters)| *upcasters)
}

fn newest<U>(upcasters: &[U]) -> u32 {
    u32::try_from(upcasters.len()).map_or(u32::MAX, |count| count.saturating_add(1))
}

/// The upcasters that a version still needs; none where it is the newest. Versions begin with 1.
fn missing<U>(upcasters: &[U], version: u32) -> Option<&[U]> {
    upcasters.get(usize::try_from(version).ok()?.checked_sub(1)?..)
}

/// Refuses what a newer pghaul wrote: a kind that is not known here, or a version of it that is not.
pub(super) fn refuse_newer(kind: &str, version: u32) -> Result<(), UnknownRecord> {
    let known = newest_version(kind);
    let kind = kind.to_owned();
    match version {
        0 => Err(UnknownRecord::Payload {
            kind,
            reason: "versions begin with 1".to_owned(),
        }),
        _ if version <= known => Ok(()),
        _ if is_known(&kind) => Err(UnknownRecord::Version { kind, version, known }),
        _ => Err(UnknownRecord::Kind { kind }),
    }
}

fn is_known(kind: &str) -> bool {
    let mut of_migration = MigrationEventKind::iter().map(<&str>::from);
    let mut of_database = DatabaseEventKind::iter().map(<&str>::from);
    let mut of_step = StepEventKind::iter().map(<&str>::from);
    of_migration.any(|k| k == kind)
        || of_database.any(|k| k == kind)
        || of_step.any(|k| k == kind)
        || is_note(kind)
}

/// Whether a kind is one of [`super::Note`].
pub(super) fn is_note(kind: &str) -> bool {
    NoteKind::iter().map(<&str>::from).any(|k| k == kind)
}

/// The payload as the newest version has it.
pub(super) fn upcast(kind: &str, version: u32, payload: Value) -> Result<Value, UnknownRecord> {
    let upcasters = missing(upcasters(kind), version).unwrap_or_default();
    upcasters
        .iter()
        .try_fold(payload, |payload, upcast| upcast(payload))
        .map_err(|reason| UnknownRecord::Payload {
            kind: kind.to_owned(),
            reason: format!("version {version} does not become the newest: {reason}"),
        })
}

/// What a step notes in the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotedBy {
    /// [`StepEvent::StepRecorded`]
    Facts,
    /// [`StepEvent::ItemFinished`]
    Item,
    /// [`StepEvent::StepFinished`]
    Output,
}

/// Makes what a step noted in one version into what it would have noted in the next, or says why it can't.
pub type StepUpcaster = fn(NotedBy, Value) -> Result<Value, String>;

/// The versions of what the steps of a program note, and the upcasters of each step, from version 1 on.
#[derive(Debug, Clone, Default)]
pub struct StepVersions(BTreeMap<StepName, &'static [StepUpcaster]>);

impl StepVersions {
    /// Adds a step.
    #[must_use]
    pub fn with(mut self, step: StepName, upcasters: &'static [StepUpcaster]) -> Self {
        self.0.insert(step, upcasters);
        self
    }

    /// The version that a step of this program notes; `None` for a step that the program does not have.
    pub fn newest(&self, step: &StepName) -> Option<u32> {
        self.0.get(step).map(|upcasters| newest(upcasters))
    }

    /// The event with what its step noted as the step's newest version has it. What a newer version of the step noted,
    /// or a step that this program lacks, stays as it is: whether the program may go on is for the engine to judge.
    ///
    /// # Errors
    /// [`UnknownRecord::Payload`] where an upcaster can't read what was noted.
    pub fn upcast(&self, mut event: Event) -> Result<Event, UnknownRecord> {
        let kind = event.kind();
        let (Event::ClusterStep(step, inner) | Event::DatabaseStep(_, step, inner)) = &mut event else {
            return Ok(event);
        };
        let (noted, version, value) = match inner {
            StepEvent::StepRecorded { version, facts } => (NotedBy::Facts, version, facts),
            StepEvent::ItemFinished { version, outcome, .. } => (NotedBy::Item, version, outcome),
            StepEvent::StepFinished { version, output, .. } => (NotedBy::Output, version, output),
            StepEvent::StepStarted | StepEvent::StepFailed { .. } | StepEvent::StepUndone => {
                return Ok(event);
            }
        };
        let Some(upcasters) = self.0.get(step) else {
            return Ok(event);
        };
        for upcast in missing(upcasters, *version).unwrap_or_default() {
            let newer = upcast(noted, value.value()).map_err(|reason| UnknownRecord::Payload {
                kind: kind.to_owned(),
                reason: format!("what step {step} noted in version {version}: {reason}"),
            })?;
            *value = newer.into();
            *version += 1;
        }
        Ok(event)
    }
}

#[cfg(test)]
mod tests;
