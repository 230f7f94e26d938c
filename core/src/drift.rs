//! Drift: what was defined anew, changed or dropped since a database was moved.
//!
//! PostgreSQL replicates rows and no definitions. So [`Definitions`] of both sides are noted when they agree, the source's
//! with the plan and the target's when all of it is restored, and [`drift`] compares them with those of now.

use crate::failure::Side;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use strum::{Display, EnumString};

/// An aspect of an object that changes by itself. The names are part of the journal.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Display, EnumString, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Facet {
    /// That it exists, and what it is.
    Definition,
    /// The names and types of a table's columns.
    Columns,
    /// What the columns have besides: defaults, NOT NULL, storage.
    #[strum(to_string = "column-options")]
    ColumnOptions,
    /// How it is kept: storage parameters, tablespace, row security, replica identity.
    Options,
    /// Owner and access privileges.
    Privileges,
    /// Which roles a role is a member of, by whose grant and with which options.
    Memberships,
    /// A role's password, as the server keeps it; absent where pghaul's role may not read it.
    Password,
    /// `COMMENT ON`.
    Comment,
    /// `SECURITY LABEL`.
    Label,
}

impl Facet {
    fn noun(self) -> &'static str {
        match self {
            Self::Definition => "definition",
            Self::Columns => "columns",
            Self::ColumnOptions => "column options",
            Self::Options => "options",
            Self::Privileges => "owner or privileges",
            Self::Memberships => "memberships",
            Self::Password => "password",
            Self::Comment => "comment",
            Self::Label => "security label",
        }
    }
}

/// The digests of one object, in the order of the aspects. There are few, of a hundred thousand objects: a map of each would take
/// several times the memory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Digests(Vec<(Facet, Box<str>)>);

impl Digests {
    fn get(&self, facet: Facet) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| *known == facet);
        found.map(|(_, digest)| digest.as_ref())
    }

    fn facets(&self) -> impl Iterator<Item = Facet> {
        self.0.iter().map(|(facet, _)| *facet)
    }

    /// The aspects that are not the same as of the other, which may not be there.
    fn differing(&self, other: Option<&Self>) -> BTreeSet<Facet> {
        let both = self.facets().chain(other.into_iter().flat_map(Self::facets));
        both.filter(|facet| self.get(*facet) != other.and_then(|other| other.get(*facet)))
            .collect()
    }

    /// Where an aspect is, or where it belongs.
    fn place(&self, facet: Facet) -> Result<usize, usize> {
        self.0.binary_search_by_key(&facet, |(known, _)| *known)
    }

    /// Notes an aspect in place of an earlier note.
    fn insert(&mut self, facet: Facet, digest: &str) {
        if let Ok(place) = self.place(facet) {
            self.0.remove(place);
        }
        self.add(facet, digest.into());
    }

    /// Notes an aspect that is not known yet.
    fn add(&mut self, facet: Facet, digest: Box<str>) {
        if let Err(place) = self.place(facet) {
            self.0.reserve_exact(1);
            self.0.insert(place, (facet, digest));
        }
    }
}

impl Serialize for Digests {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(facet, digest)| (facet, digest)))
    }
}

impl<'de> Deserialize<'de> for Digests {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let read: BTreeMap<Facet, Box<str>> = BTreeMap::deserialize(deserializer)?;
        Ok(Self(read.into_iter().collect()))
    }
}

/// What is defined in a database, object by object, at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Definitions(BTreeMap<String, Digests>);

impl Definitions {
    /// Notes one aspect of an object, which is named as by `pg_identify_object`: `table public.orders`.
    pub fn insert(&mut self, object: String, facet: Facet, digest: &str) {
        self.0.entry(object).or_default().insert(facet, digest);
    }

    /// These without the objects that are not to be kept, each given as [`Definitions::insert`] has it.
    #[must_use]
    pub fn retaining(mut self, keeps: impl Fn(&str) -> bool) -> Self {
        self.0.retain(|object, _| keeps(object));
        self
    }

