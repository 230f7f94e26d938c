//! What is shown of a migration: the journal's state, and over it what a fresh look at the servers found.

use crate::exit_code::ExitCode;
use crate::progress::published::Published;
use pghaul_core::event::{Incomplete, Proof, Runner};
use pghaul_core::journal::Head;
use pghaul_core::machine::DatabaseRecord;
use pghaul_core::status::{method_label, overall};
use pghaul_core::{DatabaseName, DatabaseState, Failure, Method, Migration, MigrationId, Phase, TablePlan};
use pghaul_engine::Lag;
use pghaul_engine::standing::Copied;
use pghaul_step::Standing;
use pghaul_store::{Clock, Holder};
use std::collections::BTreeMap;

/// A migration as it is shown.
#[derive(Debug, Clone)]
pub(crate) struct View {
    pub(crate) id: MigrationId,
    pub(crate) name: String,
    /// Conninfos without secrets.
    pub(crate) source: String,
    pub(crate) target: String,
    pub(crate) status: Phase,
    /// In the order of their numbers.
    pub(crate) databases: Vec<DatabaseView>,
    /// What has changed in the cluster as a whole since it was moved.
    pub(crate) incomplete: Vec<Incomplete>,
    pub(crate) head: Head,
    /// The time of the look, or of the journal's last event.
    pub(crate) as_of: Option<String>,
    /// What is to be said of the last run, when somebody asks afterwards.
    pub(crate) last_run: Option<LastRun>,
    /// The process that works on it now.
    pub(crate) worker: Option<Worker>,
    /// Why the journal is not the newest one, where the target knows a newer.
    pub(crate) older_copy: Option<Failure>,
}

/// The last run, where it did not end well.
#[derive(Debug, Clone)]
pub(crate) enum LastRun {
    /// It has not ended in order: it works, or it was killed. A lock of this host tells which where it ran here.
    Open { runner: Runner, here: bool },
    /// It failed, and not because of one database.
    Failed(Failure),
}

/// A process of this host that works on the migration.
#[derive(Debug, Clone)]
pub(crate) struct Worker {
    /// The process, where its lock file can be read.
    pub(crate) holder: Option<Holder>,
    /// What it does, as it has published last.
    pub(crate) progress: Option<Published>,
}

/// A database as it is shown.
#[derive(Debug, Clone)]
pub(crate) struct DatabaseView {
    pub(crate) name: DatabaseName,
    /// Its name on the target.
    pub(crate) target: DatabaseName,
    pub(crate) number: u32,
    pub(crate) phase: Phase,
    /// The phase it failed in.
    pub(crate) during: Option<Phase>,
    pub(crate) method: Option<Method>,
    /// Why it failed, or what is wrong with its replication.
    pub(crate) error: Option<Failure>,
    /// Everything that a fresh look found wrong, the first of which is the error.
    pub(crate) problems: Vec<Failure>,
    /// Why it is not replicated.
    pub(crate) reasons: Vec<String>,
    pub(crate) tables: Option<u64>,
    pub(crate) rows: Option<u64>,
    /// What is to be completed; of a removed database, what was left incomplete.
    pub(crate) incomplete: Vec<Incomplete>,
    /// What was written on the source after a one-time copy, as far as counters of the server show it.
    pub(crate) written: Vec<Incomplete>,
    /// The position of the source's WAL that a one-time copy is as of.
    pub(crate) copied_at: Option<String>,
    pub(crate) lag_bytes: Option<u64>,
    /// The positions of its slots, where it has any.
    pub(crate) lag: Option<Lag>,
    /// How long ago the source was where the target is; only a command that watches knows.
    pub(crate) lag_seconds: Option<f64>,
    pub(crate) retained_bytes: Option<u64>,
    /// How much WAL a slot of the source may keep, where there is a limit.
    pub(crate) keep_size_bytes: Option<u64>,
    /// When the state was proven last.
    pub(crate) as_of: Option<String>,
    /// Whether the servers confirmed the state just now.
    pub(crate) checked: bool,
    /// Why they could not be asked.
    pub(crate) unchecked: Option<Failure>,
}

/// When states were proven last, by the journal.
pub(crate) type Times = BTreeMap<DatabaseName, String>;

impl View {
    /// What the journal says.
    pub(crate) fn of_journal(id: &MigrationId, migration: &Migration, head: Head, times: &Times) -> Self {
        let created = migration.created.as_ref();
        let conninfo = |of: fn(&pghaul_core::event::Created) -> &str| created.map_or("", of).to_owned();
        let mut databases: Vec<DatabaseView> = migration
            .databases
            .iter()
            .map(|(name, record)| DatabaseView {
                target: migration.target_database(name),
                ..DatabaseView::of_journal(name, record, times.get(name).cloned())
            })
            .collect();
        databases.sort_by_key(|database| database.number);
        let mut view = Self {
            id: id.clone(),
            name: created.map_or("", |c| c.name.as_str()).to_owned(),
            source: conninfo(|c| c.source.conninfo.as_str()),
            target: conninfo(|c| c.target.conninfo.as_str()),
            status: Phase::Pending,
            databases,
            incomplete: Vec::new(),
            head,
            as_of: times.values().max().cloned(),
            last_run: None,
            worker: None,
            older_copy: None,
        };
        view.settle();
        view
    }

