//! The battery of tests that every step should pass; see the contract of [`Step`].
//!
//! It plays the engine, against two real servers and with a journal [`InMemory`]:
//!
//! 1. every call twice: `probe` before anything is there, `run` as after a crash between acting and recording,
//!    `probe` again, `undo`;
//! 2. after `undo` both servers are as they were;
//! 3. `run`, then `undo`, stopped at each fault position ([`crate::fault`]), before and after every effect and every
//!    event of its own; the next runner goes on;
//! 4. `run` dropped in the middle, ever later; the next runner takes over, probes, and runs to the end.
//!
//! ```no_run
//! # use pghaul_step::conformance::{Bench, plan};
//! # use pghaul_step::{Database, Method, Step, postgres::{Server, Source, Target}};
//! # async fn test(step: impl Step<Scope = Database>, source: Server<Source>, target: Server<Target>) {
//! let bench = Bench { source, target, plan: plan("shop", Method::Dump), state_directory: "/tmp/state".into() };
//! bench.try_step(&step).await.expect("the step keeps its contract");
//! # }
//! ```
//!
//! The database must exist on both servers and have no schema `pghaul`, which the battery creates and drops. A step
//! that rests on others finds only what the caller has put there: their outputs are absent.

mod in_memory;
mod positions;

pub use in_memory::InMemory;

use crate::context::Context;
use crate::fault::Faults;
use crate::kept::Kept;
use crate::ownership::Ownership;
use crate::progress::Blind;
use crate::reason::UndoReason;
use crate::recorder::Recorder;
use crate::run::{Copying, RunContext, WayBack};
use crate::scope::{Database, DatabaseSubject, Scope as _};
use crate::step::{Probe, Repeats, Step, StepPhase};
use crate::workers::Workers;
use pghaul_core::event::{Created, Endpoint, Runner};
use pghaul_core::plan::InitialCopy;
use pghaul_core::{
    DatabaseEvent, DatabasePlan, Epoch, Event, Failure, Journal, JsonText, Method, MigrationEvent,
    MigrationId, Side, StepEvent, StepName, StepVersions, id,
};
use pghaul_postgres::{ReadWrite, Right, Server, Session, SideMarker, Source, Target};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::pin::pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::Poll;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How long sessions of the runner before may take to end.
const FENCE: Duration = Duration::from_secs(30);

/// How a step breaks its contract.
#[derive(Debug, thiserror::Error)]
pub enum Violation {
    /// A call failed that must not.
    #[error("{call} failed, {when}")]
    Failed {
        /// The function of the step, or what the battery itself did.
        call: &'static str,
        /// At which point of the battery.
        when: &'static str,
        /// The failure.
        #[source]
        failure: Failure,
    },
    /// A probe does not fit what is there.
    #[error("probe said {said}, {when}")]
    Probe {
        /// What it said.
        said: String,
        /// At which point of the battery.
        when: &'static str,
    },
    /// After `undo`, a server is not as it was.
    #[error("after undo, the {side} {change}, {when}")]
    Trace {
        /// Which server.
        side: Side,
        /// The first difference.
        change: String,
        /// At which point of the battery.
        when: &'static str,
    },
}

fn failed(call: &'static str, when: &'static str) -> impl FnOnce(Failure) -> Violation {
    move |failure| Violation::Failed { call, when, failure }
}

/// The plan of a database without tables, to start from.
pub fn plan(database: &str, method: Method) -> DatabasePlan {
    DatabasePlan {
        target_database: None,
        database: database.into(),
        number: 1,
        method,
        initial_copy: InitialCopy::Snapshot,
        forced: true,
        reasons: Vec::new(),
        steps: Vec::new(),
        definitions: BTreeMap::new(),
        tables: Vec::new(),
        held_back: Vec::new(),
        objects: None,
    }
}

/// What a step is tried with.
#[derive(Debug, Clone)]
pub struct Bench {
    /// The source. The role needs what it needs for a migration.
    pub source: Server<Source>,
    /// The target.
    pub target: Server<Target>,
    /// The plan of the database that the step works on.
    pub plan: DatabasePlan,
    /// A directory for files of the step, which must exist.
    pub state_directory: PathBuf,
}

