//! Which overrides of checks are possible, and their way into the journal.

use crate::Engine;
use pghaul_core::event::Runner;
use pghaul_core::{Acceptance, Code, DatabaseName, Event, Failure, MigrationEvent};
use pghaul_step::{Registry, alike};

/// Checks without which nothing can be moved, whoever accepts what they found.
const INDISPENSABLE: [&str; 3] = ["connection", "database-connection", "same-server"];

/// Refuses overrides of checks that don't exist or can't be overridden.
///
/// # Errors
/// [`Code::BadInput`], with the name that was probably meant.
pub fn check_acceptances(registry: &Registry, accepted: &[Acceptance]) -> Result<(), Failure> {
    let of_cluster = registry.cluster_checks().iter().map(|c| c.descriptor().name);
    let of_databases = registry.database_checks().iter().map(|c| c.descriptor().name);
    let of_databases: Vec<&str> = of_databases.collect();
    let known: Vec<&str> = of_cluster.chain(of_databases.iter().copied()).collect();
    for acceptance in accepted {
        let name = acceptance.check.as_str();
        let refused = |message| Failure::new(Code::BadInput, message).with_operation("read --accept");
        if !known.contains(&name) {
            let failure = refused(format!("there is no check {name:?}"));
            return Err(offer(failure, name, &known, "`pghaul steps` lists all checks"));
        }
        if INDISPENSABLE.contains(&name) {
            return Err(refused(format!(
                "what check {name} finds can't be accepted: nothing can be moved then"
            )));
        }
    }
    Ok(())
}

/// Refuses overrides for databases that are not selected.
///
/// # Errors
/// [`Code::BadInput`], with the name that was probably meant.
pub fn check_databases(accepted: &[Acceptance], selected: &[DatabaseName]) -> Result<(), Failure> {
    let names: Vec<&str> = selected.iter().map(DatabaseName::as_str).collect();
    for name in accepted.iter().filter_map(|a| a.database.as_ref()) {
        if !selected.contains(name) {
            let failure = Failure::new(
                Code::BadInput,
                format!("database {name} of --accept is not selected"),
            );
            return Err(offer(
                failure,
                name.as_str(),
                &names,
                "`pghaul plan` lists the selected ones",
            ));
        }
    }
    Ok(())
}

fn offer(failure: Failure, name: &str, known: &[&str], otherwise: &str) -> Failure {
    match alike(name, known.iter().copied()) {
        Some(nearest) => failure.with_hint(format!("did you mean {nearest:?}?")),
        None => failure.with_hint(otherwise),
    }
}

impl Engine {
    /// Journals what the user accepts, with who he is; what he has accepted in an earlier run stays so.
    pub(crate) async fn accept(&self, accepted: &[Acceptance]) -> Result<(), Failure> {
        let recorder = &self.run.recorder;
        let selected: Vec<DatabaseName> = recorder.read(|m| m.databases.keys().cloned().collect());
        check_databases(accepted, &selected)?;
        let events = recorder.read(|m| {
            let by = m.runner.as_ref().map(Runner::identity);
            let reason = m.runner.as_ref().and_then(Runner::reason);
            let new = accepted.iter().filter(|a| !m.accepted.contains(a));
            new.map(|acceptance| {
                Event::Migration(MigrationEvent::CheckAccepted {
                    check: acceptance.check.clone(),
                    database: acceptance.database.clone(),
                    by: by.clone().unwrap_or_default(),
                    reason: reason.clone(),
                })
            })
            .collect::<Vec<_>>()
        });
        if !events.is_empty() {
            recorder.append_all(events).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{check_acceptances, check_databases};
    use pghaul_core::{Acceptance, Failure};
    use pghaul_step::{Check, CheckContext, CheckDescriptor, Database, Finding, Registry, async_trait};

    struct Named(&'static str);

    #[async_trait]
    impl Check for Named {
        type Scope = Database;

        fn descriptor(&self) -> CheckDescriptor {
            CheckDescriptor {
                name: self.0,
                summary: "",
                after: &[],
            }
        }

        async fn examine(&self, _: &CheckContext<Database>) -> Result<Vec<Finding>, Failure> {
            Ok(Vec::new())
        }
    }

    fn refusal(outcome: Result<(), Failure>) -> String {
        outcome.map_or_else(
            |f| format!("{} ({})", f.message, f.hint.unwrap_or_default()),
            |()| String::new(),
        )
    }

    #[test]
    fn mistakes_are_explained() {
        let registry = Registry::new()
            .with_check(Named("extensions"))
            .with_check(Named("database-connection"));
        let refusal_of = |text: &str| {
            let accepted: [Acceptance; 1] = [text.parse().unwrap()];
            refusal(
                check_acceptances(&registry, &accepted)
                    .and_then(|()| check_databases(&accepted, &["shop".into()])),
            )
        };
        assert_eq!(refusal_of("extensions"), "");
        assert_eq!(refusal_of("extensions=shop"), "");
        assert_eq!(
            refusal_of("extension"),
            "there is no check \"extension\" (did you mean \"extensions\"?)"
        );
        assert_eq!(
            refusal_of("x"),
            "there is no check \"x\" (`pghaul steps` lists all checks)"
        );
        assert_eq!(
            refusal_of("extensions=shpo"),
            "database shpo of --accept is not selected (did you mean \"shop\"?)"
        );
        assert!(refusal_of("database-connection").starts_with("what check database-connection finds"));
    }
}