    /// Takes over what a fresh look found, at a time.
    pub(crate) fn with_standings(
        mut self,
        standings: BTreeMap<DatabaseName, Result<Standing, Failure>>,
        now: &str,
    ) -> Self {
        for (name, standing) in standings {
            if let Some(database) = self.databases.iter_mut().find(|d| d.name == name) {
                database.take(standing, now);
            }
        }
        self.as_of = Some(now.to_owned());
        self.settle();
        self
    }

    /// Takes over what a fresh look at the cluster as a whole found.
    pub(crate) fn with_cluster(mut self, standing: Standing) -> Self {
        self.incomplete = standing.proof.incomplete;
        self
    }

    /// Adds what the journal says of the last run.
    pub(crate) fn with_last_run(mut self, migration: &Migration) -> Self {
        let of_database = self.databases.iter().any(|d| d.phase == Phase::Failed);
        self.last_run = match (&migration.runner, &migration.failure) {
            (Some(runner), _) if !migration.stopped => {
                let here = Holder::this_process(&Clock::system()).host == runner.host;
                let runner = runner.clone();
                Some(LastRun::Open { runner, here })
            }
            (_, Some(failure)) if !of_database => Some(LastRun::Failed(failure.clone())),
            _ => None,
        };
        self
    }

    /// Adds the process that works on it.
    pub(crate) fn with_worker(mut self, worker: Option<Worker>) -> Self {
        self.worker = worker;
        self
    }

    /// Adds what a fresh look at one-time copies found.
    pub(crate) fn with_copies(
        mut self,
        copies: BTreeMap<DatabaseName, Result<Copied, Failure>>,
        now: &str,
    ) -> Self {
        for (name, copied) in copies {
            if let Some(database) = self.databases.iter_mut().find(|d| d.name == name) {
                match copied {
                    Ok(Copied { written, lost }) => {
                        database.written = written;
                        database.checked = true;
                        database.as_of = Some(now.to_owned());
                        database.has_problems(lost);
                    }
                    Err(failure) => database.unchecked = Some(failure),
                }
            }
        }
        self.settle();
        self
    }

    /// Takes over what a fresh look at the slots found.
    pub(crate) fn with_slots(mut self, slots: BTreeMap<DatabaseName, Result<u64, Failure>>) -> Self {
        for (name, kept) in slots {
            if let Some(database) = self.databases.iter_mut().find(|d| d.name == name) {
                database.checked = true;
                match kept {
                    Ok(bytes) => database.retained_bytes = Some(bytes),
                    Err(failure) => database.fail(failure),
                }
            }
        }
        self.settle();
        self
    }

    /// Adds where the slots are.
    pub(crate) fn with_lag(mut self, mut lags: BTreeMap<DatabaseName, Lag>) -> Self {
        for database in &mut self.databases {
            database.lag = lags.remove(&database.name);
        }
        self
    }

    /// Adds that the journal is an older copy.
    pub(crate) fn with_older_copy(mut self, failure: Failure) -> Self {
        self.older_copy = Some(failure);
        self
    }

    /// Adds what the source's settings say about the WAL that slots may keep.
    pub(crate) fn with_keep_size(mut self, bytes: Option<u64>) -> Self {
        for database in self.databases.iter_mut().filter(|d| d.retained_bytes.is_some()) {
            database.keep_size_bytes = bytes;
        }
        self
    }

    /// Marks every database that should be asked as not asked, for one reason.
    pub(crate) fn unreachable(mut self, failure: &Failure) -> Self {
        let asked = |d: &&mut DatabaseView| {
            matches!(d.phase, Phase::Syncing | Phase::Replicating | Phase::Done) && !d.checked
        };
        for database in self.databases.iter_mut().filter(asked) {
            database.unchecked = Some(failure.clone());
        }
        self
    }

    fn settle(&mut self) {
        let phases: Vec<Phase> = self.databases.iter().map(|d| d.phase).collect();
        self.status = overall(&phases);
    }

    /// Whether every database is where `run` wants it.
    pub(crate) fn has_arrived(&self) -> bool {
        !self.databases.is_empty()
            && self
                .databases
                .iter()
                .all(|d| matches!(d.phase, Phase::Syncing | Phase::Done))
    }

    /// Whether nothing more can be done by `run`: what the target refuses can be tried again.
    pub(crate) fn is_over(&self) -> bool {
        !self.databases.is_empty()
            && self.databases.iter().all(|d| match d.phase {
                Phase::Done => !d.incomplete.iter().any(|incomplete| incomplete.refused),
                phase => phase == Phase::Removed,
            })
    }

    /// The first failure of a database.
    pub(crate) fn error(&self) -> Option<&Failure> {
        self.databases
            .iter()
            .find(|d| d.phase == Phase::Failed)
            .and_then(|d| d.error.as_ref())
    }