/// The objects of one database on both sides, and what it has on the server outside of itself.
type Traces = [(Side, BTreeSet<String>); 2];

impl Bench {
    /// Tries everything that the engine may do to a step.
    ///
    /// # Errors
    /// The first [`Violation`].
    pub async fn try_step<T: Step<Scope = Database>>(&self, step: &T) -> Result<(), Violation> {
        let mut trial = Trial::begin(self, step)
            .await
            .map_err(failed("the battery", "at its begin"))?;
        let outcome = trial.all().await;
        trial.end().await.map_err(failed("the battery", "at its end"))?;
        outcome
    }

    async fn traces(&self) -> Result<Traces, Failure> {
        let database = self.plan.database.as_str();
        let source: Session<Source, ReadWrite> = self.source.connect(database).await?;
        let target: Session<Target, ReadWrite> = self.target.connect(database).await?;
        Ok([
            (Side::Source, objects(&source).await?),
            (Side::Target, objects(&target).await?),
        ])
    }
}

async fn objects<S: SideMarker, R: Right>(session: &Session<S, R>) -> Result<BTreeSet<String>, Failure> {
    let rows = session
        .doing("list all objects")
        .query(include_str!("objects.sql"), &[])
        .await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// One step under test, and the runner that has it.
struct Trial<'a, T> {
    bench: &'a Bench,
    step: &'a T,
    journal: Arc<InMemory>,
    run: Arc<RunContext>,
    before: Traces,
}

impl<'a, T: Step<Scope = Database>> Trial<'a, T> {
    /// A migration whose database is where the step begins, with the schema `pghaul` on the target.
    async fn begin(bench: &'a Bench, step: &'a T) -> Result<Self, Failure> {
        let id = unused_id();
        let journal = Arc::new(InMemory::new(id.clone()));
        let mut trial = Self {
            bench,
            step,
            run: Arc::new(bench.runner(&journal, Epoch::default(), step)),
            journal,
            before: bench.traces().await?,
        };
        let endpoint = || Endpoint {
            conninfo: String::new(),
            system_identifier: String::new(),
            version: 0,
        };
        let created = Created {
            name: "conformance".to_owned(),
            source: endpoint(),
            target: endpoint(),
            pghaul: env!("CARGO_PKG_VERSION").to_owned(),
        };
        trial
            .append(Event::Migration(MigrationEvent::MigrationCreated(created)))
            .await?;
        let (name, plan) = (bench.plan.database.clone(), Arc::new(bench.plan.clone()));
        let selected = MigrationEvent::DatabasesSelected {
            selection: Box::default(),
            databases: vec![name.clone()],
        };
        trial.append(Event::Migration(selected)).await?;
        let mut way = vec![
            DatabaseEvent::CheckingStarted,
            DatabaseEvent::Checked { findings: Vec::new() },
            DatabaseEvent::Planned { plan },
            DatabaseEvent::SchemaStarted,
        ];
        way.extend(match (step.descriptor().phase, bench.plan.method) {
            (StepPhase::Schema, _) => None,
            (StepPhase::Data, Method::Replication) => Some(DatabaseEvent::ReplicatingStarted),
            (StepPhase::Data, Method::Dump) => Some(DatabaseEvent::DumpingStarted),
        });
        for event in way {
            trial.append(Event::Database(name.clone(), event)).await?;
        }
        let mut target: Session<Target, ReadWrite> = bench.target.connect(name.as_str()).await?;
        trial
            .ownership()
            .establish(&mut target, &trial.journal.head())
            .await?;
        trial.next_runner().await?;
        Ok(trial)
    }

    async fn end(&self) -> Result<(), Failure> {
        let mut target: Session<Target, ReadWrite> =
            self.run.target.connect(self.bench.plan.database.as_str()).await?;
        self.ownership()
            .release(&mut target, self.run.recorder.faults())
            .await
    }

    async fn all(&mut self) -> Result<(), Violation> {
        self.doubled().await?;
        self.stopped_in_run().await?;
        self.stopped_in_undo().await?;
        self.dropped().await
    }

