//! From an author's enum to a [`Finding`].

use pghaul_core::{CheckName, Concern, Finding, Severity, Subject};
use pghaul_postgres::Ident;
use serde::Serialize;
use serde_json::Value;

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

/// A word of a POSIX shell's command line, quoted only where needed, for hints to paste: the shell expands nothing in it.
pub fn shell_word(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:,@%+=".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
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
    fn a_shell_takes_a_name_as_it_is() {
        for name in [
            "shop",
            "",
            "My Shop",
            "$(touch x)",
            "it's `id`",
            "a\"b\\c",
            "*",
            "-x\ny",
            "~",
            "é!",
        ] {
            let command = format!("printf %s {}", shell_word(name));
            let said = std::process::Command::new("sh")
                .args(["-c", &command])
                .output()
                .unwrap();
            assert_eq!(String::from_utf8(said.stdout).unwrap(), name, "{command}");
        }
        assert_eq!(shell_word("my-shop"), "my-shop");
        assert_eq!(exclude_database("shop"), "--exclude-database=shop");
        assert_eq!(
            exclude_database("it's [a*]"),
            r"'--exclude-database=it'\''s \[a\*\]'"
        );
    }
}
