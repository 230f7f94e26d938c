//! The statements with which pg_dump adds constraints to tables, taken apart.

/// `ALTER TABLE ONLY table ADD CONSTRAINT name definition;`, and what follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Constraint<'s> {
    /// The table, quoted as it has to be.
    pub(crate) table: &'s str,
    /// Its name, quoted as it has to be.
    pub(crate) name: &'s str,
    /// All that comes after the name, up to the semicolon.
    pub(crate) definition: &'s str,
    /// The statements after the first.
    pub(crate) then: &'s str,
}

impl<'s> Constraint<'s> {
    /// Nothing for what looks otherwise, such as a constraint of a partitioned table with all its partitions.
    pub(crate) fn of(statements: &'s str) -> Option<Self> {
        Self::after(statements.trim_start().strip_prefix("ALTER TABLE ONLY ")?)
    }

    /// The same of a partitioned table with all its partitions, too.
    pub(crate) fn of_any(statements: &'s str) -> Option<Self> {
        let rest = statements.trim_start().strip_prefix("ALTER TABLE ")?;
        Self::after(rest.strip_prefix("ONLY ").unwrap_or(rest))
    }

    fn after(statements: &'s str) -> Option<Self> {
        let (table, rest) = statements.split_once("\n    ADD CONSTRAINT ")?;
        let (name, rest) = rest.split_at_checked(end_of_name(rest)?)?;
        let (definition, then) = rest.split_once(";\n").or_else(|| rest.split_once(';'))?;
        Some(Self {
            table,
            name,
            definition: definition.trim_start(),
            then,
        })
    }
}

/// A primary key or unique constraint whose index can be built like any other, beside others of its table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Key<'s> {
    constraint: Constraint<'s>,
    kind: &'static str,
    /// The columns, and clauses in the order in which CREATE INDEX wants them.
    index: [&'s str; 4],
    timing: &'s str,
}

impl<'s> Key<'s> {
    /// Nothing for other constraints, and for keys that need an index of another kind.
    pub(crate) fn of(statements: &'s str) -> Option<Self> {
        let constraint = Constraint::of(statements)?;
        let (kind, rest) = ["PRIMARY KEY", "UNIQUE"]
            .iter()
            .find_map(|kind| Some((*kind, constraint.definition.strip_prefix(kind)?)))?;
        let rest = rest.trim_start();
        let (nulls, rest) = match rest.strip_prefix("NULLS NOT DISTINCT ") {
            Some(rest) => (" NULLS NOT DISTINCT", rest),
            None => ("", rest),
        };
        let (columns, rest) = rest.split_at_checked(end_of_group(rest)?)?;
        let (include, rest) = clause(rest, " INCLUDE ")?;
        let (with, rest) = clause(rest, " WITH ")?;
        let known = rest.is_empty() || rest == " DEFERRABLE" || rest == " DEFERRABLE INITIALLY DEFERRED";
        // Periods are compared by an index of another kind.
        let plain = known && !columns.ends_with(" WITHOUT OVERLAPS)");
        plain.then_some(Self {
            constraint,
            kind,
            index: [columns, include, nulls, with],
            timing: rest,
        })
    }

    /// The statement that builds the index.
    pub(crate) fn create_index(&self) -> String {
        let Constraint { table, name, .. } = self.constraint;
        format!(
            "CREATE UNIQUE INDEX {name} ON {table} USING btree {};\n",
            self.index.concat()
        )
    }

    /// The statements that make the index a constraint.
    pub(crate) fn adopt_index(&self) -> String {
        let Constraint {
            table, name, then, ..
        } = self.constraint;
        let Self { kind, timing, .. } = self;
        format!(
            "ALTER TABLE ONLY {table}\n    ADD CONSTRAINT {name} {kind} USING INDEX {name}{timing};\n{then}"
        )
    }
}