    /// Every call twice.
    async fn doubled(&mut self) -> Result<(), Violation> {
        const BEFORE: &str = "before the first run";
        const AGAIN: &str = "after a crash between acting and recording";
        for _ in 0..2 {
            match self.probe(BEFORE).await? {
                Probe::Absent | Probe::Partial => {}
                other => return Err(said(&other, BEFORE)),
            }
        }
        self.start(BEFORE).await?;
        self.act("the first time").await?;
        self.next_runner().await.map_err(failed("the battery", AGAIN))?;
        self.complete(AGAIN).await?;
        for _ in 0..2 {
            self.probe("after the run").await?;
        }
        self.undo("after the run").await?;
        self.ended().await
    }

    /// The end of a migration, twice; what stays is undone after it.
    async fn ended(&mut self) -> Result<(), Violation> {
        const ENDED: &str = "after the end of the migration";
        self.complete(ENDED).await?;
        for _ in 0..2 {
            let context = self.context().undone_because(UndoReason::Completed);
            let completed = self.step.complete(&context).await;
            completed.map_err(failed("complete", ENDED))?;
        }
        self.undo(ENDED).await
    }

    /// Dropped at ever later instants, until it comes to its end before.
    async fn dropped(&mut self) -> Result<(), Violation> {
        const DROPPED: &str = "after it was dropped in the middle";
        let mut polls = 1;
        loop {
            self.start(DROPPED).await?;
            let context = self.context();
            let outcome = polled(self.step.run(&context), polls).await;
            let arrived = outcome.transpose().map_err(failed("run", DROPPED))?.is_some();
            drop(context);
            self.next_runner().await.map_err(failed("the battery", DROPPED))?;
            self.complete(DROPPED).await?;
            self.undo(DROPPED).await?;
            if arrived {
                return Ok(());
            }
            polls += polls.div_ceil(4);
        }
    }

    /// As the engine does it: probe, then run unless everything is there.
    async fn complete(&self, when: &'static str) -> Result<(), Violation> {
        let output = match self.probe(when).await? {
            Probe::Present(output) if self.step.descriptor().repeats == Repeats::Never => output,
            Probe::Present(_) | Probe::Absent | Probe::Partial => {
                self.start(when).await?;
                self.act(when).await?
            }
            other => return Err(said(&other, when)),
        };
        self.note(self.finished(output), when).await
    }

    pub(super) fn finished(&self, output: JsonText) -> StepEvent {
        StepEvent::StepFinished {
            output,
            version: self.step.descriptor().version(),
            found: false,
        }
    }

    async fn probe(&self, when: &'static str) -> Result<Probe<JsonText>, Violation> {
        let probe = self
            .step
            .probe(&self.context())
            .await
            .map_err(failed("probe", when))?;
        let probe = probe.map(|output| JsonText::of(&output).unwrap_or_default());
        match probe {
            Probe::Foreign(_) | Probe::Lost(_) => Err(said(&probe, when)),
            other => Ok(other),
        }
    }

    async fn act(&self, when: &'static str) -> Result<JsonText, Violation> {
        let output = self
            .step
            .run(&self.context())
            .await
            .map_err(failed("run", when))?;
        let unreadable = |error: serde_json::Error| Failure::bug(format!("the output is not JSON: {error}"));
        let text = JsonText::of(&output)
            .map_err(unreadable)
            .map_err(failed("run", when))?;
        // A later run reads it back.
        text.read::<T::Output>()
            .map_err(unreadable)
            .map_err(failed("run", when))?;
        Ok(text)
    }

    /// Twice, then both servers must be as they were.
    async fn undo(&mut self, when: &'static str) -> Result<(), Violation> {
        for _ in 0..2 {
            self.step
                .undo(&self.context().undone_because(UndoReason::Abandoned))
                .await
                .map_err(failed("undo", when))?;
        }
        self.note(StepEvent::StepUndone, when).await?;
        let after = self.bench.traces().await.map_err(failed("the battery", when))?;
        for ((side, before), (_, after)) in self.before.iter().zip(&after) {
            let more = after
                .difference(before)
                .next()
                .map(|what| format!("still has {what}"));
            let less = before
                .difference(after)
                .next()
                .map(|what| format!("has lost {what}"));
            if let Some(change) = more.or(less) {
                return Err(Violation::Trace {
                    side: *side,
                    change,
                    when,
                });
            }
        }
        Ok(())
    }

