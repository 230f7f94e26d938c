//! The step: everyone may read the tables on the target, schema by schema.

use pghaul_step::postgres::Ident;
use pghaul_step::{Context, Database, Descriptor, Failure, Probe, Progress, Step, StepPhase, async_trait};
use std::collections::{BTreeMap, BTreeSet};

const NAME: &str = "grant-reader";

/// A key in `pghaul.effect` for each schema: written in the transaction of its grant, so that it is known after a crash.
const PREFIX: &str = "grant-reader/";

/// Grants SELECT on the tables of each schema that is moved.
pub struct GrantReader;

#[async_trait]
impl Step for GrantReader {
    type Scope = Database;
    /// How many schemas there are.
    type Output = usize;

    fn descriptor(&self) -> Descriptor {
        Descriptor {
            after: &["post-data"],
            ..Descriptor::new(NAME, "lets everyone read the tables", StepPhase::Data)
        }
    }

    async fn probe(&self, ctx: &Context<Database>) -> Result<Probe<usize>, Failure> {
        let (schemas, granted) = (schemas(ctx), ctx.effects(PREFIX).await?);
        Ok(match granted.len() {
            0 => Probe::Absent,
            count if count < schemas.len() => Probe::Partial,
            count => Probe::Present(count),
        })
    }

    async fn run(&self, ctx: &Context<Database>) -> Result<usize, Failure> {
        let schemas = schemas(ctx);
        let total = schemas.len() as u64;
        let (granted, noted) = (ctx.effects(PREFIX).await?, noted(ctx)?);
        for (done, schema) in (0..).zip(&schemas) {
            ctx.check_cancelled()?;
            ctx.progress(Progress::Count {
                what: "schemas",
                done,
                total,
            });
            let key = format!("{PREFIX}{schema}");
            if !granted.contains(&key) {
                let mut target = ctx.target().await?;
                let transaction = ctx.begin(&mut target).await?;
                transaction
                    .batch("grant the rights", &statement("GRANT", schema, "TO")?)
                    .await?;
                transaction.effect(&key).await?;
                transaction.commit("grant the rights").await?;
            }
            if !noted.contains_key(schema) {
                ctx.item(schema.clone(), &true).await?;
            }
        }
        Ok(schemas.len())
    }

    /// The migration is given up, or its rows are copied again: nobody is to read what is half there.
    async fn undo(&self, ctx: &Context<Database>) -> Result<(), Failure> {
        for key in ctx.effects(PREFIX).await? {
            let schema = key.strip_prefix(PREFIX).unwrap_or_default();
            let mut target = ctx.target().await?;
            let transaction = ctx.begin(&mut target).await?;
            transaction
                .batch("revoke the rights", &statement("REVOKE", schema, "FROM")?)
                .await?;
            transaction.forget_each(std::slice::from_ref(&key)).await?;
            transaction.commit("revoke the rights").await?;
        }
        Ok(())
    }

    /// The migration is at its end: the rights stay. The keys go with the schema `pghaul`.
    async fn complete(&self, _: &Context<Database>) -> Result<(), Failure> {
        Ok(())
    }
}

/// The schemas that have tables.
fn schemas(ctx: &Context<Database>) -> BTreeSet<String> {
    let tables = ctx.plan().tables.iter();
    tables.map(|table| table.name.schema.clone()).collect()
}

/// The schemas that earlier runs have finished.
fn noted(ctx: &Context<Database>) -> Result<BTreeMap<String, bool>, Failure> {
    ctx.items()
}

fn statement(verb: &str, schema: &str, preposition: &str) -> Result<String, Failure> {
    let schema = Ident::new(schema)?;
    Ok(format!(
        "{verb} SELECT ON ALL TABLES IN SCHEMA {schema} {preposition} PUBLIC"
    ))
}
