//! A runner: the one process that works on a migration. It has the lock, journals its start and its end, and gives
//! the engine everything that it needs.

use crate::command::Session;
use crate::journals;
use crate::progress::notify::NotifyingObserver;
use crate::progress::published::Publisher;
use crate::servers::Servers;
use crate::signals::Signals;
use pghaul_core::event::{Ending, Incomplete, Invocation, Runner as RunnerFacts};
use pghaul_core::journal::Head;
use pghaul_core::machine::DatabaseRecord;
use pghaul_core::{
    Code, DatabaseEvent, DatabaseState, Epoch, Event, Failure, Journal, Migration, MigrationEvent,
    MigrationId, id,
};
use pghaul_engine::{Engine, Purpose, changed_definitions, refuse_other_release};
use pghaul_external::Observing;
use pghaul_step::progress::Blind;
use pghaul_step::{Copying, Faults, Kept, Observer, Recorder, RunContext, WayBack, Workers};
use pghaul_store::{Clock, Holder, JournalFile, Writer};
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

/// A migration whose lock we hold, before the servers are connected to.
pub(crate) struct Locked {
    id: MigrationId,
    writer: Arc<Writer>,
    state_directory: PathBuf,
}

/// What an engine is made of beside the journal.
pub(crate) struct Equipment {
    pub(crate) servers: Servers,
    pub(crate) way_back: WayBack,
    pub(crate) workers: Workers,
    pub(crate) copying: Copying,
    pub(crate) signals: Signals,
    pub(crate) observer: Arc<dyn Observer>,
}

/// How a runner begins.
#[derive(Debug, Clone)]
pub(crate) struct Start {
    /// `run` or `remove`.
    pub(crate) command: &'static str,
    /// `--take-over`.
    pub(crate) take_over: bool,
    /// `--reason`.
    pub(crate) reason: Option<String>,
}

/// A runner at work.
pub(crate) struct Runner {
    pub(crate) engine: Engine,
    locked: Locked,
    publisher: Publisher,
    observing: Arc<Observing>,
}

impl Locked {
    /// Takes the lock of a migration.
    ///
    /// # Errors
    /// [`Code::AlreadyRunning`] with the process that has it; or a journal that can't be used.
    pub(crate) fn take(file: &JournalFile, id: &MigrationId) -> Result<Self, Failure> {
        let writer = file.write_migration(id)?;
        Ok(Self {
            id: id.clone(),
            writer: Arc::new(writer),
            state_directory: journals::state_directory(file, id),
        })
    }

    /// Refuses to go on where the last runner was on another host and has not said that it ended: this host's
    /// lock says nothing about it.
    ///
    /// # Errors
    /// [`Code::AlreadyRunning`], unless the user takes over. Returns whether this is a take-over.
    pub(crate) fn check_last_runner(&self, take_over: bool) -> Result<bool, Failure> {
        let last = self.read(|m| m.runner.clone().filter(|_| !m.stopped));
        let here = Holder::this_process(&Clock::system()).host;
        match last.filter(|runner| runner.host != here) {
            None => Ok(false),
            Some(_) if take_over => Ok(true),
            Some(RunnerFacts { host, pid, user, .. }) => Err(Failure::new(
                Code::AlreadyRunning,
                format!("the last runner, process {pid} of {user} on host {host}, has not ended in order"),
            )
            .with_hint("see that it no longer runs there, then give --take-over")),
        }
    }

    /// Refuses a migration that this program can't go on with, since it lacks a step or is older than the journal. Steps that
    /// are defined otherwise than when it was planned are shown.
    ///
    /// # Errors
    /// [`Code::OtherRelease`] with what is missing.
    pub(crate) fn check_release(&self, session: &Session, purpose: Purpose) -> Result<(), Failure> {
        self.read(|m| refuse_other_release(&session.registry, m, purpose))?;
        for changed in self.read(|m| changed_definitions(&session.registry, m)) {
            session.printer.note(&format!("warning: {changed}"));
        }
        Ok(())
    }

    /// Reads something out of the state.
    pub(crate) fn read<T>(&self, read: impl FnOnce(&Migration) -> T) -> T {
        let journal: &dyn Journal = self.writer.as_ref();
        journal.read(read)
    }

    /// The journal's end.
    pub(crate) fn head(&self) -> Head {
        self.writer.head()
    }

    /// The migration.
    pub(crate) fn id(&self) -> &MigrationId {
        &self.id
    }

    /// The `application_name` of the runner that begins now.
    pub(crate) fn application_name(&self) -> String {
        id::application_name(&self.id, self.next_epoch())
    }

