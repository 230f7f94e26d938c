//! Step `subscription`: lets the target's workers follow the changes, and copy what pghaul has not copied.

use crate::altered;
use crate::connection::Told;
use crate::publication::{self, Alter};
use crate::relation::{Baseline, Tables};
use crate::slot::{drop_slot, refuse_consumed_slot};
use crate::{
    Named, aiven, failover, halt, impossible, last_name, new_name, or_dump, rights, source_if_there,
    worker_settings,
};
use async_trait::async_trait;
use pghaul_contracts::{
    ConstraintsOutput, EffectKey, Generation, Generations, PublicationOutput, SlotOutput, SubscriptionOutput,
};
use pghaul_step::postgres::{Ident, PgError, RELEASE_TIMEOUT, ReadWrite, Right, Session, Target, literal};
use pghaul_step::step::REPLICATION;
use pghaul_step::{
    Code, Context, Contract, Database, Descriptor, Failure, OnTarget, Probe, Route, Step, StepPhase,
};
use std::collections::BTreeSet;

/// The step.
#[derive(Debug)]
pub struct Subscription(pub Generation);

/// What is there now.
async fn output<R: Right>(
    ctx: &Context<Database>,
    target: &Session<Target, R>,
    name: String,
    handed_over: Baseline,
) -> Result<SubscriptionOutput, Failure> {
    let tables = Tables::read(target, &[]).await?.baseline(ctx);
    Ok(SubscriptionOutput {
        name,
        tables: Some(tables),
        handed_over,
    })
}

#[async_trait]
impl Step for Subscription {
    type Scope = Database;
    type Output = SubscriptionOutput;

    fn descriptor(&self) -> Descriptor {
        let (routes, after, summary): (&[Route], &[&str], _) = match self.0 {
            Generation::First => (
                REPLICATION,
                &[SlotOutput::STEP, ConstraintsOutput::STEP],
                "subscribes the target to the publication",
            ),
            Generation::Second => (
                &[Route::ReplicationBySnapshot],
                &[SubscriptionOutput::STEP],
                "subscribes the target to the second publication",
            ),
        };
        Descriptor {
            routes,
            after,
            reads_slots: true,
            ..self.0.descriptor::<SubscriptionOutput>(summary, StepPhase::Data)
        }
    }

    fn is_needed(&self, ctx: &Context<Database>) -> Result<bool, Failure> {
        self.0.is_there(ctx)
    }

    async fn probe(&self, ctx: &Context<Database>) -> Result<Probe<SubscriptionOutput>, Failure> {
        let Some(name) = last_name(ctx)? else {
            return Ok(Probe::Absent);
        };
        let target = ctx.target_for_reading().await?;
        let found = target.subscription(&name).await?;
        Ok(match found {
            // Tables that are left to the workers may not have been handed to them yet.
            Some(_) if Generations::of(ctx)?.left_to_the_workers(self.0).is_empty() => {
                Probe::Present(output(ctx, &target, name, Baseline::new()).await?)
            }
            _ => Probe::Partial,
        })
    }

    async fn run(&self, ctx: &Context<Database>) -> Result<SubscriptionOutput, Failure> {
        let generations = Generations::of(ctx)?;
        let rest = generations.left_to_the_workers(self.0);
        let mut target = ctx.target().await?;
        let made = match last_name(ctx)? {
            Some(name) => target.subscription(&name).await?.map(|_| name),
            None => None,
        };
        let was_made = made.is_some();
        let name = match made {
            Some(name) => name,
            None => {
                publication::alter(ctx, self.0, Alter::Drop, &self.not_copied(&generations)).await?;
                worker_settings::adjust(ctx, &mut target).await?;
                let name = self.create(ctx, &mut target, !rest.is_empty()).await?;
                Told::note(ctx, &name);
                name
            }
        };
        let mut handed_over = Baseline::new();
        if !rest.is_empty() {
            publication::alter(ctx, self.0, Alter::Add, rest).await?;
            // Where another run may have handed them over, it is too late to look.
            if !was_made {
                handed_over = self.on_source(ctx, rest).await?;
            }
            refresh(ctx, &mut target, &name).await?;
        }
        output(ctx, &target, name, handed_over).await
    }

    fn taking_back(&self, effects: &BTreeSet<String>, of: OnTarget<'_>) -> Result<Vec<String>, Failure> {
        worker_settings::taking_back(effects.iter(), of)
    }

    async fn undo(&self, ctx: &Context<Database>) -> Result<(), Failure> {
        if !database_exists(ctx).await? {
            return Ok(());
        }
        let mut target = ctx.target().await?;
        for named in ctx.facts::<Named>()? {
            if target.subscription(&named.name).await?.is_some() {
                drop_subscription(ctx, &mut target, &named.name).await?;
            }
        }
        worker_settings::take_back(ctx, &mut target).await
    }

