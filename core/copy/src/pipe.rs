//! COPY out of the source and COPY into the target, joined in the middle.

use crate::rate::RateLimit;
use crate::tables::Table;
use crate::unit::Range;
use bytes::Bytes;
use futures_util::future::{try_join, try_join_all};
use futures_util::stream::FuturesOrdered;
use futures_util::{SinkExt as _, StreamExt as _};
use pghaul_core::plan::CopyFormat;
use pghaul_core::{Code, Failure};
use pghaul_postgres::{
    CopyInSink, CopyOut, DriverError, Ident, PgError, ReadOnly, Session, Source, Statement, Target,
    Transaction,
};
use std::pin::Pin;

/// What is to be copied.
#[derive(Debug, Clone, Copy)]
pub struct Order<'a> {
    /// The table.
    pub table: &'a Table,
    /// The format.
    pub format: CopyFormat,
    /// The blocks; all where absent.
    pub range: Option<Range>,
    /// A WHERE clause, with the word WHERE, or empty.
    pub filter: &'a str,
    /// Whether rows are stored frozen: the transaction must have truncated the table.
    pub freeze: bool,
    /// The encoding of both databases, in which texts pass unconverted; absent, they pass in UTF-8.
    pub encoding: Option<&'a str>,
}

/// Whoever wants to know how many bytes have passed.
pub trait Passed: Sync {
    /// So many more have. Must not block.
    fn passed(&self, bytes: u64);
}

/// What bytes meet on their way.
pub struct Flow<'a> {
    /// Is told the bytes of each message.
    pub passed: &'a dyn Passed,
    /// Holds them back.
    pub limit: Option<&'a RateLimit>,
}

/// What a finished COPY reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Copied {
    /// Rows that the source sent: it sends one message for each.
    pub rows_read: u64,
    /// Rows that the target says it has stored.
    pub rows_written: u64,
    /// Bytes that passed.
    pub bytes: u64,
}

/// An order with its two statements.
struct Prepared<'a> {
    order: &'a Order<'a>,
    operation: String,
    out: Statement,
    into: Statement,
}

