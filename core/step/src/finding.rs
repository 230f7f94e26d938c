//! From an author's enum to a [`Finding`].

use pghaul_core::{CheckName, Concern, Finding, Renaming, Severity, Subject, shell_word};
use pghaul_postgres::Ident;
use pghaul_postgres::catalog::RoleFacts;
use serde::Serialize;
use serde_json::Value;

/// From this version on each membership says whether it gives the rights of the role.
const MEMBERSHIPS_HAVE_OPTIONS: u32 = 160_000;

/// How many names a sentence lists before it says "and … more".
const LISTED: usize = 5;

/// What a check can find: an enum with a variant for each kind, carrying the facts.
///
/// It derives `Serialize` with `#[serde(tag = "kind", rename_all = "kebab-case")]`: the tag becomes
/// [`Finding::kind`], the fields become [`Finding::facts`]. Both are API.
///
/// ```
/// use pghaul_step::{FindingKind, Subject};
///
/// #[derive(serde::Serialize)]
/// #[serde(tag = "kind", rename_all = "kebab-case")]
/// enum Problem {
///     TooSmall { free_bytes: u64 },
/// }
///
/// impl FindingKind for Problem {
///     fn message(&self) -> String {
///         match self {
///             Self::TooSmall { free_bytes } => format!("only {free_bytes} bytes are free"),
///         }
///     }
/// }
///
/// let finding = Problem::TooSmall { free_bytes: 7 }.about("disk", Subject::Cluster);
/// assert_eq!(finding.kind, "too-small");
/// assert_eq!(finding.facts, serde_json::json!({ "free_bytes": 7 }));
/// ```
pub trait FindingKind: Serialize {
    /// How bad it is; an error unless said otherwise.
    fn severity(&self) -> Severity {
        Severity::Error
    }

    /// What becomes impossible when it is an error; the migration unless said otherwise.
    fn concern(&self) -> Concern {
        Concern::Migration
    }

    /// One sentence for people, without a full stop.
    fn message(&self) -> String;

    /// What the user can do, where possible something to paste.
    fn hint(&self) -> Option<String> {
        None
    }

    /// The finding of a check about a subject.
    fn about(&self, check: &str, subject: Subject) -> Finding {
        let mut facts = serde_json::to_value(self).unwrap_or(Value::Null);
        let kind = facts.as_object_mut().and_then(|fields| fields.remove("kind"));
        if facts.as_object().is_some_and(serde_json::Map::is_empty) {
            facts = Value::Null;
        }
        Finding {
            check: CheckName::from(check),
            severity: self.severity(),
            concern: self.concern(),
            subject,
            kind: kind
                .as_ref()
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned(),
            facts,
            message: self.message(),
            hint: self.hint(),
        }
    }
}

/// The first names of a list, for a sentence: `a, b, c, d, e and 7 more`.
pub fn listed(names: &[impl AsRef<str>]) -> String {
    let shown: Vec<&str> = names.iter().take(LISTED).map(AsRef::as_ref).collect();
    match names.len().saturating_sub(LISTED) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// A name as it stands in SQL, quoted only where needed, for sentences and for hints to paste.
pub fn quoted(name: &str) -> String {
    Ident::new(name).map_or_else(|_| name.to_owned(), |name| name.short())
}

/// The statements that give a role the rights of others.
pub fn membership(role: &RoleFacts, server_version: u32, of: &[String]) -> String {
    let of: Vec<String> = of.iter().map(|other| quoted(other)).collect();
    let (of, role_name) = (of.join(", "), quoted(&role.name));
    match (server_version >= MEMBERSHIPS_HAVE_OPTIONS, role.inherits) {
        (true, _) => format!("GRANT {of} TO {role_name} WITH INHERIT TRUE;"),
        (false, true) => format!("GRANT {of} TO {role_name};"),
        (false, false) => format!("GRANT {of} TO {role_name}; ALTER ROLE {role_name} INHERIT;"),
    }
}

/// The option that leaves one database out, as a word of a shell's command line. It takes a pattern; this one matches nothing
/// but the name.
pub fn exclude_database(name: &str) -> String {
    let mut option = "--exclude-database=".to_owned();
    for c in name.chars() {
        if "*?[]{}\\".contains(c) {
            option.push('\\');
        }
        option.push(c);
    }
    shell_word(&option)
}

/// The option that lets another role take the place of one of the source, as a word of a shell's command line.
pub fn map_role(old: &str, new: &str) -> String {
    let (old, new) = (Some(old.to_owned()), new.to_owned());
    shell_word(&format!("--map-role={}", Renaming { old, new }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lists_are_cut() {
        assert_eq!(listed(&["a", "b"]), "a, b");
        assert_eq!(
            listed(&["a", "b", "c", "d", "e", "f"]),
            "a, b, c, d, e and 1 more"
        );
    }

    #[test]
    fn a_role_is_mapped_whatever_its_name_is() {
        assert_eq!(map_role("postgres", "admin"), "--map-role=postgres=admin");
        let quoted = map_role("a=b", "it's");
        assert_eq!(quoted, r#"'--map-role="a=b"=it'\''s'"#);
        assert_eq!(
            "\"a=b\"=it's".parse().map(|r: Renaming| r.new),
            Ok("it's".to_owned())
        );
    }

    #[test]
    fn a_pattern_matches_the_name_alone() {
        assert_eq!(exclude_database("shop"), "--exclude-database=shop");
        assert_eq!(
            exclude_database("it's [a*]"),
            r"'--exclude-database=it'\''s \[a\*\]'"
        );
    }
}
