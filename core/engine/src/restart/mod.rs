//! `run --restart-data`: gives up what was copied of a database, so that the same migration can copy it again.
//!
//! Only for what can't go on by itself, such as after a lost slot, and only where the user says so. The discard is a state
//! of its own: killed at any instant, the next run goes on with it. The steps of the data phase are undone in reverse
//! order; when no subscription is left, one transaction empties the tables and forgets every effect but the schema's.

use crate::database::Journey;
use crate::run::Engine;
use pghaul_core::event::{Incomplete, Runner};
use pghaul_core::plan::RelationKind;
use pghaul_core::{
    Code, DatabaseEvent, DatabaseName, DatabasePlan, DatabaseState, Event, Failure, Method, Phase, Side,
    TableClass, TablePlan,
};
use pghaul_postgres::{QualifiedName, ReadWrite, Session, Target};
use pghaul_step::ownership::is_established;
use pghaul_step::{Ownership, Standing, StepPhase, UndoReason};

impl Engine {
    /// Journals that the data of a database is given up.
    ///
    /// # Errors
    /// Where there is nothing to restart: an unknown database, one that is dumped, one that is up to date.
    pub(crate) async fn give_up_data(&self, database: &DatabaseName) -> Result<(), Failure> {
        let state = self.state(database);
        let journey = self.journey(database);
        match state.work() {
            DatabaseState::Discarding { .. } => return Ok(()),
            DatabaseState::Replicating { .. } => {}
            DatabaseState::Done => self.refuse_target_in_use(database).await?,
            DatabaseState::Syncing => {
                journey.claim().await?;
                let standing = journey.standing(Method::Replication).await;
                // What has failed may look well again and have other rows: changes were applied by the names that tables had meanwhile.
                let failed = state.phase() == Phase::Failed;
                let is_whole = |standing: Standing| {
                    standing.problems.is_empty() && !standing.proof.incomplete.iter().any(Incomplete::is_open)
                };
                if !failed && standing.is_ok_and(is_whole) {
                    return Err(refusal(
                        database,
                        "it follows the source, and nothing is wrong with it",
                    ));
                }
            }
            _ if self.method(database).is_none() => {
                return Err(refusal(database, "nothing of it has been copied yet"));
            }
            _ => return Err(refusal(database, &format!("it is {}", state.work().phase()))),
        }
        self.refuse_unfit_constraints(database).await?;
        let failure = self
            .run
            .recorder
            .read(|m| m.databases.get(database).and_then(|d| d.failure.clone()));
        self.begin_discard(database, failure).await
    }

    /// A copy that has arrived may be in use by now, and somebody may have written to it.
    async fn refuse_target_in_use(&self, database: &DatabaseName) -> Result<(), Failure> {
        let session = self.target_session(database).await?;
        let doing = session.doing("look for sessions in the target database");
        let row = doing.query_one(include_str!("in_use.sql"), &[]).await?;
        match row.get::<_, i64>(0) {
            0 => Ok(()),
            sessions => Err(refusal(
                database,
                &format!(
                    "{sessions} other sessions use it on the target, and its rows there would be discarded"
                ),
            )
            .with_hint("end these sessions, if what they have written there may be lost; then run again")),
        }
    }

    async fn target_session(&self, database: &DatabaseName) -> Result<Session<Target, ReadWrite>, Failure> {
        let name = self.run.target_database(database);
        Ok(self.run.target.connect(name.as_str()).await?)
    }

    /// The schema on the target stays, and with it constraints that the first copy came before.
    async fn refuse_unfit_constraints(&self, database: &DatabaseName) -> Result<(), Failure> {
        let session = self.target_session(database).await?;
        let doing = session.doing("look for constraints that are not valid");
        let rows = doing.query(include_str!("not_valid.sql"), &[]).await?;
        let Some(first) = rows.first() else { return Ok(()) };
        let constraint: String = first.get(0);
        Err(refusal(
            database,
            &format!("constraint {constraint} is NOT VALID: rows of the source may violate it, and could not be copied"),
        )
        .with_hint("drop it on the target, restart the data, and create it again when the copy is complete"))
    }

