//! What a step is given.

mod cluster;

use crate::contract::{Contract, Itemized};
use crate::json::{from_json, named, to_json};
use crate::notes::Notes;
use crate::ownership::{OwnedTransaction, Ownership};
use crate::progress::Progress;
use crate::reason::{Occasion, UndoReason};
use crate::run::{Copying, RunContext, WayBack};
use crate::scope::{Database, DatabaseSubject, Scope};
use crate::selected::selected;
use pghaul_core::event::{Proof, Selection};
use pghaul_core::machine::StepRecord;
use pghaul_core::plan::Route;
use pghaul_core::selection::SelectedObjects;
use pghaul_core::{
    Code, DatabaseName, DatabasePlan, Epoch, Failure, Mapping, Method, Migration, MigrationId, StepEvent,
    StepName, id,
};
use pghaul_postgres::{ReadWrite, Reader, Right, Server, Session, Source, Target};
use serde::{Serialize, de::DeserializeOwned};
use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;

/// What one step is given: sessions, the plan, its own items and facts, the outputs of earlier steps.
pub struct Context<S: Scope> {
    run: Arc<RunContext>,
    step: StepName,
    subject: S::Subject,
    occasion: Option<Occasion>,
    undo_reason: Option<UndoReason>,
}

impl<S: Scope> Context<S> {
    /// A context for one step on one subject.
    pub fn new(run: Arc<RunContext>, step: StepName, subject: S::Subject) -> Self {
        Self {
            run,
            step,
            subject,
            occasion: None,
            undo_reason: None,
        }
    }

    /// The same, for a step whose effects are taken back.
    #[must_use]
    pub fn undone_because(mut self, reason: UndoReason) -> Self {
        self.undo_reason = Some(reason);
        self
    }

    /// Why the step's effects are taken back; `None` in every other call.
    pub fn undo_reason(&self) -> Option<UndoReason> {
        self.undo_reason
    }

    /// The same, for a step that is done once more.
    #[must_use]
    pub fn once_more(mut self, occasion: Option<Occasion>) -> Self {
        self.occasion = occasion;
        self
    }

    /// Why the step is done once more; `None` where it has not come to its end yet.
    pub fn occasion(&self) -> Option<Occasion> {
        self.occasion
    }

    /// The source server, for sessions in databases of the step's choice.
    pub fn source_server(&self) -> &Server<Source> {
        &self.run.source
    }

    /// The target server, for sessions in databases of the step's choice.
    pub fn target_server(&self) -> &Server<Target> {
        &self.run.target
    }

    /// The migration's id, part of the names of all objects of pghaul's.
    pub fn migration(&self) -> &MigrationId {
        &self.run.migration
    }

    /// What has another name, owner or rights on the target.
    pub fn mapping(&self) -> Mapping {
        let frozen = |m: &Migration| m.selection.as_ref().map(|s| s.mapping.clone());
        self.run.recorder.read(frozen).unwrap_or_default()
    }

    /// This run's epoch.
    pub fn epoch(&self) -> Epoch {
        self.run.epoch
    }

    /// The end of the journal, for the owner row of a new target database.
    pub fn head(&self) -> pghaul_core::journal::Head {
        self.run.recorder.head()
    }

    /// The `application_name` of every session of this run, children's too.
    pub fn application_name(&self) -> String {
        id::application_name(&self.run.migration, self.run.epoch)
    }

    /// A directory of this migration's own, mode 0700.
    pub fn state_directory(&self) -> &Path {
        &self.run.state_directory
    }

    /// How many workers there are, of all databases together.
    pub fn jobs(&self) -> usize {
        self.run.workers.size()
    }

    /// Waits for a free place in the pool of workers, which all databases share. It is free again when the
    /// returned value is dropped.
    ///
    /// # Errors
    /// Never, while the run lasts.
    pub async fn worker(&self) -> Result<OwnedSemaphorePermit, Failure> {
        self.run.workers.place().await
    }