    fn next_epoch(&self) -> Epoch {
        self.read(|m| m.epoch.next())
    }

    /// What the journal is told of this process.
    pub(crate) fn facts(&self, session: &Session, start: &Start, took_over: bool) -> RunnerFacts {
        let Holder { pid, host, user, .. } = Holder::this_process(&Clock::system());
        RunnerFacts {
            host,
            pid,
            user,
            epoch: self.next_epoch(),
            command: start.command.to_owned(),
            pghaul: Some(env!("CARGO_PKG_VERSION").to_owned()),
            took_over,
            last_unended: self.read(|m| m.runner.is_some() && !m.stopped),
            invocation: Some(Box::new(Invocation {
                reason: start.reason.clone(),
                configuration: session.configuration.journaled.clone(),
                ..session.invocation.as_ref().clone()
            })),
        }
    }

    /// Deletes the migration's own directory, whose files are of no use after a removal.
    pub(crate) fn clear_state_directory(&self) {
        let directory = &self.state_directory;
        if let Err(error) = std::fs::remove_dir_all(directory)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(%error, "can't delete {}", directory.display());
        }
        // The directory above holds those of other migrations; it goes when it is empty.
        let _ = directory.parent().map(std::fs::remove_dir);
    }

    /// Ends a migration of which nothing is on any server any more: all of its databases become removed, or none is selected any
    /// more. `left` is what stays in each of them, where one of the servers is gone.
    ///
    /// # Errors
    /// When the journal can't be written.
    pub(crate) async fn close(
        &self,
        session: &Session,
        start: &Start,
        left: Option<Incomplete>,
    ) -> Result<Head, Failure> {
        let facts = self.facts(session, start, start.take_over);
        let events = self.read(|m| closing(m, facts, left));
        let journal: Arc<dyn Journal> = Arc::clone(&self.writer) as Arc<dyn Journal>;
        let recorder = Recorder::new(journal, Arc::new(Faults::default()), Arc::new(Blind));
        recorder.append_all(events).await?;
        Ok(self.head())
    }

    /// Journals the start of this process, and makes its engine.
    ///
    /// # Errors
    /// When the last runner may still be at work elsewhere, or the journal or the state directory can't be
    /// written.
    pub(crate) async fn start(
        self,
        session: &Session,
        start: Start,
        equipment: Equipment,
    ) -> Result<Runner, Failure> {
        let took_over = self.check_last_runner(start.take_over)?;
        let directory = &self.state_directory;
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(|error| {
                Failure::new(
                    Code::JournalUnusable,
                    format!("can't create {}", directory.display()),
                )
                .with_cause(error)
            })?;
        let epoch = self.next_epoch();
        let facts = self.facts(session, &start, took_over);
        let journal: Arc<dyn Journal> = Arc::clone(&self.writer) as Arc<dyn Journal>;
        let observing = Arc::new(Observing::start(&session.configuration.observers));
        let observer = NotifyingObserver {
            shown: equipment.observer,
            observing: Arc::clone(&observing),
            migration: self
                .read(|m| m.created.as_ref().map(|created| created.name.clone()))
                .unwrap_or_default(),
        };
        let publisher = Publisher::start(Arc::new(observer), directory);
        let faults = Arc::new(Faults::from_environment());
        let recorder =
            Recorder::new(journal, faults, publisher.observer()).with_versions(session.registry.versions());
        recorder
            .append(Event::Migration(MigrationEvent::RunnerStarted(facts)))
            .await?;
        let run = RunContext {
            source: equipment.servers.source,
            target: equipment.servers.target,
            recorder,
            migration: self.id.clone(),
            epoch,
            state_directory: directory.clone(),
            way_back: equipment.way_back,
            workers: equipment.workers,
            copying: equipment.copying,
            kept: Kept::default(),
            accepted: OnceLock::new(),
            cancel: equipment.signals.token().clone(),
        };
        let engine = Engine {
            run: Arc::new(run),
            registry: Arc::clone(&session.registry),
        };
        Ok(Runner {
            engine,
            locked: self,
            publisher,
            observing,
        })
    }
}

