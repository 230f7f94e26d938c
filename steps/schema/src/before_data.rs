//! The steps before the data: `schema`, and `keys` where the target's workers copy.

use crate::database;
use crate::database_settings;
use crate::dumped;
use crate::fate::Pass;
use crate::public;
use crate::restore::Restorer;
use crate::unsafe_checks;
use async_trait::async_trait;
use pghaul_contracts::{EffectKey, KeysOutput, SchemaOutput, SourceDefinitionsOutput, UnsafeCheck};
use pghaul_step::ownership::is_established;
use pghaul_step::{
    Context, Contract, Database, Descriptor, Failure, Incomplete, Probe, Proof, Route, Standing, Step,
    StepPhase,
};

/// Step `schema`.
#[derive(Debug, Default)]
pub struct Schema;

#[async_trait]
impl Step for Schema {
    type Scope = Database;
    type Output = SchemaOutput;

    fn descriptor(&self) -> Descriptor {
        Descriptor {
            after: &[SourceDefinitionsOutput::STEP],
            lasting_effects: &[EffectKey::SCHEMA],
            ..Descriptor::of::<SchemaOutput>(
                "dumps the schema and restores what belongs before the data",
                StepPhase::Schema,
            )
        }
    }

    async fn probe(&self, ctx: &Context<Database>) -> Result<Probe<SchemaOutput>, Failure> {
        Ok(if ctx.was_started() {
            Probe::Partial
        } else {
            Probe::Absent
        })
    }

    async fn run(&self, ctx: &Context<Database>) -> Result<SchemaOutput, Failure> {
        let dumped = dumped::obtain(ctx).await?;
        let origin = database::obtain(ctx, &ctx.head()).await?;
        let restorer = Restorer::new(ctx, &dumped).await?;
        let entries: Vec<_> = restorer.open(Pass::BeforeData).collect();
        restorer.restore("objects", &entries).await?;
        public::grant_rights_of_renamed(ctx).await?;
        let skipped = database_settings::set(ctx, &dumped.archive).await?;
        Ok(SchemaOutput {
            origin,
            fingerprint: dumped.fingerprint.clone(),
            checks: dumped.checks.clone(),
            skipped,
        })
    }

    /// Names what the target did not take.
    async fn standing(&self, ctx: &Context<Database>) -> Result<Option<Standing>, Failure> {
        let output: Option<SchemaOutput> = ctx.output()?;
        let skipped = output.into_iter().flat_map(|output| output.skipped);
        let incomplete = skipped.map(|skipped| Incomplete {
            object: skipped.object,
            why: skipped.why,
            ..Incomplete::default()
        });
        let proof = Proof {
            incomplete: incomplete.collect(),
            ..Proof::default()
        };
        Ok(Some(Standing {
            proof,
            ..Standing::default()
        }))
    }

    /// Drops the schema `pghaul`, and what was never more than half-made. The database and its rows stay.
    async fn undo(&self, ctx: &Context<Database>) -> Result<(), Failure> {
        database::drop_database(ctx, &database::temporary_name(ctx)).await?;
        if database::exists(ctx.target_server(), ctx.target_database().as_str()).await? {
            if let Some(output) = ctx.output::<SchemaOutput>()?
                && is_established(&*ctx.target_for_reading().await?).await?
            {
                complete_checks(ctx, &output.checks).await?;
            }
            release(ctx).await?;
        }
        dumped::discard(ctx)
    }
}

/// Adds the checks whose rows do not fulfil them: nothing is replicated any more.
async fn complete_checks(ctx: &Context<Database>, checks: &[UnsafeCheck]) -> Result<(), Failure> {
    if checks.is_empty() {
        return Ok(());
    }
    unsafe_checks::add_unvalidated(ctx, checks).await?;
    let comments = async {
        let dumped = dumped::obtain(ctx).await?;
        Restorer::new(ctx, &dumped)
            .await?
            .restore_comments_on_checks()
            .await
    };
    // A removal must be possible when the archive is lost and the source is gone.
    if let Err(failure) = comments.await {
        tracing::warn!(%failure, "comments on checks could not be restored");
    }
    Ok(())
}

/// Drops the schema `pghaul` in the target database, where it is ours.
async fn release(ctx: &Context<Database>) -> Result<(), Failure> {
    let mut session = ctx.target().await?;
    match pghaul_step::ownership::owner(&session).await? {
        Some(owner) if owner == ctx.migration().as_str() => {}
        _ => return Ok(()),
    }
    let transaction = ctx.begin(&mut session).await?;
    transaction.drop_schema().await?;
    transaction.commit("drop the schema pghaul").await
}

/// Step `keys`.
#[derive(Debug, Default)]
pub struct Keys;

#[async_trait]
impl Step for Keys {
    type Scope = Database;
    type Output = KeysOutput;

    fn descriptor(&self) -> Descriptor {
        Descriptor {
            routes: &[Route::ReplicationByServer],
            after: &[SchemaOutput::STEP],
            ..Descriptor::of::<KeysOutput>("restores primary keys and replica identities", StepPhase::Data)
        }
    }

    async fn probe(&self, _: &Context<Database>) -> Result<Probe<KeysOutput>, Failure> {
        // Which entries are there, the effect keys say: `run` reads them.
        Ok(Probe::Partial)
    }

    async fn run(&self, ctx: &Context<Database>) -> Result<KeysOutput, Failure> {
        let dumped = dumped::obtain(ctx).await?;
        let restorer = Restorer::new(ctx, &dumped).await?;
        let entries: Vec<_> = restorer.open(Pass::Keys).collect();
        restorer.restore("keys", &entries).await?;
        Ok(KeysOutput { skipped: Vec::new() })
    }
}
