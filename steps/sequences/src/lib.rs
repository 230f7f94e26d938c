//! Step `sequences`: sets every sequence of the target to where the source's is.
//!
//! Logical replication does not carry sequences. Every `run` sets them again, and `remove` does after it has
//! proven that everything else is there; so they are never behind the rows.

use async_trait::async_trait;
use pghaul_contracts::{CopyOutput, PostDataOutput, SequencesOutput};
use pghaul_step::postgres::{QualifiedName, ReadOnly, Session, Source, literal};
use pghaul_step::{Context, Contract, Database, Descriptor, Failure, Probe, Repeats, Step, StepPhase};

/// How many sequences are read, and set, with one statement.
const AT_ONCE: usize = 500;

/// The step.
#[derive(Debug, Default)]
pub struct Sequences;

/// Where a sequence is.
struct Position {
    name: QualifiedName,
    last_value: i64,
    is_called: bool,
}

#[async_trait]
impl Step for Sequences {
    type Scope = Database;
    type Output = SequencesOutput;

    fn descriptor(&self) -> Descriptor {
        Descriptor {
            after: &[CopyOutput::STEP, PostDataOutput::STEP],
            repeats: Repeats::EveryRun,
            ..Descriptor::of::<SequencesOutput>("sets the sequences to the source's values", StepPhase::Data)
        }
    }

    async fn probe(&self, _: &Context<Database>) -> Result<Probe<SequencesOutput>, Failure> {
        Ok(Probe::Absent)
    }

    async fn run(&self, ctx: &Context<Database>) -> Result<SequencesOutput, Failure> {
        let source = ctx.source().await?;
        let names = names(&source).await?;
        let mut target = ctx.target().await?;
        for chunk in names.chunks(AT_ONCE) {
            ctx.check_cancelled()?;
            let positions = positions(&source, chunk).await?;
            let calls: Vec<String> = positions.iter().map(setval).collect::<Result<_, _>>()?;
            let transaction = ctx.begin(&mut target).await?;
            transaction
                .batch("set the sequences", &format!("SELECT {}", calls.join(", ")))
                .await?;
            transaction.commit("set sequences").await?;
        }
        Ok(SequencesOutput {
            sequences: names.len() as u64,
        })
    }
}

async fn names(source: &Session<Source, ReadOnly>) -> Result<Vec<QualifiedName>, Failure> {
    let rows = source
        .doing("list the sequences")
        .query(include_str!("sequences.sql"), &[])
        .await?;
    rows.iter()
        .map(|row| {
            let (schema, name): (String, String) = (row.get("schema"), row.get("name"));
            Ok(QualifiedName::new(schema, name)?)
        })
        .collect()
}

async fn positions(
    source: &Session<Source, ReadOnly>,
    names: &[QualifiedName],
) -> Result<Vec<Position>, Failure> {
    let one = |(place, name)| format!("SELECT {place} AS place, last_value, is_called FROM {name}");
    let all: Vec<String> = names.iter().enumerate().map(one).collect();
    let sql = format!("{} ORDER BY place", all.join(" UNION ALL "));
    let rows = source.doing("read the sequences").query(&sql, &[]).await?;
    Ok(names
        .iter()
        .zip(rows)
        .map(|(name, row)| Position {
            name: name.clone(),
            last_value: row.get("last_value"),
            is_called: row.get("is_called"),
        })
        .collect())
}

fn setval(position: &Position) -> Result<String, Failure> {
    let name = literal(&position.name.to_string())?;
    Ok(format!(
        "pg_catalog.setval({name}, {}, {})",
        position.last_value, position.is_called
    ))
}
