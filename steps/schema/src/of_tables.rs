//! Which entries of the archive belong to which table of the plan, and which have to wait for one.

use crate::archive::{Archive, Entry};
use crate::fate::Pass;
use crate::restore::{Restorer, is_built};
use libpgdump::ObjectType;
use pghaul_step::DatabasePlan;
use std::collections::{BTreeMap, BTreeSet};

/// The indexes and constraints of one table that are built from its rows.
#[derive(Debug, Clone, Default)]
pub(crate) struct Built<'a> {
    /// Keys, unique constraints and exclusion constraints: they lock the table against all others.
    pub(crate) keys: Vec<&'a Entry>,
    /// Indexes and extended statistics: several at a time can be built.
    pub(crate) indexes: Vec<&'a Entry>,
    /// The source's own statistics of the table and its indexes, where they are as good as new ones.
    pub(crate) statistics: Vec<&'a Entry>,
}

impl Built<'_> {
    pub(crate) fn len(&self) -> usize {
        self.keys.len() + self.indexes.len()
    }
}

/// The tables' numbers in the plan by the numbers of their entries in the archive.
pub(crate) struct Tables(BTreeMap<i32, u32>);

/// Only a table that was analyzed on the source has some.
const STATISTICS_OF_COLUMN: &str = "pg_restore_attribute_stats(";

impl Tables {
    pub(crate) fn of(archive: &Archive, plan: &DatabasePlan) -> Self {
        let numbers: BTreeMap<(&str, &str), u32> = plan
            .tables
            .iter()
            .map(|t| ((t.name.schema.as_str(), t.name.name.as_str()), t.number))
            .collect();
        let tables = archive.entries.iter().filter(|e| e.kind == ObjectType::Table);
        Self(
            tables
                .filter_map(|e| Some((e.id, *numbers.get(&(e.namespace.as_str(), e.tag.as_str()))?)))
                .collect(),
        )
    }

    /// The tables that an entry depends on.
    pub(crate) fn of_entry<'s>(&'s self, entry: &'s Entry) -> impl Iterator<Item = u32> + 's {
        entry.dependencies.iter().filter_map(|id| self.0.get(id).copied())
    }

    /// What is to be built on each table. Entries of which it is not clear, those of no table, and attachments are
    /// left to whoever comes after, in the archive's order.
    pub(crate) fn built<'a>(&self, restorer: &Restorer<'a>) -> BTreeMap<u32, Built<'a>> {
        let mut built: BTreeMap<u32, Built<'a>> = BTreeMap::new();
        let late = restorer.late();
        for entry in restorer.open(Pass::Keys).chain(restorer.open(Pass::AfterData)) {
            let is_key = match entry.kind {
                _ if entry.may_be_violated() || late.contains(&entry.id) => continue,
                ObjectType::Constraint => true,
                ObjectType::Index | ObjectType::Statistics => false,
                _ => continue,
            };
            let mut tables: Vec<u32> = self.of_entry(entry).collect();
            tables.dedup();
            if let [table] = tables.as_slice() {
                let of_table = built.entry(*table).or_default();
                if is_key {
                    of_table.keys.push(entry);
                } else {
                    of_table.indexes.push(entry);
                }
            }
        }
        for (table, entries) in self.statistics(restorer.archive) {
            built.entry(table).or_default().statistics = entries;
        }
        built
    }

    /// The statistics that can be carried over, by table. Not those of a table with extended statistics, which pg_dump
    /// leaves out.
    fn statistics<'a>(&self, archive: &'a Archive) -> BTreeMap<u32, Vec<&'a Entry>> {
        let of_kind = |kind| archive.entries.iter().filter(move |entry| entry.kind == kind);
        let built_on: BTreeMap<i32, u32> = of_kind(ObjectType::Index)
            .chain(of_kind(ObjectType::Constraint))
            .filter_map(|entry| Some((entry.id, self.of_entry(entry).next()?)))
            .collect();
        let mut statistics: BTreeMap<u32, Vec<&Entry>> = BTreeMap::new();
        for entry in of_kind(ObjectType::StatisticsData) {
            let of_index = || entry.dependencies.iter().find_map(|id| built_on.get(id).copied());
            if let Some(table) = self.of_entry(entry).next().or_else(of_index) {
                statistics.entry(table).or_default().push(entry);
            }
        }
        let extended: BTreeSet<u32> = of_kind(ObjectType::Statistics)
            .flat_map(|entry| self.of_entry(entry))
            .collect();
        let known = |entry: &&Entry| entry.statements.contains(STATISTICS_OF_COLUMN);
        statistics.retain(|table, entries| !extended.contains(table) && entries.iter().any(known));
        statistics
    }

    /// The entries that must wait until the target's workers have copied some tables: what is built from their
    /// rows but for keys, foreign keys from and to them, every constraint that older rows may violate, since a
    /// domain or parent takes it to tables that no entry names, and all that depends on one of these.
    pub(crate) fn waiting(&self, restorer: &Restorer<'_>, rest: &BTreeSet<u32>) -> BTreeSet<i32> {
        restorer.archive.with_dependents(|entry| {
            if entry.may_be_violated() {
                return !rest.is_empty();
            }
            is_built_or_foreign_key(entry) && !restorer.is_key(entry) && self.concerns(entry, rest)
        })
    }

    /// The same with the tables' keys.
    pub(crate) fn waiting_with_keys(&self, restorer: &Restorer<'_>, rest: &BTreeSet<u32>) -> BTreeSet<i32> {
        restorer
            .archive
            .with_dependents(|entry| is_built_or_foreign_key(entry) && self.concerns(entry, rest))
    }

    /// Whether an entry depends on one of the tables.
    fn concerns(&self, entry: &Entry, tables: &BTreeSet<u32>) -> bool {
        self.of_entry(entry).any(|table| tables.contains(&table))
    }
}

/// Whether an entry is built from rows, or checks them.
fn is_built_or_foreign_key(entry: &Entry) -> bool {
    is_built(entry) || entry.kind == ObjectType::FkConstraint
}
