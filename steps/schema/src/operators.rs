//! Operators that the texts of the archive do not name.
//!
//! `IS DISTINCT FROM`, `NULLIF`, `CASE value WHEN` and `JOIN … USING` compare with the operator `=` that `search_path` finds. With an empty
//! one the server takes another operator where there is one, without a word: values of citext are then compared as text. So what
//! depends on operators of a schema, or of an extension in it, is created with that schema behind `pg_catalog`.

use crate::archive::{Archive, Entry};
use libpgdump::ObjectType;
use pghaul_step::Failure;
use pghaul_step::postgres::{Ident, literal};
use std::collections::BTreeSet;

/// The statements of an entry, with the operators that they mean.
pub(crate) fn found(archive: &Archive, entry: &Entry, script: String) -> Result<String, Failure> {
    if !compares(&entry.statements) {
        return Ok(script);
    }
    let mut schemas = BTreeSet::new();
    let needed = archive
        .entries
        .iter()
        .filter(|other| entry.dependencies.contains(&other.id));
    for other in needed {
        if let Some(schema) = of_operators(other)? {
            schemas.insert(schema);
        }
    }
    with(&schemas, script)
}

/// Statements that find operators in these schemas, quoted names, behind `pg_catalog`; what follows them does not.
pub(crate) fn with(schemas: &BTreeSet<String>, statements: String) -> Result<String, Failure> {
    if schemas.is_empty() {
        return Ok(statements);
    }
    let schemas: Vec<&str> = schemas.iter().map(String::as_str).collect();
    let path = literal(&format!("pg_catalog, {}", schemas.join(", ")))?;
    Ok(format!(
        "SELECT pg_catalog.set_config('search_path', {path}, true);\n{statements}\nSET LOCAL search_path = '';\n"
    ))
}

/// Whether expressions may compare with an operator that they do not name.
pub(crate) fn compares(statements: &str) -> bool {
    let has_simple_case = statements.match_indices("CASE").any(|(at, word)| {
        let rest = statements.get(at + word.len()..).unwrap_or_default();
        rest.starts_with(char::is_whitespace) && !rest.trim_start().starts_with("WHEN")
    });
    has_simple_case
        || [" IS DISTINCT FROM ", "NULLIF(", " USING ("]
            .iter()
            .any(|text| statements.contains(text))
}

/// The schema, quoted, in which an operator is, or those of an extension may be.
fn of_operators(entry: &Entry) -> Result<Option<String>, Failure> {
    Ok(match entry.kind {
        ObjectType::Operator => Some(Ident::new(entry.namespace.as_str())?.to_string()),
        ObjectType::Extension => {
            let rest = entry.statements.split_once(" WITH SCHEMA ");
            let schema = rest.and_then(|(_, rest)| rest.trim_end().strip_suffix(';'));
            schema.filter(|schema| *schema != "pg_catalog").map(str::to_owned)
        }
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archive(statements: &str) -> Archive {
        let extension = Entry {
            statements: "CREATE EXTENSION IF NOT EXISTS citext WITH SCHEMA \"My ext\";\n".into(),
            ..Entry::bare(ObjectType::Extension, "citext")
        };
        let operator = Entry {
            id: 2,
            namespace: "s".into(),
            ..Entry::bare(ObjectType::Operator, "=")
        };
        let view = Entry {
            id: 3,
            statements: statements.into(),
            dependencies: vec![1, 2],
            ..Entry::bare(ObjectType::View, "v")
        };
        Archive {
            entries: vec![extension, operator, view],
        }
    }

    fn sent(statements: &str) -> String {
        let archive = archive(statements);
        let view = archive.entries.last().unwrap();
        found(&archive, view, view.statements.clone()).unwrap()
    }

    #[test]
    fn what_compares_without_naming_the_operator_finds_it() {
        for text in [
            "(a IS DISTINCT FROM b)",
            "NULLIF(a, b)",
            "CASE a\n            WHEN b THEN 1",
            "JOIN t USING (a)",
        ] {
            let sent = sent(text);
            assert!(
                sent.starts_with(
                    "SELECT pg_catalog.set_config('search_path', 'pg_catalog, \"My ext\", \"s\"', true);\n"
                ),
                "{sent}"
            );
            assert!(sent.ends_with("\nSET LOCAL search_path = '';\n"), "{sent}");
        }
        for text in [
            "CASE\n            WHEN (a OPERATOR(s.=) b) THEN 1",
            "SELECT 1",
            "CASEa",
        ] {
            assert_eq!(sent(text), text);
        }
    }
}