    async fn stop_following(&self, ctx: &Context<Database>) -> Result<u64, Failure> {
        if !self.0.is_there(ctx)? {
            return Ok(0);
        }
        halt::stop(ctx, &self.0.finished::<SubscriptionOutput>(ctx)?.name).await?;
        let publication = self.0.finished::<PublicationOutput>(ctx)?.name;
        halt::unconfirmed(ctx, &self.0.finished::<SlotOutput>(ctx)?.name, &publication).await
    }

    async fn follow_again(&self, ctx: &Context<Database>) -> Result<(), Failure> {
        match self.0.output::<SubscriptionOutput>(ctx)? {
            Some(subscription) => halt::start_again(ctx, &subscription.name).await,
            None => Ok(()),
        }
    }
}

impl Subscription {
    /// The tables that the subscription must not begin with. Those of another generation never come back.
    fn not_copied(&self, generations: &Generations) -> BTreeSet<u32> {
        let mut numbers = generations.left_to_the_workers(self.0).clone();
        if self.0 == Generation::First {
            numbers.extend(generations.second());
        }
        numbers
    }

    /// What these tables and their partitions are on the source now.
    async fn on_source(&self, ctx: &Context<Database>, numbers: &BTreeSet<u32>) -> Result<Baseline, Failure> {
        let publication = self.0.finished::<PublicationOutput>(ctx)?.name;
        let source = ctx.source().await?;
        let mut tables = Tables::read(&source, &[&publication]).await?.baseline(ctx);
        let root = |number: u32| {
            ctx.plan()
                .table(number)
                .and_then(|table| table.root)
                .unwrap_or(number)
        };
        tables.retain(|number, _| numbers.contains(&root(*number)));
        Ok(tables)
    }

    /// Creates the subscription under a new name. Where pghaul has copied the tables, its workers begin with the
    /// slot's first change; otherwise they copy first.
    async fn create(
        &self,
        ctx: &Context<Database>,
        target: &mut Session<Target, ReadWrite>,
        workers_copy_later: bool,
    ) -> Result<String, Failure> {
        let source = ctx.source().await?;
        let conninfo = ctx.way_back().conninfo(
            ctx.database().as_str(),
            &ctx.source_server().settings_for_others(),
        )?;
        let workers_copy_now = ctx.route() == Route::ReplicationByServer;
        let slot: SlotOutput = self.0.finished(ctx)?;
        if !workers_copy_now {
            refuse_consumed_slot(ctx.database(), &source, &slot).await?;
        }
        let publication = self.0.finished::<PublicationOutput>(ctx)?.name;
        let name = new_name(ctx, self.0).await?;
        // A worker that has copied a table drops its slot on the source as soon as it has committed. Were that commit
        // lost with the target's server, the table would wait for its slot for ever: `off`, the default, is for later.
        let commit = if workers_copy_now || workers_copy_later {
            "on"
        } else {
            "off"
        };
        let as_owner = rights::option(ctx, target).await?;
        let failover = failover::option(target, &source, &slot.name).await?;
        let create = format!(
            "CREATE SUBSCRIPTION {} CONNECTION {} PUBLICATION {} WITH (create_slot = false, slot_name = {}, \
             copy_data = {workers_copy_now}, enabled = true, synchronous_commit = {commit}{as_owner}{failover})",
            Ident::new(name.as_str())?,
            literal(&conninfo.0)?,
            Ident::new(publication.as_str())?,
            literal(&slot.name)?,
        );
        let refused = match create_ordinary(ctx, target, &create, &name).await? {
            None => return Ok(name),
            Some(refused) => refused,
        };
        if !aiven::is_usable(target).await? {
            return Err(unreachable_source(refused));
        }
        let parts = [&name, &conninfo.0, &publication, &slot.name].map(String::as_str);
        let transaction = ctx.begin(target).await?;
        let created = aiven::create_subscription(transaction.inner(), parts, workers_copy_now).await?;
        created.map_err(unreachable_source)?;
        transaction.effect(&subscribed(&name)).await?;
        transaction.commit("create the subscription").await?;
        Ok(name)
    }
}

fn subscribed(name: &str) -> String {
    EffectKey::Subscribed(name.to_owned()).to_string()
}

/// Creates a subscription with an ordinary statement. Where pghaul's role may not, says so.
async fn create_ordinary(
    ctx: &Context<Database>,
    target: &mut Session<Target, ReadWrite>,
    create: &str,
    name: &str,
) -> Result<Option<PgError>, Failure> {
    let transaction = ctx.begin(target).await?;
    let operation = "create the subscription";
    match transaction.inner().batch_secretly(operation, create).await {
        Err(error) if aiven::is_refused(&error) => {
            transaction.rollback().await?;
            return Ok(Some(error));
        }
        created => created.map_err(unreachable_source)?,
    }
    let comment = literal(&format!("pghaul migration {}", ctx.migration()))?;
    let tag = format!("COMMENT ON SUBSCRIPTION {} IS {comment}", Ident::new(name)?);
    let doing = transaction.inner().doing(operation);
    doing.batch(&tag).await.map_err(or_dump)?;
    transaction.effect(&subscribed(name)).await?;
    altered::note(&transaction, name).await?;
    transaction.commit("create the subscription").await?;
    Ok(None)
}

