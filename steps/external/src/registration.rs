//! From a configuration to steps and checks of the registry.

use crate::check::{ClusterProgramCheck, DatabaseProgramCheck};
use crate::definition::{CheckDefinition, Definitions, Scope, StepDefinition};
use crate::interned::interned;
use crate::step::{ClusterProgramStep, DatabaseProgramStep};
use pghaul_step::{Origin, Registry};
use std::path::Path;

impl Definitions {
    /// Adds the checks and steps.
    #[must_use]
    pub fn register(&self, registry: Registry) -> Registry {
        let folder = self.file.parent().unwrap_or(Path::new("."));
        let mut registry = registry.from_now_on(Origin::External(self.file.clone()));
        for check in &self.checks {
            let check = interned(CheckDefinition {
                command: check.command.found_from(folder),
                ..check.clone()
            });
            registry = match check.scope {
                Scope::Cluster => registry.with_cluster_check(ClusterProgramCheck(check)),
                Scope::Database => registry.with_check(DatabaseProgramCheck(check)),
            };
        }
        for step in &self.steps {
            // The hash is that of the text, so that the folder may be moved.
            let hash = interned(step.hash()).as_str();
            let step = interned(StepDefinition {
                command: step.command.found_from(folder),
                ..step.clone()
            });
            registry = match step.scope {
                Scope::Cluster => registry.with_cluster_step(ClusterProgramStep::new(step, hash)),
                Scope::Database => registry.with_step(DatabaseProgramStep::new(step, hash)),
            };
        }
        registry
    }
}
