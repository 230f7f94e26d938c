//! The set of all plug-ins, and the order they run in.

use crate::check::{Check, ErasedCheck};
use crate::scope::{Cluster, Database, Scope};
use crate::step::{EVERY_ROUTE, ErasedStep, OnTarget, Step, StepPhase};
use petgraph::graphmap::DiGraphMap;
use pghaul_core::plan::Route;
use pghaul_core::{Code, Failure, StepName, StepVersions};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
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
    /// A name that could not be written on the command line, or in a path of the documentation.
    #[error("{name:?} is no name for a {kind}")]
    BadName {
        /// `step` or `check`.
        kind: &'static str,
        /// The name.
        name: String,
    },
    /// A plug-in is placed by one that does not exist.
    #[error(
        "{kind} {name:?} is to run {place} {other:?}, which is not registered{}",
        offered(alike)
    )]
    Unknown {
        /// `step` or `check`.
        kind: &'static str,
        /// The plug-in that is placed.
        name: String,
        /// `after` or `before`.
        place: &'static str,
        /// The one that does not exist.
        other: String,
        /// The registered name that was probably meant.
        alike: Option<String>,
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

fn offered(alike: &Option<String>) -> String {
    alike
        .as_ref()
        .map(|name| format!("; did you mean {name:?}?"))
        .unwrap_or_default()
}

impl From<RegistryError> for Failure {
    fn from(error: RegistryError) -> Self {
        let hint = match &error {
            RegistryError::BadName { .. } => {
                "a name has up to 40 lower-case letters, digits and single hyphens, and begins with a letter"
            }
            _ => "names of steps and checks must be unique, and their order must not be circular",
        };
        Failure::new(Code::BadInput, error.to_string()).with_hint(hint)
    }
}

/// Where a step or a check comes from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Origin {
    /// With pghaul.
    BuiltIn,
    /// With the program around pghaul.
    #[default]
    Program,
    /// A file of SQL.
    Sql(PathBuf),
    /// A command of the configuration in this file.
    External(PathBuf),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuiltIn => f.write_str("built-in"),
            Self::Program => f.write_str("program"),
            Self::Sql(file) => write!(f, "{}", file.display()),
            Self::External(file) => write!(f, "external, {}", file.display()),
        }
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
    /// Of what is registered next.
    origin: Origin,
    step_origins: BTreeMap<&'static str, Origin>,
    check_origins: BTreeMap<&'static str, Origin>,
}

impl Registry {
    /// An empty registry.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same registry, in which what is added from here on comes from elsewhere.
    #[must_use]
    pub fn from_now_on(mut self, origin: Origin) -> Self {
        self.origin = origin;
        self
    }

    /// Where a step comes from.
    pub fn origin_of_step(&self, name: &str) -> Origin {
        self.step_origins.get(name).cloned().unwrap_or_default()
    }

    /// Where a check comes from.
    pub fn origin_of_check(&self, name: &str) -> Origin {
        self.check_origins.get(name).cloned().unwrap_or_default()
    }

    /// Adds a step that runs once for each database.
    #[must_use]
    pub fn with_step(mut self, step: impl Step<Scope = Database>) -> Self {
        self.step_origins
            .insert(step.descriptor().name, self.origin.clone());
        self.database_steps.push(Arc::new(step));
        self
    }

    /// Adds a step that runs once.
    #[must_use]
    pub fn with_cluster_step(mut self, step: impl Step<Scope = Cluster>) -> Self {
        self.step_origins
            .insert(step.descriptor().name, self.origin.clone());
        self.cluster_steps.push(Arc::new(step));
        self
    }

    /// Adds a check that looks at each database.
    #[must_use]
    pub fn with_check(mut self, check: impl Check<Scope = Database>) -> Self {
        self.check_origins
            .insert(check.descriptor().name, self.origin.clone());
        self.database_checks.push(Arc::new(check));
        self
    }