    async fn start(&self, when: &'static str) -> Result<(), Violation> {
        self.note(StepEvent::StepStarted, when).await
    }

    async fn note(&self, event: StepEvent, when: &'static str) -> Result<(), Violation> {
        let event = Database::event(&self.subject(), self.name(), event);
        self.append(event).await.map_err(failed("the battery", when))
    }

    async fn append(&self, event: Event) -> Result<(), Failure> {
        self.run.recorder.append(event).await.map(|_| ())
    }

    /// The runner dies, and another takes over: a new epoch, and no session of the old one.
    async fn next_runner(&mut self) -> Result<(), Failure> {
        let epoch = self.run.epoch.next();
        let facts = Runner {
            host: "conformance".to_owned(),
            pid: std::process::id(),
            user: "conformance".to_owned(),
            epoch,
            command: "run".to_owned(),
            ..Runner::default()
        };
        self.append(Event::Migration(MigrationEvent::RunnerStarted(facts)))
            .await?;
        self.run = Arc::new(self.bench.runner(&self.journal, epoch, self.step));
        let (name, id) = (&self.bench.plan.database, &self.run.migration);
        let source: Session<Source, ReadWrite> = self.run.source.connect(name.as_str()).await?;
        source.terminate_older_epochs(id, epoch, FENCE).await?;
        let target: Session<Target, ReadWrite> = self.run.target.connect(name.as_str()).await?;
        target.terminate_older_epochs(id, epoch, FENCE).await?;
        self.ownership()
            .claim(&self.run.target, name, &self.run.recorder)
            .await?;
        Ok(())
    }

    fn ownership(&self) -> Ownership {
        Ownership::new(self.run.migration.clone(), self.run.epoch)
    }

    fn context(&self) -> Context<Database> {
        Context::new(Arc::clone(&self.run), self.name(), self.subject())
    }

    fn name(&self) -> StepName {
        StepName::from(self.step.descriptor().name)
    }

    fn subject(&self) -> DatabaseSubject {
        DatabaseSubject {
            plan: Arc::new(self.bench.plan.clone()),
            method: self.bench.plan.method,
        }
    }
}

impl Bench {
    /// Everything that a step is given, in one epoch.
    fn runner(&self, journal: &Arc<InMemory>, epoch: Epoch, step: &impl Step) -> RunContext {
        let descriptor = step.descriptor();
        let versions = StepVersions::default().with(descriptor.name.into(), descriptor.upcasters);
        let migration = journal.migration().clone();
        let name = id::application_name(&migration, epoch);
        RunContext {
            source: Server::new(self.source.resolved().clone(), name.as_str(), 10),
            target: Server::new(self.target.resolved().clone(), name.as_str(), 10),
            recorder: Recorder::new(
                Arc::clone(journal) as Arc<dyn Journal>,
                Arc::new(Faults::default()),
                Arc::new(Blind),
            )
            .with_versions(versions),
            migration,
            epoch,
            state_directory: self.state_directory.clone(),
            way_back: WayBack {
                source: self.source.resolved().clone(),
                from_target: None,
            },
            workers: Workers::new(2),
            copying: Copying::default(),
            kept: Kept::default(),
            accepted: OnceLock::new(),
            cancel: CancellationToken::new(),
        }
    }
}

/// Tests side by side, in this process and others, must not end each other's sessions.
fn unused_id() -> MigrationId {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    MigrationId::new(format!("c{:05}{:02}", std::process::id() % 100_000, number % 100))
}

fn said(probe: &Probe<JsonText>, when: &'static str) -> Violation {
    Violation::Probe {
        said: format!("{probe:?}"),
        when,
    }
}

/// Polls a future so many times, then drops it.
async fn polled<F: Future>(future: F, polls: u32) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut left = polls;
    std::future::poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending if left == 0 => Poll::Ready(None),
        Poll::Pending => {
            left -= 1;
            Poll::Pending
        }
    })
    .await
}
