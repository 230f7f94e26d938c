//! The state machines: one per database, one per step, and the migration that holds them.
//!
//! Each has one transition function, `apply`. A live run calls it before an event is written; replay calls it
//! for every event read back. There is no other way to change a state.

mod database;
mod diagram;
mod migration;
mod step;

pub use database::{DatabaseState, Phase};
pub use diagram::{mermaid, step_mermaid};
pub use migration::{DatabaseRecord, Migration, StepRecord};
pub use step::StepState;

/// An event that makes no sense in the present state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{subject} is {state}: event {event} is not possible")]
pub struct IllegalTransition {
    /// What the event is about.
    pub subject: String,
    /// The state it is in.
    pub state: String,
    /// The event's kind.
    pub event: &'static str,
}