    /// These, and what is only in the newer ones: what both have stays as it was noted first.
    pub fn with_additions_of(mut self, newer: Self) -> Self {
        for (object, facets) in newer.0 {
            let known = self.0.entry(object).or_default();
            for (facet, digest) in facets.0 {
                known.add(facet, digest);
            }
        }
        self
    }

    /// How many objects there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// What happened to an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// It is new.
    Created,
    /// It is gone.
    Dropped,
    /// These aspects of it are not what they were.
    Altered(BTreeSet<Facet>),
}

/// One object that the two sides no longer have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drift {
    /// Where it changed.
    pub side: Side,
    /// The object, as [`Definitions`] names it.
    pub object: String,
    /// What happened to it.
    pub change: Change,
}

impl Drift {
    /// Whether rows may differ by it, and not only what surrounds them.
    pub fn concerns_rows(&self) -> bool {
        let is_table = self.object.starts_with("table ") && !self.object.starts_with("table constraint ");
        is_table
            && match &self.change {
                Change::Created | Change::Dropped => true,
                Change::Altered(facets) => {
                    facets.contains(&Facet::Definition) || facets.contains(&Facet::Columns)
                }
            }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Created => f.write_str("was created"),
            Self::Dropped => f.write_str("was dropped or renamed"),
            Self::Altered(facets) => {
                let nouns: Vec<&str> = facets.iter().map(|facet| facet.noun()).collect();
                write!(f, "was altered ({})", nouns.join(", "))
            }
        }
    }
}

/// The definitions of both sides at one moment.
#[derive(Debug, Clone, Copy)]
pub struct Sides<'a> {
    /// The source's.
    pub source: &'a Definitions,
    /// The target's.
    pub target: &'a Definitions,
}

/// What is not on one side as it was; whether the other side has had the same is to be seen.
#[derive(Debug)]
pub struct Changed {
    side: Side,
    object: String,
    existed: bool,
    facets: BTreeSet<Facet>,
}

/// What is not as it was `then`, of which only this is kept.
pub fn changed(side: Side, then: Definitions, now: &Definitions) -> Vec<Changed> {
    let new = now.0.iter().filter(|(object, _)| !then.0.contains_key(*object));
    let mut found: Vec<Changed> = new
        .map(|(object, facets)| Changed {
            side,
            object: object.clone(),
            existed: false,
            facets: facets.facets().collect(),
        })
        .collect();
    found.extend(then.0.into_iter().filter_map(|(object, before)| {
        let facets = before.differing(now.0.get(&object));
        (!facets.is_empty()).then_some(Changed {
            side,
            object,
            existed: true,
            facets,
        })
    }));
    found.sort_by(|a, b| a.object.cmp(&b.object));
    found
}

/// The changes but for those that the other side has had as well.
///
/// What is new on the target alone is no drift: it is nobody's loss, and a target may have more than its source.
pub fn drift(changed: Vec<Changed>, now: Sides<'_>) -> Vec<Drift> {
    let unsettled = |changed: Changed| {
        let Changed {
            side,
            object,
            existed,
            mut facets,
        } = changed;
        let exists = match side {
            Side::Source => now.source.0.contains_key(&object),
            Side::Target => now.target.0.contains_key(&object),
        };
        facets.retain(|facet| digest(now.source, &object, *facet) != digest(now.target, &object, *facet));
        let change = match (existed, exists) {
            _ if facets.is_empty() => return None,
            (false, _) if side == Side::Target => return None,
            (false, _) => Change::Created,
            (true, false) => Change::Dropped,
            (true, true) => Change::Altered(facets),
        };
        Some(Drift { side, object, change })
    };
    changed.into_iter().filter_map(unsettled).collect()
}

fn digest<'a>(definitions: &'a Definitions, object: &str, facet: Facet) -> Option<&'a str> {
    definitions.0.get(object)?.get(facet)
}

#[cfg(test)]
mod tests {
    use super::{Change, Definitions, Drift, Facet, Sides, changed, drift};
    use crate::failure::Side;

