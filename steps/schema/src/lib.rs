//! The schema: everything that `pg_dump --schema-only` knows, restored in the right order around the data.
//!
//! - step `schema` dumps the source's schema, makes the target database, and restores what belongs before the
//!   data: types, functions, tables, views;
//! - step `keys` restores primary keys, unique constraints and replica identities, which replication needs
//!   before it can apply changes;
//! - step `post-data` restores the rest after the data: indexes, foreign keys, triggers, rules, policies, and
//!   last of all privileges;
//! - step `matviews` refreshes materialized views in the order in which they depend on each other.
//!
//! [`pg_dump`] finds the program; `archive` reads what it wrote; `fate` is the one table of what becomes of
//! each kind of entry; `script` and `filter` make the statements; `restore` sends them, each exactly once.

mod archive;
mod check;
mod database;
mod dumped;
mod fate;
mod filter;
mod matviews;
pub mod pg_dump;
mod restore;
mod script;

pub use check::PgDumpFits;
pub use database::Origin;
pub use matviews::Matviews;
pub use restore::Skipped;

use async_trait::async_trait;
use fate::Pass;
use pghaul_step::plan::HeldBackKind;
use pghaul_step::{
    Context, Database, Descriptor, Failure, Incomplete, Method, Probe, Proof, Standing, Step, StepPhase,
};
use restore::Restorer;
use serde::{Deserialize, Serialize};

/// Step `schema`.
#[derive(Debug, Default)]
pub struct Schema;

/// What step `schema` did.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SchemaOutput {
    /// Whether the target database was created.
    pub origin: Origin,
    /// The SHA-256 of the archive's content.
    pub fingerprint: String,
    /// What could not be restored for lack of a privilege.
    pub skipped: Vec<Skipped>,
}

#[async_trait]
impl Step for Schema {
    type Scope = Database;
    type Output = SchemaOutput;

    fn descriptor(&self) -> Descriptor {
        Descriptor::new(
            "schema",
            "dumps the schema and restores what belongs before the data",
            StepPhase::Schema,
        )
    }

    async fn probe(&self, ctx: &Context<Database>) -> Result<Probe<SchemaOutput>, Failure> {
        Ok(if ctx.was_started() {
            Probe::Partial
        } else {
            Probe::Absent
        })
    }

    async fn run(&self, ctx: &Context<Database>) -> Result<SchemaOutput, Failure> {
        let (archive, fingerprint) = dumped::obtain(ctx).await?;
        let origin = database::obtain(ctx, &ctx.head()).await?;
        let restorer = Restorer {
            ctx,
            archive: &archive,
            what: "objects",
        };
        let skipped = restorer.restore(&[Pass::BeforeData]).await?;
        Ok(SchemaOutput {
            origin,
            fingerprint,
            skipped,
        })
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
    transaction
        .batch("drop the schema pghaul", "DROP SCHEMA pghaul CASCADE")
        .await?;
    transaction.commit("drop the schema pghaul").await
}

/// Step `keys`.
#[derive(Debug, Default)]
pub struct Keys;

/// What was skipped by a step that restores entries.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Restored {
    /// What could not be restored for lack of a privilege.
    pub skipped: Vec<Skipped>,
}

#[async_trait]
impl Step for Keys {
    type Scope = Database;
    type Output = Restored;

    fn descriptor(&self) -> Descriptor {
        Descriptor {
            methods: &[Method::Replication],
            after: &["schema"],
            ..Descriptor::new(
                "keys",
                "restores primary keys and replica identities",
                StepPhase::Data,
            )
        }
    }

    async fn probe(&self, _: &Context<Database>) -> Result<Probe<Restored>, Failure> {
        // Which entries are there, the effect keys say: `run` reads them.
        Ok(Probe::Partial)
    }

    async fn run(&self, ctx: &Context<Database>) -> Result<Restored, Failure> {
        restore(ctx, "keys", &[Pass::Keys]).await
    }
}

/// Restores what is left of some passes.
async fn restore(ctx: &Context<Database>, what: &'static str, passes: &[Pass]) -> Result<Restored, Failure> {
    let (archive, _) = dumped::obtain(ctx).await?;
    let skipped = Restorer {
        ctx,
        archive: &archive,
        what,
    }
    .restore(passes)
    .await?;
    Ok(Restored { skipped })
}

/// Step `post-data`.
#[derive(Debug, Default)]
pub struct PostData;

#[async_trait]
impl Step for PostData {
    type Scope = Database;
    type Output = Restored;

    fn descriptor(&self) -> Descriptor {
        Descriptor {
            after: &["copy", "initial-copy"],
            ..Descriptor::new(
                "post-data",
                "restores indexes, constraints, triggers, privileges",
                StepPhase::Data,
            )
        }
    }

    async fn probe(&self, _: &Context<Database>) -> Result<Probe<Restored>, Failure> {
        Ok(Probe::Partial)
    }

    async fn run(&self, ctx: &Context<Database>) -> Result<Restored, Failure> {
        restore(
            ctx,
            "indexes and constraints",
            &[Pass::Keys, Pass::AfterData, Pass::Last],
        )
        .await
    }

    /// Names what is held back until the cutover.
    async fn standing(&self, ctx: &Context<Database>) -> Result<Option<Standing>, Failure> {
        if ctx.method() != Method::Replication {
            return Ok(None);
        }
        let incomplete = ctx.plan().held_back.iter().map(|held| Incomplete {
            object: match held.kind {
                HeldBackKind::EventTrigger => format!("{} {}", held.kind, held.name),
                _ => format!(
                    "{} {} of table {}.{}",
                    held.kind, held.name, held.schema, held.table
                ),
            },
            why: format!("held back: {}", held.why),
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
}
