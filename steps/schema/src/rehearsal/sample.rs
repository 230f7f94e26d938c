//! A few rows of each table of the source, as statements that insert them.
//!
//! Nothing that a user wrote runs on the source: its columns are read as they are, and written by the output functions of
//! their types. Where the planner would evaluate expressions of users, as of an index, rows are read by COPY, which needs no
//! plan.

use futures_util::{StreamExt as _, stream};
use pghaul_step::postgres::{Ident, PgError, QualifiedName, ReadOnly, Row, Session, Source, literal};
use pghaul_step::{Failure, TableName};
use std::time::Duration;
use tokio::time::Instant;

/// So many rows of a table at most.
const ROWS: usize = 100;

/// So many bytes of a row, as they are stored; of the rows of a table, and of those of all tables, as they are sent.
const LARGEST_ROW: usize = 64 * 1024;
const BYTES: usize = 1024 * 1024;
const ALL_BYTES: usize = 32 * BYTES;

/// A table of so many bytes is soon read to its end.
const SOON_READ: i64 = 8 * 1024 * 1024;

/// So many tables are asked for at once, on one connection.
const AT_ONCE: usize = 8;

/// What would hold up the applications is left out: a table that is locked, or whose rows are not found soon.
const SETTINGS: &str = "SELECT pg_catalog.set_config('lock_timeout', '200ms', false), \
                        pg_catalog.set_config('statement_timeout', '2s', false), \
                        pg_catalog.set_config('constraint_exclusion', 'partition', false), \
                        pg_catalog.set_config('lc_monetary', 'C', false)";

/// Some rows of a table.
#[derive(Debug)]
pub(super) struct Sample {
    pub(super) table: TableName,
    /// The statement that inserts them.
    pub(super) insert: String,
}

struct Columns {
    table: TableName,
    name: QualifiedName,
    columns: Vec<Ident>,
    has_expressions: bool,
    bytes: i64,
}

/// Reads rows of every table that has some and can be read. The session is the caller's alone.
/// `holds` tells whether the rows of a table are moved; tables that are not read within the limit are left out.
pub(super) async fn read(
    source: &Session<Source, ReadOnly>,
    holds: impl Fn(u32) -> bool,
    limit: Option<Duration>,
) -> Result<Vec<Sample>, Failure> {
    let doing = source.doing("list the tables with rows");
    let rows = doing.query(include_str!("tables.sql"), &[]).await?;
    source
        .doing("limit the reading of rows")
        .query(SETTINGS, &[])
        .await?;
    let selected = rows.iter().filter(|row| holds(row.get("oid")));
    let tables = selected.map(columns).collect::<Result<Vec<_>, Failure>>()?;
    let (copied, selected): (Vec<_>, Vec<_>) = tables.into_iter().partition(|table| table.has_expressions);
    let mut samples = Samples {
        end: limit.map(|limit| Instant::now() + limit),
        ..Samples::default()
    };
    let mut found = stream::iter(selected)
        .map(|table| async move {
            let rows = rows_of(source, &table).await;
            (table, rows)
        })
        .buffered(AT_ONCE);
    while !samples.are_enough()
        && let Some((table, rows)) = found.next().await
    {
        samples.take(source, &table, rows)?;
    }
    drop(found);
    for table in copied {
        if samples.are_enough() {
            break;
        }
        let rows = copied_rows(source, &table).await;
        samples.take(source, &table, rows)?;
    }
    Ok(samples.found)
}

#[derive(Default)]
struct Samples {
    found: Vec<Sample>,
    bytes: usize,
    end: Option<Instant>,
}

impl Samples {
    fn are_enough(&self) -> bool {
        self.bytes > ALL_BYTES || self.end.is_some_and(|end| Instant::now() > end)
    }

    /// Takes rows of a table. One that can't be read is left out, unless the connection is lost.
    fn take(
        &mut self,
        source: &Session<Source, ReadOnly>,
        table: &Columns,
        rows: Result<Vec<String>, PgError>,
    ) -> Result<(), Failure> {
        match rows {
            Ok(rows) => {
                let sample = table.insert(&rows);
                self.bytes += sample.as_ref().map_or(0, |sample| sample.insert.len());
                self.found.extend(sample);
            }
            Err(error) if source.is_closed() => return Err(error.into()),
            Err(error) => tracing::debug!(table = %table.table, %error, "no rows of the table are rehearsed"),
        }
        Ok(())
    }
}

