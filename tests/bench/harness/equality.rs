//! Whether what has arrived is what was there. Cheaper than the exact comparison of the tests: it is made after every
//! run, of gigabytes.

use super::catalog;
use super::contender::Contender;
use super::servers::{DATABASE, patiently};
use pghaul_testkit::Cluster;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// Counts of what is no row. PostgreSQL 18 keeps NOT NULL as constraints, older versions do not.
const STRUCTURE: &[(&str, &str)] = &[
    (
        "valid indexes",
        "select count(*) from pg_index i join pg_class c on c.oid = i.indrelid
         where i.indisvalid and c.relkind = 'r' and c.relnamespace::regnamespace::text !~ '^(pg_|information_schema|pghaul)'",
    ),
    (
        "valid constraints",
        "select count(*) from pg_constraint c
         where c.convalidated and c.contype <> 'n'
           and c.connamespace::regnamespace::text !~ '^(pg_|information_schema|pghaul)'",
    ),
];

/// Count and checksum of the rows of every table, and how many indexes and constraints there are.
pub(super) struct Contents {
    found: BTreeMap<String, String>,
    pub(super) tables: usize,
    pub(super) rows: u64,
    /// Bytes of all rows, TOAST included, indexes not.
    pub(super) bytes: u64,
}

impl Contents {
    pub(super) fn of(cluster: &Cluster) -> Self {
        let tables = catalog::tables(cluster);
        let mut script = String::from("set extra_float_digits = 3;\nset timezone = 'UTC';\n");
        for table in &tables {
            let name = &table.name;
            writeln!(
                script,
                "select count(*), coalesce(sum(hashtext(t::text)::bigint), 0) from {name} t;"
            )
            .expect("writing to a String");
        }
        for (_, query) in STRUCTURE {
            writeln!(script, "{query};").expect("writing to a String");
        }
        let answers = patiently(cluster, DATABASE, &script);
        let subjects = tables.iter().map(|table| table.name.clone());
        let subjects = subjects.chain(STRUCTURE.iter().map(|(subject, _)| (*subject).to_owned()));
        let found: BTreeMap<String, String> = subjects.zip(answers.lines().map(str::to_owned)).collect();
        let counts = found.values().filter_map(|answer| answer.split_once('|'));
        let rows = counts.filter_map(|(count, _)| count.parse::<u64>().ok()).sum();
        Self {
            found,
            tables: tables.len(),
            rows,
            bytes: tables.iter().map(|table| table.bytes).sum(),
        }
    }

    /// # Panics
    /// With what is not the same in the other cluster.
    pub(super) fn assert_equal(&self, other: &Cluster, contender: Contender) {
        let other = Self::of(other);
        let subjects = self.found.keys().chain(other.found.keys());
        let different: BTreeSet<&String> = subjects
            .filter(|subject| self.found.get(*subject) != other.found.get(*subject))
            .collect();
        let shown = different.iter().take(10).map(|subject| {
            format!(
                "{subject}: {:?} on the source, {:?} on the target",
                self.found.get(*subject),
                other.found.get(*subject)
            )
        });
        let shown: Vec<String> = shown.collect();
        assert!(
            different.is_empty(),
            "{contender} has moved {} things differently:\n{}",
            different.len(),
            shown.join("\n")
        );
    }
}
