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

/// The names that must stay free.
#[derive(Debug, Default)]
pub(crate) struct NotNullNames(BTreeSet<String>);

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
        Self(
            names
                .filter(|name| is_automatic(name))
                .map(str::to_owned)
                .collect(),
        )
    }

    /// The statements before and after those of an entry.
    pub(crate) fn around(&self, entry: &Entry) -> Result<(String, String), Failure> {
        let may_be_not_null = matches!(
            entry.kind,
            ObjectType::Table | ObjectType::ForeignTable | ObjectType::Domain
        );
        if self.0.is_empty() || !may_be_not_null {
            return Ok(<(String, String)>::default());
        }
        let holder = QualifiedName::new(entry.namespace.as_str(), HOLDER)?;
        let mut create = format!("CREATE DOMAIN {holder} AS pg_catalog.bool");
        for name in &self.0 {
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