/// Copies tables, one after the other, in the two given transactions.
///
/// The statements are prepared together, and those of later tables are sent ahead: however many tables there
/// are, each costs about one round trip.
///
/// Source: <https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-COPY>
///
/// # Errors
/// What either server reports; [`Code::CountsDiffer`] where they disagree on the number of rows. Both
/// transactions can only be given up then.
pub async fn copy(
    source: &Session<Source, ReadOnly>,
    target: &Transaction<'_, Target>,
    orders: &[Order<'_>],
    flow: &Flow<'_>,
) -> Result<Vec<Copied>, Failure> {
    let pipe = Pipe { source, target, flow };
    let mut preparing = Vec::with_capacity(orders.len());
    for order in orders {
        preparing.push(pipe.prepare(order));
    }
    let prepared = try_join_all(preparing).await?;
    let mut streams = FuturesOrdered::new();
    for order in &prepared {
        streams.push_back(pipe.read(order));
    }
    let mut finished = Vec::with_capacity(orders.len());
    let mut following = prepared.iter().skip(1);
    let mut sink = match prepared.first() {
        Some(first) => pipe.open(first).await?,
        None => return Ok(finished),
    };
    for current in &prepared {
        // The statements of all tables are on their way from here on; the answers come in their order.
        let rows = match streams.next().await {
            Some(rows) => rows?,
            None => return Err(Failure::bug("fewer answers than statements")),
        };
        let mut copied = pipe.pump(current, rows, sink.as_mut()).await?;
        let finish = async {
            let written = sink.as_mut().finish().await;
            written.map_err(|e| target.doing(&current.operation).error(&e))
        };
        let next_sink = async {
            match following.next() {
                Some(next) => pipe.open(next).await.map(Some),
                None => Ok(None),
            }
        };
        let (rows_written, opened) = try_join(finish, next_sink).await?;
        copied.rows_written = rows_written;
        finished.push(agreed(current, copied)?);
        match opened {
            Some(next) => sink = next,
            None => break,
        }
    }
    Ok(finished)
}

type Sink = Pin<Box<CopyInSink<Bytes>>>;

/// Both ends, and what bytes meet in between.
struct Pipe<'a, 't> {
    source: &'a Session<Source, ReadOnly>,
    target: &'a Transaction<'t, Target>,
    flow: &'a Flow<'a>,
}

impl Pipe<'_, '_> {
    async fn prepare<'o>(&self, order: &'o Order<'o>) -> Result<Prepared<'o>, PgError> {
        let operation = format!("copy table {}", order.table.name);
        let (from, to) = (statement_out(order), statement_in(order));
        let (out, into) = try_join(
            async { self.source.doing(&operation).prepare(&from).await },
            async { self.target.doing(&operation).prepare(&to).await },
        )
        .await?;
        Ok(Prepared {
            order,
            operation,
            out,
            into,
        })
    }

    async fn read(&self, prepared: &Prepared<'_>) -> Result<CopyOut<'_>, PgError> {
        self.source.copy_out(&prepared.operation, &prepared.out).await
    }

    async fn open(&self, prepared: &Prepared<'_>) -> Result<Sink, PgError> {
        let writing = self.target.doing(&prepared.operation);
        Ok(Box::pin(writing.copy_in(&prepared.into).await?))
    }

    /// Moves the bytes of one table.
    async fn pump(
        &self,
        prepared: &Prepared<'_>,
        mut rows: CopyOut<'_>,
        mut sink: Pin<&mut CopyInSink<Bytes>>,
    ) -> Result<Copied, Failure> {
        let writing = self.target.doing(&prepared.operation);
        let mut bytes = 0;
        while let Some(message) = rows.next().await? {
            bytes += message.len() as u64;
            let sent = self.send(sink.as_mut(), message).await;
            sent.map_err(|e| writing.error(&e))?;
        }
        let messages = rows
            .messages()
            .ok_or_else(|| Failure::bug("a COPY came to its end, and nobody counted"))?;
        Ok(Copied {
            // The binary format ends with a message of its own.
            rows_read: match prepared.order.format {
                CopyFormat::Text => messages,
                CopyFormat::Binary => u64::saturating_sub(messages, 1),
            },
            rows_written: 0,
            bytes,
        })
    }

    async fn send(&self, mut sink: Pin<&mut CopyInSink<Bytes>>, message: Bytes) -> Result<(), DriverError> {
        let length = message.len() as u64;
        if let Some(limit) = self.flow.limit {
            limit.pass(length).await;
        }
        sink.feed(message).await?;
        self.flow.passed.passed(length);
        Ok(())
    }
}

fn agreed(prepared: &Prepared<'_>, copied: Copied) -> Result<Copied, Failure> {
    if copied.rows_read == copied.rows_written {
        return Ok(copied);
    }
    Err(Failure::new(
        Code::CountsDiffer,
        format!(
            "table {}: the source sent {} rows, the target stored {}",
            prepared.order.table.name, copied.rows_read, copied.rows_written
        ),
    )
    .with_hint("run again; if it happens again, please report it"))
}

fn statement_out(order: &Order<'_>) -> String {
    let table = &order.table.name;
    let (format, encoding) = (order.format, encoding(order));
    let conditions = match (order.filter, order.range) {
        (filter, None) => filter.to_owned(),
        ("", Some(range)) => format!("WHERE {}", condition(range)),
        (filter, Some(range)) => format!("{filter} AND {}", condition(range)),
    };
    if conditions.is_empty() {
        let columns = column_list(&order.table.columns);
        return format!("COPY {table}{columns} TO STDOUT WITH (FORMAT {format}{encoding})");
    }
    let selected = names(&order.table.columns);
    format!(
        "COPY (SELECT {selected} FROM ONLY {table} {conditions}) TO STDOUT WITH (FORMAT {format}{encoding})"
    )
}

/// The option that keeps the servers from converting texts. Of the binary format they convert them all the same.
fn encoding(order: &Order<'_>) -> String {
    match (order.format, order.encoding) {
        (CopyFormat::Text, Some(encoding)) => format!(", ENCODING '{encoding}'"),
        _ => String::new(),
    }
}

fn condition(range: Range) -> String {
    let begin = range.begin;
    match range.end {
        Some(end) => format!("ctid >= '({begin},0)'::pg_catalog.tid AND ctid < '({end},0)'::pg_catalog.tid"),
        None => format!("ctid >= '({begin},0)'::pg_catalog.tid"),
    }
}

fn statement_in(order: &Order<'_>) -> String {
    let columns = column_list(&order.table.columns);
    let freeze = if order.freeze { ", FREEZE" } else { "" };
    format!(
        "COPY {}{columns} FROM STDIN WITH (FORMAT {}{}{freeze})",
        order.table.name,
        order.format,
        encoding(order)
    )
}

fn column_list(columns: &[Ident]) -> String {
    if columns.is_empty() {
        return String::new();
    }
    format!(" ({})", names(columns))
}

fn names(columns: &[Ident]) -> String {
    let names: Vec<String> = columns.iter().map(Ident::to_string).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use pghaul_postgres::QualifiedName;

    fn table(columns: &[&str]) -> Table {
        Table {
            oid: 1,
            name: QualifiedName::new("public", "T").unwrap(),
            columns: columns.iter().map(|c| Ident::new(*c).unwrap()).collect(),
            bytes: 0,
            blocks: 0,
            file_node: 1,
            changes: 0,
        }
    }

    #[test]
    fn statements_name_the_columns_on_both_sides() {
        let table = table(&["id", "a b"]);
        let order = Order {
            table: &table,
            format: CopyFormat::Binary,
            range: None,
            filter: "",
            freeze: true,
            encoding: Some("SQL_ASCII"),
        };
        assert_eq!(
            statement_out(&order),
            "COPY \"public\".\"T\" (\"id\", \"a b\") TO STDOUT WITH (FORMAT binary)"
        );
        assert_eq!(
            statement_in(&order),
            "COPY \"public\".\"T\" (\"id\", \"a b\") FROM STDIN WITH (FORMAT binary, FREEZE)"
        );
    }

    #[test]
    fn parts_and_filters_are_conditions() {
        let table = table(&["id"]);
        let order = Order {
            table: &table,
            format: CopyFormat::Text,
            range: Some(Range { begin: 7, end: None }),
            filter: "WHERE NOT built_in",
            freeze: false,
            encoding: Some("EUC_JP"),
        };
        assert_eq!(
            statement_out(&order),
            "COPY (SELECT \"id\" FROM ONLY \"public\".\"T\" WHERE NOT built_in AND ctid >= '(7,0)'::pg_catalog.tid) \
             TO STDOUT WITH (FORMAT text, ENCODING 'EUC_JP')"
        );
    }
}
