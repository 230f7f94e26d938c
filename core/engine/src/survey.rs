//! Looks at everything and touches nothing: the checks, the method of each database, its plan.
//!
//! `plan` and `check` show a survey; `run` journals one.

use crate::checking::{self, Outcome};
use crate::wal_rate::WalMark;
use futures_util::{StreamExt as _, stream};
use pghaul_core::plan::{MethodChoice, PlannedObjects, choose_method, classify, hold_back};
use pghaul_core::selection::SelectedObjects;
use pghaul_core::{
    CheckName, Code, Concern, DatabaseName, DatabasePlan, Failure, Finding, Method, Route, Severity, Subject,
    TableName,
};
use pghaul_postgres::{Server, Source, Target};
use pghaul_step::check::Landscape;
use pghaul_step::{CheckContext, Cluster, Database, Registry};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How many databases are looked at side by side at most: beyond that the servers only queue the questions.
const AT_ONCE: usize = 8;

/// What a survey found out about one database.
#[derive(Debug, Clone)]
pub struct SurveyedDatabase {
    /// The database.
    pub database: DatabaseName,
    /// What its checks found.
    pub findings: Vec<Finding>,
    /// Its plan, where nothing stops its migration.
    pub plan: Option<DatabasePlan>,
    /// The bytes of its tables on the source.
    pub bytes: u64,
    /// The bytes of each.
    pub sizes: BTreeMap<TableName, u64>,
}

/// What a survey found out.
#[derive(Debug, Clone, Default)]
pub struct Survey {
    /// What the checks of the servers as a whole found.
    pub findings: Vec<Finding>,
    /// The databases, in the order of the selection.
    pub databases: Vec<SurveyedDatabase>,
    /// The WAL that the source writes in a second, where it could be measured.
    pub wal_bytes_per_second: Option<u64>,
    /// Why the first check that could not look could not: what it would have found is not known.
    pub failure: Option<Failure>,
}

impl Survey {
    /// All findings, of the servers first.
    pub fn all_findings(&self) -> impl Iterator<Item = &Finding> {
        self.findings
            .iter()
            .chain(self.databases.iter().flat_map(|d| &d.findings))
    }

    /// The survey, where every check could look.
    ///
    /// # Errors
    /// Why the first that could not look could not.
    pub(crate) fn complete(self) -> Result<Self, Failure> {
        match self.failure {
            Some(failure) => Err(failure),
            None => Ok(self),
        }
    }

    /// Whether the servers as a whole are fit for the migration.
    pub fn cluster_is_fit(&self) -> bool {
        !self.findings.iter().any(Finding::stops_migration)
    }
}

/// Looks at two servers.
pub struct Surveyor<'a> {
    /// The source.
    pub source: Server<Source>,
    /// The target.
    pub target: Server<Target>,
    /// The checks.
    pub registry: &'a Registry,
    /// What is selected, and what is already there.
    pub landscape: Arc<Landscape>,
}