fn columns(row: &Row) -> Result<Columns, Failure> {
    let (schema, name): (String, String) = (row.get("schema"), row.get("name"));
    let columns: Vec<String> = row.get("columns");
    Ok(Columns {
        has_expressions: row.get("has_expressions"),
        bytes: row.get("bytes"),
        table: TableName::new(schema.as_str(), name.as_str()),
        name: QualifiedName::new(schema, name)?,
        columns: columns.into_iter().map(Ident::new).collect::<Result<_, _>>()?,
    })
}

async fn rows_of(source: &Session<Source, ReadOnly>, table: &Columns) -> Result<Vec<String>, PgError> {
    let rows = source
        .doing("read rows of a table")
        .query(&table.query(), &[])
        .await?;
    rows.iter()
        .map(|row| {
            row.try_get(0)
                .map_err(|error| source.doing("read a row").error(&error))
        })
        .collect()
}

/// The first rows of a table, without a plan.
async fn copied_rows(source: &Session<Source, ReadOnly>, table: &Columns) -> Result<Vec<String>, PgError> {
    let operation = "read rows of a table";
    let copy = format!("COPY {} ({}) TO STDOUT", table.name, table.listed());
    let statement = source.doing(operation).prepare(&copy).await?;
    let mut rows = source.copy_out(operation, &statement).await?;
    let mut bytes = Vec::new();
    let mut lines = 0;
    while lines < ROWS && bytes.len() <= BYTES {
        let Some(more) = rows.next().await? else { break };
        lines += more.iter().filter(|byte| **byte == b'\n').count();
        bytes.extend_from_slice(&more);
    }
    if lines >= ROWS || bytes.len() > BYTES {
        // The rest of a small table is read: the server's log would tell of a statement that was cancelled.
        if table.bytes > SOON_READ {
            source.cancel_token().cancel().await?;
        }
        while matches!(rows.next().await, Ok(Some(_))) {}
    }
    let whole = bytes.split_inclusive(|byte| *byte == b'\n');
    let lines = whole.filter_map(|line| str::from_utf8(line).ok()?.strip_suffix('\n'));
    let rows = lines.take(ROWS).map(|line| {
        let fields: Vec<String> = line.split('\t').filter_map(field).collect();
        (fields.len() == table.columns.len()).then(|| fields.join(", "))
    });
    Ok(rows.flatten().collect())
}

/// A value that COPY wrote, as a literal.
fn field(text: &str) -> Option<String> {
    if text == "\\N" {
        return Some("NULL".to_owned());
    }
    let mut value = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        value.push(match c {
            '\\' => match characters.next()? {
                'b' => '\u{8}',
                'f' => '\u{c}',
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                'v' => '\u{b}',
                other => other,
            },
            other => other,
        });
    }
    literal(&value).ok()
}

impl Columns {
    /// Rows as lists of literals. How large a row is is asked of what the table stores, without fetching large values.
    fn query(&self) -> String {
        let each = |before: &str, after: &str| -> Vec<String> {
            let columns = self.columns.iter();
            columns
                .map(|column| format!("{before}s.{column}{after}"))
                .collect()
        };
        let literals = each("pg_catalog.format('%L', ", ")").join(", ");
        let sizes = each("coalesce(pg_catalog.pg_column_size(", "), 0)").join(" + ");
        format!(
            "SELECT pg_catalog.array_to_string(ARRAY[{literals}], ', ') \
             FROM (SELECT {} FROM ONLY {} LIMIT {ROWS}) AS s \
             WHERE 0::pg_catalog.int8 + {sizes} <= {LARGEST_ROW}",
            self.listed(),
            self.name
        )
    }

    fn listed(&self) -> String {
        let names: Vec<String> = self.columns.iter().map(ToString::to_string).collect();
        names.join(", ")
    }

    /// Nothing where no row is small enough.
    fn insert(&self, rows: &[String]) -> Option<Sample> {
        let mut bytes = 0;
        let fitting = rows.iter().take_while(|row| {
            bytes += row.len();
            bytes <= BYTES
        });
        let rows: Vec<String> = fitting.map(|row| format!("({row})")).collect();
        if rows.is_empty() {
            return None;
        }
        let insert = format!(
            "INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE VALUES\n{};\n",
            self.name,
            self.listed(),
            rows.join(",\n")
        );
        Some(Sample {
            table: self.table.clone(),
            insert,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::field;

    #[test]
    fn values_of_copy_become_literals() {
        assert_eq!(field("\\N").unwrap(), "NULL");
        assert_eq!(field("it's").unwrap(), "'it''s'");
        assert_eq!(field("a\\tb\\\\N").unwrap(), r"E'a	b\\N'");
        assert_eq!(field("").unwrap(), "''");
    }
}
