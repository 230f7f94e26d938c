//! The one place where names and literals become SQL text.
//!
//! Names go through [`Ident`] and [`QualifiedName`]; a literal that can't be a parameter (DDL takes none) goes
//! through [`literal`]. See [Lexical Structure](https://www.postgresql.org/docs/current/sql-syntax-lexical.html).

mod key_words;

use pghaul_core::{TableName, quoted_name};
use std::fmt;
use std::str::FromStr;

/// A name that can't be written in SQL at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QuoteError {
    /// PostgreSQL's texts and names never hold the character with code zero.
    #[error("a name or text contains the character with code zero, which PostgreSQL does not allow")]
    Nul,
    /// `""` is no name.
    #[error("an empty name is not allowed in SQL")]
    EmptyName,
    /// A text is not of the form `"schema"."name"`.
    #[error("no schema and name, both quoted")]
    NotQuoted,
}

impl From<QuoteError> for pghaul_core::Failure {
    fn from(error: QuoteError) -> Self {
        Self::new(pghaul_core::Code::BadInput, error.to_string())
    }
}

/// A name as PostgreSQL stores it; its `Display` is the quoted form and the only way into SQL.
///
/// ```
/// use pghaul_postgres::Ident;
/// let name = Ident::new("Tom's \"table\"")?;
/// assert_eq!(name.to_string(), r#""Tom's ""table""""#);
/// assert_eq!(Ident::new("plain")?.short(), "plain");
/// assert_eq!(Ident::new("select")?.short(), "\"select\"");
/// # Ok::<(), pghaul_postgres::QuoteError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ident(String);

impl Ident {
    /// Takes the name as the catalogs hold it, unquoted.
    ///
    /// # Errors
    /// An empty name, or one with the character zero.
    pub fn new(name: impl Into<String>) -> Result<Self, QuoteError> {
        let name = name.into();
        if name.contains('\0') {
            return Err(QuoteError::Nul);
        }
        if name.is_empty() {
            return Err(QuoteError::EmptyName);
        }
        Ok(Self(name))
    }

    /// The name as the catalogs hold it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What the server's `quote_ident()` gives: quoted only where needed. For people; SQL uses `Display`.
    pub fn short(&self) -> String {
        let mut bytes = self.0.bytes();
        let plain = bytes.next().is_some_and(|b| b.is_ascii_lowercase() || b == b'_')
            && bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
            && key_words::KEY_WORDS.binary_search(&self.0.as_str()).is_err();
        if plain { self.0.clone() } else { self.to_string() }
    }
}

impl fmt::Display for Ident {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.replace('"', "\"\""))
    }
}

/// The name of an object in a schema; its `Display` is the quoted form.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QualifiedName {
    /// The schema.
    pub schema: Ident,
    /// The object in it.
    pub name: Ident,
}

impl QualifiedName {
    /// Takes both names as the catalogs hold them.
    ///
    /// # Errors
    /// As [`Ident::new`].
    pub fn new(schema: impl Into<String>, name: impl Into<String>) -> Result<Self, QuoteError> {
        Ok(Self {
            schema: Ident::new(schema)?,
            name: Ident::new(name)?,
        })
    }

    /// Quoted only where needed, for people.
    pub fn short(&self) -> String {
        format!("{}.{}", self.schema.short(), self.name.short())
    }
}

impl FromStr for QualifiedName {
    type Err = QuoteError;

    /// Takes what `Display` writes: both names quoted.
    fn from_str(quoted: &str) -> Result<Self, QuoteError> {
        let (schema, rest) = quoted
            .strip_prefix('"')
            .and_then(quoted_name)
            .ok_or(QuoteError::NotQuoted)?;
        match rest.strip_prefix(".\"").and_then(quoted_name) {
            Some((name, "")) => Self::new(schema, name),
            _ => Err(QuoteError::NotQuoted),
        }
    }
}

impl TryFrom<&TableName> for QualifiedName {
    type Error = QuoteError;

    fn try_from(table: &TableName) -> Result<Self, QuoteError> {
        Self::new(table.schema.as_str(), table.name.as_str())
    }
}

impl fmt::Display for QualifiedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.schema, self.name)
    }
}

/// A text as an SQL literal that means the same whatever `standard_conforming_strings` says. Only for
/// statements that take no parameters.
///
/// ```
/// use pghaul_postgres::literal;
/// assert_eq!(literal("it's")?, "'it''s'");
/// assert_eq!(literal(r"a\b")?, r"E'a\\b'");
/// # Ok::<(), pghaul_postgres::QuoteError>(())
/// ```
///
/// # Errors
/// A text with the character zero.
pub fn literal(text: &str) -> Result<String, QuoteError> {
    if text.contains('\0') {
        return Err(QuoteError::Nul);
    }
    let doubled = text.replace('\'', "''");
    Ok(if doubled.contains('\\') {
        format!("E'{}'", doubled.replace('\\', "\\\\"))
    } else {
        format!("'{doubled}'")
    })
}

/// A text as a column of a row of COPY in text format. See [COPY](https://www.postgresql.org/docs/current/sql-copy.html).
///
/// ```
/// assert_eq!(pghaul_postgres::copy_text("a\\b\tc\n"), r"a\\b\tc\n");
/// ```
pub fn copy_text(text: &str) -> String {
    let mut column = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '\\' => column.push_str(r"\\"),
            '\n' => column.push_str(r"\n"),
            '\r' => column.push_str(r"\r"),
            '\t' => column.push_str(r"\t"),
            c => column.push(c),
        }
    }
    column
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_words_are_sorted() {
        assert!(key_words::KEY_WORDS.is_sorted());
    }

    #[test]
    fn what_cannot_be_a_name_is_refused() {
        assert_eq!(Ident::new("a\0b"), Err(QuoteError::Nul));
        assert_eq!(Ident::new(""), Err(QuoteError::EmptyName));
        assert_eq!(literal("a\0b"), Err(QuoteError::Nul));
    }

    #[test]
    fn short_names() {
        let short = |name: &str| Ident::new(name).unwrap().short();
        assert_eq!(short("a_1"), "a_1");
        assert_eq!(short("1a"), "\"1a\"");
        assert_eq!(short("a$"), "\"a$\"");
        assert_eq!(short("é"), "\"é\"");
        assert_eq!(short("Table"), "\"Table\"");
        assert_eq!(short("table"), "\"table\"");
        assert_eq!(
            QualifiedName::new("public", "user").unwrap().short(),
            "public.\"user\""
        );
    }

    #[test]
    fn qualified_names_are_read_as_they_are_written() {
        for (schema, name) in [("public", "orders"), ("a\"", "\".\""), ("\"\"", "ß . x")] {
            let written = QualifiedName::new(schema, name).unwrap();
            assert_eq!(written.to_string().parse(), Ok(written));
        }
        for wrong in [
            "orders",
            "public.orders",
            "\"a\"",
            "\"a\".\"b",
            "\"a\".\"b\".",
            "\"\".\"b\"",
            "",
        ] {
            assert!(wrong.parse::<QualifiedName>().is_err(), "{wrong}");
        }
    }
}