impl Runner {
    /// Journals how it ended. Where the journal itself is the trouble, nothing can be journaled.
    pub(crate) async fn stop(self, outcome: &Result<(), Failure>) -> Locked {
        let (ending, failure) = match outcome {
            Ok(()) => (Ending::Finished, None),
            Err(failure) if failure.code == Code::Interrupted => (Ending::Interrupted, None),
            Err(failure) => (Ending::Failed, Some(Box::new(failure.clone()))),
        };
        let broken = |f: &Failure| matches!(f.code, Code::JournalUnusable | Code::JournalDamaged);
        if !outcome.as_ref().is_err_and(broken) {
            let event = MigrationEvent::RunnerStopped { ending, failure };
            if let Err(failure) = self.engine.run.recorder.append(Event::Migration(event)).await {
                tracing::warn!(%failure, "the end of this run could not be journaled");
            }
        }
        self.engine.run.recorder.faults().report();
        drop(self.publisher);
        self.observing.finish().await;
        self.locked
    }
}

/// The events that end a migration which has not acted, or of which a server is gone.
fn closing(migration: &Migration, facts: RunnerFacts, left: Option<Incomplete>) -> Vec<Event> {
    let (by, reason) = (facts.identity(), facts.reason());
    let overrides: &[&str] = match left {
        Some(_) => &["--force", "--gone"],
        None => &[],
    };
    let mut events = vec![Event::Migration(MigrationEvent::RunnerStarted(facts))];
    if migration.selection.is_none() {
        let (selection, databases) = (Box::default(), Vec::new());
        events.push(Event::Migration(MigrationEvent::DatabasesSelected {
            selection,
            databases,
        }));
    }
    let open = |record: &DatabaseRecord| record.state != DatabaseState::Removed;
    for (name, _) in migration.databases.iter().filter(|(_, record)| open(record)) {
        let started = DatabaseEvent::RemovalStarted {
            forced: left.is_some(),
            despite: None,
            left: left.iter().cloned().collect(),
            connected: None,
            by: Some(by.clone()),
            accepted: Vec::new(),
            reason: reason.clone(),
            overrides: overrides.iter().map(ToString::to_string).collect(),
        };
        events.push(Event::Database(name.clone(), started));
        events.push(Event::Database(name.clone(), DatabaseEvent::Removed));
    }
    events.push(Event::Migration(MigrationEvent::RunnerStopped {
        ending: Ending::Finished,
        failure: None,
    }));
    events
}

#[cfg(test)]
mod tests {
    use super::Locked;
    use pghaul_core::event::{Created, Ending, Endpoint, Runner as RunnerFacts};
    use pghaul_core::{Code, Epoch, Event, Journal as _, MigrationEvent, MigrationId};
    use pghaul_store::JournalFile;

    async fn locked_after(host: &str, stopped: bool) -> (tempfile::TempDir, Locked) {
        let directory = tempfile::tempdir().unwrap();
        let file = JournalFile::create(directory.path().join("journal.db")).unwrap();
        let side = || Endpoint {
            conninfo: String::new(),
            system_identifier: "1".into(),
            version: 150_000,
        };
        let created = Created {
            name: "a".into(),
            source: side(),
            target: side(),
            pghaul: "0".into(),
        };
        let id = MigrationId::new("aaaaaaaa");
        file.begin(&id, created).unwrap();
        let locked = Locked::take(&file, &id).unwrap();
        let (host, user, command) = (host.to_owned(), "u".to_owned(), "run".to_owned());
        let runner = RunnerFacts {
            host,
            pid: 7,
            user,
            epoch: Epoch(1),
            command,
            ..RunnerFacts::default()
        };
        let mut events = vec![Event::Migration(MigrationEvent::RunnerStarted(runner))];
        if stopped {
            let event = MigrationEvent::RunnerStopped {
                ending: Ending::Finished,
                failure: None,
            };
            events.push(Event::Migration(event));
        }
        locked.writer.append(events).await.unwrap();
        (directory, locked)
    }

    #[tokio::test]
    async fn a_runner_on_another_host_that_has_not_ended_needs_a_take_over() {
        let (_directory, locked) = locked_after("elsewhere.example.com", false).await;
        let refusal = locked.check_last_runner(false).unwrap_err();
        assert_eq!(refusal.code, Code::AlreadyRunning);
        assert!(refusal.message.contains("elsewhere.example.com"), "{refusal}");
        assert_eq!(locked.check_last_runner(true), Ok(true));
    }

    #[tokio::test]
    async fn one_that_has_ended_or_died_here_needs_none() {
        let (_directory, locked) = locked_after("elsewhere.example.com", true).await;
        assert_eq!(locked.check_last_runner(true), Ok(false));
        let here = pghaul_store::Holder::this_process(&pghaul_store::Clock::system()).host;
        let (_directory, locked) = locked_after(&here, false).await;
        assert_eq!(locked.check_last_runner(false), Ok(false));
        assert!(locked.application_name().ends_with("/2"), "the epoch is raised");
    }
}