    /// What the user selected with the first run.
    pub fn selection(&self) -> Selection {
        self.run
            .recorder
            .read(|m| m.selection.clone().unwrap_or_default())
    }

    /// How rows are to be copied.
    pub fn copying(&self) -> &Copying {
        &self.run.copying
    }

    /// How the target's server reaches the source.
    pub fn way_back(&self) -> &WayBack {
        &self.run.way_back
    }

    /// Cancelled when the user wants the run to end.
    pub fn cancel(&self) -> &CancellationToken {
        &self.run.cancel
    }

    /// Ends the step where the user wants the run to end.
    ///
    /// # Errors
    /// [`Code::Interrupted`].
    pub fn check_cancelled(&self) -> Result<(), Failure> {
        if self.run.cancel.is_cancelled() {
            return Err(Failure::new(Code::Interrupted, "the run was stopped"));
        }
        Ok(())
    }

    /// Notes facts that the step must know again after a crash, before it acts on them.
    ///
    /// # Errors
    /// When the journal can't be written.
    pub async fn record(&self, facts: &impl Serialize) -> Result<(), Failure> {
        let facts = to_json(facts)?;
        let version = self.version();
        self.append(StepEvent::StepRecorded { version, facts }).await
    }

    /// Notes that an item is complete and durable on the target.
    ///
    /// # Errors
    /// When the journal can't be written.
    pub async fn item(&self, item: impl Into<String>, outcome: &impl Serialize) -> Result<(), Failure> {
        let outcome = to_json(outcome)?;
        let version = self.version();
        self.append(StepEvent::ItemFinished {
            item: item.into(),
            outcome,
            version,
        })
        .await
    }

    /// The version that the step notes its facts and items in.
    fn version(&self) -> u32 {
        self.run.recorder.version_of(&self.step)
    }

    /// Shows progress.
    pub fn progress(&self, progress: Progress) {
        self.run.recorder.progress(S::database(&self.subject), progress);
    }

    /// Runs a side effect that is not an owned transaction, with a fault position on both sides.
    ///
    /// # Errors
    /// What the effect returns.
    pub async fn act<T>(&self, what: &str, effect: impl Future<Output = T> + Send) -> T {
        self.run.recorder.faults().pass(&format!("before {what}"));
        let result = effect.await;
        self.run.recorder.faults().pass(&format!("after {what}"));
        result
    }

    /// The way to note what is for readers of the journal alone.
    pub fn notes(&self) -> Notes {
        let database = S::database(&self.subject);
        Notes::about(&self.run.recorder, database, Some(self.step.clone()))
    }

    async fn append(&self, event: StepEvent) -> Result<(), Failure> {
        self.run
            .recorder
            .append(S::event(&self.subject, self.step.clone(), event))
            .await?;
        Ok(())
    }

    /// Reads the step's own record where it is: its facts and items may be large.
    fn own_record<T>(&self, read: impl FnOnce(Option<&StepRecord>) -> T) -> T {
        self.run
            .recorder
            .read(|m| read(S::record(m, &self.subject, &self.step)))
    }

    /// Whether the step was ever started, as far as the journal knows.
    pub fn was_started(&self) -> bool {
        self.own_record(|record| record.is_some_and(|record| record.starts > 0))
    }

    /// The facts that the step has noted so far, oldest first, over all its starts.
    ///
    /// # Errors
    /// When a fact does not have the expected shape: another version of the step wrote it.
    pub fn facts<T: DeserializeOwned>(&self) -> Result<Vec<T>, Failure> {
        self.own_record(|record| {
            let facts = record.into_iter().flat_map(|record| &record.facts);
            facts.map(|fact| from_json(&self.step, fact)).collect()
        })
    }

    /// The items of the step itself that are finished, with what is remembered of them.
    ///
    /// # Errors
    /// As [`facts`](Self::facts).
    pub fn items<N: FromStr + Ord, T: DeserializeOwned>(&self) -> Result<BTreeMap<N, T>, Failure> {
        self.own_record(|record| named(&self.step, record.into_iter().flat_map(|record| &record.items)))
    }

