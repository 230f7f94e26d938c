//! The trait [`Step`]: something that acts on a server.

use crate::context::Context;
use crate::contract::Contract;
use crate::scope::Scope;
use async_trait::async_trait;
use pghaul_core::event::{Incomplete, Proof, StepUpcaster};
use pghaul_core::plan::Route;
use pghaul_core::{Failure, JsonText};
use serde::{Serialize, de::DeserializeOwned};
use std::collections::BTreeSet;
use strum::Display;

/// Where effects are that [`Step::taking_back`] is asked about.
#[derive(Debug, Clone, Copy)]
pub struct OnTarget<'a> {
    /// The database on the target.
    pub database: &'a str,
    /// pghaul's role there.
    pub role: &'a str,
}

/// When a step runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Display)]
#[strum(serialize_all = "kebab-case")]
pub enum StepPhase {
    /// While the database is in state `schema`, or, for cluster steps, before any database is.
    Schema,
    /// While the database is in state `replicating` or `dumping`.
    Data,
}

/// When a step that has finished is done once more, because what it follows changes on the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Display)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Repeats {
    /// Once is enough.
    #[default]
    Never,
    /// By every `run` and by `remove`, as for sequences.
    EveryRun,
    /// By `remove`, where the database is up to date: for what may take long.
    Removal,
}

/// What the engine knows of a step without running it.
#[derive(Debug, Clone)]
pub struct Descriptor {
    /// The stable name, in lower case with hyphens. It is part of the journal.
    pub name: &'static str,
    /// For each earlier version of what the step notes (facts, items, output), how it becomes the next one. The step
    /// notes in the version after the last of them; a journal with a newer one is refused.
    pub upcasters: &'static [StepUpcaster],
    /// One line for `pghaul steps`.
    pub summary: &'static str,
    /// When it runs.
    pub phase: StepPhase,
    /// The ways it belongs to.
    pub routes: &'static [Route],
    /// Steps that must have finished before, where the way has them.
    pub after: &'static [&'static str],
    /// Steps that must not have begun before this one has finished, where the route has them. A step of the configuration is
    /// placed with it, where the other step can't name it.
    pub before: &'static [&'static str],
    /// The hash of what defines the step, where that is no code of the program: the frozen plan keeps it.
    pub definition: Option<&'static str>,
    /// The step that it runs beside: it starts together with that one, watches its items, and may end later.
    pub beside: Option<&'static str>,
    /// Whether rows get to the target: once it has started, there is no falling back to a dump.
    pub copies_rows: bool,
    /// When it is done once more, in a database that is replicated.
    pub repeats: Repeats,
    /// Whether it lists what the target refuses, and tries that again when it is done once more.
    pub tries_again: bool,
    /// Whether it tries again by itself what may pass, so that the engine need not.
    pub retries_itself: bool,
    /// What it makes lives no longer than the process: every run asks it again until this step has finished.
    pub holds_for: Option<&'static str>,
    /// Whether the target reads the slots of the database from its end on; before, a slot that nobody reads is as it should
    /// be.
    pub reads_slots: bool,
    /// The prefixes of its effect keys that stay when copied rows are discarded: what they stand for stays too.
    pub lasting_effects: &'static [&'static str],
    /// Whether it is done once more when the rows of a finished dump are copied again. The schema stays.
    pub follows_rows: bool,
}

/// Every way.
pub const EVERY_ROUTE: &[Route] = &[
    Route::ReplicationBySnapshot,
    Route::ReplicationByServer,
    Route::Dump,
];

/// The ways of the method replication.
pub const REPLICATION: &[Route] = &[Route::ReplicationBySnapshot, Route::ReplicationByServer];

impl Descriptor {
    /// A step of every way; the rest is set with the struct-update syntax.
    pub const fn new(name: &'static str, summary: &'static str, phase: StepPhase) -> Self {
        Self {
            name,
            upcasters: &[],
            summary,
            phase,
            routes: EVERY_ROUTE,
            after: &[],
            before: &[],
            definition: None,
            beside: None,
            copies_rows: false,
            repeats: Repeats::Never,
            tries_again: false,
            retries_itself: false,
            holds_for: None,
            reads_slots: false,
            lasting_effects: &[],
            follows_rows: false,
        }
    }

    /// A step whose name and version are those of its output.
    pub const fn of<C: Contract>(summary: &'static str, phase: StepPhase) -> Self {
        Self {
            upcasters: C::UPCASTERS,
            ..Self::new(C::STEP, summary, phase)
        }
    }

