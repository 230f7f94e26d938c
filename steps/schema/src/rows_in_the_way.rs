//! Queries that show the rows for which the target refuses a constraint or a unique index.

use crate::constraint::Constraint;
use pghaul_step::Failure;

/// Two rows are the same, a row has nothing to refer to, a row does not fulfil a condition.
const VIOLATIONS: [&str; 4] = ["23505", "23503", "23514", "23P01"];

/// The query, where the statements are understood and rows are what the target complains of. For people, on either side.
pub(crate) fn query(statements: &str, failure: &Failure) -> Option<String> {
    if !failure
        .sqlstate
        .as_deref()
        .is_some_and(|state| VIOLATIONS.contains(&state))
    {
        return None;
    }
    match Constraint::of_any(statements) {
        Some(constraint) => of_constraint(&constraint),
        None => of_unique_index(statements),
    }
}

fn of_constraint(constraint: &Constraint<'_>) -> Option<String> {
    let Constraint {
        table, definition, ..
    } = *constraint;
    if let Some(rest) = definition.strip_prefix("FOREIGN KEY ") {
        return orphans(table, rest);
    }
    if let Some(condition) = definition.strip_prefix("CHECK ") {
        let (condition, _) = group(condition)?;
        return Some(format!("SELECT * FROM {table} WHERE NOT ({condition})"));
    }
    let columns = ["PRIMARY KEY ", "UNIQUE NULLS NOT DISTINCT ", "UNIQUE "]
        .iter()
        .find_map(|kind| definition.strip_prefix(kind))?;
    let (columns, _) = group(columns)?;
    Some(duplicates(table, &members(columns).join(", "), ""))
}

/// `CREATE UNIQUE INDEX name ON ONLY public.t USING btree (a, lower(b) DESC) … WHERE (c)`
fn of_unique_index(statements: &str) -> Option<String> {
    let (head, _) = statements.trim_start().split_once(";\n")?;
    let rest = head.strip_prefix("CREATE UNIQUE INDEX ")?;
    let (name_end, _) = top_level(rest).find(|(_, byte)| *byte == b' ')?;
    let rest = rest.get(name_end..)?.strip_prefix(" ON ")?;
    let rest = rest.strip_prefix("ONLY ").unwrap_or(rest);
    let (table, rest) = rest.split_once(" USING ")?;
    let (columns, rest) = group(rest.split_at_checked(open(rest)?)?.1)?;
    // What follows a column is how it is sorted or compared.
    let columns: Vec<&str> = members(columns)
        .into_iter()
        .map(|column| match top_level(column).find(|(_, byte)| *byte == b' ') {
            Some((end, _)) => column.get(..end).unwrap_or(column),
            None => column,
        })
        .collect();
    let condition = rest.find(" WHERE ").and_then(|place| rest.get(place..));
    Some(duplicates(
        table,
        &columns.join(", "),
        condition.unwrap_or_default(),
    ))
}

fn duplicates(table: &str, columns: &str, condition: &str) -> String {
    format!("SELECT {columns}, count(*) FROM {table}{condition} GROUP BY {columns} HAVING count(*) > 1")
}

/// `(a, b) REFERENCES public.x(c, d) …`
fn orphans(table: &str, definition: &str) -> Option<String> {
    let (columns, rest) = group(definition)?;
    let rest = rest.strip_prefix(" REFERENCES ")?;
    let (referenced, rest) = rest.split_at_checked(open(rest)?)?;
    let (keys, _) = group(rest)?;
    let columns = members(columns);
    let given: Vec<String> = columns
        .iter()
        .map(|column| format!("o.{column} IS NOT NULL"))
        .collect();
    let pairs = members(keys).into_iter().zip(&columns);
    let same: Vec<String> = pairs
        .map(|(key, column)| format!("k.{key} = o.{column}"))
        .collect();
    Some(format!(
        "SELECT * FROM {table} AS o WHERE {} AND NOT EXISTS (SELECT 1 FROM {referenced} AS k WHERE {})",
        given.join(" AND "),
        same.join(" AND ")
    ))
}

