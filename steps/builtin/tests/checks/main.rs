//! All built-in checks, and the step `roles`, on real servers: a clean pair gives no finding; break one thing,
//! get exactly that one.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests: a panic is the report")]

mod aiven_extras;
mod classes;
mod cluster;
mod connection;
mod database;
mod disk;
mod extensions;
mod journal;
mod libraries;
mod objects;
mod others;
mod proxy;
mod replication;
mod rights;
mod role_checks;
mod roles;
mod selection;
mod settings;
mod wal;
mod way;
mod without_superuser;

use pghaul_core::{DatabaseName, Finding};
use pghaul_engine::Surveyor;
use pghaul_step::check::{ErasedCheck, Landscape, Secret};
use pghaul_step::postgres::{ConnInfo, Environment, Resolved, Server, SideMarker, Source, Target};
use pghaul_step::{CheckContext, Cluster, Registry, Scope};
use pghaul_testkit::ClusterPair;
use std::sync::Arc;

fn resolved(conninfo: &str) -> Resolved {
    ConnInfo::parse(conninfo)
        .unwrap()
        .resolve(&Environment::empty())
        .unwrap()
}

fn server<S: SideMarker>(conninfo: &str) -> Server<S> {
    Server::new(resolved(conninfo), "pghaul/testtest/1", 4)
}

/// Two servers, and what is selected on them.
struct Bench {
    source: Server<Source>,
    target: Server<Target>,
    landscape: Landscape,
}

impl Bench {
    /// As superuser on both sides.
    fn new(pair: &ClusterPair, databases: &[&str]) -> Self {
        Self::of(
            &pair.source.conninfo("postgres"),
            &pair.target.conninfo("postgres"),
            databases,
        )
    }

    fn of(source: &str, target: &str, databases: &[&str]) -> Self {
        let way_back = resolved(source).for_subscription("postgres", &[]).unwrap();
        Self {
            source: server(source),
            target: server(target),
            landscape: Landscape {
                selected: databases.iter().map(|name| DatabaseName::from(*name)).collect(),
                source_from_target: Some(Secret(way_back)),
                ..Landscape::default()
            },
        }
    }

    /// The findings of all checks, as `check: kind`. That there are sequences, as almost everywhere, is left out.
    async fn all(&self) -> Vec<String> {
        let found = self.findings().await;
        found
            .iter()
            .filter(|finding| finding.kind != "sequences-not-followed")
            .map(|finding| format!("{}: {}", finding.check, finding.kind))
            .collect()
    }

    /// The findings of all checks.
    async fn findings(&self) -> Vec<Finding> {
        let registry = pghaul_steps::builtin(Registry::new());
        let surveyor = Surveyor {
            source: self.source.clone(),
            target: self.target.clone(),
            registry: &registry,
            landscape: Arc::new(self.landscape.clone()),
        };
        let databases: Vec<_> = (1..).zip(self.landscape.selected.iter().cloned()).collect();
        let survey = surveyor.survey(&databases).await.unwrap();
        survey.all_findings().cloned().collect()
    }

    fn context(&self) -> CheckContext<Cluster> {
        let landscape = Arc::new(self.landscape.clone());
        CheckContext::new(self.source.clone(), self.target.clone(), landscape)
    }

    /// The findings of one check of the servers.
    async fn cluster(&self, check: &str) -> Vec<Finding> {
        let registry = pghaul_steps::builtin(Registry::new());
        examine(registry.cluster_checks(), check, &self.context()).await
    }

    /// The findings of one check of one database.
    async fn database(&self, check: &str, database: &str) -> Vec<Finding> {
        let registry = pghaul_steps::builtin(Registry::new());
        let context = self.context().of_database(database.into());
        examine(registry.database_checks(), check, &context).await
    }
}

async fn examine<S: Scope>(
    checks: &[Arc<dyn ErasedCheck<S>>],
    name: &str,
    context: &CheckContext<S>,
) -> Vec<Finding> {
    let check = checks.iter().find(|check| check.descriptor().name == name);
    check
        .unwrap_or_else(|| panic!("no check {name}"))
        .examine(context)
        .await
        .unwrap_or_else(|failure| panic!("{name}: {failure:?}"))
}

fn kinds(findings: &[Finding]) -> Vec<&str> {
    findings.iter().map(|finding| finding.kind.as_str()).collect()
}
