//! Whether a plug-in works once for the cluster or once for each database.

use pghaul_core::machine::StepRecord;
use pghaul_core::plan::Route;
use pghaul_core::{DatabaseName, DatabasePlan, Event, Method, Migration, StepEvent, StepName};
use std::sync::Arc;

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Cluster {}
    impl Sealed for super::Database {}
}

/// The scope of a plug-in: [`Cluster`] or [`Database`].
pub trait Scope: sealed::Sealed + Send + Sync + 'static {
    /// What a step of this scope works on.
    type Subject: Clone + Send + Sync + 'static;
    /// What a check of this scope looks at: before there is a plan, a database is only a name.
    type CheckSubject: Clone + Send + Sync + 'static;

    /// The journal event for a step of this scope.
    fn event(subject: &Self::Subject, step: StepName, event: StepEvent) -> Event;

    /// The database a step works on, if it works on one.
    fn database(subject: &Self::Subject) -> Option<&DatabaseName>;

    /// What the journal knows of a step of this scope.
    fn record<'m>(
        migration: &'m Migration,
        subject: &Self::Subject,
        step: &StepName,
    ) -> Option<&'m StepRecord>;
}

/// Once for the whole migration, before any database's schema.
#[derive(Debug)]
pub struct Cluster;

/// Once for each database.
#[derive(Debug)]
pub struct Database;

/// The database that a step of scope [`Database`] works on.
#[derive(Debug, Clone)]
pub struct DatabaseSubject {
    /// Its frozen plan.
    pub plan: Arc<DatabasePlan>,
    /// The method in use: the plan's, unless it fell back.
    pub method: Method,
}

impl DatabaseSubject {
    /// The way that the database is on.
    pub fn route(&self) -> Route {
        Route::of(self.method, self.plan.initial_copy)
    }

    /// The database's name.
    pub fn name(&self) -> &DatabaseName {
        &self.plan.database
    }
}

impl Scope for Cluster {
    type Subject = ();
    type CheckSubject = ();

    fn event(_: &(), step: StepName, event: StepEvent) -> Event {
        Event::ClusterStep(step, event)
    }

    fn database(_: &()) -> Option<&DatabaseName> {
        None
    }

    fn record<'m>(migration: &'m Migration, _: &(), step: &StepName) -> Option<&'m StepRecord> {
        migration.steps.get(step)
    }
}

impl Scope for Database {
    type Subject = DatabaseSubject;
    type CheckSubject = DatabaseName;

    fn event(subject: &DatabaseSubject, step: StepName, event: StepEvent) -> Event {
        Event::DatabaseStep(subject.name().clone(), step, event)
    }

    fn database(subject: &DatabaseSubject) -> Option<&DatabaseName> {
        Some(subject.name())
    }

    fn record<'m>(
        migration: &'m Migration,
        subject: &DatabaseSubject,
        step: &StepName,
    ) -> Option<&'m StepRecord> {
        migration.databases.get(subject.name())?.steps.get(step)
    }
}
