//! The set of all plug-ins, and the order they run in.

use crate::check::{Check, ErasedCheck};
use crate::scope::{Cluster, Database, Scope};
use crate::step::{EVERY_ROUTE, ErasedStep, Step, StepPhase};
use petgraph::graphmap::DiGraphMap;
use pghaul_core::plan::Route;
use pghaul_core::{Code, Failure, StepName, StepVersions};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Why a set of plug-ins can't be used. Found before anything runs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegistryError {
    /// Two plug-ins of one kind have the same name.
    #[error("{kind} {name:?} is registered twice")]
    Duplicate {
        /// `step` or `check`.
        kind: &'static str,
        /// The name.
        name: String,
    },
    /// A plug-in wants to run after one that does not exist.
    #[error("{kind} {name:?} is to run after {after:?}, which is not registered")]
    Unknown {
        /// `step` or `check`.
        kind: &'static str,
        /// Who asks.
        name: String,
        /// For what.
        after: String,
    },
    /// Plug-ins wait for each other in a circle.
    #[error("{kind} {name:?} waits for itself, through the {kind}s that it is to run after")]
    Cycle {
        /// `step` or `check`.
        kind: &'static str,
        /// One of those in the circle.
        name: String,
    },
}

impl From<RegistryError> for Failure {
    fn from(error: RegistryError) -> Self {
        Failure::new(Code::BadInput, error.to_string())
            .with_hint("names of steps and checks must be unique, and their order must not be circular")
    }
}

type StepOf<S> = Arc<dyn ErasedStep<S>>;
type CheckOf<S> = Arc<dyn ErasedCheck<S>>;

/// The set of all plug-ins.
#[derive(Default)]
pub struct Registry {
    cluster_steps: Vec<StepOf<Cluster>>,
    database_steps: Vec<StepOf<Database>>,
    cluster_checks: Vec<CheckOf<Cluster>>,
    database_checks: Vec<CheckOf<Database>>,
}

impl Registry {
    /// An empty registry.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a step that runs once for each database.
    #[must_use]
    pub fn with_step(mut self, step: impl Step<Scope = Database>) -> Self {
        self.database_steps.push(Arc::new(step));
        self
    }

    /// Adds a step that runs once.
    #[must_use]
    pub fn with_cluster_step(mut self, step: impl Step<Scope = Cluster>) -> Self {
        self.cluster_steps.push(Arc::new(step));
        self
    }

    /// Adds a check that looks at each database.
    #[must_use]
    pub fn with_check(mut self, check: impl Check<Scope = Database>) -> Self {
        self.database_checks.push(Arc::new(check));
        self
    }

    /// Adds a check that looks at the servers as a whole.
    #[must_use]
    pub fn with_cluster_check(mut self, check: impl Check<Scope = Cluster>) -> Self {
        self.cluster_checks.push(Arc::new(check));
        self
    }

    /// Looks for duplicate and unknown names and for cycles.
    ///
    /// # Errors
    /// See [`RegistryError`].
    pub fn validate(&self) -> Result<(), RegistryError> {
        let checks = self.cluster_checks.iter().map(|c| c.descriptor());
        let checks: Vec<_> = checks
            .chain(self.database_checks.iter().map(|c| c.descriptor()))
            .collect();
        names("check", checks.iter().map(|c| (c.name, c.after)))?;
        let mut graph = DiGraphMap::new();
        for check in &checks {
            graph.extend(check.after.iter().map(|after| (*after, check.name)));
        }
        no_cycle("check", &graph)?;
        let steps: Vec<_> = self.steps().collect();
        names("step", steps.iter().map(|s| (s.name, s.after)))?;
        self.cluster_steps()?;
        for route in EVERY_ROUTE {
            self.database_steps(*route)?;
        }
        Ok(())
    }

    /// The descriptors of all steps, for `pghaul steps`.
    pub fn steps(&self) -> impl Iterator<Item = crate::Descriptor> {
        let cluster = self.cluster_steps.iter().map(|s| s.descriptor());
        cluster.chain(self.database_steps.iter().map(|s| s.descriptor()))
    }

    /// The versions of what all steps note in the journal.
    pub fn versions(&self) -> StepVersions {
        self.steps().fold(StepVersions::default(), |versions, step| {
            versions.with(StepName::from(step.name), step.upcasters)
        })
    }

