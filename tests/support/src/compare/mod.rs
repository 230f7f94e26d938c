//! Exact comparison: what is on one side and not, or not the same, on the other.
//!
//! Each side is described as texts under subjects: the definition of every object, the count and hash of every
//! table's rows, the state of every sequence. Then the descriptions are compared. Nothing here shares code with
//! the product that it judges.

mod rows;
mod schema;

use crate::cluster::Cluster;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Texts under subjects.
type Description = BTreeMap<String, String>;

/// What is compared beside definitions and rows.
#[derive(Debug, Clone)]
pub struct Options {
    /// Encoding, locale, settings, owner, privileges and comment of the database. Compared only when it has the
    /// same name on both sides.
    pub database_properties: bool,
    /// Where sequences stand; their definitions are compared in any case.
    pub sequences: bool,
    /// Large objects, their owners and privileges.
    pub large_objects: bool,
    /// Owners and privileges.
    pub privileges: bool,
    /// Subjects that contain one of these texts may differ.
    pub ignored: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            database_properties: true,
            sequences: true,
            large_objects: true,
            privileges: true,
            ignored: Vec::new(),
        }
    }
}

/// One thing that is not the same on both sides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// What differs, such as `rows of public.orders`.
    pub subject: String,
    /// What it is on the source; `None` when it is not there.
    pub source: Option<String>,
    /// What it is on the target; `None` when it is not there.
    pub target: Option<String>,
}

/// The lines that only one side has.
impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.subject)?;
        let lines = |side: &Option<String>| -> BTreeSet<String> {
            side.iter()
                .flat_map(|text| text.lines())
                .map(str::to_owned)
                .collect()
        };
        let (source, target) = (lines(&self.source), lines(&self.target));
        for (name, side, own, other) in [
            ("source", &self.source, &source, &target),
            ("target", &self.target, &target, &source),
        ] {
            if side.is_none() {
                writeln!(f, "  {name}: absent")?;
            }
            for line in own.difference(other) {
                writeln!(f, "  {name}: {line}")?;
            }
        }
        Ok(())
    }
}

/// Every difference between two databases: definitions, rows, materialized views, sequences, large objects.
///
/// Left out are publications, subscriptions and the schema `pghaul`. Servers of different versions write the same
/// definition differently; where that is known it is no difference.
pub fn databases(source: (&Cluster, &str), target: (&Cluster, &str), options: &Options) -> Vec<Difference> {
    let dump = schema::Dump {
        major: source.0.major().max(target.0.major()),
        properties: options.database_properties && source.1 == target.1,
        privileges: options.privileges,
        across_versions: source.0.major() != target.0.major(),
    };
    let describe = |(cluster, database): (&Cluster, &str)| {
        let mut description = dump.describe(cluster, database);
        description.extend(rows::describe(cluster, database, options));
        description
    };
    let (source, target) = std::thread::scope(|scope| {
        let source = scope.spawn(|| describe(source));
        let target = describe(target);
        (source.join().expect("the source is described"), target)
    });
    let mut found = differences(source, target);
    found.retain(|difference| {
        !options
            .ignored
            .iter()
            .any(|text| difference.subject.contains(text))
    });
    found
}

/// Every difference between the roles of two clusters: attributes, passwords, settings, memberships, comments.
/// The server's own roles, `pg_*`, are left out.
pub fn roles(source: &Cluster, target: &Cluster) -> Vec<Difference> {
    let describe = |cluster: &Cluster| {
        let rows = cluster.rows("postgres", include_str!("roles.sql")).into_iter();
        rows.filter_map(|row| Some((format!("role {}", row.first()?), row.get(1..)?.join("\n"))))
            .collect()
    };
    differences(describe(source), describe(target))
}

/// Panics with all differences when a database of the same name is not the same on both sides.
#[track_caller]
pub fn same(source: &Cluster, target: &Cluster, database: &str) {
    let found = databases((source, database), (target, database), &Options::default());
    let report: String = found.iter().map(ToString::to_string).collect();
    assert!(
        found.is_empty(),
        "{} differences in {database:?}:\n{report}",
        found.len()
    );
}

fn differences(mut source: Description, mut target: Description) -> Vec<Difference> {
    let subjects: BTreeSet<String> = source.keys().chain(target.keys()).cloned().collect();
    let pairs = subjects.into_iter().map(|subject| {
        let (source, target) = (source.remove(&subject), target.remove(&subject));
        Difference {
            subject,
            source,
            target,
        }
    });
    pairs
        .filter(|difference| difference.source != difference.target)
        .collect()
}
