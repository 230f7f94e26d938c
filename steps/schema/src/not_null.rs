//! Names that the target would give to NOT NULL, although constraints of the source have them.
//!
//! NOT NULL is a constraint with a name from PostgreSQL 17 on for domains and 18 on for tables. Where the statement gives
//! none, the server takes `<table>_<column>_not_null`, and a constraint of that name that is added later fails. The server
//! avoids names that any constraint of the schema has: so while a table is created, a domain that exists no longer than
//! that has constraints with these names.

use crate::archive::{Archive, Entry};
use libpgdump::ObjectType;
use pghaul_step::Failure;
use pghaul_step::postgres::{Ident, QualifiedName};
use std::collections::BTreeSet;

/// The first version whose NOT NULL constraints have names.
const NAMED_FROM: u32 = 170_000;

/// The domain.
const HOLDER: &str = "pghaul_names";

/// The names that must stay free, where the target gives any.
#[derive(Debug, Default)]
pub(crate) struct NotNullNames(Option<BTreeSet<String>>);

impl NotNullNames {
    pub(crate) fn of(archive: &Archive, target_version: u32) -> Self {
        if target_version < NAMED_FROM {
            return Self::default();
        }
        let constraints = archive.entries.iter().filter(|entry| {
            matches!(
                entry.kind,
                ObjectType::Constraint | ObjectType::FkConstraint | ObjectType::CheckConstraint
            )
        });
        // The tag is `table constraint`; either may contain spaces, so every split is a candidate.
        let names = constraints.flat_map(|entry| {
            let splits = entry.tag.match_indices(' ');
            splits.filter_map(|(space, _)| entry.tag.get(space + 1..))
        });
        let names = names.filter(|name| is_automatic(name));
        Self(Some(names.map(str::to_owned).collect()))
    }

    /// The statements before and after those of an entry.
    pub(crate) fn around(&self, entry: &Entry) -> Result<(String, String), Failure> {
        let may_be_not_null = matches!(
            entry.kind,
            ObjectType::Table | ObjectType::ForeignTable | ObjectType::Domain
        );
        let Some(names) = self.0.as_ref().filter(|_| may_be_not_null) else {
            return Ok(<(String, String)>::default());
        };
        let mut names = names.clone();
        if entry.kind == ObjectType::Domain {
            names.extend(checks(&entry.statements).filter(|name| is_automatic(name)));
        }
        if names.is_empty() {
            return Ok(<(String, String)>::default());
        }
        let holder = QualifiedName::new(entry.namespace.as_str(), HOLDER)?;
        let mut create = format!("CREATE DOMAIN {holder} AS pg_catalog.bool");
        for name in &names {
            create.push_str(&format!(
                "\n    CONSTRAINT {} CHECK (true)",
                Ident::new(name.as_str())?
            ));
        }
        Ok((format!("{create};\n"), format!("\nDROP DOMAIN {holder};\n")))
    }
}

/// Whether it may be a name that the server made: with a number where several would be the same.
fn is_automatic(name: &str) -> bool {
    name.trim_end_matches(|c: char| c.is_ascii_digit())
        .ends_with("_not_null")
}

/// The names of the checks that the statement of a domain has, as pg_dump writes them: the server names its NOT NULL before it
/// sees them.
fn checks(statements: &str) -> impl Iterator<Item = String> {
    let clauses = statements.split("\n\tCONSTRAINT ").skip(1);
    clauses.filter_map(|clause| match clause.strip_prefix('"') {
        Some(quoted) => Some(quoted.split_once("\" CHECK (")?.0.replace("\"\"", "\"")),
        None => Some(clause.split_once(' ')?.0.to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::checks;

    #[test]
    fn checks_of_a_domain_are_named() {
        let statement = "CREATE DOMAIN public.d AS integer NOT NULL\n\tCONSTRAINT d_not_null CHECK ((VALUE > 0))\n\t\
                         CONSTRAINT \"D \"\"x\"\" not\" CHECK ((VALUE < 9));\n";
        let found: Vec<String> = checks(statement).collect();
        assert_eq!(found, ["d_not_null", "D \"x\" not"]);
        assert_eq!(checks("CREATE DOMAIN public.d AS integer;\n").count(), 0);
    }
}