    /// Adds a check that looks at the servers as a whole.
    #[must_use]
    pub fn with_cluster_check(mut self, check: impl Check<Scope = Cluster>) -> Self {
        self.check_origins
            .insert(check.descriptor().name, self.origin.clone());
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
        names("check", checks.iter().map(|c| (c.name, c.after, EMPTY)))?;
        let mut graph = DiGraphMap::new();
        for check in &checks {
            graph.extend(check.after.iter().map(|after| (*after, check.name)));
        }
        no_cycle("check", &graph)?;
        let steps: Vec<_> = self.steps().collect();
        names("step", steps.iter().map(|s| (s.name, s.after, s.before)))?;
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

    /// See [`Step::taking_back`], of all steps.
    ///
    /// # Errors
    /// Names that can't be written in SQL.
    pub fn taking_back(&self, effects: &BTreeSet<String>, of: OnTarget<'_>) -> Result<Vec<String>, Failure> {
        let mut statements = Vec::new();
        for step in &self.database_steps {
            statements.extend(step.taking_back(effects, of)?);
        }
        Ok(statements)
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

    /// The hashes of what defines those steps of a route that are no code of the program: part of the frozen plan.
    ///
    /// # Errors
    /// [`RegistryError::Cycle`].
    pub fn definitions(&self, route: Route) -> Result<BTreeMap<StepName, String>, RegistryError> {
        let steps = self.database_steps(route)?;
        let defined = steps.iter().map(|step| step.descriptor()).filter_map(|step| {
            let hash = step.definition?;
            Some((StepName::from(step.name), hash.to_owned()))
        });
        Ok(defined.collect())
    }
}

const EMPTY: &[&str] = &[];

/// How alike a name must be to be offered instead of one that does not exist.
const ALIKE: f64 = 0.75;

fn names<'a>(
    kind: &'static str,
    plugins: impl Iterator<Item = (&'a str, &'a [&'a str], &'a [&'a str])> + Clone,
) -> Result<(), RegistryError> {
    let mut seen = BTreeSet::new();
    for (name, ..) in plugins.clone() {
        if !is_name(name) {
            let name = name.to_owned();
            return Err(RegistryError::BadName { kind, name });
        }
        if !seen.insert(name) {
            let name = name.to_owned();
            return Err(RegistryError::Duplicate { kind, name });
        }
    }
    for (name, after, before) in plugins {
        for (place, others) in [("after", after), ("before", before)] {
            if let Some(unknown) = others.iter().find(|other| !seen.contains(*other)) {
                return Err(RegistryError::Unknown {
                    kind,
                    name: name.to_owned(),
                    place,
                    other: (*unknown).to_owned(),
                    alike: alike(unknown, seen.iter().copied()).map(str::to_owned),
                });
            }
        }
    }
    Ok(())
}

/// The name that is most like one that does not exist, where one is.
pub fn alike<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let known = known.into_iter();
    let scored = known.map(|other| (strsim::jaro_winkler(name, other), other));
    let best = scored.max_by(|a, b| a.0.total_cmp(&b.0))?;
    (best.0 >= ALIKE).then_some(best.1)
}

/// Names stand on command lines, in the journal, in patterns and paths.
pub fn is_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    name.len() <= 40
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && !name.ends_with('-')
        && !name.contains("--")
        && name.chars().all(plain)
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
            if descriptor.before.contains(other) {
                graph.add_edge(*name, *other, ());
            }
        }
    }
    graph
}

#[cfg(test)]
mod tests {
    use super::{Registry, RegistryError};
    use crate::{Context, Database, Descriptor, Probe, Step, StepPhase, async_trait};
    use pghaul_core::{Failure, Route};

    struct Named(&'static str, &'static [&'static str]);

    #[async_trait]
    impl Step for Named {
        type Scope = Database;
        type Output = ();

        fn descriptor(&self) -> Descriptor {
            Descriptor {
                before: self.1,
                ..Descriptor::new(self.0, "", StepPhase::Data)
            }
        }

        async fn probe(&self, _: &Context<Database>) -> Result<Probe<()>, Failure> {
            Ok(Probe::Absent)
        }

        async fn run(&self, _: &Context<Database>) -> Result<(), Failure> {
            Ok(())
        }
    }

    #[test]
    fn a_step_can_be_placed_before_one_that_does_not_know_it() {
        let registry = Registry::new()
            .with_step(Named("copy", &[]))
            .with_step(Named("later", &["copy"]));
        registry.validate().unwrap();
        let names = registry.step_names(Route::Dump).unwrap();
        assert_eq!(
            names.iter().map(|n| n.as_str()).collect::<Vec<_>>(),
            ["later", "copy"]
        );
        let circle = Registry::new()
            .with_step(Named("one", &["two"]))
            .with_step(Named("two", &["one"]));
        assert!(matches!(circle.validate(), Err(RegistryError::Cycle { .. })));
    }

    #[test]
    fn names_that_nobody_could_write_are_refused_and_those_that_are_meant_offered() {
        for name in ["", "Copy", "my step", "-x", "x-", "a--b", "1st", "é"] {
            let refused = Registry::new()
                .with_step(Named(name, &[]))
                .validate()
                .unwrap_err();
            assert!(
                matches!(refused, RegistryError::BadName { .. }),
                "{name}: {refused}"
            );
        }
        let registry = Registry::new()
            .with_step(Named("post-data", &[]))
            .with_step(Named("own", &["post-dta"]));
        let refused = registry.validate().unwrap_err().to_string();
        assert!(refused.ends_with("did you mean \"post-data\"?"), "{refused}");
    }
}