    /// The output of an earlier step of the same scope, when it has finished.
    ///
    /// # Errors
    /// As [`facts`](Self::facts).
    pub fn output<C: Contract>(&self) -> Result<Option<C>, Failure> {
        let step = StepName::from(C::STEP);
        self.run.recorder.read(|m| {
            let output = S::record(m, &self.subject, &step).and_then(|record| record.output.as_ref());
            output.map(|output| from_json(&step, output)).transpose()
        })
    }

    /// Whether an earlier step of the same scope has left its output.
    pub fn has_output<C: Contract>(&self) -> bool {
        let step = StepName::from(C::STEP);
        let read =
            |m: &Migration| S::record(m, &self.subject, &step).is_some_and(|record| record.output.is_some());
        self.run.recorder.read(read)
    }

    /// The output of an earlier step, which must have finished.
    ///
    /// # Errors
    /// As [`output`](Self::output), and where it has not finished.
    pub fn finished<C: Contract>(&self) -> Result<C, Failure> {
        self.output()?
            .ok_or_else(|| Failure::bug(format!("step {} has not finished", C::STEP)))
    }
}

impl Context<Database> {
    /// The frozen plan.
    pub fn plan(&self) -> &DatabasePlan {
        &self.subject.plan
    }

    /// The method in use: the plan's, unless the database fell back.
    pub fn method(&self) -> Method {
        self.subject.method
    }

    /// The way that the database is on.
    pub fn route(&self) -> Route {
        self.subject.route()
    }

    /// The database's name on the source, by which the migration knows it.
    pub fn database(&self) -> &DatabaseName {
        self.subject.name()
    }

    /// The database's name on the target.
    pub fn target_database(&self) -> DatabaseName {
        self.run.target_database(self.database())
    }

    /// Which objects of the database are moved, judged by what the session sees now; `None` where all are.
    ///
    /// # Errors
    /// A lost connection.
    pub async fn selected<R: Right>(
        &self,
        source: &Session<Source, R>,
    ) -> Result<Option<SelectedObjects>, Failure> {
        selected(source, &self.selection(), self.database()).await
    }

    /// The last proof of the database's state, unless what it proved was discarded.
    pub fn last_proof(&self) -> Option<Proof> {
        let database = self.database();
        self.run
            .recorder
            .read(|m| m.databases.get(database).and_then(|d| d.proof.clone()))
    }

    /// Whether the user has accepted that an object is incomplete: a removal leaves it as it is.
    pub fn is_accepted(&self, object: &str) -> bool {
        let accepted = self.run.accepted.get();
        accepted.is_some_and(|accepted| accepted.leaves(self.database(), object))
    }

    /// The step's subject.
    pub fn subject(&self) -> &DatabaseSubject {
        &self.subject
    }

    /// The name of a publication, slot or subscription of pghaul's in this database.
    pub fn object_name(&self, generation: u32, attempt: u32) -> String {
        id::object_name(&self.run.migration, self.subject.plan.number, generation, attempt)
    }

    /// A session in the database on the source that can only read.
    ///
    /// # Errors
    /// When the server can't be reached.
    pub async fn source(&self) -> Result<Reader<Source>, Failure> {
        Ok(self.run.source.reader(self.database().as_str()).await?)
    }

    /// A session in the database on the source that may create objects of pghaul's.
    ///
    /// # Errors
    /// When the server can't be reached.
    pub async fn source_for_writing(&self) -> Result<Session<Source, ReadWrite>, Failure> {
        Ok(self.run.source.connect(self.database().as_str()).await?)
    }

    /// A session in the database on the target that can only read.
    ///
    /// # Errors
    /// When the server can't be reached.
    pub async fn target_for_reading(&self) -> Result<Reader<Target>, Failure> {
        Ok(self.run.target.reader(self.target_database().as_str()).await?)
    }

    /// The keys of the effects in the target database that begin with a prefix.
    ///
    /// # Errors
    /// When the target can't be asked.
    pub async fn effects(&self, prefix: &str) -> Result<BTreeSet<String>, Failure> {
        crate::ownership::effects(&*self.target_for_reading().await?, prefix).await
    }

