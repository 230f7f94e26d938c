//! The relations that are members of extensions.

use pghaul_step::postgres::Row;
use pghaul_step::quoted;
use std::collections::BTreeMap;

/// Lists the members of all extensions of a database.
pub(super) const MEMBERS: &str = include_str!("members.sql");

/// A relation that is a member of an extension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Member {
    kind: String,
    name: String,
    qualified: String,
}

/// The members by extension, of what [`MEMBERS`] has found.
pub(super) fn by_extension(rows: &[Row]) -> BTreeMap<String, Vec<Member>> {
    let mut members: BTreeMap<String, Vec<Member>> = BTreeMap::new();
    for row in rows {
        let member = Member {
            kind: row.get("kind"),
            name: row.get("name"),
            qualified: row.get("qualified"),
        };
        members.entry(row.get("extension")).or_default().push(member);
    }
    members
}

/// The members that a database with those of the target lacks.
pub(super) fn missing<'a>(of_source: &'a [Member], of_target: &[Member]) -> Vec<&'a Member> {
    let is_there = |member: &Member| {
        let same = |other: &Member| (&other.kind, &other.name) == (&member.kind, &member.name);
        of_target.iter().any(same)
    };
    of_source.iter().filter(|member| !is_there(member)).collect()
}

impl Member {
    /// As in `table public.jobs`.
    pub(super) fn named(&self) -> String {
        format!("{} {}", self.kind, self.qualified)
    }

    /// The statement after which it is a relation like others.
    pub(super) fn drop_from(&self, extension: &str) -> String {
        let (kind, name) = (self.kind.to_uppercase(), &self.qualified);
        format!("ALTER EXTENSION {} DROP {kind} {name};", quoted(extension))
    }
}
