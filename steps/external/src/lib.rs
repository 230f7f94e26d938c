//! Checks that are files of SQL, and checks, steps and observers that are programs in any language.
//!
//! The engine can't tell them from those that are code: they are registered in the same [`Registry`](pghaul_step::Registry).
//! The page `docs/reference/protocol.md` is for those who write such programs.
//!
//! - [`sql`]: checks that are files of SQL
//! - [`definition`]: how the configuration defines a program
//! - `protocol`: the messages; `program`: the process that speaks it, and its limits
//! - `connection`: how the program reaches the servers, without a password on any command line
//! - `check`, `step`, [`observer`]: what it is used for

pub mod definition;
mod interned;
pub mod observer;
pub mod sql;

mod check;
mod connection;
mod not_made;
mod program;
mod protocol;
mod registration;
mod step;

pub use definition::{CheckDefinition, Definitions, ObserverDefinition, StepDefinition};
pub use observer::{Notice, Observing};
pub use protocol::VERSION as PROTOCOL_VERSION;
