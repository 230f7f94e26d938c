//! Reads the [`Catalog`] of a database: a fixed number of queries, in one transaction, as any role that may connect.
//!
//! The answers are read row by row, and texts that repeat are kept once: a database with many tables costs little more
//! than its facts.

mod dialect;
mod rows;

use crate::error::PgError;
use crate::session::{Doing, Right, Session, SideMarker};
use pghaul_core::catalog::{Catalog, Relation, Relations};
use rows::{Member, Texts};
use std::collections::HashMap;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

/// How much is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// What the catalogs hold. That waits for no lock of anybody.
    Facts,
    /// The sizes of tables too. Each is locked for a moment in ACCESS SHARE mode, which waits for an ALTER TABLE.
    Sizes,
    /// The definitions too, which PostgreSQL deparses. Newer versions lock tables for that as for sizes.
    Definitions,
}

const OPERATION: &str = "read the catalogs";

impl<S: SideMarker, R: Right> Session<S, R> {
    /// Reads what this database holds, in a transaction of its own that sees one snapshot. The session must be in none.
    ///
    /// # Errors
    /// A lost connection.
    pub async fn catalog(&self, detail: Detail) -> Result<Catalog, PgError> {
        self.begin_snapshot().await?;
        let read = self.doing(OPERATION).catalog(self.server_version(), detail).await;
        if read.is_err() && self.is_closed() {
            return read;
        }
        self.end_snapshot().await?;
        read
    }
}

impl<R: Right> Doing<'_, R> {
    /// Reads what this database holds as the transaction sees it that is under way. The version is
    /// [`Session::server_version`].
    ///
    /// # Errors
    /// A lost connection.
    pub async fn catalog(&self, version: u32, detail: Detail) -> Result<Catalog, PgError> {
        let sizes = detail == Detail::Sizes;
        let definitions = detail == Detail::Definitions;
        let with: &[&(dyn ToSql + Sync)] = &[&definitions];
        let sized: &[&(dyn ToSql + Sync)] = &[&sizes, &definitions];
        // At once: they follow each other on the connection, and wait for no answer in between.
        let (relations, columns, parents, indexes, constraints, triggers, rules) = tokio::try_join!(
            self.each(version, include_str!("relations.sql"), sized, rows::relation),
            self.each(version, include_str!("columns.sql"), with, rows::column),
            self.each(version, include_str!("inheritance.sql"), with, rows::parent),
            self.each(version, include_str!("indexes.sql"), with, rows::index),
            self.each(version, include_str!("constraints.sql"), with, rows::constraint),
            self.each(version, include_str!("triggers.sql"), with, rows::trigger),
            self.each(version, include_str!("rules.sql"), with, rows::rule),
        )?;
        let (sequences, types, schemas, extensions, event_triggers) = tokio::try_join!(
            self.each(version, include_str!("sequences.sql"), &[], rows::sequence),
            self.each(version, include_str!("types.sql"), &[], rows::of_type),
            self.each(version, include_str!("schemas.sql"), &[], rows::schema),
            self.each(version, include_str!("extensions.sql"), &[], rows::extension),
            self.each(
                version,
                include_str!("event_triggers.sql"),
                &[],
                rows::event_trigger
            ),
        )?;
        // What was dropped while it was read is in the snapshot, and nothing more can be known of it.
        let there = |relation: &Relation| !sizes || !relation.has_size() || relation.size.is_some();
        let relations = relations.into_iter().flatten().filter(there).collect();
        let mut relations = Unattached::new(relations);
        relations.attach(columns, |relation, column| relation.columns.push(column));
        relations.attach(parents, |relation, parent| match parent {
            rows::Parent::Partitioned(partition) => relation.partition = Some(partition),
            rows::Parent::Inherited(parent) => relation.inherits.push(parent),
        });
        relations.attach(indexes, |relation, index| relation.indexes.push(index));
        relations.attach(constraints, |relation, constraint| {
            relation.constraints.push(constraint)
        });
        relations.attach(triggers, |relation, trigger| relation.triggers.push(trigger));
        relations.attach(rules, |relation, rule| relation.rules.push(rule));
        Ok(Catalog {
            server_version: version,
            sequences: sequences.into_iter().flatten().collect(),
            types: types.into_iter().map(|found| (found.oid, found)).collect(),
            schemas: schemas.into_iter().flatten().collect(),
            extensions,
            event_triggers,
            relations: Relations::new(relations.all),
        })
    }

    async fn each<T>(
        &self,
        version: u32,
        sql: &str,
        parameters: &[&(dyn ToSql + Sync)],
        read: impl Fn(&Row, &mut Texts) -> Result<T, tokio_postgres::Error>,
    ) -> Result<Vec<T>, PgError> {
        let mut texts = Texts::default();
        let mut found = Vec::new();
        self.for_each(&dialect::query(sql, version), parameters, |row| {
            found.push(read(row, &mut texts)?);
            Ok(())
        })
        .await?;
        Ok(found)
    }
}

/// Relations to which what belongs to them is being attached.
struct Unattached {
    all: Vec<Relation>,
    places: HashMap<u32, usize>,
}

impl Unattached {
    fn new(all: Vec<Relation>) -> Self {
        let places = all
            .iter()
            .enumerate()
            .map(|(place, relation)| (relation.oid, place));
        Self {
            places: places.collect(),
            all,
        }
    }

    fn attach<T>(&mut self, members: Vec<Member<T>>, attach: impl Fn(&mut Relation, T)) {
        for member in members {
            let place = self.places.get(&member.of).copied();
            if let Some(relation) = place.and_then(|place| self.all.get_mut(place)) {
                attach(relation, member.value);
            }
        }
    }
}
