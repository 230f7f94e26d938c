//! Makes checks side by side, each after those without which it can't be made.

use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use pghaul_core::acceptance::accept;
use pghaul_core::{Code, Failure, Finding};
use pghaul_step::check::ErasedCheck;
use pghaul_step::{CheckContext, Scope};
use std::collections::BTreeSet;
use std::sync::Arc;

/// What checks found, and which of them can't be relied on any more.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// What they found, in the order in which the checks are registered.
    pub(crate) findings: Vec<Finding>,
    /// The checks that found an error, could not look or had to be left out.
    pub(crate) failed: BTreeSet<&'static str>,
    /// Why the first of those that could not look could not.
    pub(crate) failure: Option<Failure>,
}

/// Makes all checks of one subject. `failed` names those of wider scope that can't be relied on: what comes
/// after one of them is left out.
///
/// # Errors
/// A server that can't be reached any more: the checks that are still being made are dropped.
pub(crate) async fn make_all<S: Scope>(
    checks: &[Arc<dyn ErasedCheck<S>>],
    context: &CheckContext<S>,
    failed: BTreeSet<&'static str>,
) -> Result<Outcome, Failure> {
    let mut round = Round {
        context,
        waiting: checks.iter().enumerate().collect(),
        running: FuturesUnordered::new(),
        unfinished: checks.iter().map(|check| check.descriptor().name).collect(),
        failed,
    };
    let mut found: Vec<Vec<Finding>> = Vec::new();
    found.resize_with(checks.len(), Vec::new);
    let mut could_not = None;
    round.start_ready();
    while let Some((position, name, findings)) = round.running.next().await {
        let findings = findings.map_err(|failure| Failure {
            operation: Some(format!("make the check {name}")),
            ..failure
        });
        let mut findings = match findings {
            Err(failure) if failure.code.is_of_statement() => {
                round.failed.insert(name);
                could_not.get_or_insert(failure);
                Vec::new()
            }
            findings => findings?,
        };
        accept(&context.landscape().accepted, &mut findings);
        if findings.iter().any(Finding::stops_migration) {
            round.failed.insert(name);
        }
        round.unfinished.remove(name);
        if let Some(place) = found.get_mut(position) {
            *place = findings;
        }
        round.start_ready();
    }
    round.conclude(found, could_not)
}

