//! A check that is a program.

use crate::connection::{READ_ONLY, ServerAccess, ServiceFile};
use crate::definition::{CheckDefinition, OnCheckFailure};
use crate::not_made::not_made;
use crate::program::{Done, Listener, Program, bounded};
use crate::protocol::{Answer, FoundByProgram, Request, Sent};
use pghaul_step::registry::is_name;
use pghaul_step::{
    Check, CheckContext, CheckDescriptor, Cluster, Code, Concern, Database, DatabaseName, Failure, Finding,
    Scope, Severity, Subject, async_trait,
};

/// A check of the servers as a whole.
pub(crate) struct ClusterProgramCheck(pub(crate) &'static CheckDefinition);

/// A check of each database.
pub(crate) struct DatabaseProgramCheck(pub(crate) &'static CheckDefinition);

#[async_trait]
impl Check for ClusterProgramCheck {
    type Scope = Cluster;

    fn descriptor(&self) -> CheckDescriptor {
        self.0.descriptor(&["connection"])
    }

    async fn examine(&self, ctx: &CheckContext<Cluster>) -> Result<Vec<Finding>, Failure> {
        self.0.examine(ctx, None).await
    }
}

#[async_trait]
impl Check for DatabaseProgramCheck {
    type Scope = Database;

    fn descriptor(&self) -> CheckDescriptor {
        self.0.descriptor(&["database-connection"])
    }

    async fn examine(&self, ctx: &CheckContext<Database>) -> Result<Vec<Finding>, Failure> {
        self.0.examine(ctx, Some(ctx.database())).await
    }
}

impl CheckDefinition {
    fn descriptor(&'static self, after: &'static [&'static str]) -> CheckDescriptor {
        CheckDescriptor {
            name: &self.name,
            summary: self
                .summary
                .as_deref()
                .unwrap_or("a program of the configuration finds nothing"),
            after,
        }
    }

    async fn examine<S: Scope>(
        &self,
        ctx: &CheckContext<S>,
        database: Option<&DatabaseName>,
    ) -> Result<Vec<Finding>, Failure> {
        let mut findings = Findings {
            check: &self.name,
            database,
            found: Vec::new(),
        };
        match self.ask(ctx, database, &mut findings).await {
            Ok(_) => Ok(findings.found),
            Err(failure) if failure.code == Code::ToolFailed => {
                let severity = match self.on_failure {
                    OnCheckFailure::Error => Severity::Error,
                    OnCheckFailure::Warning => Severity::Warning,
                };
                let finding = not_made(&self.name, database, severity, &failure);
                findings.found.push(finding);
                Ok(findings.found)
            }
            Err(failure) => Err(failure),
        }
    }

    async fn ask<S: Scope>(
        &self,
        ctx: &CheckContext<S>,
        database: Option<&DatabaseName>,
        findings: &mut Findings<'_>,
    ) -> Result<Done, Failure> {
        let (source, target) = (ctx.source_server(), ctx.target_server());
        let in_source = database.map_or(source.resolved().database(), DatabaseName::as_str);
        let source = ServerAccess::to("source", source, in_source, READ_ONLY).await?;
        // The target mostly has no such database yet.
        let target = ServerAccess::to("target", target, target.resolved().database(), READ_ONLY).await?;
        let request = Request {
            name: self.name.clone(),
            database: database.map(ToString::to_string),
            migration: ctx.landscape().migration.clone(),
            source: source.conninfo(),
            target: target.conninfo(),
            ..Request::default()
        };
        let files = ServiceFile::write(&[&source, &target])?;
        let program = Program {
            what: format!("check {}", self.name),
            command: &self.command,
            environment: &self.environment,
            time: self.timeout.0,
        };
        program
            .ask(&Sent::Check(&request), &request, &files, findings)
            .await
    }
}

struct Findings<'a> {
    check: &'a str,
    database: Option<&'a DatabaseName>,
    found: Vec<Finding>,
}

impl Listener for Findings<'_> {
    async fn hear(&mut self, answer: Answer) -> Result<bool, Failure> {
        if let Answer::Finding(found) = answer {
            self.found.push(self.finding(found));
        }
        Ok(false)
    }
}

impl Findings<'_> {
    fn finding(&self, found: FoundByProgram) -> Finding {
        let subject = match (self.database.cloned(), found.object) {
            (None, _) => Subject::Cluster,
            (Some(database), None) => Subject::Database(database),
            (Some(database), Some(object)) => Subject::Object {
                database,
                object: bounded(&object),
            },
        };
        Finding {
            check: self.check.into(),
            severity: found.severity.into(),
            concern: Concern::Migration,
            subject,
            kind: found
                .kind
                .filter(|kind| is_name(kind))
                .unwrap_or_else(|| "found".to_owned()),
            facts: found.facts,
            message: bounded(&found.message),
            hint: found.hint.as_deref().map(bounded),
        }
    }
}
