//! The only loop: takes databases through their states, runs steps, journals events, resumes.
//!
//! - [`selection`]: which databases are moved
//! - [`acceptance`]: overrides of checks
//! - [`survey`]: looks at everything and touches nothing; `plan`, `check` and `run` begin with it
//! - [`estimate`]: what a migration needs, and how long it will take
//! - [`run`]: `run`, from the first event to `syncing` and `done`
//! - [`removal`] takes everything of pghaul off both servers
//! - [`doctor`]: everything of pghaul on the servers, with and without a journal
//! - [`release`]: whether this program can go on with what another release began
//! - [`standing`]: `status`, a fresh look that is not journaled
//!
//! Inside, `checking` makes checks side by side, `database` drives one database through its states, `executor` runs
//! one step, `explain` says what its failure means.

pub mod acceptance;
mod budget;
mod checking;
mod database;
pub mod doctor;
pub mod estimate;
mod executor;
mod explain;
pub mod lag;
pub mod provider;
mod refused;
pub mod release;
pub mod removal;
mod renamed;
mod restart;
pub mod run;
pub mod selection;
pub mod standing;
pub mod survey;
mod wal_rate;
mod wal_watch;

pub use acceptance::{check_acceptances, check_databases};
pub use budget::{FEWEST_CONNECTIONS, connections_within, side_by_side_within, workers_within};
pub use estimate::{Estimate, Needs};
pub use lag::Lag;
pub use release::{Purpose, changed_definitions, refuse_other_release};
pub use removal::{Allowed, Removal};
pub use run::{Engine, OnCheckFailure, RunRequest, candidates};
pub use survey::{Survey, SurveyedDatabase, Surveyor};
pub use wal_watch::{OnWalLimit, WalPolicy};