/// A clause with its keyword, if the text begins with it, and the rest.
fn clause<'s>(text: &'s str, keyword: &str) -> Option<(&'s str, &'s str)> {
    match text.strip_prefix(keyword) {
        None => Some(("", text)),
        Some(group) => text.split_at_checked(keyword.len() + end_of_group(group)?),
    }
}

/// Where the parenthesis at the begin of a text is closed. Names and values in quotes may contain some.
fn end_of_group(text: &str) -> Option<usize> {
    let mut quote = None;
    if !text.starts_with('(') {
        return None;
    }
    for (place, byte) in text.bytes().enumerate() {
        match (quote, byte) {
            (Some(open), byte) if open == byte => quote = None,
            (Some(_), _) => {}
            (None, b'"' | b'\'') => quote = Some(byte),
            (None, b')') => return Some(place + 1),
            (None, _) => {}
        }
    }
    None
}

/// Where the identifier at the begin of a text ends.
fn end_of_name(text: &str) -> Option<usize> {
    let Some(quoted) = text.strip_prefix('"') else {
        return text.find(' ');
    };
    let mut from = 0;
    loop {
        let quote = from + quoted.get(from..)?.find('"')?;
        match quoted.as_bytes().get(quote + 1) {
            Some(b'"') => from = quote + 2,
            _ => return Some(quote + 2),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(definition: &str) -> Option<(String, String)> {
        let statements =
            format!("ALTER TABLE ONLY public.\"T x\"\n    ADD CONSTRAINT \"k (\"\" \" {definition};\n");
        let key = Key::of(&statements)?;
        Some((key.create_index(), key.adopt_index()))
    }

    #[test]
    fn a_key_is_an_index_that_is_adopted() {
        let (create, adopt) = key("PRIMARY KEY (id, \"b) \")").unwrap();
        assert_eq!(
            create,
            "CREATE UNIQUE INDEX \"k (\"\" \" ON public.\"T x\" USING btree (id, \"b) \");\n"
        );
        assert_eq!(
            adopt,
            "ALTER TABLE ONLY public.\"T x\"\n    ADD CONSTRAINT \"k (\"\" \" PRIMARY KEY USING INDEX \"k (\"\" \";\n"
        );
    }

    #[test]
    fn clauses_come_in_the_order_of_create_index() {
        let (create, adopt) = key(
            "UNIQUE NULLS NOT DISTINCT (a) INCLUDE (b) WITH (fillfactor='70') DEFERRABLE INITIALLY DEFERRED",
        )
        .unwrap();
        assert!(
            create.ends_with("btree (a) INCLUDE (b) NULLS NOT DISTINCT WITH (fillfactor='70');\n"),
            "{create}"
        );
        assert!(
            adopt.ends_with("UNIQUE USING INDEX \"k (\"\" \" DEFERRABLE INITIALLY DEFERRED;\n"),
            "{adopt}"
        );
    }

    #[test]
    fn statements_after_the_constraint_stay_after_it() {
        let statements =
            "ALTER TABLE ONLY a.t\n    ADD CONSTRAINT k PRIMARY KEY (id);\n\nALTER TABLE a.t CLUSTER ON k;\n";
        let adopt = Key::of(statements).unwrap().adopt_index();
        assert!(
            adopt.ends_with("USING INDEX k;\n\nALTER TABLE a.t CLUSTER ON k;\n"),
            "{adopt}"
        );
    }

    #[test]
    fn what_is_no_plain_key_is_left_as_it_is() {
        for definition in [
            "PRIMARY KEY (id, valid WITHOUT OVERLAPS)",
            "EXCLUDE USING gist (c WITH &&)",
            "UNIQUE (a) ENFORCED",
            "CHECK ((a > 0))",
        ] {
            assert_eq!(key(definition), None, "{definition}");
        }
        assert_eq!(
            Constraint::of("ALTER TABLE p\n    ADD CONSTRAINT c PRIMARY KEY (a);\n"),
            None
        );
    }
}
