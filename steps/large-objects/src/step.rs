//! Step `large-objects`.
//!
//! A dump copies them out of the snapshot of its tables, which step `copy` keeps for it. Where all else is replicated they
//! have a snapshot of their own: they are as of that moment until `remove` runs the step once more.

use crate::own::record;
use crate::reconciliation::{Purpose, Reconciliation, Tally};
use crate::since::{count_different, mark, since};
use pghaul_contracts::{CopyOutput, EffectKey, InitialCopyOutput, LargeObjectsOutput, SchemaOutput};
use pghaul_copy::{Depth, Since, Snapshot};
use pghaul_step::retry::patiently;
use pghaul_step::{
    Code, Context, Contract, Database, Descriptor, Failure, Incomplete, Method, Occasion, Probe, Progress,
    Proof, Repeats, Side, Standing, Step, StepPhase, async_trait, failures, shell_word,
};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The name under which all of them are listed.
const OBJECT: &str = "large objects";

/// How many oids a sentence lists.
const LISTED: usize = 5;

/// The step.
#[derive(Debug, Default)]
pub struct LargeObjects;

#[async_trait]
impl Step for LargeObjects {
    type Scope = Database;
    type Output = LargeObjectsOutput;

    fn descriptor(&self) -> Descriptor {
        Descriptor {
            after: &[SchemaOutput::STEP, CopyOutput::STEP, InitialCopyOutput::STEP],
            repeats: Repeats::Removal,
            copies_rows: true,
            follows_rows: true,
            lasting_effects: &[EffectKey::LARGE_OBJECTS],
            ..Descriptor::of::<LargeObjectsOutput>(
                "copies large objects, and what changed of them",
                StepPhase::Data,
            )
        }
    }

    fn is_needed(&self, ctx: &Context<Database>) -> Result<bool, Failure> {
        Ok(LargeObjectsOutput::is_planned(ctx.plan()) && !is_left(ctx))
    }

    async fn probe(&self, _: &Context<Database>) -> Result<Probe<LargeObjectsOutput>, Failure> {
        Ok(Probe::Partial)
    }

    async fn run(&self, ctx: &Context<Database>) -> Result<LargeObjectsOutput, Failure> {
        let snapshot = match ctx.method() {
            Method::Dump => kept_snapshot(ctx)?,
            Method::Replication => Arc::new(take_snapshot(ctx).await?),
        };
        let outcome = copy(ctx, &snapshot).await;
        if outcome.is_err() && snapshot.keeper().is_closed() {
            return outcome.map_err(|failure| lost().with_cause(failure));
        }
        let output = outcome?;
        if ctx.method() == Method::Dump {
            record(ctx).await?;
        }
        // It keeps the source from cleaning up.
        ctx.let_go::<Snapshot>();
        Ok(output)
    }

    async fn standing(&self, ctx: &Context<Database>) -> Result<Option<Standing>, Failure> {
        let Some(output) = ctx.output::<LargeObjectsOutput>()? else {
            return Ok(None);
        };
        let deferred = match ctx.method() {
            Method::Dump => None,
            Method::Replication => deferred(ctx, &output).await?,
        };
        let proof = Proof {
            incomplete: deferred.into_iter().chain(output.incomplete).collect(),
            ..Proof::default()
        };
        Ok(Some(Standing {
            proof,
            ..Standing::default()
        }))
    }

    async fn written_since(
        &self,
        ctx: &Context<Database>,
        read_rows: bool,
    ) -> Result<Vec<Incomplete>, Failure> {
        let Some(output) = ctx.output::<LargeObjectsOutput>()? else {
            return Ok(Vec::new());
        };
        let depth = if read_rows { Depth::Rows } else { Depth::Counters };
        let as_of = output.as_of.clone();
        let why = match since(ctx, &output, depth).await? {
            Since::Unchanged => return Ok(Vec::new()),
            Since::Written(why) => format!("written on the source since {as_of}: {why}"),
            Since::Unknown(why) => {
                format!("whether they were written on the source since {as_of} can't be told: {why}")
            }
        };
        Ok(vec![Incomplete {
            object: OBJECT.to_owned(),
            why,
            as_of: Some(as_of),
            ..Incomplete::default()
        }])
    }