/// Hands tables that were added to the publication to the target's workers. It can't be part of a transaction,
/// so pghaul's right to the target is proven just before.
async fn refresh(
    ctx: &Context<Database>,
    target: &mut Session<Target, ReadWrite>,
    name: &str,
) -> Result<(), Failure> {
    ctx.begin(target).await?.rollback().await?;
    if aiven::has_made(target, name).await? {
        let sql = "SELECT aiven_extras.pg_alter_subscription_refresh_publication($1::text, true)";
        let doing = target.doing("refresh the subscription with aiven_extras");
        let refreshed = ctx
            .act("refresh the subscription", doing.execute(sql, &[&name]))
            .await;
        refreshed.map_err(unreachable_source)?;
        return Ok(());
    }
    let refresh = format!(
        "ALTER SUBSCRIPTION {} REFRESH PUBLICATION WITH (copy_data = true)",
        Ident::new(name)?
    );
    let doing = target.doing("refresh the subscription");
    let refreshed = ctx.act("refresh the subscription", doing.batch(&refresh)).await;
    refreshed.map_err(unreachable_source)
}

/// Once the tables are copied, the target's server may lose commits of its worker in a crash: they are sent again.
pub(crate) async fn commit_asynchronously(
    ctx: &Context<Database>,
    target: &mut Session<Target, ReadWrite>,
    name: &str,
) -> Result<(), Failure> {
    if aiven::has_made(target, name).await? {
        // Made by the extension, it has never been another way.
        return Ok(());
    }
    let alter = format!(
        "ALTER SUBSCRIPTION {} SET (synchronous_commit = off)",
        Ident::new(name)?
    );
    let transaction = ctx.begin(target).await?;
    transaction.batch("alter the subscription", &alter).await?;
    altered::note(&transaction, name).await?;
    transaction.commit("alter the subscription").await
}

/// The target connects to the source while it creates the subscription: its troubles there are not a broken
/// connection of pghaul's.
fn unreachable_source(error: pghaul_step::postgres::PgError) -> Failure {
    let by_target = error
        .sqlstate()
        .is_some_and(|state| state.starts_with("08") || state == "58000");
    let failure = or_dump(error);
    if !by_target {
        return failure;
    }
    impossible(failure).with_hint(
        "the target's server must be able to connect to the source: name the address that it can use with --source-from-target",
    )
}

async fn database_exists(ctx: &Context<Database>) -> Result<bool, Failure> {
    match ctx
        .target_server()
        .connect::<ReadWrite>(ctx.target_database().as_str())
        .await
    {
        Ok(session) => {
            session.close().await;
            Ok(true)
        }
        Err(error) if error.code() == Code::UnknownDatabase => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Drops a subscription without touching its slot, and the slots of its table workers on the source.
///
/// The workers are stopped first, even one that waits for a lock; and the slots that they leave behind when they are stopped in the middle of a
/// copy are dropped while the subscription, whose id their names carry, still exists.
async fn drop_subscription(
    ctx: &Context<Database>,
    target: &mut Session<Target, ReadWrite>,
    name: &str,
) -> Result<(), Failure> {
    let ident = Ident::new(name)?;
    let helped = aiven::has_made(target, name).await?;
    let disable = halt::statement(name, helped, false)?;
    let transaction = ctx.begin(target).await?;
    transaction.batch("disable the subscription", &disable).await?;
    transaction.commit("disable the subscription").await?;
    target.end_workers(name, RELEASE_TIMEOUT).await?;
    for slot in table_slots(ctx, target, name).await? {
        drop_slot(ctx, &slot).await?;
    }
    let drop = if helped {
        format!(
            "SELECT aiven_extras.pg_drop_subscription({}, false)",
            literal(name)?
        )
    } else {
        format!("ALTER SUBSCRIPTION {ident} SET (slot_name = NONE); DROP SUBSCRIPTION {ident}")
    };
    let transaction = ctx.begin(target).await?;
    transaction.batch("drop the subscription", &drop).await?;
    transaction.commit("drop the subscription").await
}

/// The slots on the source of this subscription's table workers, `pg_<oid>_sync_<relid>_<system identifier>`.
async fn table_slots(
    ctx: &Context<Database>,
    target: &Session<Target, ReadWrite>,
    name: &str,
) -> Result<Vec<String>, Failure> {
    let sql = "SELECT oid FROM pg_catalog.pg_subscription WHERE subname = $1";
    let oid: u32 = target
        .doing("find the subscription's oid")
        .query_one(sql, &[&name])
        .await?
        .get(0);
    let pattern = format!("^pg_{oid}_sync_[0-9]+_{}$", target.identity().await?);
    let Some(source) = source_if_there(ctx).await? else {
        return Ok(Vec::new());
    };
    let sql = "SELECT slot_name::text FROM pg_catalog.pg_replication_slots WHERE slot_name ~ $1";
    let rows = source
        .doing("find slots of table workers")
        .query(sql, &[&pattern])
        .await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}
