//! Step `connection`: tells a subscription that is cut off how the source is reached now.
//!
//! A password or an address may change while the target follows. Whoever runs again gives the new one, and what the
//! subscription keeps must become the same. One that is connected is left alone, unless the source refuses its password by now. A password that
//! only an earlier run was given stays, see [`renewed_conninfo`]. The settings that its workers need are looked at as well.

use crate::{aiven, altered, halt, worker_settings};
use async_trait::async_trait;
use pghaul_contracts::{ConnectionOutput, Generation, Generations, Rest, SlotOutput, SubscriptionOutput};
use pghaul_step::postgres::{
    Ident, OtherPassword, ReadOnly, ReadWrite, Server, Session, Source, Target, literal, other_password,
    renewed_conninfo,
};
use pghaul_step::step::REPLICATION;
use pghaul_step::{Code, Context, Contract, Database, Descriptor, Failure, Probe, Repeats, Step, StepPhase};
use std::collections::BTreeSet;

/// The subscriptions of a database that this run has told already: it has created them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Told(BTreeSet<String>);

impl Told {
    /// Keeps the name of another one.
    pub(crate) fn note(ctx: &Context<Database>, subscription: &str) {
        let mut told = Self::of(ctx);
        told.0.insert(subscription.to_owned());
        ctx.keep(told);
    }

    fn of(ctx: &Context<Database>) -> Self {
        ctx.kept::<Self>()
            .map(|told| Self::clone(&told))
            .unwrap_or_default()
    }
}

/// The step.
#[derive(Debug, Default)]
pub struct Connection;

#[async_trait]
impl Step for Connection {
    type Scope = Database;
    type Output = ConnectionOutput;

    fn descriptor(&self) -> Descriptor {
        Descriptor {
            routes: REPLICATION,
            after: &[SubscriptionOutput::STEP, Rest::<SubscriptionOutput>::STEP],
            repeats: Repeats::EveryRun,
            ..Descriptor::of::<ConnectionOutput>(
                "lets the subscription connect to the source as it is reached now",
                StepPhase::Data,
            )
        }
    }

    async fn probe(&self, _: &Context<Database>) -> Result<Probe<ConnectionOutput>, Failure> {
        Ok(Probe::Partial)
    }

    async fn run(&self, ctx: &Context<Database>) -> Result<ConnectionOutput, Failure> {
        let mut target = ctx.target().await?;
        for generation in Generations::of(ctx)?.all() {
            tell(ctx, *generation, &mut target).await?;
        }
        adjust_workers(ctx, &mut target).await?;
        Ok(ConnectionOutput)
    }
}

/// A subscription that is connected follows on after its role's password was changed, until it has to connect again. Where the
/// source refuses the password that it has, and pghaul has come in with another one, it is given that.
async fn with_new_password(ctx: &Context<Database>, kept: Option<&str>, wanted: &str) -> Option<String> {
    let resolved = ctx.source_server().resolved();
    let OtherPassword { kept, renewed } = other_password(kept?, wanted, resolved.user())?;
    let name = ctx.source_server().application_name();
    let with_kept: Server<Source> = Server::new(resolved.with_password(&kept), name, 1);
    match with_kept.connect::<ReadOnly>(ctx.database().as_str()).await {
        Ok(session) => {
            session.close().await;
            None
        }
        Err(error) => (error.code() == Code::AuthenticationFailed).then_some(renewed),
    }
}

/// Settings of the target may have been changed since its workers were given what they need. They read them when they begin.
async fn adjust_workers(
    ctx: &Context<Database>,
    target: &mut Session<Target, ReadWrite>,
) -> Result<(), Failure> {
    let mut working = Vec::new();
    for generation in Generations::of(ctx)?.all() {
        let name = generation.finished::<SubscriptionOutput>(ctx)?.name;
        let Some(subscription) = target.subscription(&name).await? else {
            return Ok(());
        };
        if aiven::has_made(target, &name).await? {
            // Its workers have the settings of another role.
            return Ok(());
        }
        working.extend(subscription.enabled.then_some(name));
    }
    if !worker_settings::adjust(ctx, target).await? {
        return Ok(());
    }
    for name in working {
        halt::stop(ctx, &name).await?;
        halt::start_again(ctx, &name).await?;
    }
    Ok(())
}

async fn tell(
    ctx: &Context<Database>,
    generation: Generation,
    target: &mut Session<Target, ReadWrite>,
) -> Result<(), Failure> {
    let name = generation.finished::<SubscriptionOutput>(ctx)?.name;
    if Told::of(ctx).0.contains(&name) {
        // Its worker is just starting; a change would stop it again.
        return Ok(());
    }
    let source = ctx.source().await?;
    let slot = source.slot(&generation.finished::<SlotOutput>(ctx)?.name).await?;
    let Some(slot) = slot else {
        return Ok(());
    };
    let is_ours = target.subscription(&name).await?.is_some() && !aiven::has_made(target, &name).await?;
    if !is_ours {
        // One that is gone is named by the proof.
        return Ok(());
    }
    let conninfo = ctx.way_back().conninfo(
        ctx.database().as_str(),
        &ctx.source_server().settings_for_others(),
    )?;
    let kept = target.subscription_conninfo(&name).await?;
    let renewed = match slot.active_pid {
        None => renewed_conninfo(kept.as_deref(), &conninfo.0),
        Some(_) => with_new_password(ctx, kept.as_deref(), &conninfo.0).await,
    };
    let Some(conninfo) = renewed else {
        return Ok(());
    };
    let alter = format!(
        "ALTER SUBSCRIPTION {} CONNECTION {}",
        Ident::new(name.as_str())?,
        literal(&conninfo)?
    );
    let transaction = ctx.begin(target).await?;
    let operation = "tell the subscription how the source is reached";
    transaction.inner().batch_secretly(operation, &alter).await?;
    altered::note(&transaction, &name).await?;
    transaction.commit(operation).await
}