    /// Journals that the data is given up, from wherever the database is.
    pub(crate) async fn begin_discard(
        &self,
        database: &DatabaseName,
        failure: Option<Failure>,
    ) -> Result<(), Failure> {
        let event = |event| Event::Database(database.clone(), event);
        loop {
            let failed = matches!(self.state(database), DatabaseState::Failed { .. });
            let resumed = failed.then(|| event(DatabaseEvent::Resumed));
            let begun = event(DatabaseEvent::DiscardStarted {
                failure: failure.clone().map(Box::new),
                reason: self
                    .run
                    .recorder
                    .read(|m| m.runner.as_ref().and_then(Runner::reason)),
            });
            let events = resumed.into_iter().chain([begun]).collect();
            match self.run.recorder.append_all(events).await {
                // An event that was on its way, of work that was broken off, came before ours.
                Err(_) if failed != matches!(self.state(database), DatabaseState::Failed { .. }) => {}
                other => return other.map(drop),
            }
        }
    }
}

fn refusal(database: &DatabaseName, why: &str) -> Failure {
    Failure::new(
        Code::BadInput,
        format!("the data of database {database} can't be restarted: {why}"),
    )
    .with_database(database.as_str())
    .with_hint("--restart-data is for a replicated database that can't continue, and for a dumped one that is done; leave it out, and `pghaul run` continues")
}

impl Journey<'_> {
    /// Takes the replication objects away, then the rows. A dump has none of the former, and its end has taken pghaul's
    /// schema out of the target: it comes back.
    pub(crate) async fn discard(&self, method: Method) -> Result<(), Failure> {
        let plan = self.subject()?.plan;
        let mut session: Session<Target, ReadWrite> =
            self.run.target.connect(self.target_database().as_str()).await?;
        match method {
            Method::Replication => {
                self.undo_steps(Method::Replication, StepPhase::Data, UndoReason::Restarted)
                    .await?;
            }
            Method::Dump => {
                if !is_established(&session).await? {
                    let ownership = Ownership::new(self.run.migration.clone(), self.run.epoch);
                    ownership
                        .establish(&mut session, &self.run.recorder.head())
                        .await?;
                }
                self.undo_steps_of_rows().await?;
            }
        }
        self.empty(&mut session, &plan).await?;
        self.append(DatabaseEvent::DataDiscarded).await
    }

    async fn empty(
        &self,
        session: &mut Session<Target, ReadWrite>,
        plan: &DatabasePlan,
    ) -> Result<(), Failure> {
        let ownership = Ownership::new(self.run.migration.clone(), self.run.epoch);
        let transaction = ownership.begin(session, self.run.recorder.faults()).await?;
        let tables: Vec<&TablePlan> = plan.tables.iter().filter(|table| is_copied(table)).collect();
        let (schemas, names): (Vec<&str>, Vec<&str>) = tables
            .iter()
            .map(|t| (t.name.schema.as_str(), t.name.name.as_str()))
            .unzip();
        let doing = transaction.inner().doing("look at the tables to be emptied");
        let rows = doing
            .query(include_str!("tables.sql"), &[&schemas, &names])
            .await?;
        let mut emptied = Vec::with_capacity(rows.len());
        for row in &rows {
            let place = usize::try_from(row.get::<_, i64>("place") - 1).unwrap_or(usize::MAX);
            let Some(table) = tables.get(place) else { continue };
            let name = QualifiedName::try_from(&table.name)?;
            if row.get("subscribed") {
                return Err(Failure::new(
                    Code::StateLost,
                    format!("table {name} is in a subscription that pghaul does not know"),
                )
                .with_side(Side::Target)
                .with_hint("see pg_subscription_rel for whose it is; drop it, then run again"));
            }
            let only = if row.get("partitioned") { "" } else { "ONLY " };
            emptied.push(format!("{only}{name}"));
        }
        if rows.iter().any(|row| row.get("fires")) {
            // Triggers of the applications are not about this.
            let quiet = "SET LOCAL session_replication_role = replica";
            transaction.batch("keep triggers from firing", quiet).await?;
        }
        if !emptied.is_empty() {
            let truncate = format!("TRUNCATE {}", emptied.join(", "));
            transaction.batch("empty the tables", &truncate).await?;
        }
        let steps = self.registry.database_steps(plan.route())?;
        let lasting: Vec<&str> = steps
            .iter()
            .flat_map(|step| step.descriptor().lasting_effects)
            .copied()
            .collect();
        transaction.forget_all_but(&lasting).await?;
        transaction.commit("empty the tables").await
    }
}

/// Whether rows of the table were moved. Those of an extension's configuration are replaced by the copy itself, which
/// knows which of them the extension made.
fn is_copied(table: &TablePlan) -> bool {
    let kind = matches!(table.kind, RelationKind::Table | RelationKind::PartitionedTable);
    let class = matches!(
        table.class,
        TableClass::Replicate
            | TableClass::NoIdentity { .. }
            | TableClass::CannotBePublished { .. }
            | TableClass::Partitioned
    );
    kind && class
}
