//! `ALTER ROLE … SET`.
//!
//! The catalogs hold a setting as `name=value`. The value of a setting that is a list of names holds each of them
//! as an identifier, quoted where needed; in the statement each must be a literal of its own, or the whole list
//! would become one name. pg_dumpall does the same.

use pghaul_step::postgres::{Ident, QuoteError, literal};
use pghaul_step::quoted_name;

/// PostgreSQL's settings that are lists of names (`GUC_LIST_QUOTE`). Extensions can't define any.
const LISTS: [&str; 6] = [
    "local_preload_libraries",
    "search_path",
    "session_preload_libraries",
    "shared_preload_libraries",
    "temp_tablespaces",
    "unix_socket_directories",
];

/// `name=value` as `"name" TO 'value'`.
pub(crate) fn assignment(setting: &str) -> Result<String, QuoteError> {
    let (name, value) = setting.split_once('=').unwrap_or((setting, ""));
    let names = LISTS
        .iter()
        .any(|list| list.eq_ignore_ascii_case(name))
        .then(|| names(value))
        .flatten();
    let value = match names {
        Some(names) => names
            .iter()
            .map(|name| literal(name))
            .collect::<Result<Vec<_>, _>>()?
            .join(", "),
        None => literal(value)?,
    };
    Ok(format!("{} TO {value}", Ident::new(name)?))
}

/// The names of a list, unquoted; nothing if it is none.
fn names(list: &str) -> Option<Vec<String>> {
    let mut names = Vec::new();
    let mut rest = list.trim_start();
    loop {
        let (name, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted_name(quoted)?,
            None => {
                let end = rest
                    .find(|c: char| c == ',' || c.is_ascii_whitespace())
                    .unwrap_or(rest.len());
                let (name, after) = rest.split_at(end);
                (name.to_owned(), after)
            }
        };
        if name.is_empty() && !rest.starts_with('"') {
            return None;
        }
        names.push(name);
        let after = after.trim_start();
        match after.strip_prefix(',') {
            Some(next) => rest = next.trim_start(),
            None if after.is_empty() => return Some(names),
            None => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_taken_apart() {
        let search_path = assignment(r#"search_path="$user", "odd ""schema""", public"#).unwrap();
        assert_eq!(
            search_path,
            r#""search_path" TO '$user', 'odd "schema"', 'public'"#
        );
        assert_eq!(assignment(r#"search_path="""#).unwrap(), r#""search_path" TO ''"#);
    }

    #[test]
    fn other_values_stay_whole() {
        assert_eq!(
            assignment("hostile.setting=it's; -- \\ $$").unwrap(),
            r#""hostile.setting" TO E'it''s; -- \\ $$'"#
        );
        assert_eq!(
            assignment("DateStyle=ISO, DMY").unwrap(),
            r#""DateStyle" TO 'ISO, DMY'"#
        );
        assert_eq!(assignment("work_mem=").unwrap(), r#""work_mem" TO ''"#);
    }

    #[test]
    fn what_is_no_list_stays_whole() {
        for value in ["a,,b", "\"open", "a b", ""] {
            assert_eq!(names(value), None, "{value:?}");
        }
    }
}
