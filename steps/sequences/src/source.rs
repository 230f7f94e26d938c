//! The sequences of the source.

use crate::position::Course;
use pghaul_step::Failure;
use pghaul_step::postgres::{QualifiedName, ReadOnly, Session, Source};

/// A sequence of the source.
#[derive(Debug, Clone)]
pub(crate) struct Sequence {
    pub(crate) oid: u32,
    pub(crate) schema: String,
    pub(crate) name: String,
    pub(crate) qualified: QualifiedName,
    /// What follows its name in `CREATE SEQUENCE`.
    pub(crate) definition: String,
    pub(crate) minimum: i64,
    pub(crate) maximum: i64,
    pub(crate) course: Course,
}

/// Every sequence whose value is moved.
pub(crate) async fn sequences(source: &Session<Source, ReadOnly>) -> Result<Vec<Sequence>, Failure> {
    let rows = source
        .doing("list the sequences")
        .query(include_str!("sequences.sql"), &[])
        .await?;
    rows.iter()
        .map(|row| {
            let (schema, name): (String, String) = (row.get("schema"), row.get("name"));
            let (minimum, maximum): (i64, i64) = (row.get("minimum"), row.get("maximum"));
            let (increment, start, cache): (i64, i64, i64) =
                (row.get("increment"), row.get("start"), row.get("cache"));
            let cycles: bool = row.get("cycle");
            let cycle = if cycles { " CYCLE" } else { "" };
            Ok(Sequence {
                oid: row.get("oid"),
                qualified: QualifiedName::new(schema.as_str(), name.as_str())?,
                schema,
                name,
                definition: format!(
                    "AS {} INCREMENT {increment} MINVALUE {minimum} MAXVALUE {maximum} START {start} CACHE {cache}{cycle}",
                    row.get::<_, String>("type")
                ),
                minimum,
                maximum,
                course: Course { increment, cycles },
            })
        })
        .collect()
}
