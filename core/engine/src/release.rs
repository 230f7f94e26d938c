//! Whether this program can go on with a migration that another one began, and which steps are over.
//!
//! A journal outlives releases, and programs with steps of their own. What this program lacks is judged before anything
//! is journaled, so that no database fails because of it. A step that the plan does not know, since a later release
//! brought it, is asked where it can still run.

use pghaul_core::machine::{DatabaseRecord, StepRecord};
use pghaul_core::{
    Code, DatabaseName, DatabaseState, Failure, Method, Migration, Phase, Route, StepName, StepState,
};
use pghaul_step::{Descriptor, Registry, RegistryError, Repeats, StepPhase};
use std::collections::{BTreeMap, BTreeSet};

/// What is to be done with a migration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// `run`, or the proof of `status`.
    Run,
    /// `remove`
    Remove,
    /// `remove --force`: what a step that is missing has made, the user leaves.
    ForcedRemoval,
}

/// Refuses a migration that needs a step which this program lacks, or whose steps have noted something in a newer
/// version than it reads.
///
/// # Errors
/// [`Code::OtherRelease`] with each of them; [`Code::BadInput`] where the steps have no order.
pub fn refuse_other_release(
    registry: &Registry,
    migration: &Migration,
    purpose: Purpose,
) -> Result<(), Failure> {
    let known = Known::of(registry)?;
    let mut problems = known.of_cluster(migration, purpose);
    for (name, record) in &migration.databases {
        problems.extend(known.of_database(name, record, purpose));
    }
    let mut problems = problems.into_iter();
    let Some(first) = problems.next() else {
        return Ok(());
    };
    let failure = Failure::new(Code::OtherRelease, first).with_hint(hint(migration, purpose));
    Err(problems.fold(failure, Failure::with_cause))
}

fn hint(migration: &Migration, purpose: Purpose) -> String {
    let runner = migration
        .runner
        .as_ref()
        .and_then(|runner| runner.pghaul.as_deref());
    let creator = migration.created.as_ref().map(|created| created.pghaul.as_str());
    let release = runner.or(creator).unwrap_or("of the last run");
    let way = format!(
        "use pghaul {release} or a newer release, or the program of your own that has the step; nothing was changed"
    );
    match purpose {
        Purpose::Run | Purpose::ForcedRemoval => way,
        Purpose::Remove => format!(
            "{way}. Where no such program is left, `pghaul remove --force` removes everything but what that step made"
        ),
    }
}

/// The steps that are still to run and are defined otherwise than when the plan was made, with a database each: a sentence for
/// each. The new definition counts.
pub fn changed_definitions(registry: &Registry, migration: &Migration) -> Vec<String> {
    let now: BTreeMap<&str, &str> = registry
        .steps()
        .filter_map(|step| Some((step.name, step.definition?)))
        .collect();
    let mut changed = BTreeMap::new();
    for (database, record) in &migration.databases {
        if matches!(record.state, DatabaseState::Done | DatabaseState::Removed) {
            continue;
        }
        for (step, planned) in record.plan.iter().flat_map(|plan| &plan.definitions) {
            if now.get(step.as_str()).is_some_and(|hash| hash != planned) {
                changed.entry(step).or_insert(database);
            }
        }
    }
    let sentence = |(step, database)| {
        format!(
            "step {step} is defined otherwise than when the plan of database {database} was made; the new definition is used"
        )
    };
    changed.into_iter().map(sentence).collect()
}

/// The steps of this program.
struct Known {
    cluster: BTreeMap<StepName, u32>,
    /// Those of each route.
    routes: BTreeMap<Route, BTreeMap<StepName, u32>>,
}

impl Known {
    fn of(registry: &Registry) -> Result<Self, RegistryError> {
        let entry = |d: Descriptor| (StepName::from(d.name), d.version());
        let cluster = registry.cluster_steps()?;
        let mut routes = BTreeMap::new();
        for route in pghaul_step::step::EVERY_ROUTE {
            let steps = registry.database_steps(*route)?;
            routes.insert(*route, steps.iter().map(|s| entry(s.descriptor())).collect());
        }
        Ok(Self {
            cluster: cluster.iter().map(|s| entry(s.descriptor())).collect(),
            routes,
        })
    }

    /// The version of a step that a database may have begun, with either method.
    fn version(&self, step: &StepName, record: &DatabaseRecord) -> Option<u32> {
        let copy = record.plan.as_ref()?.initial_copy;
        let routes = [Route::of(Method::Replication, copy), Route::Dump];
        let mut found = routes
            .iter()
            .filter_map(|route| self.routes.get(route)?.get(step));
        found.next().copied()
    }

    /// The cluster's steps matter while they run: nothing undoes them.
    fn of_cluster(&self, migration: &Migration, purpose: Purpose) -> Vec<String> {
        if purpose != Purpose::Run || migration.is_removed() {
            return Vec::new();
        }
        let mut problems = Vec::new();
        for (step, record) in &migration.steps {
            match self.cluster.get(step) {
                None if matches!(record.state, StepState::Running | StepState::Failed) => {
                    problems.push(format!("this program has no step {step}, which has begun"));
                }
                None => {}
                Some(known) => problems.extend(newer(step, record, *known, "")),
            }
        }
        problems
    }

