//! The steps before the data: `schema`, and `keys` where the target's workers copy.

use crate::database;
use crate::database_settings;
use crate::dumped;
use crate::fate::Pass;
use crate::restore::Restorer;
use async_trait::async_trait;
use pghaul_contracts::{EffectKey, KeysOutput, SchemaOutput, SourceDefinitionsOutput};
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
        let archive = &dumped.archive;
        let origin = database::obtain(ctx, &ctx.head()).await?;
        let restorer = Restorer::new(ctx, archive).await?;
        let entries: Vec<_> = restorer.open(Pass::BeforeData).collect();
        let mut skipped = restorer.restore("objects", &entries).await?;
        skipped.extend(database_settings::set(ctx, archive).await?);
        Ok(SchemaOutput {
            origin,
            fingerprint: dumped.fingerprint.clone(),
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
            as_of: None,
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
        if database::exists(ctx.target_server(), ctx.database().as_str()).await? {
            release(ctx).await?;
        }
        dumped::discard(ctx)
    }
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
        let archive = &dumped.archive;
        let restorer = Restorer::new(ctx, archive).await?;
        let entries: Vec<_> = restorer.open(Pass::Keys).collect();
        let skipped = restorer.restore("keys", &entries).await?;
        Ok(KeysOutput { skipped })
    }
}
