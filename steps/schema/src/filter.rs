//! Statements that a server of another version or release would reject, although nothing is lost without them.

/// Removes what only the newest minor releases understand: the internal column option `pg_attver`, which an
/// older pg_dump writes out as if it were a user's setting.
///
/// ```text
/// ALTER TABLE ONLY public.t ALTER COLUMN i SET (pg_attver=4035492784, n_distinct=7);
/// ```
/// keeps `n_distinct=7`; where nothing else is set, the whole statement goes.
pub(crate) fn without_internal_options(statements: &str) -> String {
    if !statements.contains("pg_attver") {
        return statements.to_owned();
    }
    let lines = statements.split_inclusive('\n').filter_map(|line| {
        let Some((before, rest)) = line.split_once(" SET (") else {
            return Some(line.to_owned());
        };
        let Some((options, after)) = rest.split_once(");") else {
            return Some(line.to_owned());
        };
        if !before.starts_with("ALTER TABLE ONLY ") || !before.contains(" ALTER COLUMN ") {
            return Some(line.to_owned());
        }
        let kept: Vec<&str> = options
            .split(", ")
            .filter(|o| !o.trim_start().starts_with("pg_attver="))
            .collect();
        (!kept.is_empty()).then(|| format!("{before} SET ({});{after}", kept.join(", ")))
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::without_internal_options;

    #[test]
    fn only_the_internal_option_goes() {
        let statements = "CREATE TABLE public.t (\n    i integer\n);\n\
            ALTER TABLE ONLY public.t ALTER COLUMN i SET (pg_attver=4035492784, n_distinct=7);\n\
            ALTER TABLE ONLY public.t ALTER COLUMN j SET (pg_attver=1);\n";
        assert_eq!(
            without_internal_options(statements),
            "CREATE TABLE public.t (\n    i integer\n);\n\
             ALTER TABLE ONLY public.t ALTER COLUMN i SET (n_distinct=7);\n"
        );
    }

    #[test]
    fn a_column_that_is_called_like_the_option_stays() {
        let statements = "CREATE TABLE public.pg_attver (\n    pg_attver integer\n);\n";
        assert_eq!(without_internal_options(statements), statements);
    }
}