    /// No slot tells of changes of large objects: after the removal has copied them, the source is asked once more.
    async fn stop_following(&self, ctx: &Context<Database>) -> Result<u64, Failure> {
        let Some(output) = ctx.output::<LargeObjectsOutput>()? else {
            return Ok(0);
        };
        if ctx.is_accepted(OBJECT) {
            return Ok(0);
        }
        match since(ctx, &output, Depth::Rows).await? {
            Since::Unchanged => Ok(0),
            Since::Written(_) | Since::Unknown(_) => {
                Ok(count_different(ctx).await?.saturating_sub(output.different))
            }
        }
    }
}

/// Whether the user of a removal leaves all of them as they are.
fn is_left(ctx: &Context<Database>) -> bool {
    ctx.occasion() == Some(Occasion::Removal) && ctx.is_accepted(OBJECT)
}

/// The snapshot of the tables.
fn kept_snapshot(ctx: &Context<Database>) -> Result<Arc<Snapshot>, Failure> {
    let snapshot = ctx.kept::<Snapshot>();
    snapshot
        .filter(|snapshot| !snapshot.keeper().is_closed())
        .ok_or_else(lost)
}

fn lost() -> Failure {
    failures::snapshot_lost("the snapshot of the copy ended before the large objects were copied")
}

async fn take_snapshot(ctx: &Context<Database>) -> Result<Snapshot, Failure> {
    ctx.progress(Progress::Waiting {
        what: "a snapshot of the source".to_owned(),
    });
    patiently(&ctx.notes(), "the snapshot of the large objects", || {
        Snapshot::take(ctx.source_server(), ctx.database().as_str())
    })
    .await
}

async fn copy(ctx: &Context<Database>, snapshot: &Snapshot) -> Result<LargeObjectsOutput, Failure> {
    let reconciliation = Reconciliation::new(ctx, snapshot, Purpose::Copy).await?;
    let tally = reconciliation.work().await?;
    if !tally.foreign.is_empty() {
        return Err(written_on_target(&tally.foreign));
    }
    let before = ctx.output::<LargeObjectsOutput>()?;
    Ok(LargeObjectsOutput {
        objects: tally.equal,
        bytes: tally.bytes,
        different: tally.count_different(),
        as_of: snapshot.position().to_string(),
        incomplete: different(&tally),
        catalogs: mark(snapshot).await?,
        noted: before.is_none_or(|before| before.noted),
    })
}

fn written_on_target(oids: &BTreeSet<u32>) -> Failure {
    let message = format!("written to on the target since pghaul copied it: {}", named(oids));
    Failure::new(Code::NotSafeToRemove, message)
        .with_side(Side::Target)
        .with_hint(format!(
            "`pghaul remove` copies what differs from the source, which would discard these contents; `pghaul remove \
             --accept-incomplete {}` leaves all large objects as they are on the target; or remove there with lo_unlink() what \
             the source's may replace, then remove",
            shell_word(OBJECT)
        ))
}

/// One entry for each reason.
fn different(tally: &Tally) -> Vec<Incomplete> {
    let kept = (!tally.kept.is_empty()).then(|| Incomplete {
        object: named(&tally.kept),
        why: "only the target has it, and pghaul has not created it: it stays".to_owned(),
        kept: true,
        ..Incomplete::default()
    });
    let listed = tally.different.iter().map(|(why, oids)| Incomplete {
        object: named(oids),
        why: why.clone(),
        ..Incomplete::default()
    });
    listed.chain(kept).collect()
}

fn named(oids: &BTreeSet<u32>) -> String {
    let first: Vec<String> = oids.iter().take(LISTED).map(u32::to_string).collect();
    let first = first.join(", ");
    match oids.len() {
        1 => format!("large object {first}"),
        count if count <= LISTED => format!("large objects {first}"),
        count => format!("large objects {first} and {} more", count - LISTED),
    }
}

/// What `remove` compares and copies once more.
async fn deferred(
    ctx: &Context<Database>,
    output: &LargeObjectsOutput,
) -> Result<Option<Incomplete>, Failure> {
    let sql = "SELECT EXISTS (SELECT FROM pg_catalog.pg_largeobject_metadata)";
    let source = ctx.source().await?;
    let doing = source.doing("look for large objects");
    let some: bool = doing.query_one(sql, &[]).await?.get(0);
    Ok((some || output.objects > 0).then(|| Incomplete {
        object: OBJECT.to_owned(),
        why: "not replicated: `pghaul remove` compares them, and copies what has changed".to_owned(),
        as_of: Some(output.as_of.clone()),
        by_removal: true,
        ..Incomplete::default()
    }))
}