    fn of_database(&self, name: &DatabaseName, record: &DatabaseRecord, purpose: Purpose) -> Vec<String> {
        match (record.state.work().phase(), purpose) {
            (Phase::Pending | Phase::Checking | Phase::Removed, _) => return Vec::new(),
            (Phase::Done | Phase::Removing, Purpose::Run) => return Vec::new(),
            _ => {}
        }
        let of = format!(" of database {name}");
        let mut problems = Vec::new();
        for (step, noted) in &record.steps {
            match self.version(step, record) {
                None if has_begun(noted.state) && purpose != Purpose::ForcedRemoval => {
                    problems.push(format!(
                        "this program has no step {step}, which database {name} has begun"
                    ));
                }
                None => {}
                Some(known) => problems.extend(newer(step, noted, known, &of)),
            }
        }
        if purpose == Purpose::Run {
            let missing = self.planned_and_missing(record).map(|step| {
                format!("this program has no step {step}, which the plan of database {name} has")
            });
            problems.extend(missing);
        }
        problems
    }

    /// Steps of the plan that are still to come. Where a later one has begun, an earlier one was not needed.
    fn planned_and_missing<'a>(&'a self, record: &'a DatabaseRecord) -> impl Iterator<Item = &'a StepName> {
        let over = record.fell_back.is_some() || *record.state.work() == DatabaseState::Syncing;
        let planned = record.plan.as_ref().filter(|_| !over);
        let planned: &[StepName] = planned.map_or(&[], |plan| &plan.steps);
        let begun = planned
            .iter()
            .rposition(|step| has_begun(record.step_state(step)));
        let to_come = planned.iter().skip(begun.map_or(0, |last| last + 1));
        to_come.filter(|step| self.version(step, record).is_none())
    }
}

fn newer(step: &StepName, record: &StepRecord, known: u32, of: &str) -> Option<String> {
    (record.version > known).then(|| {
        format!(
            "step {step}{of} has noted something in version {}; this program reads up to {known}",
            record.version
        )
    })
}

fn has_begun(state: StepState) -> bool {
    match state {
        StepState::Running | StepState::Finished | StepState::Failed => true,
        StepState::Idle | StepState::Undone => false,
    }
}

/// The steps of a route that a later release brought, after the place where they belong was passed: they are not asked.
/// `order` has the route's steps as they run.
pub(crate) fn passed(record: &DatabaseRecord, order: &[Descriptor]) -> BTreeSet<&'static str> {
    let state = |step: &Descriptor| record.step_state(&StepName::from(step.name));
    let planned = |step: &Descriptor| {
        let plan = record.plan.as_ref();
        plan.is_none_or(|plan| plan.steps.iter().any(|s| s.as_str() == step.name))
    };
    let begun: BTreeSet<&str> = order
        .iter()
        .filter(|s| has_begun(state(s)))
        .map(|s| s.name)
        .collect();
    let rows_began = order
        .iter()
        .any(|step| step.phase == StepPhase::Data && begun.contains(step.name));
    let mut passed = BTreeSet::new();
    for step in order {
        if planned(step) || state(step) != StepState::Idle || step.repeats == Repeats::EveryRun {
            continue;
        }
        let over = match step.phase {
            StepPhase::Schema => match record.state.work() {
                DatabaseState::Schema { .. } => false,
                // After a fallback, the schema of the dump's route is completed here.
                DatabaseState::Dumping => record.fell_back.is_none() || rows_began,
                _ => true,
            },
            StepPhase::Data => false,
        };
        if over
            || followers(step.name, order)
                .iter()
                .any(|name| begun.contains(name))
        {
            passed.insert(step.name);
        }
    }
    passed
}

/// The steps that are to begin after this one or beside it, as they have said, directly or through others.
fn followers(step: &'static str, order: &[Descriptor]) -> BTreeSet<&'static str> {
    let mut followers = BTreeSet::from([step]);
    let placed_before = |name: &'static str, followers: &BTreeSet<&str>| {
        let mut earlier = order.iter().filter(|other| followers.contains(other.name));
        earlier.any(|other| other.before.contains(&name))
    };
    // In this order, what follows a step comes after it.
    for other in order {
        let after = other.after.iter().any(|name| followers.contains(name));
        if after
            || placed_before(other.name, &followers)
            || other.beside.is_some_and(|name| followers.contains(name))
        {
            followers.insert(other.name);
        }
    }
    followers.remove(step);
    followers
}

/// The same for the steps of the cluster: they run before any database's schema, so they are over when every database
/// has one.
pub(crate) fn passed_in_cluster(migration: &Migration, order: &[Descriptor]) -> BTreeSet<&'static str> {
    let state = |name: &str| {
        migration
            .steps
            .get(&StepName::from(name))
            .map(|record| record.state)
    };
    let begun = |name: &&str| state(name).is_some_and(has_begun);
    let mut databases = migration.databases.values();
    let over = databases.all(|d| !matches!(d.state.work().phase(), Phase::Pending | Phase::Checking));
    let to_come = order
        .iter()
        .filter(|step| state(step.name).is_none() && step.repeats != Repeats::EveryRun);
    let passed = to_come.filter(|step| over || followers(step.name, order).iter().any(begun));
    passed.map(|step| step.name).collect()
}

#[cfg(test)]
mod tests;