type Made = (usize, &'static str, Result<Vec<Finding>, Failure>);

struct Round<'a, S: Scope> {
    context: &'a CheckContext<S>,
    waiting: Vec<(usize, &'a Arc<dyn ErasedCheck<S>>)>,
    running: FuturesUnordered<BoxFuture<'a, Made>>,
    /// Checks of this scope that others may still have to wait for.
    unfinished: BTreeSet<&'static str>,
    failed: BTreeSet<&'static str>,
}

impl<'a, S: Scope> Round<'a, S> {
    /// Starts what need not wait any more, and leaves out what rests on a check that failed. Leaving one out may
    /// free others, so it goes on until nothing changes.
    fn start_ready(&mut self) {
        loop {
            let waiting = std::mem::take(&mut self.waiting);
            let before = waiting.len();
            for (position, check) in waiting {
                let descriptor = check.descriptor();
                if descriptor.after.iter().any(|name| self.unfinished.contains(name)) {
                    self.waiting.push((position, check));
                } else if descriptor.after.iter().any(|name| self.failed.contains(name)) {
                    self.failed.insert(descriptor.name);
                    self.unfinished.remove(descriptor.name);
                } else {
                    self.start(position, descriptor.name, check);
                }
            }
            if self.waiting.len() == before {
                return;
            }
        }
    }

    fn start(&mut self, position: usize, name: &'static str, check: &'a Arc<dyn ErasedCheck<S>>) {
        let context = self.context;
        let made = async move { (position, name, check.examine(context).await) };
        self.running.push(Box::pin(made));
    }

    fn conclude(self, found: Vec<Vec<Finding>>, failure: Option<Failure>) -> Result<Outcome, Failure> {
        // The registry refuses checks that wait for each other.
        if let Some((_, check)) = self.waiting.first() {
            let name = check.descriptor().name;
            return Err(Failure::new(
                Code::Bug,
                format!("check {name} was never made: it waits for itself"),
            ));
        }
        Ok(Outcome {
            findings: found.into_iter().flatten().collect(),
            failed: self.failed,
            failure,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::make_all;
    use pghaul_core::{Code, Failure};
    use pghaul_postgres::{ConnInfo, Environment, Server, SideMarker};
    use pghaul_step::{
        Check, CheckContext, CheckDescriptor, Cluster, Finding, FindingKind, Registry, Severity, Subject,
        async_trait,
    };
    use std::collections::BTreeSet;
    use std::sync::Arc;
    use tokio::sync::Barrier;

    #[derive(serde::Serialize)]
    #[serde(tag = "kind", rename_all = "kebab-case")]
    enum Found {
        Thing {
            #[serde(skip)]
            severity: Severity,
        },
    }

    impl FindingKind for Found {
        fn severity(&self) -> Severity {
            let Self::Thing { severity } = self;
            *severity
        }

        fn message(&self) -> String {
            "a thing".to_owned()
        }
    }

    /// Finds one thing, once all that share its barrier are being made.
    struct Finds {
        name: &'static str,
        after: &'static [&'static str],
        severity: Severity,
        barrier: Arc<Barrier>,
    }

    #[async_trait]
    impl Check for Finds {
        type Scope = Cluster;

        fn descriptor(&self) -> CheckDescriptor {
            CheckDescriptor {
                name: self.name,
                summary: "finds a thing",
                after: self.after,
            }
        }

        async fn examine(&self, _: &CheckContext<Cluster>) -> Result<Vec<Finding>, Failure> {
            self.barrier.wait().await;
            let found = Found::Thing {
                severity: self.severity,
            };
            Ok(vec![found.about(self.name, Subject::Cluster)])
        }
    }

    fn finds(name: &'static str, after: &'static [&'static str], severity: Severity) -> Finds {
        Finds {
            name,
            after,
            severity,
            barrier: Arc::new(Barrier::new(1)),
        }
    }

    fn nowhere<S: SideMarker>() -> Server<S> {
        let conninfo = ConnInfo::parse("host=nowhere user=nobody").unwrap();
        Server::new(conninfo.resolve(&Environment::empty()).unwrap(), "test", 1)
    }

    async fn made(registry: &Registry, failed: BTreeSet<&'static str>) -> (String, String) {
        let context = CheckContext::new(nowhere(), nowhere(), Arc::default());
        let outcome = make_all(registry.cluster_checks(), &context, failed)
            .await
            .unwrap();
        let found: Vec<&str> = outcome.findings.iter().map(|f| f.check.as_str()).collect();
        let failed: Vec<&str> = outcome.failed.into_iter().collect();
        (found.join(" "), failed.join(" "))
    }

    #[tokio::test]
    async fn checks_are_made_side_by_side_and_found_in_the_order_of_registration() {
        let barrier = Arc::new(Barrier::new(2));
        let beside = |name| Finds {
            barrier: Arc::clone(&barrier),
            ..finds(name, &[], Severity::Note)
        };
        let registry = Registry::new()
            .with_cluster_check(finds("last", &["first", "second"], Severity::Note))
            .with_cluster_check(beside("first"))
            .with_cluster_check(beside("second"));
        assert_eq!(
            made(&registry, BTreeSet::new()).await,
            ("last first second".into(), String::new())
        );
    }

    #[tokio::test]
    async fn what_rests_on_an_error_is_left_out() {
        let registry = Registry::new()
            .with_cluster_check(finds("grandchild", &["child"], Severity::Note))
            .with_cluster_check(finds("child", &["parent"], Severity::Note))
            .with_cluster_check(finds("parent", &[], Severity::Error))
            .with_cluster_check(finds("warned", &[], Severity::Warning))
            .with_cluster_check(finds("after a warning", &["warned"], Severity::Note));
        let (found, failed) = made(&registry, BTreeSet::new()).await;
        assert_eq!(found, "parent warned after a warning");
        assert_eq!(failed, "child grandchild parent");
        let (found, _) = made(&registry, BTreeSet::from(["parent", "warned"])).await;
        assert_eq!(found, "parent warned", "as of a wider scope");
    }

    /// Fails.
    struct Fails(&'static str, Code);

    #[async_trait]
    impl Check for Fails {
        type Scope = Cluster;

        fn descriptor(&self) -> CheckDescriptor {
            CheckDescriptor {
                name: self.0,
                summary: "fails",
                after: &[],
            }
        }

        async fn examine(&self, _: &CheckContext<Cluster>) -> Result<Vec<Finding>, Failure> {
            Err(Failure::new(self.1, "no"))
        }
    }

    #[tokio::test]
    async fn what_others_find_is_kept_where_one_could_not_look() {
        let context = CheckContext::new(nowhere(), nowhere(), Arc::default());
        let made = async |code| {
            let registry = Registry::new()
                .with_cluster_check(Fails("denied", code))
                .with_cluster_check(finds("after it", &["denied"], Severity::Note))
                .with_cluster_check(finds("other", &[], Severity::Note));
            make_all(registry.cluster_checks(), &context, BTreeSet::new()).await
        };
        let outcome = made(Code::PermissionDenied).await.unwrap();
        let found: Vec<&str> = outcome.findings.iter().map(|f| f.check.as_str()).collect();
        assert_eq!(found, ["other"], "what rests on it is left out");
        let failure = outcome.failure.unwrap();
        assert_eq!(failure.operation.as_deref(), Some("make the check denied"));
        let lost = made(Code::ConnectionLost).await.unwrap_err();
        assert_eq!(lost.code, Code::ConnectionLost);
    }

    #[test]
    fn checks_that_wait_for_each_other_are_refused() {
        let registry = Registry::new()
            .with_cluster_check(finds("one", &["other"], Severity::Note))
            .with_cluster_check(finds("other", &["one"], Severity::Note));
        let refusal = registry.validate().unwrap_err().to_string();
        assert!(refusal.contains("waits for itself"), "{refusal}");
    }
}
