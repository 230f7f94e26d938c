//! Step `sequences`: sets every sequence of the target to where the source's is.
//!
//! Logical replication does not carry sequences. Every `run` sets them again, and `remove` does after it has
//! proven that everything else is there; so they are never behind the rows.
//!
//! One that can't be set, because the source has made, renamed or widened it since the plan, is named as incomplete; all
//! others are set.

mod source;

use async_trait::async_trait;
use pghaul_contracts::{CopyOutput, PostDataOutput, SequencesOutput};
use pghaul_step::postgres::{PgError, ReadOnly, ReadWrite, Session, Source, Target};
use pghaul_step::{
    Context, Contract, Database, Descriptor, Failure, Incomplete, Method, Probe, Proof, Repeats, Standing,
    Step, StepPhase,
};
use source::{Position, Sequence, positions, sequences};
use std::collections::BTreeSet;

/// How many sequences are read, and set, with one statement.
const AT_ONCE: usize = 500;

/// The step.
#[derive(Debug, Default)]
pub struct Sequences;

/// A sequence that can be set.
struct Setting {
    /// Its oid on the target.
    oid: u32,
    object: String,
    position: Position,
}

/// The target's sequence of a name.
#[derive(Clone, Copy)]
struct Found {
    oid: u32,
    minimum: i64,
    maximum: i64,
}

#[async_trait]
impl Step for Sequences {
    type Scope = Database;
    type Output = SequencesOutput;

    fn descriptor(&self) -> Descriptor {
        Descriptor {
            after: &[CopyOutput::STEP, PostDataOutput::STEP],
            repeats: Repeats::EveryRun,
            follows_rows: true,
            ..Descriptor::of::<SequencesOutput>("sets the sequences to the source's values", StepPhase::Data)
        }
    }

    async fn probe(&self, _: &Context<Database>) -> Result<Probe<SequencesOutput>, Failure> {
        Ok(Probe::Absent)
    }

    async fn run(&self, ctx: &Context<Database>) -> Result<SequencesOutput, Failure> {
        let source = session(ctx).await?;
        let all = selected(ctx, &source).await?;
        let mut target = ctx.target().await?;
        let mut output = SequencesOutput::default();
        for chunk in all.chunks(AT_ONCE) {
            ctx.check_cancelled()?;
            let settings = settings(&source, &target, chunk, &mut output).await?;
            set(ctx, &mut target, &settings, &mut output).await?;
        }
        if ctx.method() == Method::Replication {
            output.values.clear();
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
            let positions = positions(&source, chunk).await?;
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
) -> Result<Vec<Option<Found>>, Failure> {
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
            *place = Some(Found {
                oid: row.get("oid"),
                minimum: row.get("minimum"),
                maximum: row.get("maximum"),
            });
        }
    }
    Ok(found)
}

/// What can be set. The others are noted as incomplete.
async fn settings(
    source: &Session<Source, ReadOnly>,
    target: &Session<Target, ReadWrite>,
    sequences: &[Sequence],
    output: &mut SequencesOutput,
) -> Result<Vec<Setting>, Failure> {
    let positions = positions(source, sequences).await?;
    let mut settings = Vec::with_capacity(sequences.len());
    for (sequence, found) in sequences.iter().zip(found(target, sequences).await?) {
        let note = |why| Incomplete {
            object: object(sequence),
            why,
            ..Incomplete::default()
        };
        let position = positions.get(&sequence.oid).cloned();
        let position = position.unwrap_or_else(|| Err("it is gone".to_owned()));
        match (position, found) {
            (_, None) => output.incomplete.push(missing(sequence)),
            (Err(why), Some(_)) => output
                .incomplete
                .push(note(format!("its value on the source can't be read: {why}"))),
            (Ok(position), Some(found)) if !(found.minimum..=found.maximum).contains(&position.value) => {
                output.incomplete.push(note(format!(
                    "its value {} does not fit into its bounds on the target; on the target: ALTER SEQUENCE {} {}; then run again",
                    position.value,
                    sequence.qualified,
                    bounds(sequence)
                )));
            }
            (Ok(position), Some(found)) => {
                output
                    .values
                    .insert(sequence.qualified.to_string(), next(&position));
                settings.push(Setting {
                    oid: found.oid,
                    object: object(sequence),
                    position,
                });
            }
        }
    }
    Ok(settings)
}

/// Type and bounds, as `ALTER SEQUENCE` takes them.
fn bounds(sequence: &Sequence) -> String {
    let kind = sequence.definition.split(" INCREMENT").next().unwrap_or_default();
    format!(
        "{kind} MINVALUE {} MAXVALUE {}",
        sequence.minimum, sequence.maximum
    )
}

/// Sets all with one statement, or each by itself where one of them can't be set.
async fn set(
    ctx: &Context<Database>,
    target: &mut Session<Target, ReadWrite>,
    settings: &[Setting],
    output: &mut SequencesOutput,
) -> Result<(), Failure> {
    if settings.is_empty() {
        return Ok(());
    }
    match set_at_once(ctx, target, settings).await? {
        Ok(()) => output.sequences += settings.len() as u64,
        Err(_) => {
            for setting in settings {
                match set_at_once(ctx, target, std::slice::from_ref(setting)).await? {
                    Ok(()) => output.sequences += 1,
                    Err(error) => output.incomplete.push(Incomplete {
                        object: setting.object.clone(),
                        why: format!("the target refuses its value: {}", error.message()),
                        ..Incomplete::default()
                    }),
                }
            }
        }
    }
    Ok(())
}

/// Sets sequences in one transaction. The inner error is one about a sequence.
async fn set_at_once(
    ctx: &Context<Database>,
    target: &mut Session<Target, ReadWrite>,
    settings: &[Setting],
) -> Result<Result<(), PgError>, Failure> {
    let oids: Vec<u32> = settings.iter().map(|setting| setting.oid).collect();
    let values: Vec<i64> = settings.iter().map(|setting| setting.position.value).collect();
    let called: Vec<bool> = settings
        .iter()
        .map(|setting| setting.position.is_called)
        .collect();
    let transaction = ctx.begin(target).await?;
    let set = transaction
        .doing("set the sequences")
        .query(include_str!("set.sql"), &[&oids, &values, &called])
        .await;
    match set {
        Ok(_) => {
            transaction.commit("set sequences").await?;
            Ok(Ok(()))
        }
        Err(error) if is_about_a_sequence(&error) => {
            transaction.rollback().await?;
            Ok(Err(error))
        }
        Err(error) => Err(error.into()),
    }
}

/// 22003 numeric_value_out_of_range, 42501 insufficient_privilege, 42P01 undefined_table, 42809 wrong_object_type, 55P03
/// lock_not_available, XX000: its oid is gone.
fn is_about_a_sequence(error: &PgError) -> bool {
    matches!(
        error.sqlstate(),
        Some("22003" | "42501" | "42P01" | "42809" | "55P03" | "XX000")
    )
}