    /// The checks of the servers as a whole, in the order of registration.
    pub fn cluster_checks(&self) -> &[CheckOf<Cluster>] {
        &self.cluster_checks
    }

    /// The checks of each database, in the order of registration.
    pub fn database_checks(&self) -> &[CheckOf<Database>] {
        &self.database_checks
    }

    /// The cluster steps in the order in which they run.
    ///
    /// # Errors
    /// [`RegistryError::Cycle`].
    pub fn cluster_steps(&self) -> Result<Vec<StepOf<Cluster>>, RegistryError> {
        ordered(&self.cluster_steps, |_| true)
    }

    /// The steps of a way in the order in which they begin.
    ///
    /// # Errors
    /// [`RegistryError::Cycle`].
    pub fn database_steps(&self, route: Route) -> Result<Vec<StepOf<Database>>, RegistryError> {
        ordered(&self.database_steps, |routes| routes.contains(&route))
    }

    /// The names of a way's steps in the order in which they begin: part of the frozen plan.
    ///
    /// # Errors
    /// [`RegistryError::Cycle`].
    pub fn step_names(&self, route: Route) -> Result<Vec<StepName>, RegistryError> {
        Ok(self
            .database_steps(route)?
            .iter()
            .map(|s| StepName::from(s.descriptor().name))
            .collect())
    }
}

fn names<'a>(
    kind: &'static str,
    plugins: impl Iterator<Item = (&'a str, &'a [&'a str])> + Clone,
) -> Result<(), RegistryError> {
    let mut seen = BTreeSet::new();
    for (name, _) in plugins.clone() {
        if !seen.insert(name) {
            return Err(RegistryError::Duplicate {
                kind,
                name: name.to_owned(),
            });
        }
    }
    for (name, after) in plugins {
        if let Some(unknown) = after.iter().find(|a| !seen.contains(*a)) {
            return Err(RegistryError::Unknown {
                kind,
                name: name.to_owned(),
                after: (*unknown).to_owned(),
            });
        }
    }
    Ok(())
}

/// Topological order, phase before phase, with the name as tie-break.
fn ordered<S: Scope>(
    steps: &[StepOf<S>],
    of_route: impl Fn(&[Route]) -> bool,
) -> Result<Vec<StepOf<S>>, RegistryError> {
    let mut by_name: BTreeMap<(StepPhase, &'static str), StepOf<S>> = BTreeMap::new();
    for step in steps {
        let descriptor = step.descriptor();
        if of_route(descriptor.routes) {
            by_name.insert((descriptor.phase, descriptor.name), Arc::clone(step));
        }
    }
    let graph = arrows(&by_name);
    no_cycle("step", &graph)?;
    let mut order = Vec::with_capacity(by_name.len());
    let mut done: BTreeSet<&'static str> = BTreeSet::new();
    while !by_name.is_empty() {
        let ready = by_name
            .keys()
            .find(|(_, name)| {
                graph
                    .neighbors_directed(name, petgraph::Incoming)
                    .all(|n| done.contains(n))
            })
            .copied();
        let Some(key) = ready else { break };
        done.insert(key.1);
        order.extend(by_name.remove(&key));
    }
    Ok(order)
}

fn no_cycle(kind: &'static str, graph: &DiGraphMap<&'static str, ()>) -> Result<(), RegistryError> {
    let sorted = petgraph::algo::toposort(graph, None);
    sorted.map(|_| ()).map_err(|cycle| RegistryError::Cycle {
        kind,
        name: cycle.node_id().to_owned(),
    })
}

/// An arrow from each step to those that run after it: as declared, and every phase before the next one.
fn arrows<S: Scope>(steps: &BTreeMap<(StepPhase, &'static str), StepOf<S>>) -> DiGraphMap<&'static str, ()> {
    let mut graph = DiGraphMap::new();
    for ((phase, name), step) in steps {
        graph.add_node(*name);
        for (other_phase, other) in steps.keys() {
            let descriptor = step.descriptor();
            if other_phase < phase || descriptor.after.contains(other) || descriptor.beside == Some(*other) {
                graph.add_edge(*other, *name, ());
            }
        }
    }
    graph
}
