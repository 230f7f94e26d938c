//! The only loop: takes databases through their states, runs steps, journals events, resumes.
//!
//! - [`selection`]: which databases are moved
//! - [`survey`]: looks at everything and touches nothing; `plan`, `check` and `run` begin with it
//! - [`run`]: `run`, from the first event to `syncing` and `done`
//! - [`removal`] takes everything of ours off both servers
//! - [`standing`]: `status`, a fresh look that is not journaled
//!
//! Inside, `database` drives one database through its states, `executor` runs one step, and `retry` is the
//! table of what is tried again.

mod database;
mod executor;
mod planning;
pub mod removal;
mod retry;
pub mod run;
pub mod selection;
pub mod standing;
pub mod survey;

pub use run::{Engine, OnCheckFailure, RunRequest, candidates, workers_within};
pub use survey::{Survey, SurveyedDatabase, Surveyor};
