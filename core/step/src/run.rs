//! What all steps of one run share.

use crate::accepted::Accepted;
use crate::check::Secret;
use crate::kept::Kept;
use crate::recorder::Recorder;
use crate::workers::Workers;
use pghaul_core::plan::{CopyFormat, InitialCopy};
use pghaul_core::{DatabaseName, Epoch, Failure, MigrationId};
use pghaul_postgres::{ConnInfo, Resolved, Server, Source, Target};
use std::path::PathBuf;
use std::sync::OnceLock;
use tokio_util::sync::CancellationToken;

/// What all steps of one run share.
pub struct RunContext {
    /// The source server.
    pub source: Server<Source>,
    /// The target server.
    pub target: Server<Target>,
    /// The way into the journal.
    pub recorder: Recorder,
    /// The migration.
    pub migration: MigrationId,
    /// This run's epoch.
    pub epoch: Epoch,
    /// A directory of this migration's own, mode 0700, beside the journal.
    pub state_directory: PathBuf,
    /// How the target's server reaches the source.
    pub way_back: WayBack,
    /// Who copies tables and builds indexes.
    pub workers: Workers,
    /// How rows are copied.
    pub copying: Copying,
    /// What lives no longer than this run.
    pub kept: Kept,
    /// What the user has accepted by name, once a removal is not refused.
    pub accepted: OnceLock<Accepted>,
    /// Cancelled when the user wants the run to end.
    pub cancel: CancellationToken,
}

impl RunContext {
    /// The name of a database on the target.
    pub fn target_database(&self, database: &DatabaseName) -> DatabaseName {
        self.recorder.read(|m| m.target_database(database))
    }
}

/// How rows are copied.
#[derive(Debug, Clone, Default)]
pub struct Copying {
    /// The format of COPY; absent, the best that is safe for each table.
    pub format: Option<CopyFormat>,
    /// The most bytes a second, of all workers together.
    pub rate_limit: Option<u64>,
    /// Whether a dump that was killed keeps the tables that it had finished: the user says that nobody writes to
    /// the source.
    pub keep_finished_tables: bool,
    /// Who copies what an initial copy by pghaul leaves: the target's workers, unless the user wants it otherwise.
    pub rest: InitialCopy,
}

/// How the target's server reaches the source: for subscriptions.
#[derive(Debug, Clone)]
pub struct WayBack {
    /// The source as we reach it.
    pub source: Resolved,
    /// What the user says for the target's server, where that differs.
    pub from_target: Option<ConnInfo>,
}

impl WayBack {
    /// The conninfo for `CREATE SUBSCRIPTION`, with its password. `settings` are those of
    /// [`Server::settings_for_others`].
    ///
    /// # Errors
    /// When it names files that are on this machine.
    pub fn conninfo(&self, database: &str, settings: &[(&str, &str)]) -> Result<Secret, Failure> {
        let text = match &self.from_target {
            Some(from_target) => {
                // Another role may not be allowed to set what ours is.
                let settings: Vec<(&str, &str)> = settings
                    .iter()
                    .copied()
                    .filter(|(name, _)| *name != "event_triggers")
                    .collect();
                self.source
                    .for_subscription_through(from_target, database, &settings)
            }
            None => self.source.for_subscription(database, settings),
        };
        Ok(Secret(text?))
    }
}
