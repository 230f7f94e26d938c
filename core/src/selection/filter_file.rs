//! Files of `--filter`, as [pg_dump](https://www.postgresql.org/docs/current/app-pgdump.html) reads them.

use super::{ObjectSelection, Rule};

/// A line of a filter file that can't be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {why}")]
pub struct InvalidFilter {
    /// The number of the line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub why: String,
}

/// What the lines of a filter file select: objects, and the patterns of databases that `exclude database` names.
///
/// # Errors
/// The first line that is neither empty, nor a comment, nor `include` or `exclude` with a kind of object and a pattern.
pub fn read_filter(text: &str) -> Result<(ObjectSelection, Vec<String>), InvalidFilter> {
    let mut selection = ObjectSelection::default();
    let mut databases = Vec::new();
    let mut lines = (1..).zip(text.lines());
    while let Some((line, text)) = lines.next() {
        let text = text.trim();
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        let invalid = |why: String| InvalidFilter { line, why };
        let (verb, rest) = word(text);
        let (kind, rest) = word(rest);
        let mut rest = rest.to_owned();
        // A name between quotes may hold ends of lines.
        while rest.matches('"').count() % 2 == 1
            && let Some((_, more)) = lines.next()
        {
            rest = format!("{rest}\n{more}");
        }
        let pattern = without_comment(&rest).trim().to_owned();
        if pattern.is_empty() {
            return Err(invalid("a pattern is missing".to_owned()));
        }
        let rule = match (verb, kind) {
            ("include", "table" | "table_and_children") => Rule::Table,
            ("exclude", "table" | "table_and_children") => Rule::ExcludeTable,
            ("exclude", "table_data" | "table_data_and_children") => Rule::SchemaOnlyTable,
            ("include", "schema") => Rule::Schema,
            ("exclude", "schema") => Rule::ExcludeSchema,
            ("exclude", "extension") => Rule::ExcludeExtension,
            ("exclude", "event_trigger") => Rule::ExcludeEventTrigger,
            ("exclude", "role") => Rule::ExcludeRole,
            ("exclude", "database") => {
                databases.push(pattern);
                continue;
            }
            ("include" | "exclude", _) => {
                return Err(invalid(format!("pghaul has no rule to {verb} {kind:?}")));
            }
            _ => return Err(invalid(format!("{verb:?} is neither include nor exclude"))),
        };
        selection.add(rule, pattern);
    }
    Ok((selection, databases))
}

fn word(text: &str) -> (&str, &str) {
    let text = text.trim_start();
    text.split_once(char::is_whitespace).unwrap_or((text, ""))
}

/// The text before a `#` that stands outside of double quotes.
fn without_comment(text: &str) -> &str {
    let mut quoted = false;
    let comment = text.char_indices().find(|(_, character)| {
        quoted ^= *character == '"';
        *character == '#' && !quoted
    });
    comment.map_or(text, |(place, _)| text.get(..place).unwrap_or(text))
}

#[cfg(test)]
mod tests {
    use super::read_filter;

    #[test]
    fn a_filter_is_read_as_pg_dump_reads_it() {
        let (selection, databases) = read_filter(
            "# what is moved\n\ninclude table sales.ord*  # and invoices\n  exclude table_data \"Audit #1\"\n\
             exclude extension pg_cron\nexclude role 'x'\nexclude database tmp_*\nexclude table \"two\nlines\"\n",
        )
        .unwrap();
        assert_eq!(selection.tables, ["sales.ord*"]);
        assert_eq!(selection.schema_only_tables, ["\"Audit #1\""]);
        assert_eq!(selection.exclude_tables, ["\"two\nlines\""]);
        assert_eq!(selection.exclude_extensions, ["pg_cron"]);
        assert_eq!(databases, ["tmp_*"]);
    }

    #[test]
    fn a_line_that_means_nothing_is_named() {
        for (text, message) in [
            (
                "\nkeep table a",
                "line 2: \"keep\" is neither include nor exclude",
            ),
            (
                "include extension a",
                "line 1: pghaul has no rule to include \"extension\"",
            ),
            ("exclude table", "line 1: a pattern is missing"),
        ] {
            assert_eq!(read_filter(text).unwrap_err().to_string(), message);
        }
    }
}