    fn definitions(objects: &[(&str, Facet, &str)]) -> Definitions {
        let mut all = Definitions::default();
        for (object, facet, digest) in objects {
            all.insert((*object).to_owned(), *facet, digest);
        }
        all
    }

    fn told(then: [&Definitions; 2], now: [&Definitions; 2]) -> Vec<String> {
        let [source, target] = now;
        let mut all = changed(Side::Source, then[0].clone(), source);
        all.extend(changed(Side::Target, then[1].clone(), target));
        let found = drift(all, Sides { source, target });
        found
            .iter()
            .map(|drift| format!("{} {} {}", drift.side, drift.object, drift.change))
            .collect()
    }

    const TABLE: (&str, Facet, &str) = ("table public.t", Facet::Columns, "1");

    #[test]
    fn versions_that_print_definitions_differently_are_no_drift() {
        let (source, target) = (
            definitions(&[TABLE]),
            definitions(&[("table public.t", Facet::Columns, "9")]),
        );
        assert_eq!(told([&source, &target], [&source, &target]), [""; 0]);
    }

    #[test]
    fn every_kind_of_change_on_the_source_is_named() {
        let then = definitions(&[TABLE, ("function public.f()", Facet::Definition, "1")]);
        let now = definitions(&[
            ("table public.t", Facet::Columns, "2"),
            ("table public.t", Facet::Privileges, "2"),
            ("role app", Facet::Definition, "1"),
        ]);
        assert_eq!(
            told([&then, &then], [&now, &then]),
            [
                "source function public.f() was dropped or renamed",
                "source role app was created",
                "source table public.t was altered (columns, owner or privileges)",
            ]
        );
    }

    #[test]
    fn a_change_that_was_made_on_both_sides_is_settled() {
        let then = definitions(&[TABLE]);
        let now = definitions(&[
            ("table public.t", Facet::Columns, "2"),
            ("index public.i", Facet::Definition, "1"),
        ]);
        assert_eq!(told([&then, &then], [&now, &now]), [""; 0]);
        assert_eq!(
            told([&then, &then], [&Definitions::default(), &Definitions::default()]),
            [""; 0]
        );
    }

    #[test]
    fn a_target_may_have_more_but_not_less_or_other() {
        let then = definitions(&[TABLE]);
        let more = definitions(&[TABLE, ("index public.i", Facet::Definition, "1")]);
        let other = definitions(&[("table public.t", Facet::Columns, "2")]);
        assert_eq!(told([&then, &then], [&then, &more]), [""; 0]);
        assert_eq!(
            told([&then, &then], [&then, &other]),
            ["target table public.t was altered (columns)"]
        );
        assert_eq!(
            told([&more, &more], [&more, &then]),
            ["target index public.i was dropped or renamed"]
        );
    }

    #[test]
    fn what_is_added_later_hides_no_change_of_before() {
        let then = definitions(&[TABLE]);
        let now = definitions(&[
            ("table public.t", Facet::Columns, "2"),
            ("table public.t", Facet::Comment, "1"),
            ("index public.i", Facet::Definition, "1"),
        ]);
        let noted = then.clone().with_additions_of(now.clone());
        assert_eq!(
            told([&then, &noted], [&then, &now]),
            ["target table public.t was altered (columns)"]
        );
        assert_eq!(
            told([&now, &noted], [&now, &then]),
            [
                "target index public.i was dropped or renamed",
                "target table public.t was altered (comment)"
            ]
        );
    }

    #[test]
    fn rows_are_concerned_by_columns_and_kind_of_tables_alone() {
        let altered = |object: &str, facet| Drift {
            side: Side::Source,
            object: object.to_owned(),
            change: Change::Altered([facet].into()),
        };
        assert!(altered("table public.t", Facet::Columns).concerns_rows());
        assert!(altered("table public.t", Facet::Definition).concerns_rows());
        assert!(!altered("table public.t", Facet::Privileges).concerns_rows());
        assert!(!altered("table constraint k on public.t", Facet::Definition).concerns_rows());
        assert!(!altered("function public.f()", Facet::Definition).concerns_rows());
    }
}
