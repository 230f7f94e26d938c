//! The header of a check in SQL: comments at the begin of the file, a key and its value each.

use pghaul_step::registry::is_name;
use pghaul_step::{Code, Failure, Severity, Side, alike};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The keys of a header, in the order of the documentation.
pub(super) const KEYS: &[&str] = &[
    "name", "summary", "side", "scope", "severity", "kind", "message", "hint", "timeout",
];

const TIMEOUT: Duration = Duration::from_secs(30);

/// What the query looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// The server as a whole, from its maintenance database.
    Cluster,
    /// Each database that is moved.
    Database,
}

/// A check in SQL.
#[derive(Debug, Clone, PartialEq)]
pub struct SqlFile {
    pub(super) path: PathBuf,
    pub(super) name: String,
    /// The line of the name; the first where the file names the check.
    pub(super) name_line: usize,
    pub(super) summary: String,
    pub(super) side: Side,
    pub(super) scope: Scope,
    pub(super) severity: Severity,
    pub(super) kind: String,
    /// A sentence, in which `{column}` stands for the value of a column.
    pub(super) message: String,
    /// The line of the message.
    pub(super) message_line: usize,
    pub(super) hint: Option<String>,
    pub(super) timeout: Duration,
    /// The query, without a semicolon at its end.
    pub(super) query: String,
    /// The line on which the query begins, from 1.
    pub(super) query_line: usize,
}

impl SqlFile {
    /// Reads a file's text.
    ///
    /// # Errors
    /// [`Code::BadInput`] with the file and the line.
    pub fn parse(path: &Path, text: &str) -> Result<Self, Failure> {
        let wrong = |line: usize, message: String| wrong(path, line, message);
        // Some editors begin a file with a byte order mark.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut header = Header::default();
        let mut lines = text.lines().enumerate();
        let mut begin = None;
        for (index, line) in &mut lines {
            let line = line.trim();
            let Some(comment) = line.strip_prefix("--") else {
                if line.is_empty() {
                    continue;
                }
                begin = Some(index);
                break;
            };
            header
                .read(comment.trim(), index + 1)
                .map_err(|message| wrong(index + 1, message))?;
        }
        let last = text.lines().count().max(1);
        let Some(begin) = begin else {
            return Err(wrong(last, "it has no query below its header".to_owned()));
        };
        let query: Vec<&str> = text.lines().skip(begin).collect();
        let query = query.join("\n").trim_end().trim_end_matches(';').to_owned();
        let found = header.check(path, query, begin + 1);
        found.map_err(|(line, message)| wrong(line, message))
    }
}

/// A failure that names a line of a file.
pub(super) fn wrong(path: &Path, line: usize, message: impl Into<String>) -> Failure {
    let message = format!("{}, line {line}: {}", path.display(), message.into());
    Failure::new(Code::BadInput, message).with_operation("read the checks in SQL")
}

