//! A history: one event as a line or as JSON, all of them in groups, and which of them are shown.

mod filter;
mod grouped;
mod weight;

pub(crate) use filter::{Filter, Seen, is_behind};
pub(crate) use grouped::{Grouped, phase_of};
pub(crate) use weight::{Weight, weight};

use super::{legible, sentence};
use crate::style::{BOLD, DIM, paint};
use pghaul_core::Envelope;
use pghaul_core::event::UnknownRecord;
use serde_json::{Value, json};

/// Number, time, database, step and a sentence.
pub(crate) fn line(envelope: &Envelope) -> String {
    let event = legible::event(&envelope.event);
    let subject = match (event.database(), event.step()) {
        (None, None) => String::new(),
        (Some(database), None) => format!("{}: ", paint(BOLD, database)),
        (None, Some(step)) => format!("{}: ", paint(BOLD, step)),
        (Some(database), Some(step)) => format!("{}: ", paint(BOLD, format_args!("{database} {step}"))),
    };
    format!(
        "{:>5}  {}  {subject}{}\n",
        envelope.seq.0,
        paint(DIM, &envelope.at),
        sentence::of(&event)
    )
}

/// The version of the lines of `history --json`: raised by a change that a reader must know of. New keys come without one.
const SCHEMA: u32 = 1;

/// The whole event, in one line. `docs/reference/history-json.md` describes it.
///
/// # Errors
/// When the event can't be written as JSON.
pub(crate) fn json(envelope: &Envelope) -> Result<Value, UnknownRecord> {
    let record = envelope.event.to_record()?;
    Ok(json!({
        "seq": envelope.seq,
        "epoch": envelope.epoch,
        "at": envelope.at,
        "database": record.database,
        "step": record.step,
        "item": record.item,
        "kind": record.kind,
        "version": record.version,
        "payload": record.payload,
        "schema": SCHEMA,
        "severity": weight::weight(&envelope.event).to_string(),
        "text": anstream::adapter::strip_str(&sentence::of(&envelope.event)).to_string(),
    }))
}
