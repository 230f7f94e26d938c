//! Step `sequences`: sets every sequence of the target to where the source's is.
//!
//! Logical replication does not carry sequences. Every `run` sets them again, and `remove` does after it has
//! proven that everything else is there; so they are never behind the rows.
//!
//! One that can't be set, because the source has made, renamed or widened it since the plan, is named as incomplete; all
//! others are set. One that somebody else has moved on the target is never moved back: who uses the target has got its values.

mod decision;
mod notes;
mod position;
mod setting;
mod source;

use async_trait::async_trait;
use decision::OnTarget;
use notes::Notes;
use pghaul_contracts::{CopyOutput, EffectKey, PostDataOutput, SequencesOutput};
use pghaul_step::postgres::{ReadOnly, Session, Source, Target};
use pghaul_step::{
    Context, Contract, Database, Descriptor, Failure, Incomplete, Method, Probe, Proof, Repeats, Standing,
    Step, StepPhase,
};
use position::{Course, Place, Position, positions};
use setting::Setter;
use source::{Sequence, sequences};
use std::collections::BTreeSet;

/// How many sequences are read, and set, with one statement.
const AT_ONCE: usize = 500;

/// The step.
#[derive(Debug, Default)]
pub struct Sequences;

#[async_trait]
impl Step for Sequences {
    type Scope = Database;
    type Output = SequencesOutput;

    fn descriptor(&self) -> Descriptor {
        Descriptor {
            after: &[CopyOutput::STEP, PostDataOutput::STEP],
            repeats: Repeats::EveryRun,
            follows_rows: true,
            lasting_effects: &[EffectKey::SEQUENCE],
            ..Descriptor::of::<SequencesOutput>("sets the sequences to the source's values", StepPhase::Data)
        }
    }

    async fn probe(&self, _: &Context<Database>) -> Result<Probe<SequencesOutput>, Failure> {
        Ok(Probe::Absent)
    }

    async fn run(&self, ctx: &Context<Database>) -> Result<SequencesOutput, Failure> {
        let source = session(ctx).await?;
        let all = selected(ctx, &source).await?;
        let mut setter = Setter {
            ctx,
            target: ctx.target().await?,
            notes: Notes::read(ctx).await?,
            output: SequencesOutput::default(),
        };
        for chunk in all.chunks(AT_ONCE) {
            ctx.check_cancelled()?;
            setter.set(&source, chunk).await?;
        }
        let Setter {
            notes, mut output, ..
        } = setter;
        match ctx.method() {
            Method::Replication => output.values.clear(),
            Method::Dump => notes.record(ctx).await?,
        }
        Ok(output)
    }

    /// What could not be set last, and what the target lacks now.
    async fn standing(&self, ctx: &Context<Database>) -> Result<Option<Standing>, Failure> {
        let Some(output) = ctx.output::<SequencesOutput>()? else {
            return Ok(None);
        };
        let mut incomplete = output.incomplete;
        if ctx.method() == Method::Replication {
            let all = selected(ctx, &*ctx.source().await?).await?;
            let found = found(&*ctx.target_for_reading().await?, &all).await?;
            let lacking = all.iter().zip(found).filter(|(_, found)| found.is_none());
            let lacking: Vec<Incomplete> = lacking.map(|(sequence, _)| missing(sequence)).collect();
            let known: BTreeSet<String> = incomplete.iter().map(|item| item.object.clone()).collect();
            incomplete.extend(lacking.into_iter().filter(|item| !known.contains(&item.object)));
        }
        let proof = Proof {
            incomplete,
            ..Proof::default()
        };
        Ok(Some(Standing {
            proof,
            ..Standing::default()
        }))
    }

    async fn written_since(&self, ctx: &Context<Database>, _: bool) -> Result<Vec<Incomplete>, Failure> {
        let output = ctx.output::<SequencesOutput>()?;
        let Some(output) = output.filter(|_| ctx.method() == Method::Dump) else {
            return Ok(Vec::new());
        };
        let source = session(ctx).await?;
        let all = selected(ctx, &source).await?;
        let mut moved = Vec::new();
        for chunk in all.chunks(AT_ONCE) {
            let positions = positions(&source, &places(chunk)).await?;
            for sequence in chunk {
                let then = output.values.get(&sequence.qualified.to_string());
                let now = positions
                    .get(&sequence.oid)
                    .and_then(|position| position.as_ref().ok());
                if then.is_some() && now.map(next).as_ref() != then {
                    moved.push(Incomplete {
                        object: object(sequence),
                        why: "it has moved on the source since it was set on the target; so it does when the source crashes".to_owned(),
                        ..Incomplete::default()
                    });
                }
            }
        }
        Ok(moved)
    }
}

/// Every sequence that is selected.
async fn selected(
    ctx: &Context<Database>,
    source: &Session<Source, ReadOnly>,
) -> Result<Vec<Sequence>, Failure> {
    let mut all = sequences(source).await?;
    if let Some(selected) = ctx.selected(source).await? {
        all.retain(|sequence| selected.holds_relation(sequence.oid));
    }
    Ok(all)
}

/// A session for transactions.
async fn session(ctx: &Context<Database>) -> Result<Session<Source, ReadOnly>, Failure> {
    Ok(ctx.source_server().connect(ctx.database().as_str()).await?)
}

/// A number that changes whenever a sequence moves.
fn next(position: &Position) -> i64 {
    position
        .value
        .saturating_mul(2)
        .saturating_add(i64::from(position.is_called))
}

fn places(sequences: &[Sequence]) -> Vec<Place> {
    let place = |sequence: &Sequence| Place {
        oid: sequence.oid,
        name: sequence.qualified.clone(),
    };
    sequences.iter().map(place).collect()
}

fn object(sequence: &Sequence) -> String {
    format!("sequence {}", sequence.qualified.short())
}

fn missing(sequence: &Sequence) -> Incomplete {
    Incomplete {
        object: object(sequence),
        why: format!(
            "the target has no such sequence: it was made, renamed or moved on the source since the plan; on the target: CREATE SEQUENCE {} {}; then run again",
            sequence.qualified, sequence.definition
        ),
        ..Incomplete::default()
    }
}

/// The target's sequences of these names, in their order.
async fn found<R: pghaul_step::postgres::Right>(
    target: &Session<Target, R>,
    sequences: &[Sequence],
) -> Result<Vec<Option<OnTarget>>, Failure> {
    let (schemas, names): (Vec<&str>, Vec<&str>) = sequences
        .iter()
        .map(|sequence| (sequence.schema.as_str(), sequence.name.as_str()))
        .unzip();
    let rows = target
        .doing("look for the sequences")
        .query(include_str!("targets.sql"), &[&schemas, &names])
        .await?;
    let mut found = vec![None; sequences.len()];
    for row in rows {
        let place = usize::try_from(row.get::<_, i64>("place") - 1).unwrap_or(usize::MAX);
        if let Some(place) = found.get_mut(place) {
            *place = Some(OnTarget {
                oid: row.get("oid"),
                minimum: row.get("minimum"),
                maximum: row.get("maximum"),
                start: row.get("start"),
                course: Course {
                    increment: row.get("increment"),
                    cycles: row.get("cycle"),
                },
            });
        }
    }
    Ok(found)
}
