//! Foreign keys between tables of different generations of the initial copy.
//!
//! Each generation has a subscription of its own, and a TRUNCATE of both tables on the source arrives as two: the
//! target would refuse each of them. So these keys are held back until the cutover, like those of tables that are
//! not replicated.

use crate::archive::Entry;
use crate::of_tables::Tables;
use crate::rest::second;
use crate::restore::Restorer;
use libpgdump::ObjectType;
use pghaul_step::plan::{HeldBack, HeldBackKind};
use pghaul_step::{Failure, TablePlan};
use std::collections::BTreeSet;

/// The foreign keys between the generations, and everything that depends on them.
#[derive(Debug, Default)]
pub(crate) struct Crossing<'a> {
    /// The numbers of the entries that are not restored.
    pub(crate) entries: BTreeSet<i32>,
    /// The keys.
    pub(crate) keys: Vec<&'a Entry>,
    /// The same as they are listed.
    pub(crate) held_back: Vec<HeldBack>,
    /// What depends on a key, with that key.
    pub(crate) dependents: Vec<(&'a Entry, &'a Entry)>,
}

impl<'a> Crossing<'a> {
    /// The same at any time once the generations are known: it follows from the archive and the plan alone.
    pub(crate) fn of(restorer: &Restorer<'a>, tables: &Tables) -> Result<Self, Failure> {
        let second = second(restorer.ctx)?;
        if second.is_empty() {
            return Ok(Self::default());
        }
        let crosses = |entry: &Entry| {
            let is_in_second = |table: u32| second.contains(&table);
            entry.kind == ObjectType::FkConstraint
                && restorer.held_back(entry).is_none()
                && tables.of_entry(entry).any(is_in_second)
                && !tables.of_entry(entry).all(is_in_second)
        };
        let archive = restorer.archive;
        let keys: Vec<&Entry> = archive.entries.iter().filter(|entry| crosses(entry)).collect();
        let mut dependents = Vec::new();
        for key in &keys {
            let with_it = archive.with_dependents(|entry| entry.id == key.id);
            let entries = archive.entries.iter().filter(|entry| with_it.contains(&entry.id));
            dependents.extend(
                entries
                    .filter(|entry| entry.id != key.id)
                    .map(|entry| (entry, *key)),
            );
        }
        Ok(Self {
            held_back: keys
                .iter()
                .map(|entry| held_back(restorer, tables, entry))
                .collect(),
            entries: archive.with_dependents(crosses),
            keys,
            dependents,
        })
    }
}

fn held_back(restorer: &Restorer<'_>, tables: &Tables, entry: &Entry) -> HeldBack {
    let plan = restorer.ctx.plan();
    let concerned: Vec<&TablePlan> = tables.of_entry(entry).filter_map(|n| plan.table(n)).collect();
    // The tag is the table's name, a space, and the key's own.
    let own = concerned.iter().find_map(|table| {
        let name = entry
            .tag
            .strip_prefix(table.name.name.as_str())?
            .strip_prefix(' ')?;
        (table.name.schema == entry.namespace).then_some((*table, name))
    });
    let other = concerned
        .iter()
        .find(|table| own.is_none_or(|(own, _)| own.number != table.number));
    let why = other.map_or_else(String::new, |table| {
        format!(
            "table {} was copied at another time and is replicated by another subscription",
            table.name
        )
    });
    HeldBack {
        kind: HeldBackKind::ForeignKey,
        table: own.map(|(table, _)| table.name.clone()),
        name: own.map_or_else(|| entry.tag.clone(), |(_, name)| name.to_owned()),
        why,
    }
}
