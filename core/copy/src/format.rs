//! Which tables can be copied in binary format.
//!
//! Binary is faster, and exact where both servers agree on the binary form of every type. Where they may not,
//! text is safe between all versions.

use pghaul_core::Failure;
use pghaul_core::catalog::{Catalog, Text, Type, TypeKind};
use pghaul_core::plan::CopyFormat;
use pghaul_postgres::error::unexpected;
use pghaul_postgres::{Right, Session, Target};
use std::collections::{BTreeMap, BTreeSet};

/// The first oid that `initdb` gives: those below are the same on every server of a version, and most of them on all.
const FIRST_UNPINNED: u32 = 10_000;

/// The first oid of what users make.
const FIRST_OF_USERS: u32 = 16_384;

/// The first major version that does not look at the oids of types inside arrays and composite types.
const IGNORES_NESTED_OIDS: u32 = 14;

/// What stands against the binary form of a type.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Obstacles {
    /// It is safe nowhere.
    always: bool,
    /// The target would recognize a type by its oid, which is another one there.
    before_14: bool,
    /// The target must have these extensions in the same version.
    extensions: BTreeSet<(Text, Text)>,
}

impl Obstacles {
    /// Looks at a type and at all that it is made of.
    fn of(catalog: &Catalog, type_oid: u32) -> Self {
        let mut found = Self::default();
        let (mut waiting, mut seen) = (vec![(type_oid, false)], BTreeSet::new());
        while let Some((oid, nested)) = waiting.pop() {
            let Some(part) = catalog.types.get(&oid) else {
                found.always = true;
                continue;
            };
            if !seen.insert((oid, nested)) {
                continue;
            }
            found.add(catalog, part, nested);
            let nests = match part.kind {
                TypeKind::Base | TypeKind::Composite => true,
                _ => nested,
            };
            waiting.extend(part.parts.iter().map(|inner| (*inner, nests)));
        }
        found
    }

    fn add(&mut self, catalog: &Catalog, part: &Type, nested: bool) {
        // An oid that means something else on another server; xml loses its prolog.
        let unsafe_everywhere =
            part.built_in && (part.plain_name.starts_with("reg") || &*part.plain_name == "xml");
        if unsafe_everywhere || !part.has_binary_form {
            self.always = true;
            return;
        }
        self.before_14 |= nested && part.oid >= FIRST_UNPINNED;
        if part.kind != TypeKind::Base || part.array || part.oid < FIRST_OF_USERS {
            return;
        }
        let extension = part
            .extension
            .as_ref()
            .and_then(|name| catalog.extensions.iter().find(|one| one.name == *name));
        match extension {
            Some(one) => {
                let version = (Text::clone(&one.name), Text::clone(&one.version));
                self.extensions.insert(version);
            }
            None => self.always = true,
        }
    }

    fn stand(&self, major: u32, extensions: &BTreeMap<String, String>) -> bool {
        let differs =
            |(name, version): &(Text, Text)| extensions.get(&**name).map(String::as_str) != Some(&**version);
        self.always || (self.before_14 && major < IGNORES_NESTED_OIDS) || self.extensions.iter().any(differs)
    }
}

/// The tables whose types forbid the binary format, by oid on the source.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Formats {
    text: BTreeSet<u32>,
}

impl Formats {
    /// Judges the types of all columns of the source, and the extensions of both sides that they come from. The target
    /// must have its extensions already.
    ///
    /// # Errors
    /// When the target can't be asked.
    pub async fn read<T: Right>(source: &Catalog, target: &Session<Target, T>) -> Result<Self, Failure> {
        let sql = "SELECT extname::text, extversion FROM pg_catalog.pg_extension";
        let rows = target.doing("read the extensions").query(sql, &[]).await?;
        let mut extensions = BTreeMap::new();
        for row in &rows {
            let name = row.try_get(0).map_err(unexpected)?;
            extensions.insert(name, row.try_get(1).map_err(unexpected)?);
        }
        Ok(Self::judge(source, target.server_version() / 10_000, &extensions))
    }

    /// Judges for a target of a major version with these extensions and their versions.
    fn judge(source: &Catalog, major: u32, extensions: &BTreeMap<String, String>) -> Self {
        let is_unsafe = |oid: &u32| Obstacles::of(source, *oid).stand(major, extensions);
        let types: BTreeSet<u32> = source.types.keys().copied().filter(is_unsafe).collect();
        let tables = source.relations.tables();
        let text = tables.filter(|table| {
            table
                .columns
                .iter()
                .any(|column| types.contains(&column.type_oid))
        });
        Self {
            text: text.map(|table| table.oid).collect(),
        }
    }

    /// The best format that is safe for a table, given by its oid on the source.
    pub fn best(&self, oid: u32) -> CopyFormat {
        if self.text.contains(&oid) {
            CopyFormat::Text
        } else {
            CopyFormat::Binary
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pghaul_core::catalog::Extension;

    const ARRAY: u32 = 1007;

    fn base(oid: u32, name: &str) -> Type {
        Type {
            oid,
            name: name.into(),
            kind: TypeKind::Base,
            built_in: oid < FIRST_OF_USERS,
            plain_name: name.into(),
            parts: Vec::new(),
            array: false,
            has_binary_form: true,
            comparable: true,
            extension: None,
        }
    }

    /// Whether a column of the first type is copied in binary to a target of this version.
    fn is_binary(types: &[Type], major: u32) -> bool {
        let catalog = Catalog {
            types: types.iter().cloned().map(|one| (one.oid, one)).collect(),
            extensions: vec![Extension {
                name: "hstore".into(),
                version: "1.8".into(),
                schema: "public".into(),
            }],
            ..Catalog::default()
        };
        let there = BTreeMap::from([("hstore".to_owned(), "1.8".to_owned())]);
        !Obstacles::of(&catalog, types[0].oid).stand(major, &there)
    }

    #[test]
    fn what_another_server_may_understand_otherwise_is_text() {
        assert!(is_binary(&[base(23, "int4")], 10));
        assert!(!is_binary(&[base(142, "xml")], 18) && !is_binary(&[base(2205, "regclass")], 18));
        let without = Type {
            has_binary_form: false,
            ..base(1033, "aclitem")
        };
        assert!(!is_binary(&[without], 18));
        assert!(!is_binary(&[base(20_000, "of_somebody")], 18));
    }

    #[test]
    fn what_types_are_made_of_counts() {
        let array = |part| Type {
            parts: vec![part],
            array: true,
            ..base(ARRAY, "array")
        };
        let domain = Type {
            kind: TypeKind::Domain,
            parts: vec![142],
            ..base(20_001, "document")
        };
        assert!(!is_binary(&[array(142), base(142, "xml")], 18));
        assert!(!is_binary(&[domain, base(142, "xml")], 18));
        let colour = Type {
            kind: TypeKind::Enum,
            ..base(20_002, "colour")
        };
        assert!(is_binary(std::slice::from_ref(&colour), 13));
        assert!(is_binary(&[array(20_002), colour.clone()], 14));
        assert!(!is_binary(&[array(20_002), colour], 13));
    }

    #[test]
    fn an_extension_must_have_the_same_version() {
        let of = |extension: &str| Type {
            extension: Some(extension.into()),
            ..base(20_003, "hstore")
        };
        assert!(is_binary(&[of("hstore")], 18));
        assert!(!is_binary(&[of("citext")], 18));
    }
}
