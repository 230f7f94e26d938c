//! A step that is a program.

use crate::connection::{ServerAccess, ServiceFile};
use crate::definition::{Again, Method, OnStepFailure, Phase, Reason, StepDefinition};
use crate::interned::interned_list;
use crate::program::{Done, Listener, Program, bounded};
use crate::protocol::{Answer, Presence, Request, Sent};
use pghaul_step::step::{EVERY_ROUTE, REPLICATION};
use pghaul_step::{
    Cluster, Code, Context, Database, DatabaseName, Descriptor, Failure, Occasion, Probe, Progress, Repeats,
    Route, Scope, Step, StepPhase, async_trait,
};
use serde_json::{Map, Value, json};

/// A step of the cluster.
pub(crate) struct ClusterProgramStep(Definition);

/// A step of each database.
pub(crate) struct DatabaseProgramStep(Definition);

struct Definition {
    own: &'static StepDefinition,
    descriptor: Descriptor,
}

impl ClusterProgramStep {
    pub(crate) fn new(own: &'static StepDefinition, hash: &'static str) -> Self {
        Self(Definition::new(own, hash))
    }
}

impl DatabaseProgramStep {
    pub(crate) fn new(own: &'static StepDefinition, hash: &'static str) -> Self {
        Self(Definition::new(own, hash))
    }
}

#[async_trait]
impl Step for ClusterProgramStep {
    type Scope = Cluster;
    type Output = Value;

    fn descriptor(&self) -> Descriptor {
        self.0.descriptor.clone()
    }

    async fn probe(&self, ctx: &Context<Cluster>) -> Result<Probe<Value>, Failure> {
        self.0.probe(ctx, About::default()).await
    }

    async fn run(&self, ctx: &Context<Cluster>) -> Result<Value, Failure> {
        self.0.run(ctx, About::default()).await
    }

    async fn undo(&self, ctx: &Context<Cluster>) -> Result<(), Failure> {
        self.0.undo(ctx, About::default()).await
    }
}

#[async_trait]
impl Step for DatabaseProgramStep {
    type Scope = Database;
    type Output = Value;

    fn descriptor(&self) -> Descriptor {
        self.0.descriptor.clone()
    }

    async fn probe(&self, ctx: &Context<Database>) -> Result<Probe<Value>, Failure> {
        self.0.probe(ctx, About::of(ctx)).await
    }

    async fn run(&self, ctx: &Context<Database>) -> Result<Value, Failure> {
        self.0.run(ctx, About::of(ctx)).await
    }

    async fn undo(&self, ctx: &Context<Database>) -> Result<(), Failure> {
        self.0.undo(ctx, About::of(ctx)).await
    }

    async fn follow_again(&self, ctx: &Context<Database>) -> Result<(), Failure> {
        let before_removal = self.0.own.again == Again::Removal && ctx.was_started();
        if before_removal && self.0.own.undo_on.contains(&Reason::Refused) {
            return self.0.take_back(ctx, About::of(ctx), "refused").await;
        }
        Ok(())
    }
}

/// The database that the step works on, where it works on one.
#[derive(Clone, Copy, Default)]
struct About<'a> {
    database: Option<&'a DatabaseName>,
    method: Option<pghaul_step::Method>,
}

impl<'a> About<'a> {
    fn of(ctx: &'a Context<Database>) -> Self {
        Self {
            database: Some(ctx.database()),
            method: Some(ctx.method()),
        }
    }
}

