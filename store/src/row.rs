//! An event on its way into the file.

use crate::chain;
use crate::stored::Links;
use pghaul_core::event::{Record, UnknownRecord};
use pghaul_core::{Epoch, Event, MigrationId};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, params};

/// A sequence number as SQLite stores it.
pub(crate) fn signed(seq: u64) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}

/// An event about to be stored.
pub(crate) struct NewRow {
    migration: MigrationId,
    seq: i64,
    epoch: Epoch,
    at: String,
    record: Record,
    hash: chain::Hash,
}

impl NewRow {
    /// The row after the last one of a chain, which then ends with it.
    pub(crate) fn new(
        links: &mut Links,
        migration: &MigrationId,
        epoch: Epoch,
        at: String,
        event: &Event,
    ) -> Result<Self, UnknownRecord> {
        let record = event.to_record()?;
        let (migration, seq) = (migration.clone(), signed(links.seq + 1));
        let mut row = Self {
            migration,
            seq,
            epoch,
            at,
            record,
            hash: [0; 32],
        };
        row.hash = chain::link(&links.before, &row.columns());
        *links = Links {
            seq: links.seq + 1,
            before: row.hash,
        };
        Ok(row)
    }

    fn columns(&self) -> chain::Columns<'_> {
        let record = &self.record;
        [
            ValueRef::Text(self.migration.as_str().as_bytes()),
            ValueRef::Integer(self.seq),
            ValueRef::Integer(i64::from(self.epoch.0)),
            ValueRef::Text(self.at.as_bytes()),
            record
                .database
                .as_ref()
                .map_or(ValueRef::Null, |d| ValueRef::Text(d.as_str().as_bytes())),
            record
                .step
                .as_ref()
                .map_or(ValueRef::Null, |s| ValueRef::Text(s.as_str().as_bytes())),
            record
                .item
                .as_ref()
                .map_or(ValueRef::Null, |i| ValueRef::Text(i.as_bytes())),
            ValueRef::Text(record.kind.as_bytes()),
            ValueRef::Integer(i64::from(record.version)),
            ValueRef::Text(record.payload.as_str().as_bytes()),
        ]
    }

    /// Inserts the row exactly as it was hashed.
    pub(crate) fn insert(&self, connection: &Connection) -> rusqlite::Result<()> {
        let record = &self.record;
        connection
            .prepare_cached(include_str!("sql/append.sql"))?
            .execute(params![
                self.migration.as_str(),
                self.seq,
                self.epoch.0,
                self.at,
                record.database.as_ref().map(|d| d.as_str()),
                record.step.as_ref().map(|s| s.as_str()),
                record.item,
                record.kind,
                record.version,
                record.payload.as_str(),
                self.hash,
            ])?;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
