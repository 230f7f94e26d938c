//! Patterns for names, as [psql](https://www.postgresql.org/docs/current/app-psql.html#APP-PSQL-PATTERNS) and `pg_dump`
//! read them.

use super::Rule;
use regex::Regex;
use std::fmt;

/// A pattern for a name, where the schema and the database may be given before it.
#[derive(Debug, Clone)]
pub struct Pattern {
    text: String,
    database: Option<Regex>,
    schema: Option<Regex>,
    name: Regex,
}

/// A pattern that can't be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the pattern {text:?} of {option} can't be read: {why}")]
pub struct InvalidPattern {
    /// The pattern.
    pub text: String,
    /// The option that it was given with.
    pub option: String,
    /// What is wrong with it.
    pub why: String,
}

impl Pattern {
    /// Reads a pattern: `*` stands for any text and `?` for one character; letters are folded to lower case but between
    /// double quotes; a dot divides database, schema and name; `[ab]`, `(a|b)`, `+` are those of a regular expression.
    /// The pattern of a schema is its name.
    ///
    /// # Errors
    /// Too many dots, an open quote, or a regular expression that is none.
    pub fn parse(rule: Rule, text: &str) -> Result<Self, InvalidPattern> {
        let invalid = |why: String| InvalidPattern {
            text: text.to_owned(),
            option: rule.to_string(),
            why,
        };
        let parts = parts(text).ok_or_else(|| invalid("a double quote is not closed".to_owned()))?;
        if parts.len() > rule.most_parts() {
            return Err(invalid("it has too many names divided by dots".to_owned()));
        }
        if parts.iter().any(String::is_empty) {
            return Err(invalid("a name in it is empty".to_owned()));
        }
        let compiled = parts.iter().map(|part| {
            Regex::new(&format!("(?s)^(?:{part})$"))
                .map_err(|_| invalid("it is no regular expression".to_owned()))
        });
        let mut compiled = compiled.collect::<Result<Vec<_>, _>>()?;
        let name = compiled.pop().ok_or_else(|| invalid("it is empty".to_owned()))?;
        let second = compiled.pop();
        let (database, schema) = match rule {
            // What stands before the name of a schema is the database.
            Rule::Schema | Rule::ExcludeSchema => (second, None),
            _ => (compiled.pop(), second),
        };
        Ok(Self {
            text: text.to_owned(),
            database,
            schema,
            name,
        })
    }

    /// Whether it is meant for a database.
    pub fn concerns(&self, database: &str) -> bool {
        self.database
            .as_ref()
            .is_none_or(|pattern| pattern.is_match(database))
    }

    /// Whether it names a database.
    pub fn names_database(&self) -> bool {
        self.database.is_some()
    }

    /// Whether it matches a name in a schema.
    pub fn matches(&self, schema: &str, name: &str) -> bool {
        self.schema
            .as_ref()
            .is_none_or(|pattern| pattern.is_match(schema))
            && self.name.is_match(name)
    }

    /// Whether it matches the name of something that is in no schema.
    pub fn matches_name(&self, name: &str) -> bool {
        self.name.is_match(name)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The regular expressions between the dots; `None` where a quote is not closed.
///
/// Source: `patternToSQLRegex()` in PostgreSQL's `src/fe_utils/string_utils.c`.
fn parts(text: &str) -> Option<Vec<String>> {
    const SPECIAL: &str = "|*+?()[]{}.^\\";
    let mut parts = vec![String::new()];
    let mut quoted = false;
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let next = characters.peek().copied();
        let mut push = |text: &str| parts.last_mut().map(|part| part.push_str(text));
        match character {
            '"' if quoted && next == Some('"') => {
                characters.next();
                push("\"");
            }
            '"' => quoted = !quoted,
            '.' if !quoted => parts.push(String::new()),
            '*' if !quoted => drop(push(".*")),
            '?' if !quoted => drop(push(".")),
            '$' => drop(push("\\$")),
            // The brackets of an array's type are no class of characters.
            '[' if !quoted && next == Some(']') => drop(push("\\[")),
            _ if quoted && SPECIAL.contains(character) => drop(push(&format!("\\{character}"))),
            _ if quoted => drop(push(&character.to_string())),
            _ => drop(push(&character.to_ascii_lowercase().to_string())),
        }
    }
    (!quoted).then_some(parts)
}

#[cfg(test)]
mod tests {
    use super::Pattern;
    use crate::selection::Rule;

    fn matches(pattern: &str, schema: &str, name: &str) -> bool {
        Pattern::parse(Rule::Table, pattern)
            .unwrap()
            .matches(schema, name)
    }

    #[test]
    fn names_are_matched_as_pg_dump_does() {
        for (pattern, schema, name, expected) in [
            ("orders", "public", "orders", true),
            ("orders", "sales", "orders", true),
            ("orders", "public", "orders_2", false),
            ("ORDERS", "public", "orders", true),
            ("\"Orders\"", "public", "orders", false),
            ("\"Orders\"", "public", "Orders", true),
            ("sales.ord*", "sales", "orders", true),
            ("sales.ord*", "public", "orders", false),
            ("shop.sales.orders", "sales", "orders", true),
            ("order?", "public", "orders", true),
            ("order?", "public", "order", false),
            ("\"a*b\"", "public", "axb", false),
            ("\"a*b\"", "public", "a*b", true),
            ("\"a.b\".c", "a.b", "c", true),
            ("\"say \"\"hi\"\"\"", "public", "say \"hi\"", true),
            ("a$b", "public", "a$b", true),
            ("log_[0-9]+", "public", "log_2024", true),
            ("log_[0-9]+", "public", "log_x", false),
            ("(a|b)_t", "public", "b_t", true),
        ] {
            assert_eq!(
                matches(pattern, schema, name),
                expected,
                "{pattern} {schema}.{name}"
            );
        }
    }

    #[test]
    fn a_database_may_stand_before_the_schema() {
        let table = Pattern::parse(Rule::Table, "shop.public.orders").unwrap();
        assert!(table.concerns("shop") && !table.concerns("crm") && table.names_database());
        let schema = Pattern::parse(Rule::Schema, "shop.sales").unwrap();
        assert!(schema.concerns("shop") && !schema.concerns("crm"));
        assert!(schema.matches_name("sales") && !schema.matches_name("shop"));
        assert!(Pattern::parse(Rule::Table, "orders").unwrap().concerns("crm"));
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for (rule, text) in [
            (Rule::Table, "a.b.c.d"),
            (Rule::Schema, "a.b.c"),
            (Rule::ExcludeExtension, "a.b"),
            (Rule::Table, "\"open"),
            (Rule::Table, "a..b"),
            (Rule::Table, ""),
            (Rule::Table, "a["),
        ] {
            let refused = Pattern::parse(rule, text).unwrap_err();
            assert!(refused.to_string().contains(&rule.to_string()), "{refused}");
        }
    }
}