/// Keys with their values and lines.
#[derive(Default)]
struct Header(Vec<(&'static str, String, usize)>);

impl Header {
    /// A comment of the header. One that has no key, such as a sentence, is skipped; one that is almost a key is an error.
    fn read(&mut self, comment: &str, line: usize) -> Result<(), String> {
        let Some((key, value)) = comment.split_once(':') else {
            return Ok(());
        };
        let key = key.trim();
        let Some(known) = KEYS.iter().find(|known| **known == key) else {
            let is_word = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphabetic() || c == '_');
            return match alike(key, KEYS.iter().copied()).filter(|_| is_word) {
                Some(meant) => Err(format!("there is no key {key:?}; did you mean {meant:?}?")),
                None => Ok(()),
            };
        };
        if self.value(known).is_some() {
            return Err(format!("{known:?} is given twice"));
        }
        if value.trim().is_empty() {
            return Err(format!("{known:?} has no value"));
        }
        self.0.push((known, value.trim().to_owned(), line));
        Ok(())
    }

    fn value(&self, key: &str) -> Option<(&str, usize)> {
        let found = self.0.iter().find(|(known, ..)| *known == key)?;
        Some((&found.1, found.2))
    }

    fn one_of<T>(&self, key: &str, values: &[(&str, T)], otherwise: T) -> Result<T, (usize, String)>
    where
        T: Copy,
    {
        let Some((given, line)) = self.value(key) else {
            return Ok(otherwise);
        };
        let found = values.iter().find(|(name, _)| *name == given);
        found.map(|(_, value)| *value).ok_or_else(|| {
            let names: Vec<&str> = values.iter().map(|(name, _)| *name).collect();
            (
                line,
                format!("{key:?} is {given:?}; it can be {}", names.join(", ")),
            )
        })
    }

    fn check(&self, path: &Path, query: String, query_line: usize) -> Result<SqlFile, (usize, String)> {
        let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        let (name, name_line) = match self.value("name") {
            Some((name, line)) => (name.to_owned(), line),
            None => (stem.unwrap_or_default(), 1),
        };
        if !is_name(&name) {
            let rule = "up to 40 lower-case letters, digits and single hyphens, the first a letter";
            return Err((
                name_line,
                format!("{name:?} is no name for a check: it has {rule}"),
            ));
        }
        let missing = || {
            (
                1,
                "\"message\" is missing: what a row means, in a sentence".to_owned(),
            )
        };
        let (message, message_line) = self.value("message").ok_or_else(missing)?;
        let timeout = match self.value("timeout") {
            None => TIMEOUT,
            Some((text, line)) => humantime::parse_duration(text)
                .ok()
                .filter(|timeout| !timeout.is_zero())
                .ok_or_else(|| (line, format!("\"timeout\" is {text:?}; write it as 30s or 5min")))?,
        };
        let text = |key| self.value(key).map(|(text, _)| text.to_owned());
        let scopes = [("cluster", Scope::Cluster), ("database", Scope::Database)];
        let severities = [
            ("note", Severity::Note),
            ("warning", Severity::Warning),
            ("error", Severity::Error),
        ];
        Ok(SqlFile {
            path: path.to_owned(),
            summary: text("summary")
                .unwrap_or_else(|| format!("the query of {} returns no row", path.display())),
            side: self.one_of(
                "side",
                &[("source", Side::Source), ("target", Side::Target)],
                Side::Source,
            )?,
            scope: self.one_of("scope", &scopes, Scope::Database)?,
            severity: self.one_of("severity", &severities, Severity::Error)?,
            kind: text("kind").unwrap_or_else(|| "row".to_owned()),
            message: message.to_owned(),
            message_line,
            hint: text("hint"),
            timeout,
            query,
            query_line,
            name,
            name_line,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<SqlFile, String> {
        SqlFile::parse(Path::new("checks/names.sql"), text).map_err(|failure| failure.message)
    }

    #[test]
    fn a_file_needs_a_message_and_a_query() {
        let text = "\u{feff}-- What pghaul's rules say: see the wiki\r\n-- message: table {name} is odd\n\nSELECT 1 AS name;\n";
        let file = parsed(text).unwrap();
        assert_eq!(
            (file.name.as_str(), file.scope, file.side),
            ("names", Scope::Database, Side::Source)
        );
        assert_eq!((file.query.as_str(), file.query_line), ("SELECT 1 AS name", 4));
    }

    #[test]
    fn mistakes_are_named_with_their_line() {
        let cases = [
            ("", "line 1: it has no query below its header"),
            ("-- message: m\n", "line 1: it has no query below its header"),
            (
                "SELECT 1",
                "line 1: \"message\" is missing: what a row means, in a sentence",
            ),
            (
                "-- mesage: m\nSELECT 1",
                "line 1: there is no key \"mesage\"; did you mean \"message\"?",
            ),
            (
                "-- message: m\n-- side: sorce\nSELECT 1",
                "line 2: \"side\" is \"sorce\"; it can be source, target",
            ),
            (
                "-- message: m\n-- message: n\nSELECT 1",
                "line 2: \"message\" is given twice",
            ),
            (
                "-- message: m\n-- severity: fatal\nSELECT 1",
                "line 2: \"severity\" is \"fatal\"; it can be note, warning, error",
            ),
            (
                "-- message: m\n-- timeout: soon\nSELECT 1",
                "line 2: \"timeout\" is \"soon\"; write it as 30s or 5min",
            ),
            (
                "-- message: m\n-- hint:\nSELECT 1",
                "line 2: \"hint\" has no value",
            ),
            (
                "-- name: Bad Name\n-- message: m\nSELECT 1",
                "line 1: \"Bad Name\" is no name for a check: it has up to 40 lower-case letters, digits and single hyphens, the first a letter",
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(
                parsed(text).unwrap_err(),
                format!("checks/names.sql, {expected}"),
                "{text}"
            );
        }
    }
}