    /// Why it is not known whether a replicated database is still what the journal says. A one-time copy needs no server.
    pub(crate) fn unknown(&self) -> Option<&Failure> {
        let replicated = |d: &&DatabaseView| matches!(d.phase, Phase::Syncing | Phase::Replicating);
        let mut databases = self.databases.iter().filter(replicated);
        databases.find_map(|database| database.unchecked.as_ref())
    }

    /// The method as the overall status names it: the databases', where they agree.
    pub(crate) fn method(&self) -> &'static str {
        let mut methods = self.databases.iter().map(|d| d.method);
        match methods.next() {
            Some(Some(first)) if methods.all(|m| m == Some(first)) => method_label(first),
            _ => "",
        }
    }

    /// The exit code of a command that only shows.
    pub(crate) fn exit_code(&self) -> ExitCode {
        if let Some(failure) = &self.older_copy {
            failure.code.into()
        } else if self.status == Phase::Failed {
            ExitCode::MigrationFailed
        } else if let Some(failure) = self.unknown() {
            failure.code.into()
        } else {
            ExitCode::Success
        }
    }
}

impl DatabaseView {
    /// Its name; where the target has another one, both.
    pub(crate) fn names(&self) -> String {
        match self.target == self.name {
            true => self.name.to_string(),
            false => format!("{} → {}", self.name, self.target),
        }
    }

    fn of_journal(name: &DatabaseName, record: &DatabaseRecord, as_of: Option<String>) -> Self {
        let proof = record.proof.as_ref();
        let during = match &record.state {
            DatabaseState::Failed { during } => Some(during.phase()),
            _ => None,
        };
        let planned = record.plan.as_ref();
        let mut reasons = planned.map(|plan| plan.reasons.clone()).unwrap_or_default();
        if let Some(failure) = &record.fell_back {
            reasons.push(format!("replication could not be set up: {}", failure.message));
        }
        Self {
            name: name.clone(),
            target: name.clone(),
            number: record.number,
            phase: record.state.phase(),
            during,
            method: record.method(),
            error: record.failure.clone(),
            problems: Vec::new(),
            reasons,
            tables: complete_tables(record).or_else(|| planned.map(|plan| held_tables(plan))),
            rows: proof.and_then(|p| p.rows),
            incomplete: match record.state {
                DatabaseState::Removing | DatabaseState::Removed => record.left.clone(),
                _ => proof.map(|p| p.incomplete.clone()).unwrap_or_default(),
            },
            written: Vec::new(),
            copied_at: proof
                .filter(|_| record.state == DatabaseState::Done)
                .and_then(|p| p.fence.clone()),
            lag_bytes: None,
            lag: None,
            lag_seconds: None,
            retained_bytes: None,
            keep_size_bytes: None,
            as_of: as_of.filter(|_| proof.is_some()),
            checked: false,
            unchecked: None,
        }
    }

    /// How many objects are listed as incomplete, but for what `remove` completes itself.
    pub(crate) fn open_items(&self) -> u64 {
        self.incomplete.iter().filter(|item| item.is_open()).count() as u64
    }

    fn take(&mut self, standing: Result<Standing, Failure>, now: &str) {
        match standing {
            Ok(standing) => {
                let Proof {
                    tables,
                    rows,
                    incomplete,
                    ..
                } = standing.proof;
                self.checked = true;
                self.as_of = Some(now.to_owned());
                self.tables = Some(tables);
                self.rows = rows.or(self.rows);
                self.incomplete = incomplete;
                self.lag_bytes = standing.lag_bytes;
                self.retained_bytes = standing.retained_bytes;
                self.has_problems(standing.problems);
            }
            Err(failure) => match ExitCode::from(failure.code) {
                ExitCode::StateLost => {
                    self.checked = true;
                    self.as_of = Some(now.to_owned());
                    self.fail(failure);
                }
                _ => self.unchecked = Some(failure),
            },
        }
    }

    fn has_problems(&mut self, problems: Vec<Failure>) {
        self.problems.clone_from(&problems);
        let mut problems = problems.into_iter();
        if let Some(first) = problems.next() {
            let more = problems.map(|problem| problem.message);
            self.fail(more.fold(first, Failure::with_cause));
        }
    }

    fn fail(&mut self, failure: Failure) {
        self.during = Some(self.phase);
        self.phase = Phase::Failed;
        self.error = Some(failure);
    }
}

/// How many tables are complete on the target: the proof's, and those that the removal has copied once more.
fn complete_tables(record: &DatabaseRecord) -> Option<u64> {
    let proof = record.proof.as_ref()?;
    if !record.completed || record.method() != Some(Method::Replication) {
        return Some(proof.tables);
    }
    let is_left = |table: &&TablePlan| record.left.iter().any(|item| item.object == table.object());
    let deferred = record.plan.iter().flat_map(|plan| plan.deferred());
    Some(proof.tables + deferred.filter(|table| !is_left(table)).count() as u64)
}

/// How many tables with rows of its own the plan has.
fn held_tables(plan: &pghaul_core::DatabasePlan) -> u64 {
    let holds = |t: &&pghaul_core::TablePlan| t.kind == pghaul_core::plan::RelationKind::Table;
    plan.tables.iter().filter(holds).count() as u64
}