/// The bytes outside of quotes and parentheses, with their places; a parenthesis that is opened there is one of them.
fn top_level(text: &str) -> impl Iterator<Item = (usize, u8)> {
    let (mut depth, mut quote) = (0_usize, None);
    text.bytes().enumerate().filter(move |(_, byte)| {
        let outside = depth == 0 && quote.is_none();
        match (quote, byte) {
            (Some(open), byte) if open == *byte => quote = None,
            (Some(_), _) => {}
            (None, b'"' | b'\'') => quote = Some(*byte),
            (None, b'(') => depth += 1,
            (None, b')') => depth = depth.saturating_sub(1),
            (None, _) => {}
        }
        outside
    })
}

/// Where the first parenthesis is opened.
fn open(text: &str) -> Option<usize> {
    top_level(text)
        .find(|(_, byte)| *byte == b'(')
        .map(|(place, _)| place)
}

/// What is in the parentheses at the begin of a text, and what comes after.
fn group(text: &str) -> Option<(&str, &str)> {
    let inner = text.strip_prefix('(')?;
    let mut depth = 0_usize;
    let mut quote = None;
    for (place, byte) in inner.bytes().enumerate() {
        match (quote, byte) {
            (Some(open), byte) if open == byte => quote = None,
            (Some(_), _) => {}
            (None, b'"' | b'\'') => quote = Some(byte),
            (None, b'(') => depth += 1,
            (None, b')') if depth == 0 => return Some((inner.get(..place)?, inner.get(place + 1..)?)),
            (None, b')') => depth -= 1,
            (None, _) => {}
        }
    }
    None
}

/// The members of a list that commas separate.
fn members(list: &str) -> Vec<&str> {
    let mut members = Vec::new();
    let mut from = 0;
    for (place, _) in top_level(list).filter(|(_, byte)| *byte == b',') {
        members.extend(list.get(from..place));
        from = place + 1;
    }
    members.extend(list.get(from..));
    members.into_iter().map(str::trim).collect()
}

#[cfg(test)]
mod tests {
    use super::query;
    use pghaul_step::{Code, Failure};

    fn shown(statements: &str) -> Option<String> {
        let mut failure = Failure::new(Code::ServerError, "");
        failure.sqlstate = Some("23505".to_owned());
        query(statements, &failure)
    }

    #[test]
    fn each_kind_of_constraint_has_its_query() {
        let constraint = |definition: &str| {
            shown(&format!(
                "ALTER TABLE ONLY public.\"T x\"\n    ADD CONSTRAINT \"c (\" {definition};\n"
            ))
            .unwrap()
        };
        assert_eq!(
            constraint("FOREIGN KEY (a, \"b,\") REFERENCES s.\"k (\"(c, d) ON DELETE CASCADE"),
            "SELECT * FROM public.\"T x\" AS o WHERE o.a IS NOT NULL AND o.\"b,\" IS NOT NULL AND NOT EXISTS \
             (SELECT 1 FROM s.\"k (\" AS k WHERE k.c = o.a AND k.d = o.\"b,\")"
        );
        assert_eq!(
            constraint("CHECK ((a <> ')'::text)) NOT VALID"),
            "SELECT * FROM public.\"T x\" WHERE NOT ((a <> ')'::text))"
        );
        assert_eq!(
            constraint("UNIQUE (a, b) INCLUDE (c)"),
            "SELECT a, b, count(*) FROM public.\"T x\" GROUP BY a, b HAVING count(*) > 1"
        );
    }

    #[test]
    fn a_unique_index_has_one_too() {
        assert_eq!(
            shown("CREATE UNIQUE INDEX \"i on\" ON ONLY public.u USING btree (lower(mail) text_pattern_ops DESC, b) WHERE (a > 0);\n").unwrap(),
            "SELECT lower(mail), b, count(*) FROM public.u WHERE (a > 0) GROUP BY lower(mail), b HAVING count(*) > 1"
        );
        assert_eq!(shown("CREATE INDEX i ON public.u USING btree (a);\n"), None);
    }

    #[test]
    fn what_rows_are_not_to_blame_for_has_none() {
        let failure = Failure::new(Code::PermissionDenied, "permission denied");
        assert_eq!(
            query("CREATE UNIQUE INDEX i ON u USING btree (a);\n", &failure),
            None
        );
    }
}
