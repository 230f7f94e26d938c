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

/// Two servers, and what is selected on them. Each look has sessions of its own, which end with it.
struct Bench {
    source: String,
    target: String,
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
            source: source.to_owned(),
            target: target.to_owned(),
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
        let (source, target) = self.servers();
        let surveyor = Surveyor {
            source: source.clone(),
            target: target.clone(),
            registry: &registry,
            landscape: Arc::new(self.landscape.clone()),
        };
        let databases: Vec<_> = (1..).zip(self.landscape.selected.iter().cloned()).collect();
        let survey = surveyor.survey(&databases).await.unwrap();
        source.close_idle().await;
        target.close_idle().await;
        survey.all_findings().cloned().collect()
    }

    fn servers(&self) -> (Server<Source>, Server<Target>) {
        (server(&self.source), server(&self.target))
    }

    fn context(&self) -> CheckContext<Cluster> {
        let (source, target) = self.servers();
        CheckContext::new(source, target, Arc::new(self.landscape.clone()))
    }

    /// The findings of one check of the servers.
    async fn cluster(&self, check: &str) -> Vec<Finding> {
        let registry = pghaul_steps::builtin(Registry::new());
        self.examined(|context| async move { examine(registry.cluster_checks(), check, &context).await })
            .await
    }

    /// The findings of one check of one database.
    async fn database(&self, check: &str, database: &str) -> Vec<Finding> {
        let registry = pghaul_steps::builtin(Registry::new());
        self.examined(|context| async move {
            let context = context.of_database(database.into());
            examine(registry.database_checks(), check, &context).await
        })
        .await
    }

    async fn examined<F: Future<Output = Vec<Finding>>>(
        &self,
        examine: impl FnOnce(CheckContext<Cluster>) -> F,
    ) -> Vec<Finding> {
        let (source, target) = self.servers();
        let landscape = Arc::new(self.landscape.clone());
        let found = examine(CheckContext::new(source.clone(), target.clone(), landscape)).await;
        source.close_idle().await;
        target.close_idle().await;
        found
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
