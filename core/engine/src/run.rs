//! `run`: takes every selected database to `syncing` or `done`.

mod wal_limit;

use crate::database::Journey;
use crate::executor::Execution;
use crate::provider;
use crate::release::passed_in_cluster;
use crate::selection::{Candidate, select};
use crate::survey::{Survey, Surveyor, stopped_by};
use crate::wal_watch::{WalPolicy, WalWatch};
use futures_util::{StreamExt as _, stream};
use pghaul_core::event::Selection;
use pghaul_core::{
    Acceptance, Code, DatabaseEvent, DatabaseName, DatabaseState, Epoch, Event, Failure, Finding, Method,
    MigrationEvent, Phase,
};
use pghaul_postgres::{Server, Source};
use pghaul_step::check::{
    DiskSettings, Landscape, Rehearse, Secret, maintenance_for_reading, maintenance_for_writing,
};
use pghaul_step::retry::patiently;
use pghaul_step::step::ErasedStep;
use pghaul_step::throwaway::{self, drop_abandoned};
use pghaul_step::{Cluster, Descriptor, Notes, Registry, RunContext};
use std::sync::Arc;
use std::time::Duration;
use strum::{Display, EnumString};

/// How long sessions of an earlier runner may take to end.
const FENCE_TIMEOUT: Duration = Duration::from_secs(60);

/// How long what is going on may take to stop in order when the user stops the run; a server may not answer any more.
const WIND_DOWN: Duration = Duration::from_secs(10);

/// How long that user then waits for the run's sessions to end.
const FAREWELL: Duration = Duration::from_secs(5);

/// What an error that a check finds in one database stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Display, EnumString)]
#[strum(serialize_all = "kebab-case")]
pub enum OnCheckFailure {
    /// The whole run, before anything is created.
    #[default]
    Run,
    /// That database; the others are moved.
    Database,
}

/// What a run is asked to do.
#[derive(Debug, Clone)]
pub struct RunRequest {
    /// What the user selected; ignored where the journal already holds a selection.
    pub selection: Selection,
    /// The provider that the user says the source comes from, or `none`; recognised where it is absent.
    pub provider: Option<String>,
    /// What an error in one database stops.
    pub on_check_failure: OnCheckFailure,
    /// The checks whose errors the user takes upon himself, beside those of earlier runs.
    pub accepted: Vec<Acceptance>,
    /// What the user says about the disk of the target.
    pub disk: DiskSettings,
    /// Which schemas are rehearsed on the target before anything is created.
    pub rehearse: Rehearse,
    /// How many databases are moved side by side.
    pub databases_at_once: usize,
    /// Databases whose copied rows are discarded first, to be copied again.
    pub restart: Vec<DatabaseName>,
    /// How much WAL the source may keep for a database.
    pub wal: WalPolicy,
}

/// The engine of one run.
pub struct Engine {
    /// What all steps share.
    pub run: Arc<RunContext>,
    /// The steps and checks.
    pub registry: Arc<Registry>,
}

impl Engine {
    /// Takes every selected database to `syncing` or `done`, as far as that is possible.
    ///
    /// # Errors
    /// The first failure that stopped the run or a database. Other databases went on; the journal has all.
    pub async fn run(&self, request: &RunRequest) -> Result<(), Failure> {
        let outcome = tokio::select! {
            outcome = self.take_all_to_their_end(request) => outcome,
            () = self.wound_down() => Err(Failure::new(Code::Interrupted, "the run was stopped")),
        };
        if outcome
            .as_ref()
            .is_err_and(|failure| failure.code == Code::Interrupted)
        {
            self.end_own_sessions().await;
        }
        outcome
    }

    /// Until the user has stopped the run, and everything had its time to stop in order. What has not is left where it
    /// stands, as if the process had been killed.
    async fn wound_down(&self) {
        self.run.cancel.cancelled().await;
        tokio::time::sleep(WIND_DOWN).await;
    }

