//! A table whose rows were copied, as the items of the steps that copy report it.

use pghaul_postgres::QualifiedName;
use serde_json::Value;
use std::time::Duration;

/// What an item says of its table.
pub(crate) struct Copied<'a> {
    /// The name, quoted.
    pub(crate) table: &'a str,
    /// As both sides counted them.
    pub(crate) rows: Option<u64>,
    pub(crate) bytes: Option<u64>,
    pub(crate) took: Option<Duration>,
    /// How many tables were copied in the same transaction, and took this time together.
    pub(crate) together: Option<u64>,
    /// Whether the target's workers copied it.
    pub(crate) by_workers: bool,
}

impl<'a> Copied<'a> {
    /// Nothing for an item that is no copied table.
    pub(crate) fn of(outcome: &'a Value) -> Option<Self> {
        let number = |name: &str| outcome.get(name).and_then(Value::as_u64);
        Some(Self {
            table: outcome.get("table").and_then(Value::as_str)?,
            rows: number("rows"),
            bytes: number("bytes"),
            took: number("took_ms").map(Duration::from_millis),
            together: number("together"),
            by_workers: outcome.get("by").and_then(Value::as_str).is_some(),
        })
    }

    /// The table's name, for people.
    pub(crate) fn name(&self) -> String {
        short(self.table)
    }
}

/// The name of a table that is journaled with quotes, for people: quoted only where needed.
pub(crate) fn short(table: &str) -> String {
    let name = table.parse().map(|name: QualifiedName| name.short());
    name.unwrap_or_else(|_| table.to_owned())
}
