//! What a step or a check is.
//!
//! A migration is made of plug-ins. A [`Check`] looks and reports [`Finding`]s; a [`Step`] acts. Both are
//! plain structs that implement a trait and are added to a [`Registry`]; the engine can't tell a built-in one
//! from yours. `docs/how-to/add-a-step.md` walks through a first one.
//!
//! - [`step`]: the trait [`Step`], its descriptor and the contract that its author signs
//! - [`check`]: the trait [`Check`]
//! - [`finding`]: from an author's enum to a [`Finding`]; [`quantity`]: numbers in its sentence
//! - [`contract`]: what a step leaves for others, as types that know the step
//! - [`context`]: what a step is given: sessions, the plan, items, outputs of earlier steps
//! - [`run`]: what all steps of one run share
//! - [`kept`]: what lives no longer than a run
//! - [`ownership`]: the schema `pghaul` in each target database: who may write, and which effects are there
//! - [`recorder`]: the one way into the journal
//! - [`notes`]: what is journaled for readers alone: retries, waits, starts of tables
//! - [`registry`]: the set of all plug-ins, and the order they run in
//! - [`fault`]: positions at which a test stops the process
//! - [`retry`]: what is tried again, how often
//! - [`throwaway`]: a database on the target in which a check tries things
//! - [`workers`]: the pool of workers that all databases share
//! - `conformance` (a feature of that name): the battery of tests that every step must pass

mod accepted;
pub mod apply_rights;
pub mod check;
#[cfg(feature = "conformance")]
pub mod conformance;
pub mod context;
pub mod contract;
pub mod fault;
pub mod finding;
pub mod home;
mod json;
pub mod kept;
mod lookout;
mod maintenance;
mod memo;
mod note_limits;
pub mod notes;
pub mod owners;
pub mod ownership;
pub mod progress;
pub mod quantity;
mod reason;
pub mod recorder;
pub mod registry;
pub mod renaming;
pub mod retry;
pub mod run;
pub mod scope;
pub mod selected;
pub mod step;
pub mod throwaway;
pub mod workers;

pub use accepted::Accepted;
pub use check::{Check, CheckContext, CheckDescriptor};
pub use context::Context;
pub use contract::{Contract, Itemized};
pub use fault::Faults;
pub use finding::{FindingKind, exclude_database, listed, map_role, membership, quoted};
pub use home::{Expressions, Home};
pub use kept::Kept;
pub use lookout::SharedSession;
pub use notes::{Notes, Waiting};
pub use ownership::{OwnedTransaction, Ownership};
pub use progress::{Observer, Progress};
pub use reason::{Occasion, UndoReason};
pub use recorder::Recorder;
pub use registry::{Origin, Registry, RegistryError, alike};
pub use run::{Copying, RunContext, WayBack};
pub use scope::{Cluster, Database, Scope};
pub use step::{Descriptor, OnTarget, Probe, Repeats, Standing, Step, StepPhase};
pub use throwaway::ThrowawayDatabase;
pub use workers::Workers;

// The vocabulary that plug-ins need, so that they depend on this package alone.
pub use async_trait::async_trait;
pub use pghaul_core::drift;
pub use pghaul_core::event::{
    CopiedBy, Decoded, Incomplete, NotedBy, Positions, Proof, Selection, ServerPosition, StepUpcaster,
};
pub use pghaul_core::journal::Head;
pub use pghaul_core::plan::{CopyFormat, InitialCopy, Route};
pub use pghaul_core::selection;
pub use pghaul_core::{
    Code, Concern, DatabaseName, DatabasePlan, Failure, Finding, JsonText, Mapping, Mark, Method, Severity,
    Side, Subject, TableClass, TableName, TablePlan, catalog, escaped, failures, hex, plan, quoted_name,
    shell_word,
};
pub use pghaul_postgres as postgres;
