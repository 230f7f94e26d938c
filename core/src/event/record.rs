//! An event as a store keeps it, and back.

use super::{Event, NoteSubject, UnknownRecord, tagged, versions};
use crate::id::{DatabaseName, StepName};
use crate::json::JsonText;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// An event as a store keeps it: flat, with a kind, a version and a JSON payload.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// The database it is about.
    pub database: Option<DatabaseName>,
    /// The step it is about.
    pub step: Option<StepName>,
    /// The item it is about.
    pub item: Option<String>,
    /// The kind, such as `step_started`.
    pub kind: String,
    /// The version of the payload's shape.
    pub version: u32,
    /// The payload.
    pub payload: JsonText,
}

/// An event as serde writes it.
#[derive(Deserialize)]
struct Tagged {
    #[serde(default)]
    payload: JsonText,
}

impl Event {
    /// The flat form for a store.
    ///
    /// # Errors
    /// When the payload can't be written as JSON, which none of pghaul's types can cause.
    pub fn to_record(&self) -> Result<Record, UnknownRecord> {
        let tagged = match self {
            Self::Migration(event) => JsonText::of(event),
            Self::ClusterStep(_, event) | Self::DatabaseStep(_, _, event) => JsonText::of(event),
            Self::Database(_, event) => JsonText::of(event),
            Self::Note(_, note) => JsonText::of(note),
        };
        let payload = tagged.and_then(|tagged| Ok(tagged.read::<Tagged>()?.payload));
        Ok(Record {
            database: self.database().cloned(),
            step: self.step().cloned(),
            item: self.item().map(str::to_owned),
            kind: self.kind().to_owned(),
            version: versions::newest_version(self.kind()),
            payload: payload.map_err(|e| tagged::unreadable(self.kind(), &e))?,
        })
    }

    /// Reads a stored record back.
    ///
    /// # Errors
    /// [`UnknownRecord`] when the record was written by a newer version or was damaged. Nothing is guessed.
    pub fn from_record(record: Record) -> Result<Self, UnknownRecord> {
        let Record {
            database,
            step,
            kind,
            version,
            payload,
            ..
        } = record;
        Self::from_text(database, step, &kind, version, payload.as_str())
    }

    /// The same from a payload that is still text: a store that reads a million events parses each once.
    ///
    /// # Errors
    /// See [`Self::from_record`].
    pub fn from_text(
        database: Option<DatabaseName>,
        step: Option<StepName>,
        kind: &str,
        version: u32,
        payload: &str,
    ) -> Result<Self, UnknownRecord> {
        let mut parser = serde_json::Deserializer::from_str(payload);
        let event = Self::from_parts(
            database,
            step,
            kind,
            version,
            (payload != "null").then_some(&mut parser),
        )?;
        if payload != "null" {
            parser.end().map_err(|e| tagged::unreadable(kind, &e))?;
        }
        Ok(event)
    }

    fn from_parts<'de, P: Deserializer<'de, Error = serde_json::Error>>(
        database: Option<DatabaseName>,
        step: Option<StepName>,
        kind: &str,
        version: u32,
        payload: Option<P>,
    ) -> Result<Self, UnknownRecord> {
        versions::refuse_newer(kind, version)?;
        let newest = versions::newest_version(kind);
        if version < newest {
            let payload = payload.map(Value::deserialize).transpose();
            let payload = payload.map_err(|e| tagged::unreadable(kind, &e))?;
            let payload = versions::upcast(kind, version, payload.unwrap_or_default())?;
            let payload = Some(payload).filter(|payload| !payload.is_null());
            return Self::from_newest(database, step, kind, payload);
        }
        Self::from_newest(database, step, kind, payload)
    }

    fn from_newest<'de, P: Deserializer<'de, Error = serde_json::Error>>(
        database: Option<DatabaseName>,
        step: Option<StepName>,
        kind: &str,
        payload: Option<P>,
    ) -> Result<Self, UnknownRecord> {
        if versions::is_note(kind) {
            let subject = NoteSubject { database, step };
            return Ok(Self::Note(subject, tagged::read(kind, payload)?));
        }
        Ok(match (database, step) {
            (None, None) => Self::Migration(tagged::read(kind, payload)?),
            (None, Some(step)) => Self::ClusterStep(step, tagged::read(kind, payload)?),
            (Some(database), None) => Self::Database(database, tagged::read(kind, payload)?),
            (Some(database), Some(step)) => Self::DatabaseStep(database, step, tagged::read(kind, payload)?),
        })
    }
}