impl Surveyor<'_> {
    /// Makes all checks of the given databases, numbered as given, and plans them.
    ///
    /// # Errors
    /// A server that can't be reached any more.
    pub async fn survey(&self, databases: &[(u32, DatabaseName)]) -> Result<Survey, Failure> {
        let context = CheckContext::new(
            self.source.clone(),
            self.target.clone(),
            Arc::clone(&self.landscape),
        );
        let begin = self.mark(&context).await;
        let of_cluster =
            checking::make_all(self.registry.cluster_checks(), &context, BTreeSet::new()).await?;
        let surveying = databases.iter().map(|(number, database)| async {
            let context = context.of_database(database.clone());
            let surveyed = self.survey_database(*number, &context, &of_cluster).await;
            context.close().await;
            surveyed.map_err(|failure| failure.with_database(database.as_str()))
        });
        let surveyed: Vec<Result<(SurveyedDatabase, Option<Failure>), Failure>> =
            stream::iter(surveying.collect::<Vec<_>>())
                .buffered(self.at_once())
                .collect()
                .await;
        let wal_bytes_per_second = match (begin, self.mark(&context).await) {
            (Some(begin), Some(end)) => Some(begin.rate_until(&end)),
            _ => None,
        };
        context.close().await;
        let surveyed = surveyed.into_iter().collect::<Result<Vec<_>, _>>()?;
        let (databases, failures): (Vec<_>, Vec<_>) = surveyed.into_iter().unzip();
        Ok(Survey {
            findings: of_cluster.findings,
            databases,
            wal_bytes_per_second,
            failure: of_cluster
                .failure
                .into_iter()
                .chain(failures.into_iter().flatten())
                .next(),
        })
    }

    /// How far the source has written its WAL. That it can't be reached is for a check to say.
    async fn mark(&self, context: &CheckContext<Cluster>) -> Option<WalMark> {
        WalMark::new(&*context.source().await.ok()?).await
    }

    /// How many databases are looked at side by side within the smaller connection budget. Each keeps one session
    /// on each side while its checks rehearse on others, so half of the places are for those, and none of them can
    /// wait for ever.
    fn at_once(&self) -> usize {
        let places = self.source.free_connections().min(self.target.free_connections());
        (places / 2).saturating_sub(1).clamp(1, AT_ONCE)
    }

    async fn survey_database(
        &self,
        number: u32,
        context: &CheckContext<Database>,
        of_cluster: &Outcome,
    ) -> Result<(SurveyedDatabase, Option<Failure>), Failure> {
        let database = context.database();
        // What rests on a check of the servers that failed need not be looked at.
        let failed = of_cluster.failed.clone();
        let outcome = checking::make_all(self.registry.database_checks(), context, failed).await?;
        let mut findings = outcome.findings;
        let everything: Vec<Finding> = of_cluster.findings.iter().chain(&findings).cloned().collect();
        let choice = choose_method(self.landscape.forced, &everything, database);
        self.refuse_impossible_method(database, &everything, &mut findings);
        let mut surveyed = SurveyedDatabase {
            database: database.clone(),
            findings,
            plan: None,
            bytes: 0,
            sizes: BTreeMap::new(),
        };
        let failure = outcome
            .failure
            .map(|failure| failure.with_database(database.as_str()));
        if failure.is_none() && !surveyed.findings.iter().any(Finding::stops_migration) {
            self.plan(&mut surveyed, context, number, choice).await?;
        }
        Ok((surveyed, failure))
    }

    /// A forced replication that can't work is an error about the migration, not a reason for a dump.
    fn refuse_impossible_method(
        &self,
        database: &DatabaseName,
        everything: &[Finding],
        findings: &mut Vec<Finding>,
    ) {
        if self.landscape.forced != Some(Method::Replication) {
            return;
        }
        let reasons = choose_method(None, everything, database).reasons;
        if !reasons.is_empty() {
            findings.push(Finding {
                check: CheckName::from("method"),
                severity: Severity::Error,
                concern: Concern::Migration,
                subject: Subject::Database(database.clone()),
                kind: "forced-method-impossible".to_owned(),
                facts: serde_json::json!({ "reasons": reasons }),
                message: format!(
                    "--method replication was given, but is not possible: {}",
                    reasons.join("; ")
                ),
                hint: Some("fix that, or leave --method out: the database is then dumped".to_owned()),
            });
        }
    }

    async fn plan(
        &self,
        surveyed: &mut SurveyedDatabase,
        context: &CheckContext<Database>,
        number: u32,
        choice: MethodChoice,
    ) -> Result<(), Failure> {
        let catalog = context.catalog().await?;
        surveyed.sizes = catalog.table_sizes();
        surveyed.bytes = surveyed.sizes.values().sum();
        let tables = classify(&catalog);
        let route = Route::of(choice.method, self.landscape.initial_copy);
        surveyed.plan = Some(DatabasePlan {
            database: surveyed.database.clone(),
            target_database: self
                .landscape
                .mapping()
                .databases
                .get(&surveyed.database)
                .cloned(),
            number,
            method: choice.method,
            initial_copy: self.landscape.initial_copy,
            forced: self.landscape.forced.is_some(),
            reasons: choice.reasons,
            steps: self.registry.step_names(route)?,
            definitions: self.registry.definitions(route)?,
            held_back: hold_back(&tables, &catalog),
            tables,
            objects: context
                .selected()
                .await?
                .as_deref()
                .map(planned_objects)
                .map(Box::new),
        });
        Ok(())
    }
}

fn planned_objects(selected: &SelectedObjects) -> PlannedObjects {
    PlannedObjects {
        only_named: selected.names_what_is_moved(),
        left_out: selected.left_out.clone(),
        brought: selected.brought.clone(),
        not_named: selected.not_named,
    }
}

/// The failure of a run that checks have stopped. It is hinted how the run can go on without the databases in question where
/// it could.
pub(crate) fn stopped_by(findings: &[&Finding], could_go_on: bool) -> Failure {
    let message = match findings {
        [only] => format!("check {} stops the migration: {}", only.check, only.message),
        many => format!("{} findings stop the migration", many.len()),
    };
    let failure = Failure::new(Code::CheckFailed, message);
    let failure = match findings {
        [only] => Failure {
            hint: only.hint.clone(),
            ..failure
        },
        many => many.iter().fold(failure, |f, finding| {
            f.with_cause(format!(
                "{} ({}): {}",
                finding.subject, finding.check, finding.message
            ))
        }),
    };
    match failure.hint {
        Some(_) => failure,
        None if could_go_on => failure.with_hint(
            "fix what was found, then run again; or go on without these databases with --on-check-failure=database; or \
             begin another migration with another --name, which leaves them out with --exclude-database",
        ),
        None => failure.with_hint("fix what was found, then run again"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_given_already_is_not_hinted_at() {
        let finding = Finding {
            check: CheckName::from("tables"),
            severity: Severity::Error,
            concern: Concern::Migration,
            subject: Subject::Database("shop".into()),
            kind: "k".to_owned(),
            facts: serde_json::Value::Null,
            message: "m".to_owned(),
            hint: None,
        };
        let hint = |could_go_on| stopped_by(&[&finding, &finding], could_go_on).hint.unwrap();
        assert!(hint(true).contains("--on-check-failure=database"));
        assert_eq!(hint(false), "fix what was found, then run again");
    }
}