    async fn take_all_to_their_end(&self, request: &RunRequest) -> Result<(), Failure> {
        self.fence().await?;
        self.select(&request.selection, request.provider.as_deref())
            .await?;
        self.accept(&request.accepted).await?;
        let stopped = self.check(request).await?;
        self.run_cluster_steps(request).await?;
        for database in &request.restart {
            self.give_up_data(database).await?;
        }
        let failures = self.move_databases(request).await;
        if self.all_at_their_end() {
            self.give_back().await?;
        }
        match failures.into_iter().next().or(stopped) {
            Some(failure) => Err(failure),
            None => Ok(()),
        }
    }

    /// Ends what earlier runners left on the servers: a killed client's statement may live on for minutes.
    pub(crate) async fn fence(&self) -> Result<(), Failure> {
        self.end_sessions_before(self.run.epoch, FENCE_TIMEOUT).await?;
        // Whoever rehearsed: what is left of it is in the way of nobody, so nothing fails for it.
        if let Err(failure) = self.drop_abandoned_rehearsals().await {
            tracing::warn!(%failure, "databases of rehearsals may be left on the target");
        }
        Ok(())
    }

    async fn drop_abandoned_rehearsals(&self) -> Result<(), Failure> {
        let target = maintenance_for_reading(&self.run.target).await?;
        drop_abandoned(&self.run.target, &target).await?;
        Ok(())
    }

    /// Ends what this run has left on the servers when the user stopped it, such as a slot that waits for a
    /// transaction, or a rehearsal. Best effort: the next run ends it otherwise.
    async fn end_own_sessions(&self) {
        let ended = async {
            self.end_sessions_before(self.run.epoch.next(), FAREWELL).await?;
            self.drop_abandoned_rehearsals().await
        };
        if !matches!(tokio::time::timeout(FAREWELL, ended).await, Ok(Ok(()))) {
            tracing::debug!("sessions of this run may be left on the servers for a while");
        }
    }

    async fn end_sessions_before(&self, epoch: Epoch, timeout: Duration) -> Result<(), Failure> {
        let notes = Notes::about(&self.run.recorder, None, None);
        let _waiting = notes.waiting("the sessions of earlier runs to end");
        let migration = &self.run.migration;
        let on_source = async {
            let source = maintenance_for_writing(&self.run.source).await?;
            source.terminate_older_epochs(migration, epoch, timeout).await
        };
        let on_target = async {
            let target = maintenance_for_writing(&self.run.target).await?;
            target.terminate_older_epochs(migration, epoch, timeout).await
        };
        let (on_source, on_target) = tokio::join!(on_source, on_target);
        on_source?;
        on_target?;
        Ok(())
    }

    async fn select(&self, selection: &Selection, provider: Option<&str>) -> Result<(), Failure> {
        if self.run.recorder.read(|m| m.selection.is_some()) {
            return Ok(());
        }
        let databases = select(&candidates(&self.run.source).await?, selection)?;
        let provider = provider::recognise(&self.run.source, provider).await?;
        let event = MigrationEvent::DatabasesSelected {
            selection: Box::new(Selection {
                provider,
                ..selection.clone()
            }),
            databases,
        };
        self.run.recorder.append(Event::Migration(event)).await?;
        Ok(())
    }

    /// Checks and plans every database that has not begun. Returns the failure of those that can't begin.
    async fn check(&self, request: &RunRequest) -> Result<Option<Failure>, Failure> {
        let unplanned = self.unplanned();
        if unplanned.is_empty() {
            return Ok(None);
        }
        for (_, database) in &unplanned {
            let journey = self.journey(database);
            if self.state(database).phase() == pghaul_core::Phase::Failed {
                journey.append(DatabaseEvent::Resumed).await?;
            }
            journey.append(DatabaseEvent::CheckingStarted).await?;
        }
        let surveyor = self.surveyor(request);
        let survey = tokio::select! {
            survey = surveyor.survey(&unplanned) => survey?.complete()?,
            () = self.run.cancel.cancelled() => {
                return Err(Failure::new(Code::Interrupted, "the run was stopped"));
            }
        };
        self.journal_survey(&survey, request.on_check_failure).await
    }