    /// A session in the database on the target.
    ///
    /// # Errors
    /// When the server can't be reached.
    pub async fn target(&self) -> Result<Session<Target, ReadWrite>, Failure> {
        Ok(self.run.target.connect(self.target_database().as_str()).await?)
    }

    /// Whose the target database is: ours, in this epoch.
    pub fn ownership(&self) -> Ownership {
        Ownership::new(self.run.migration.clone(), self.run.epoch)
    }

    /// Begins a transaction on the target that is refused where a newer runner has taken over.
    ///
    /// # Errors
    /// When the database is not ours any more, or the server can't be reached.
    pub async fn begin<'s>(
        &'s self,
        session: &'s mut Session<Target, ReadWrite>,
    ) -> Result<OwnedTransaction<'s>, Failure> {
        self.ownership().begin(session, self.run.recorder.faults()).await
    }

    /// The items of another step of this database that are finished, with what is remembered of them.
    ///
    /// # Errors
    /// As [`facts`](Self::facts).
    pub fn items_of<C: Itemized>(&self) -> Result<BTreeMap<C::Name, C::Item>, Failure> {
        self.more_items_of::<C>(|_| false)
    }

    /// Those of them that are not known yet, by their names in the journal.
    ///
    /// # Errors
    /// As [`facts`](Self::facts).
    pub fn more_items_of<C: Itemized>(
        &self,
        known: impl Fn(&str) -> bool,
    ) -> Result<BTreeMap<C::Name, C::Item>, Failure> {
        let step = StepName::from(C::STEP);
        self.run.recorder.read(|m| {
            let record = Database::record(m, &self.subject, &step);
            let items = record.into_iter().flat_map(|record| &record.items);
            named(&step, items.filter(|(name, _)| !known(name)))
        })
    }

    /// How many items of another step of this database are finished.
    pub fn count_items_of<C: Itemized>(&self) -> usize {
        let step = StepName::from(C::STEP);
        self.run
            .recorder
            .read(|m| Database::record(m, &self.subject, &step).map_or(0, |record| record.items.len()))
    }

    /// Whether another step of this database has finished.
    pub fn has_finished<C: Contract>(&self) -> bool {
        let step = StepName::from(C::STEP);
        self.run.recorder.read(|m| {
            let record = Database::record(m, &self.subject, &step);
            record.is_some_and(|record| record.state == pghaul_core::StepState::Finished)
        })
    }

    /// Notes that several items are complete and durable on the target.
    ///
    /// # Errors
    /// When the journal can't be written.
    pub async fn items_finished(&self, items: &[(impl Display, impl Serialize)]) -> Result<(), Failure> {
        let mut events = Vec::with_capacity(items.len());
        for (item, outcome) in items {
            let (item, outcome) = (item.to_string(), to_json(outcome)?);
            let event = StepEvent::ItemFinished {
                item,
                outcome,
                version: self.version(),
            };
            events.push(Database::event(&self.subject, self.step.clone(), event));
        }
        if events.is_empty() {
            return Ok(());
        }
        self.run.recorder.append_all(events).await?;
        Ok(())
    }

    /// Keeps something for later steps of this database, as long as the run lasts: a snapshot, say.
    pub fn keep<T: Any + Send + Sync>(&self, value: T) -> Arc<T> {
        self.run.kept.put(self.database(), value)
    }

    /// What all databases of this run share, such as a limit of what they do together; made by the first that asks.
    pub fn shared<T: Any + Send + Sync>(&self, make: impl FnOnce() -> T) -> Option<Arc<T>> {
        self.run.kept.shared(make)
    }

    /// What an earlier step of this database has kept in this run.
    pub fn kept<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        self.run.kept.get(self.database())
    }

    /// Lets go of it.
    pub fn let_go<T: Any + Send + Sync>(&self) {
        self.run.kept.remove::<T>(self.database());
    }
}
