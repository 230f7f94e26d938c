//! Words, names and constants of SQL.
//!
//! Enough of PostgreSQL's [lexical structure](https://www.postgresql.org/docs/current/sql-syntax-lexical.html) to tell the
//! name of a role from a table that is called like it and from a text that contains it.

use std::ops::Range;

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A key word, or a name without quotes.
    Word,
    /// A name in double quotes.
    Quoted,
    /// A string constant, in single quotes or between dollars.
    Text,
    /// One character of something else.
    Other,
}

/// A token and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind,
    pub(super) text: &'a str,
    pub(super) at: Range<usize>,
}

impl Token<'_> {
    pub(super) fn is_word(&self, word: &str) -> bool {
        self.kind == Kind::Word && self.text.eq_ignore_ascii_case(word)
    }

    pub(super) fn is(&self, character: &str) -> bool {
        self.kind == Kind::Other && self.text == character
    }

    /// The name as the catalogs hold it, where it is one.
    pub(super) fn name(&self) -> Option<String> {
        match self.kind {
            Kind::Word => Some(self.text.to_ascii_lowercase()),
            Kind::Quoted => Some(inner(self.text)?.replace("\"\"", "\"")),
            _ => None,
        }
    }

    /// The value of a plain string constant.
    pub(super) fn value(&self) -> Option<String> {
        let plain = self.kind == Kind::Text && self.text.starts_with('\'');
        plain
            .then(|| Some(inner(self.text)?.replace("''", "'")))
            .flatten()
    }
}

fn inner(quoted: &str) -> Option<&str> {
    quoted.get(1..quoted.len().checked_sub(1)?)
}

/// The tokens of a text, without spaces and comments.
pub(super) fn tokens(sql: &str) -> Vec<Token<'_>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(rest) = sql.get(at..).filter(|rest| !rest.is_empty()) {
        let (kind, length) = first(rest);
        let end = at + length;
        if let (Some(kind), Some(text)) = (kind, sql.get(at..end)) {
            let at = at..end;
            found.push(Token { kind, text, at });
        }
        at = end;
    }
    found
}

/// The kind of what a text begins with, none for spaces and comments, and its length.
fn first(text: &str) -> (Option<Kind>, usize) {
    let character = text.chars().next().unwrap_or(' ');
    match character {
        ' ' | '\t' | '\n' | '\r' | '\u{b}' | '\u{c}' => (None, 1),
        '-' if text.starts_with("--") => (None, text.find('\n').unwrap_or(text.len())),
        '/' if text.starts_with("/*") => (None, text.find("*/").map_or(text.len(), |end| end + 2)),
        '"' => (Some(Kind::Quoted), closed_by('"', text, 1, false)),
        '\'' => (Some(Kind::Text), closed_by('\'', text, 1, false)),
        '$' => match between_dollars(text) {
            Some(length) => (Some(Kind::Text), length),
            None => (Some(Kind::Other), 1),
        },
        _ if is_of_word(character) && !character.is_ascii_digit() => word(text),
        _ => (Some(Kind::Other), character.len_utf8()),
    }
}

fn is_of_word(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_' || !character.is_ascii()
}

/// A word, or the constant that it introduces, as in `E'\n'`.
fn word(text: &str) -> (Option<Kind>, usize) {
    let end = text.find(|c: char| !is_of_word(c) && c != '$');
    let length = end.unwrap_or(text.len());
    let introduces = text.get(length..).is_some_and(|rest| rest.starts_with('\''));
    match text.get(..length).unwrap_or_default() {
        "E" | "e" if introduces => (Some(Kind::Text), closed_by('\'', text, length + 1, true)),
        "B" | "b" | "X" | "x" | "N" | "n" if introduces => {
            (Some(Kind::Text), closed_by('\'', text, length + 1, false))
        }
        _ => (Some(Kind::Word), length),
    }
}

/// The length of what begins before `start` and ends with a quote. A doubled quote stands for itself.
fn closed_by(quote: char, text: &str, start: usize, escapes: bool) -> usize {
    let mut characters = text.get(start..).unwrap_or_default().char_indices().peekable();
    while let Some((place, character)) = characters.next() {
        if escapes && character == '\\' {
            characters.next();
        } else if character == quote && characters.next_if(|(_, next)| *next == quote).is_none() {
            return start + place + quote.len_utf8();
        }
    }
    text.len()
}

/// The length of a constant between dollars, `$$…$$` or `$tag$…$tag$`.
fn between_dollars(text: &str) -> Option<usize> {
    let tag = text.get(1..)?.find('$')? + 2;
    let opening = text.get(..tag)?;
    let is_tag = opening.trim_matches('$').chars().all(is_of_word);
    let closing = text.get(tag..)?.find(opening)?;
    is_tag.then_some(tag + closing + tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_and_quoted_names_are_one_token() {
        let sql = "x \"a\"\"; b\" 'it''s; x' E'\\'; x' $$ x; $$ $f$ $$ x $f$ -- x\n/* x */ n.y$1(;";
        let found: Vec<(Kind, &str)> = tokens(sql).iter().map(|t| (t.kind, t.text)).collect();
        assert_eq!(
            found,
            [
                (Kind::Word, "x"),
                (Kind::Quoted, "\"a\"\"; b\""),
                (Kind::Text, "'it''s; x'"),
                (Kind::Text, "E'\\'; x'"),
                (Kind::Text, "$$ x; $$"),
                (Kind::Text, "$f$ $$ x $f$"),
                (Kind::Word, "n"),
                (Kind::Other, "."),
                (Kind::Word, "y$1"),
                (Kind::Other, "("),
                (Kind::Other, ";"),
            ]
        );
        assert_eq!(tokens(sql)[1].name().unwrap(), "a\"; b");
        assert_eq!(tokens(sql)[2].value().unwrap(), "it's; x");
    }

    #[test]
    fn what_is_never_closed_ends_with_the_text() {
        for sql in ["'x", "\"x", "E'x\\", "$$x", "/* x", "-- x", "$"] {
            let covered: usize = tokens(sql).iter().map(|token| token.text.len()).sum();
            assert!(covered <= sql.len(), "{sql}");
        }
    }
}