    fn surveyor(&self, request: &RunRequest) -> Surveyor<'_> {
        let landscape = self.run.recorder.read(|m| Landscape::of(&self.run.migration, m));
        Surveyor {
            source: self.run.source.clone(),
            target: self.run.target.clone(),
            registry: &self.registry,
            landscape: Arc::new(Landscape {
                disk: request.disk,
                rehearse: request.rehearse,
                source_from_target: self.source_from_target(),
                ..landscape
            }),
        }
    }

    fn source_from_target(&self) -> Option<Secret> {
        // A conninfo that can't be used from the target's server is found by a check, which reports it.
        let settings = self.run.source.settings_for_others();
        self.run.way_back.conninfo("postgres", &settings).ok()
    }

    async fn journal_survey(
        &self,
        survey: &Survey,
        on_failure: OnCheckFailure,
    ) -> Result<Option<Failure>, Failure> {
        let findings = survey.findings.clone();
        let mut events = vec![Event::Migration(MigrationEvent::ClusterChecked { findings })];
        for surveyed in &survey.databases {
            let event = DatabaseEvent::Checked {
                findings: surveyed.findings.clone(),
            };
            events.push(Event::Database(surveyed.database.clone(), event));
        }
        self.run.recorder.append_all(events).await?;
        let errors: Vec<&Finding> = survey.all_findings().filter(|f| f.stops_migration()).collect();
        let could_go_on = survey.cluster_is_fit() && on_failure == OnCheckFailure::Run;
        let stop_all = !survey.cluster_is_fit() || (could_go_on && !errors.is_empty());
        for surveyed in &survey.databases {
            self.run.recorder.measured(&surveyed.database, surveyed.bytes);
            let own: Vec<&Finding> = surveyed.findings.iter().filter(|f| f.stops_migration()).collect();
            let event = match &surveyed.plan {
                _ if !own.is_empty() => DatabaseEvent::Failed {
                    failure: Box::new(
                        stopped_by(&own, could_go_on).with_database(surveyed.database.as_str()),
                    ),
                },
                Some(plan) if !stop_all => DatabaseEvent::Planned {
                    plan: Arc::new(plan.clone()),
                },
                _ => continue,
            };
            self.run
                .recorder
                .append(Event::Database(surveyed.database.clone(), event))
                .await?;
        }
        let failure = (!errors.is_empty()).then(|| stopped_by(&errors, could_go_on));
        if stop_all {
            failure.map_or(Ok(None), Err)
        } else {
            Ok(failure)
        }
    }

    /// The databases that have no plan yet, with their numbers.
    fn unplanned(&self) -> Vec<(u32, DatabaseName)> {
        let mut databases = self.run.recorder.read(|m| {
            m.databases
                .iter()
                .filter(|(_, d)| {
                    matches!(
                        d.state.work(),
                        DatabaseState::Pending | DatabaseState::Checking { .. }
                    )
                })
                .map(|(name, d)| (d.number, name.clone()))
                .collect::<Vec<_>>()
        });
        databases.sort();
        databases
    }

    async fn run_cluster_steps(&self, request: &RunRequest) -> Result<(), Failure> {
        let steps = self.registry.cluster_steps().map_err(Failure::from)?;
        let order: Vec<Descriptor> = steps.iter().map(|step| step.descriptor()).collect();
        let passed = self.run.recorder.read(|m| passed_in_cluster(m, &order));
        let moves = !self.all_at_their_end() || !request.restart.is_empty() || self.has_refused_any();
        for step in steps.iter().filter(|s| !passed.contains(s.descriptor().name)) {
            let execution = self.execution_of_cluster(step.as_ref());
            execution.complete(false).await?;
            if moves {
                step.lend(&execution.context()).await?;
            }
        }
        Ok(())
    }

    fn execution_of_cluster<'a>(&'a self, step: &'a dyn ErasedStep<Cluster>) -> Execution<'a, Cluster> {
        Execution {
            run: &self.run,
            step,
            subject: &(),
            occasion: None,
        }
    }

    /// Whether no database will be moved any further.
    pub(crate) fn all_at_their_end(&self) -> bool {
        self.run.recorder.read(|m| {
            let mut databases = m.databases.values();
            databases.all(|d| matches!(d.state.phase(), Phase::Done | Phase::Removed))
        })
    }

    fn has_refused_any(&self) -> bool {
        self.run.recorder.read(|m| {
            let mut proofs = m.databases.values().filter_map(|d| d.proof.as_ref());
            proofs.any(pghaul_core::event::Proof::has_refused)
        })
    }

    /// Lends pghaul's role what was given back when every database was done: the databases may let their owners in only.
    pub(crate) async fn lend_again(&self) -> Result<(), Failure> {
        for step in self.registry.cluster_steps().map_err(Failure::from)? {
            let context = self.execution_of_cluster(step.as_ref()).context();
            patiently(&context.notes(), "granting pghaul's role its memberships", || {
                step.lend(&context)
            })
            .await?;
        }
        Ok(())
    }

    /// Gives back what steps of the cluster have lent pghaul's role.
    pub(crate) async fn give_back(&self) -> Result<(), Failure> {
        for step in self.registry.cluster_steps().map_err(Failure::from)? {
            let context = self.execution_of_cluster(step.as_ref()).context();
            patiently(
                &context.notes(),
                "revoking the memberships of pghaul's role",
                || step.give_back(&context),
            )
            .await?;
        }
        Ok(())
    }

    /// Moves the databases side by side, the first selected first; one that fails does not stop the others.
    async fn move_databases(&self, request: &RunRequest) -> Vec<Failure> {
        let mut databases = self.run.recorder.read(|m| {
            m.databases
                .iter()
                .filter(|(_, d)| {
                    !matches!(
                        d.state.work(),
                        DatabaseState::Pending | DatabaseState::Checking { planned: None }
                    )
                })
                .map(|(name, d)| (d.number, name.clone()))
                .collect::<Vec<_>>()
        });
        databases.sort();
        let watch = WalWatch::new(&self.run, request.wal);
        let moving = stream::iter(databases)
            .map(|(_, database)| {
                let watch = &watch;
                async move { self.complete_within_limit(watch, &database).await }
            })
            .buffer_unordered(request.databases_at_once.max(1))
            .collect::<Vec<Option<Failure>>>();
        tokio::select! {
            failures = moving => failures.into_iter().flatten().collect(),
            never = watch.look_for_ever() => match never {},
        }
    }

    pub(crate) fn journey<'a>(&'a self, database: &'a DatabaseName) -> Journey<'a> {
        Journey {
            run: &self.run,
            registry: &self.registry,
            database,
        }
    }

    pub(crate) fn state(&self, database: &DatabaseName) -> DatabaseState {
        self.run
            .recorder
            .read(|m| m.databases.get(database).map(|d| d.state.clone()))
            .unwrap_or(DatabaseState::Pending)
    }

    /// The method in use for a database, once it has a plan.
    pub(crate) fn method(&self, database: &DatabaseName) -> Option<Method> {
        self.run.recorder.read(|m| {
            m.databases
                .get(database)
                .and_then(pghaul_core::machine::DatabaseRecord::method)
        })
    }
}

