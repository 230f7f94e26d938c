//! Step `connection`: tells a subscription that is cut off how the source is reached now.
//!
//! A password or an address may change while the target follows. Whoever runs again gives the new one, and what the
//! subscription keeps must become the same. One that is connected is left alone: what it has works. A password that
//! only an earlier run was given stays, see [`renewed_conninfo`].

use crate::{aiven, altered};
use async_trait::async_trait;
use pghaul_contracts::{ConnectionOutput, Generation, Generations, Rest, SlotOutput, SubscriptionOutput};
use pghaul_step::postgres::{Ident, literal, renewed_conninfo};
use pghaul_step::step::REPLICATION;
use pghaul_step::{Context, Contract, Database, Descriptor, Failure, Probe, Repeats, Step, StepPhase};
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
        for generation in Generations::of(ctx)?.all() {
            tell(ctx, *generation).await?;
        }
        Ok(ConnectionOutput)
    }
}

async fn tell(ctx: &Context<Database>, generation: Generation) -> Result<(), Failure> {
    let name = generation.finished::<SubscriptionOutput>(ctx)?.name;
    if Told::of(ctx).0.contains(&name) {
        // Its worker is just starting; a change would stop it again.
        return Ok(());
    }
    let source = ctx.source().await?;
    let slot = source.slot(&generation.finished::<SlotOutput>(ctx)?.name).await?;
    if slot.is_none_or(|slot| slot.active_pid.is_some()) {
        return Ok(());
    }
    let mut target = ctx.target().await?;
    let is_ours = target.subscription(&name).await?.is_some() && !aiven::has_made(&target, &name).await?;
    if !is_ours {
        // One that is gone is named by the proof.
        return Ok(());
    }
    let conninfo = ctx.way_back().conninfo(
        ctx.database().as_str(),
        &ctx.source_server().settings_for_others(),
    )?;
    let kept = target.subscription_conninfo(&name).await?;
    let Some(conninfo) = renewed_conninfo(kept.as_deref(), &conninfo.0) else {
        return Ok(());
    };
    let alter = format!(
        "ALTER SUBSCRIPTION {} CONNECTION {}",
        Ident::new(name.as_str())?,
        literal(&conninfo)?
    );
    let transaction = ctx.begin(&mut target).await?;
    let operation = "tell the subscription how the source is reached";
    transaction.inner().batch_secretly(operation, &alter).await?;
    altered::note(&transaction, &name).await?;
    transaction.commit(operation).await
}