impl Definition {
    fn new(own: &'static StepDefinition, hash: &'static str) -> Self {
        let phase = match own.phase {
            Phase::Schema => StepPhase::Schema,
            Phase::Data => StepPhase::Data,
        };
        let has = |method| own.methods.contains(&method);
        let routes: &'static [Route] = match (has(Method::Replication), has(Method::Dump)) {
            (true, false) => REPLICATION,
            (false, true) => &[Route::Dump],
            _ => EVERY_ROUTE,
        };
        let summary = own
            .summary
            .as_deref()
            .unwrap_or("runs a program of the configuration");
        Self {
            own,
            descriptor: Descriptor {
                routes,
                after: interned_list(&own.after),
                before: interned_list(&own.before),
                definition: Some(hash),
                repeats: match own.again {
                    Again::Never => Repeats::Never,
                    Again::EveryRun => Repeats::EveryRun,
                    Again::Removal => Repeats::Removal,
                },
                ..Descriptor::new(&own.name, summary, phase)
            },
        }
    }

    async fn probe<S: Scope>(&self, ctx: &Context<S>, about: About<'_>) -> Result<Probe<Value>, Failure> {
        if !self.own.probe {
            return Ok(Probe::Absent);
        }
        let request = self.request(ctx, about).await?;
        let done = match self.ask(ctx, &request, Kind::Probe).await {
            Err(failure) if self.goes_on_after(&failure) => return Ok(Probe::Absent),
            done => done?,
        };
        let stopped = |code| {
            let message = done.message.as_deref().unwrap_or("the program gives no reason");
            Failure::new(code, bounded(message)).with_operation(format!("probe step {}", self.own.name))
        };
        Ok(match done.state {
            None | Some(Presence::Absent) => Probe::Absent,
            Some(Presence::Partial) => Probe::Partial,
            Some(Presence::Present) => Probe::Present(done.output.clone()),
            Some(Presence::Foreign) => Probe::Foreign(stopped(Code::ToolFailed)),
            Some(Presence::Lost) => Probe::Lost(stopped(Code::StateLost)),
        })
    }

    async fn run<S: Scope>(&self, ctx: &Context<S>, about: About<'_>) -> Result<Value, Failure> {
        let request = self.request(ctx, about).await?;
        let what = format!("program {}", self.own.name);
        let done = ctx.act(&what, self.ask(ctx, &request, Kind::Run)).await;
        match done {
            Err(failure) if self.goes_on_after(&failure) => {
                tracing::warn!(step = self.own.name, %failure, "the next step begins all the same");
                Ok(json!({ "failed": failure.message }))
            }
            done => Ok(done?.output),
        }
    }

    /// For the end of a migration as well: the definition lists the reasons for which the program is called.
    async fn undo<S: Scope>(&self, ctx: &Context<S>, about: About<'_>) -> Result<(), Failure> {
        let Some(reason) = ctx.undo_reason() else {
            return Ok(());
        };
        if !self.own.undo_on.iter().any(|wanted| wanted.is(reason)) {
            return Ok(());
        }
        self.take_back(ctx, about, &reason.to_string()).await
    }

    async fn take_back<S: Scope>(
        &self,
        ctx: &Context<S>,
        about: About<'_>,
        reason: &str,
    ) -> Result<(), Failure> {
        let (mut request, files) = self.request(ctx, about).await?;
        request.reason = Some(reason.to_owned());
        match self.ask(ctx, &(request, files), Kind::Undo).await {
            Err(failure) if self.goes_on_after(&failure) => {
                tracing::warn!(step = self.own.name, %failure, "the step is not undone");
                Ok(())
            }
            done => done.map(drop),
        }
    }

    fn goes_on_after(&self, failure: &Failure) -> bool {
        self.own.on_failure == OnStepFailure::Continue && failure.code == Code::ToolFailed
    }

    async fn request<S: Scope>(
        &self,
        ctx: &Context<S>,
        about: About<'_>,
    ) -> Result<(Request, ServiceFile), Failure> {
        let (source, target) = (ctx.source_server(), ctx.target_server());
        let name = about.database.map(DatabaseName::as_str);
        let mapping = ctx.mapping();
        let in_target = about.database.map(|name| mapping.database(name).clone());
        let source = ServerAccess::to(
            "source",
            source,
            name.unwrap_or(source.resolved().database()),
            &[],
        )
        .await?;
        let target = ServerAccess::to(
            "target",
            target,
            in_target
                .as_ref()
                .map_or(target.resolved().database(), DatabaseName::as_str),
            &[],
        )
        .await?;
        let request = Request {
            name: self.own.name.clone(),
            database: name.map(str::to_owned),
            migration: Some(ctx.migration().to_string()),
            method: about.method.map(|method| method.to_string()),
            reason: None,
            again: ctx.occasion().map(|occasion| match occasion {
                Occasion::Removal => "removal",
                Occasion::EveryRun | Occasion::Refused => "every-run",
            }),
            source: source.conninfo(),
            target: target.conninfo(),
            facts: ctx.facts()?,
            items: ctx.items::<String, Value>()?.into_iter().collect::<Map<_, _>>(),
        };
        Ok((request, ServiceFile::write(&[&source, &target])?))
    }

    async fn ask<S: Scope>(
        &self,
        ctx: &Context<S>,
        (request, files): &(Request, ServiceFile),
        kind: Kind,
    ) -> Result<Done, Failure> {
        let program = Program {
            what: format!("step {}", self.own.name),
            command: &self.own.command,
            environment: &self.own.environment,
            time: self.own.timeout.0,
        };
        let sent = match kind {
            Kind::Probe => Sent::Probe(request),
            Kind::Run => Sent::Run(request),
            Kind::Undo => Sent::Undo(request),
        };
        // Only what acts has something to remember.
        let records = kind == Kind::Run;
        let mut notes = Notes { ctx, records };
        program.ask(&sent, request, files, &mut notes).await
    }
}

/// The requests to a step.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Probe,
    Run,
    Undo,
}

/// Journals what the program notes.
struct Notes<'a, S: Scope> {
    ctx: &'a Context<S>,
    records: bool,
}

impl<S: Scope> Listener for Notes<'_, S> {
    async fn hear(&mut self, answer: Answer) -> Result<bool, Failure> {
        match answer {
            Answer::Fact { value } if self.records => self.ctx.record(&value).await?,
            Answer::Item { name, value } if self.records => self.ctx.item(bounded(&name), &value).await?,
            Answer::Progress { done, total } => {
                let what = "items";
                self.ctx.progress(Progress::Count { what, done, total });
                return Ok(false);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}