/// The source's databases, with what the selection needs to know of them.
///
/// # Errors
/// When the source can't be asked.
pub async fn candidates(source: &Server<Source>) -> Result<Vec<Candidate>, Failure> {
    let session = maintenance_for_reading(source).await?;
    // Databases of rehearsals are gone soon.
    let sql = "SELECT datname::text FROM pg_catalog.pg_database \
               WHERE datname !~ $1::text ORDER BY datname::text COLLATE \"C\"";
    let rows = session
        .doing("list the databases")
        .query(sql, &[&throwaway::NAMES])
        .await?;
    let mut candidates = Vec::with_capacity(rows.len());
    for row in rows {
        let name: String = row.get(0);
        let has_user_objects = name == "postgres" && uses_postgres(source).await;
        candidates.push(Candidate {
            name: DatabaseName::new(name),
            has_user_objects,
        });
    }
    Ok(candidates)
}

/// Whether somebody has created something in `postgres`. A `postgres` that can't be looked into counts as
/// unused: it is a maintenance database.
async fn uses_postgres(source: &Server<Source>) -> bool {
    let look = source.read("postgres", async |session| {
        let row = session
            .doing("look for objects of users in postgres")
            .query_one(include_str!("user_objects.sql"), &[])
            .await?;
        Ok(row.get::<_, bool>(0))
    });
    look.await.unwrap_or(false)
}
