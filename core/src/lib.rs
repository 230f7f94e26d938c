//! The pure heart of pghaul: everything that can be decided without a server, a clock or a file.
//!
//! Read the modules in this order:
//!
//! 1. [`id`] names things: migrations, databases, steps, epochs.
//! 2. [`failure`], [`failures`] and [`finding`] say what can go wrong, during the work and before it; an [`acceptance`] overrides
//!    a check.
//! 3. [`catalog`] says what a database holds, and [`plan`] what is moved of it, and how; [`drift`] compares definitions
//!    of then and now.
//! 4. [`event`] is the vocabulary of the journal.
//! 5. [`machine`] holds the state machines; their one transition function serves live runs and replay.
//! 6. [`status`] derives what users see from the states.
//! 7. [`journal`] is the trait that a durable store implements.
//! 8. [`escape`] says how names are shown, [`shell`] how they are typed, [`json`] keeps what steps note.
//!
//! No tokio, no SQL, no clock, no randomness: time and ids come in as values. A test keeps it so.

pub mod acceptance;
pub mod catalog;
pub mod drift;
pub mod escape;
pub mod event;
pub mod failure;
pub mod failures;
pub mod finding;
pub mod hex;
pub mod id;
pub mod journal;
pub mod json;
pub mod machine;
pub mod mapping;
pub mod plan;
pub mod selection;
pub mod shell;
pub mod status;

pub use acceptance::Acceptance;
pub use catalog::{Catalog, Mark, TableName};
pub use escape::escaped;
pub use event::{DatabaseEvent, Envelope, Event, MigrationEvent, StepEvent, StepVersions};
pub use failure::{Code, Failure, Side};
pub use finding::{Concern, Finding, Severity, Subject};
pub use hex::hex;
pub use id::{CheckName, DatabaseName, Epoch, MigrationId, Seq, StepName};
pub use journal::{Journal, JournalError};
pub use json::JsonText;
pub use machine::{DatabaseState, IllegalTransition, Migration, Phase, StepState};
pub use mapping::{Mapping, Renaming, quoted_name};
pub use plan::{DatabasePlan, InitialCopy, Method, Route, TableClass, TablePlan};
pub use shell::shell_word;