    /// The version in which the step notes its facts, items and output.
    pub fn version(&self) -> u32 {
        u32::try_from(self.upcasters.len()).map_or(u32::MAX, |count| count.saturating_add(1))
    }
}

/// What a look at the servers says about a step's effects.
#[derive(Debug, Clone, PartialEq)]
pub enum Probe<O> {
    /// Nothing is there: run it.
    Absent,
    /// Some effects are there and known: run it, it goes on.
    Partial,
    /// Everything is there: it need not run.
    Present(O),
    /// Something is there that is not ours: stop.
    Foreign(Failure),
    /// Something of pghaul's is gone or changed: stop. Running the step again would not repair it.
    Lost(Failure),
}

impl<O> Probe<O> {
    /// Changes the output.
    pub fn map<T>(self, map: impl FnOnce(O) -> T) -> Probe<T> {
        match self {
            Self::Absent => Probe::Absent,
            Self::Partial => Probe::Partial,
            Self::Present(output) => Probe::Present(map(output)),
            Self::Foreign(failure) => Probe::Foreign(failure),
            Self::Lost(failure) => Probe::Lost(failure),
        }
    }
}

/// What a fresh look says about a database that is `syncing` or `done`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Standing {
    /// What is proven, where nothing is wrong.
    pub proof: Proof,
    /// What is wrong.
    pub problems: Vec<Failure>,
    /// How many bytes of the source's WAL the target has yet to confirm.
    pub lag_bytes: Option<u64>,
    /// How many bytes of WAL the source keeps for us.
    pub retained_bytes: Option<u64>,
}

/// Something that acts on a server, for the cluster or for one database.
///
/// # The contract
///
/// - **Idempotent.** [`run`](Self::run) may be called again after it was killed at any instant; it looks at
///   what is there (items, effects, catalogs) and goes on. It never assumes that it is the first.
/// - **Probe first.** The engine calls [`probe`](Self::probe) before every `run`. A probe only reads. It says
///   [`Probe::Lost`] rather than guessing.
/// - **Effects are owned.** Every transaction that writes to the target begins with [`Context::begin`], and
///   notes a key with [`crate::OwnedTransaction::effect`] where "done but not journaled" must be known.
///   Effects on the source are noted in the journal, with [`Context::record`], before they are made.
/// - **Cancellation.** It may be dropped at any `.await`. Long loops call [`Context::check_cancelled`].
/// - **Company.** Steps of one database run one after another, but for one that asks to run
///   [`beside`](Descriptor::beside) another; those of several databases side by side. What costs a server time
///   takes a place in the pool of workers first, with [`Context::worker`].
/// - **Done means done.** When `run` returns, its effects are durable on the servers.
/// - **Undo** takes back what the step did to the servers, except data: it never drops or truncates a table
///   with rows in it. It is idempotent too, and does nothing where there is nothing.
#[async_trait]
pub trait Step: Send + Sync + 'static {
    /// For the cluster or for each database.
    type Scope: Scope;
    /// What later steps may read with [`Context::output`].
    type Output: Serialize + DeserializeOwned + Send;

    /// Name, order and methods.
    fn descriptor(&self) -> Descriptor;

    /// Whether there is anything to do here, by what earlier steps have noted. A step that is not needed leaves no
    /// trace in the journal.
    ///
    /// # Errors
    /// When the journal can't be read.
    fn is_needed(&self, ctx: &Context<Self::Scope>) -> Result<bool, Failure> {
        let _ = ctx;
        Ok(true)
    }

    /// Looks at the servers: are the effects there?
    async fn probe(&self, ctx: &Context<Self::Scope>) -> Result<Probe<Self::Output>, Failure>;

    /// Acts.
    async fn run(&self, ctx: &Context<Self::Scope>) -> Result<Self::Output, Failure>;

    /// The names of the slots that it has made on the source and that retain WAL, as far as the journal knows.
    ///
    /// # Errors
    /// When the journal can't be read.
    fn slots(&self, ctx: &Context<Self::Scope>) -> Result<Vec<String>, Failure> {
        let _ = ctx;
        Ok(Vec::new())
    }

    /// The SQL by which `doctor --drop` and `remove --gone` take back, in a target database, what these effects say was changed
    /// outside of its schema `pghaul`. They have no context: the journal or the other server is lost.
    ///
    /// # Errors
    /// Names that can't be written in SQL.
    fn taking_back(&self, effects: &BTreeSet<String>, of: OnTarget<'_>) -> Result<Vec<String>, Failure> {
        let _ = (effects, of);
        Ok(Vec::new())
    }

    /// Takes the effects back: for a fallback, or for `remove`. [`Context::undo_reason`] has the reason.
    async fn undo(&self, ctx: &Context<Self::Scope>) -> Result<(), Failure> {
        let _ = ctx;
        Ok(())
    }

    /// Takes back what only the migration needed, where `remove` ends it and the database has arrived. What the
    /// applications need on the target stays, such as rights. It is idempotent. Unless a step says otherwise, everything
    /// is taken back.
    async fn complete(&self, ctx: &Context<Self::Scope>) -> Result<(), Failure> {
        self.undo(ctx).await
    }

    /// For a step of the cluster that has finished: lends anew what [`give_back`](Self::give_back) took. A run asks it
    /// before it moves databases. It is idempotent.
    async fn lend(&self, ctx: &Context<Self::Scope>) -> Result<(), Failure> {
        let _ = ctx;
        Ok(())
    }

    /// For a step of the cluster: gives back what it has lent pghaul's role for as long as databases are moved. A run asks
    /// it when every database is done, and a removal before the last one is removed. It is idempotent.
    async fn give_back(&self, ctx: &Context<Self::Scope>) -> Result<(), Failure> {
        let _ = ctx;
        Ok(())
    }

    /// Proves once more, by reading alone, that what the step promised still holds. The last step of a method
    /// answers; `run`, `status` and `remove` ask.
    async fn standing(&self, ctx: &Context<Self::Scope>) -> Result<Option<Standing>, Failure> {
        let _ = ctx;
        Ok(None)
    }

    /// Notes on the servers that a state was proven, before the journal does. Each step of the method is asked.
    async fn mark(&self, ctx: &Context<Self::Scope>, proof: &Proof) -> Result<(), Failure> {
        let _ = (ctx, proof);
        Ok(())
    }

    /// What was written on the source after this step has copied it, and does not reach the target by itself: by reading
    /// alone. Where `read_rows` is set, tables are read whose counters do not decide it.
    async fn written_since(
        &self,
        ctx: &Context<Self::Scope>,
        read_rows: bool,
    ) -> Result<Vec<Incomplete>, Failure> {
        let _ = (ctx, read_rows);
        Ok(Vec::new())
    }

    /// Whether what this step has completed is still on the target, by reading alone. Asked of a database that is `done`, which
    /// no proof looks at any more.
    async fn lost(&self, ctx: &Context<Self::Scope>) -> Result<Vec<Failure>, Failure> {
        let _ = ctx;
        Ok(Vec::new())
    }

    /// Stops following the source, for a removal that comes next. Returns how many changes the source had committed since
    /// the last proof. It is idempotent, and taken back by [`follow_again`](Self::follow_again).
    async fn stop_following(&self, ctx: &Context<Self::Scope>) -> Result<u64, Failure> {
        let _ = ctx;
        Ok(0)
    }

    /// Follows the source again after [`stop_following`](Self::stop_following), also one of a process that was killed.
    async fn follow_again(&self, ctx: &Context<Self::Scope>) -> Result<(), Failure> {
        let _ = ctx;
        Ok(())
    }
}

