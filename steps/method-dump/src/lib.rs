//! The method `dump`: one copy of one snapshot.
//!
//! Its rows are moved by step `copy`, its schema by the steps of `pghaul-schema`, its sequences by step
//! `sequences`. What is left for the step of this package is the end: to prove from the journal that nothing is
//! missing, and from the catalogs that nobody has altered the tables since, and to take pghaul's bookkeeping out of the
//! target.

mod lost;

use async_trait::async_trait;
use pghaul_contracts::{
    CopyOutput, MatviewsOutput, PostDataOutput, SequencesOutput, TargetDefinitionsOutput,
};
use pghaul_step::ownership::is_established;
use pghaul_step::postgres::Columns;
use pghaul_step::{
    Context, Contract, Database, Descriptor, Failure, Probe, Proof, Route, Standing, Step, StepPhase,
};
use serde::{Deserialize, Serialize};

/// Step `complete`.
#[derive(Debug, Default)]
pub struct Complete;

/// The proof, as remembered.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CompleteOutput {
    /// How many tables were copied.
    pub tables: u64,
    /// How many rows; both sides have counted the same.
    pub rows: u64,
    /// The source's WAL position of the snapshot.
    pub as_of: String,
    /// `pg_database.oid` on the target. Absent in journals of programs that did not note it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<u32>,
}

impl Contract for CompleteOutput {
    const STEP: &'static str = "complete";
}

#[async_trait]
impl Step for Complete {
    type Scope = Database;
    type Output = CompleteOutput;

    fn descriptor(&self) -> Descriptor {
        Descriptor {
            routes: &[Route::Dump],
            after: &[
                CopyOutput::STEP,
                PostDataOutput::STEP,
                SequencesOutput::STEP,
                MatviewsOutput::STEP,
                TargetDefinitionsOutput::STEP,
            ],
            follows_rows: true,
            tries_again: true,
            ..Descriptor::of::<CompleteOutput>("proves that everything was copied", StepPhase::Data)
        }
    }

    /// Once this step has begun, a missing schema `pghaul` means that it had come to its end.
    async fn probe(&self, ctx: &Context<Database>) -> Result<Probe<CompleteOutput>, Failure> {
        if ctx.was_started() && !is_established(&*ctx.target_for_reading().await?).await? {
            let database = Some(lost::oid(&*ctx.target_for_reading().await?).await?);
            return Ok(Probe::Present(CompleteOutput {
                database,
                ..prove(ctx)?
            }));
        }
        Ok(Probe::Absent)
    }

    async fn run(&self, ctx: &Context<Database>) -> Result<CompleteOutput, Failure> {
        let proven = prove(ctx)?;
        let source = Columns::read(&ctx.source().await?.doing("read the columns of the tables")).await?;
        let mut target = ctx.target().await?;
        let transaction = ctx.begin(&mut target).await?;
        // As long as the target refuses something, another run tries it again.
        let released = !something_is_refused(ctx)?;
        if released {
            transaction.drop_schema().await?;
        }
        let found = Columns::read(&transaction.doing("read the columns of the tables")).await?;
        // Once it was complete, the source may go its own ways.
        let compared = ctx.occasion().is_none();
        if compared && let Some(lacking) = found.lacking(&source, ctx.plan(), ctx.route()).into_iter().next()
        {
            transaction.rollback().await?;
            return Err(lacking);
        }
        transaction.commit(RELEASE).await?;
        Ok(CompleteOutput {
            database: Some(lost::oid(&target).await?),
            ..proven
        })
    }

    async fn lost(&self, ctx: &Context<Database>) -> Result<Vec<Failure>, Failure> {
        match ctx.output::<CompleteOutput>()? {
            Some(output) => lost::look(ctx, &output).await,
            None => Ok(Vec::new()),
        }
    }

    async fn standing(&self, ctx: &Context<Database>) -> Result<Option<Standing>, Failure> {
        let Some(output) = ctx.output::<CompleteOutput>()? else {
            return Ok(None);
        };
        let proof = Proof {
            tables: output.tables,
            rows: Some(output.rows),
            fence: Some(output.as_of),
            ..Proof::default()
        };
        Ok(Some(Standing {
            proof,
            ..Standing::default()
        }))
    }
}

/// How the statement that takes pghaul's bookkeeping out of the target is called.
const RELEASE: &str = "drop the schema pghaul";

fn something_is_refused(ctx: &Context<Database>) -> Result<bool, Failure> {
    let restored: Option<PostDataOutput> = ctx.output()?;
    let refreshed: Option<MatviewsOutput> = ctx.output()?;
    let restored = restored.into_iter().flat_map(|output| output.incomplete);
    let mut listed = restored.chain(refreshed.into_iter().flat_map(|output| output.incomplete));
    Ok(listed.any(|incomplete| incomplete.refused))
}

/// Every table of the plan whose rows are ours to move has its place in the output of step `copy`, which only
/// accepts tables whose rows both sides have counted alike.
fn prove(ctx: &Context<Database>) -> Result<CompleteOutput, Failure> {
    let copied: CopyOutput = ctx.finished()?;
    let planned = ctx.plan().tables.iter().filter(|t| t.copied_by_us(Route::Dump));
    match planned.into_iter().find(|t| !copied.numbers.contains(&t.number)) {
        Some(missing) => Err(Failure::bug(format!("table {} was not copied", missing.name))),
        None => Ok(CompleteOutput {
            tables: copied.tables,
            rows: copied.rows,
            as_of: copied.as_of,
            database: None,
        }),
    }
}
