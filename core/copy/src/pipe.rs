//! One COPY out of the source and one COPY into the target, joined in the middle.

use crate::tables::Table;
use bytes::{BufMut as _, Bytes, BytesMut};
use futures_util::{SinkExt as _, StreamExt as _, pin_mut};
use pghaul_core::{Code, Failure};
use pghaul_postgres::{Ident, ReadOnly, Session, Source, Target, Transaction};

/// Rows are collected into messages of this size: a flush for each row costs seven times the time.
const MESSAGE: usize = 128 * 1024;

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

/// Copies one table, in text format, in the two given transactions.
///
/// `filter` is a WHERE clause, with the word WHERE, or empty. `passed` is told the bytes of each message.
///
/// Source: <https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-COPY>
///
/// # Errors
/// What either server reports; [`Code::CountsDiffer`] where they disagree on the number of rows.
pub async fn copy(
    source: &Session<Source, ReadOnly>,
    target: &Transaction<'_, Target>,
    table: &Table,
    filter: &str,
    passed: &(dyn Fn(u64) + Sync),
) -> Result<Copied, Failure> {
    let columns = column_list(&table.columns);
    let from = if filter.is_empty() {
        format!("COPY {}{columns} TO STDOUT", table.name)
    } else {
        let selected = table
            .columns
            .iter()
            .map(Ident::to_string)
            .collect::<Vec<_>>()
            .join(", ");
        format!(
            "COPY (SELECT {selected} FROM ONLY {} {filter}) TO STDOUT",
            table.name
        )
    };
    let operation = format!("copy table {}", table.name);
    let (reading, writing) = (source.doing(&operation), target.doing(&operation));
    let rows = reading.copy_out(&from).await?;
    let sink = writing
        .copy_in(&format!("COPY {}{columns} FROM STDIN", table.name))
        .await?;
    pin_mut!(rows, sink);
    let mut copied = Copied {
        rows_read: 0,
        rows_written: 0,
        bytes: 0,
    };
    let mut message = BytesMut::with_capacity(2 * MESSAGE);
    while let Some(row) = rows.next().await {
        let row: Bytes = row.map_err(|e| reading.error(&e))?;
        copied.rows_read += 1;
        copied.bytes += row.len() as u64;
        message.put(row);
        if message.len() >= MESSAGE {
            let full = message.split().freeze();
            let length = full.len() as u64;
            sink.send(full).await.map_err(|e| writing.error(&e))?;
            passed(length);
            message.reserve(2 * MESSAGE);
        }
    }
    if !message.is_empty() {
        passed(message.len() as u64);
        sink.send(message.freeze()).await.map_err(|e| writing.error(&e))?;
    }
    copied.rows_written = sink.finish().await.map_err(|e| writing.error(&e))?;
    if copied.rows_read == copied.rows_written {
        return Ok(copied);
    }
    Err(Failure::new(
        Code::CountsDiffer,
        format!(
            "table {}: the source sent {} rows, the target stored {}",
            table.name, copied.rows_read, copied.rows_written
        ),
    )
    .with_hint("run again; if it happens again, please report it"))
}

fn column_list(columns: &[Ident]) -> String {
    if columns.is_empty() {
        return String::new();
    }
    format!(
        " ({})",
        columns
            .iter()
            .map(Ident::to_string)
            .collect::<Vec<_>>()
            .join(", ")
    )
}