/// A [`Step`] with its output type erased: what the engine and the registry hold.
#[async_trait]
pub trait ErasedStep<S: Scope>: sealed::Sealed<S> + Send + Sync {
    /// See [`Step::descriptor`].
    fn descriptor(&self) -> Descriptor;
    /// See [`Step::is_needed`].
    ///
    /// # Errors
    /// When the journal can't be read.
    fn is_needed(&self, ctx: &Context<S>) -> Result<bool, Failure>;
    /// See [`Step::slots`].
    ///
    /// # Errors
    /// When the journal can't be read.
    fn slots(&self, ctx: &Context<S>) -> Result<Vec<String>, Failure>;
    /// See [`Step::taking_back`].
    ///
    /// # Errors
    /// Names that can't be written in SQL.
    fn taking_back(&self, effects: &BTreeSet<String>, of: OnTarget<'_>) -> Result<Vec<String>, Failure>;
    /// See [`Step::probe`].
    async fn probe(&self, ctx: &Context<S>) -> Result<Probe<JsonText>, Failure>;
    /// See [`Step::run`].
    async fn run(&self, ctx: &Context<S>) -> Result<JsonText, Failure>;
    /// See [`Step::undo`].
    async fn undo(&self, ctx: &Context<S>) -> Result<(), Failure>;
    /// See [`Step::complete`].
    async fn complete(&self, ctx: &Context<S>) -> Result<(), Failure>;
    /// See [`Step::lend`].
    async fn lend(&self, ctx: &Context<S>) -> Result<(), Failure>;
    /// See [`Step::give_back`].
    async fn give_back(&self, ctx: &Context<S>) -> Result<(), Failure>;
    /// See [`Step::standing`].
    async fn standing(&self, ctx: &Context<S>) -> Result<Option<Standing>, Failure>;
    /// See [`Step::mark`].
    async fn mark(&self, ctx: &Context<S>, proof: &Proof) -> Result<(), Failure>;
    /// See [`Step::written_since`].
    async fn written_since(&self, ctx: &Context<S>, read_rows: bool) -> Result<Vec<Incomplete>, Failure>;
    /// See [`Step::lost`].
    async fn lost(&self, ctx: &Context<S>) -> Result<Vec<Failure>, Failure>;
    /// See [`Step::stop_following`].
    async fn stop_following(&self, ctx: &Context<S>) -> Result<u64, Failure>;
    /// See [`Step::follow_again`].
    async fn follow_again(&self, ctx: &Context<S>) -> Result<(), Failure>;
}

mod sealed {
    pub trait Sealed<S> {}
    impl<T: super::Step> Sealed<T::Scope> for T {}
}

#[async_trait]
impl<T: Step> ErasedStep<T::Scope> for T {
    fn descriptor(&self) -> Descriptor {
        Step::descriptor(self)
    }

