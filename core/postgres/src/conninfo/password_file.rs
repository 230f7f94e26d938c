//! The [password file](https://www.postgresql.org/docs/current/libpq-pgpass.html).

use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// One line of a password file.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// Host, port, database and user; `None` matches anything.
    fields: [Option<String>; 4],
    password: String,
}

/// The lines of a file and what is wrong with it, when it is therefore ignored.
pub(super) fn read(file: &Path) -> (Vec<Entry>, Option<String>) {
    let ignored = |why: &str| {
        (
            Vec::new(),
            Some(format!("the password file {} {why}", file.display())),
        )
    };
    let Ok(metadata) = std::fs::metadata(file) else {
        return (Vec::new(), None);
    };
    if !metadata.is_file() {
        return ignored("is not a plain file and was ignored");
    }
    if metadata.mode() & 0o077 != 0 {
        return ignored("can be read by other users and was ignored; set its permissions to 0600");
    }
    match std::fs::read_to_string(file) {
        Ok(text) => (parse(&text), None),
        Err(_) => ignored("can't be read and was ignored"),
    }
}

fn parse(text: &str) -> Vec<Entry> {
    text.lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .filter_map(entry)
        .collect()
}

fn entry(line: &str) -> Option<Entry> {
    let mut rest = line.chars();
    let mut field = || {
        let (mut value, mut escaped) = (String::new(), false);
        loop {
            match rest.next()? {
                ':' => return Some((value != "*" || escaped).then_some(value)),
                '\\' => {
                    escaped = true;
                    value.push(rest.next()?);
                }
                c => value.push(c),
            }
        }
    };
    let fields = [field()?, field()?, field()?, field()?];
    let mut password = String::new();
    while let Some(c) = rest.next() {
        password.push(if c == '\\' { rest.next().unwrap_or('\\') } else { c });
    }
    Some(Entry { fields, password })
}

/// The password of the first line that matches.
pub(super) fn find<'a>(entries: &'a [Entry], wanted: [&str; 4]) -> Option<&'a str> {
    let matches = |entry: &&Entry| {
        entry
            .fields
            .iter()
            .zip(wanted)
            .all(|(field, wanted)| field.as_deref().is_none_or(|f| f == wanted))
    };
    entries
        .iter()
        .find(matches)
        .map(|entry| entry.password.as_str())
        .filter(|password| !password.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_match_wins_with_wildcards_and_escapes() {
        let entries = parse(
            "# a comment\n\nnot a line\n\
             a:5432:d:u:first\n\
             a:*:*:u:sec\\:o\\\\nd\n\
             \\:\\:1:5432:*:*:v6\n\
             \\*:1:d:u:star\n\
             *:*:*:*:any: thing \r",
        );
        let find = |host, port, database| find(&entries, [host, port, database, "u"]);
        assert_eq!(find("a", "5432", "d"), Some("first"));
        assert_eq!(find("a", "5433", "d"), Some("sec:o\\nd"));
        assert_eq!(find("::1", "5432", "x"), Some("v6"));
        assert_eq!(find("*", "1", "d"), Some("star"));
        assert_eq!(find("b", "1", "d"), Some("any: thing \r"));
    }
}