    fn is_needed(&self, ctx: &Context<T::Scope>) -> Result<bool, Failure> {
        Step::is_needed(self, ctx)
    }

    fn slots(&self, ctx: &Context<T::Scope>) -> Result<Vec<String>, Failure> {
        Step::slots(self, ctx)
    }

    fn taking_back(&self, effects: &BTreeSet<String>, of: OnTarget<'_>) -> Result<Vec<String>, Failure> {
        Step::taking_back(self, effects, of)
    }

    async fn probe(&self, ctx: &Context<T::Scope>) -> Result<Probe<JsonText>, Failure> {
        Ok(match Step::probe(self, ctx).await? {
            Probe::Present(output) => Probe::Present(erase(&output)?),
            other => other.map(|_| JsonText::default()),
        })
    }

    async fn run(&self, ctx: &Context<T::Scope>) -> Result<JsonText, Failure> {
        erase(&Step::run(self, ctx).await?)
    }

    async fn undo(&self, ctx: &Context<T::Scope>) -> Result<(), Failure> {
        Step::undo(self, ctx).await
    }

    async fn complete(&self, ctx: &Context<T::Scope>) -> Result<(), Failure> {
        Step::complete(self, ctx).await
    }

    async fn lend(&self, ctx: &Context<T::Scope>) -> Result<(), Failure> {
        Step::lend(self, ctx).await
    }

    async fn give_back(&self, ctx: &Context<T::Scope>) -> Result<(), Failure> {
        Step::give_back(self, ctx).await
    }

    async fn standing(&self, ctx: &Context<T::Scope>) -> Result<Option<Standing>, Failure> {
        Step::standing(self, ctx).await
    }

    async fn mark(&self, ctx: &Context<T::Scope>, proof: &Proof) -> Result<(), Failure> {
        Step::mark(self, ctx, proof).await
    }

    async fn written_since(
        &self,
        ctx: &Context<T::Scope>,
        read_rows: bool,
    ) -> Result<Vec<Incomplete>, Failure> {
        Step::written_since(self, ctx, read_rows).await
    }

    async fn lost(&self, ctx: &Context<T::Scope>) -> Result<Vec<Failure>, Failure> {
        Step::lost(self, ctx).await
    }

    async fn stop_following(&self, ctx: &Context<T::Scope>) -> Result<u64, Failure> {
        Step::stop_following(self, ctx).await
    }

    async fn follow_again(&self, ctx: &Context<T::Scope>) -> Result<(), Failure> {
        Step::follow_again(self, ctx).await
    }
}

fn erase(output: &impl Serialize) -> Result<JsonText, Failure> {
    JsonText::of(output).map_err(|e| Failure::bug(format!("a step's output is not JSON: {e}")))
}

/// Objects that stay incomplete until the cutover because of a plan: deferred tables.
pub fn incomplete_tables(plan: &pghaul_core::DatabasePlan) -> Vec<Incomplete> {
    plan.deferred()
        .map(|table| Incomplete {
            object: table.object(),
            why: match &table.class {
                pghaul_core::TableClass::NoIdentity { why } => {
                    format!("not replicated: it has no usable replica identity ({why})")
                }
                pghaul_core::TableClass::CannotBePublished { why } => {
                    format!("not replicated: PostgreSQL does not publish {why} tables")
                }
                _ => "not replicated".to_owned(),
            },
            ..Incomplete::default()
        })
        .collect()
}
