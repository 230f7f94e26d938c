//! Masking what differs from run to run.

use regex::{Captures, Regex};
use std::collections::BTreeSet;
use std::sync::OnceLock;

/// Patterns and what stands for them, in the order in which they are applied.
const MASKS: &[(&str, &str)] = &[
    // Directories of this test process; what follows the label is kept.
    (r"(?:/[\w.-]+)*/pghaul-test-\w+/\d+-(\w+)", "<$1>"),
    (
        r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?: ?Z| ?UTC|[+-]\d\d(?::?\d\d)?)?",
        "<time>",
    ),
    // Ports, in conninfos, addresses, sentences and names of sockets.
    (r#"(\bport["']?\s*[=:]?\s*["']?)\d{4,5}\b"#, "$1<port>"),
    (
        r"((?:127\.0\.0\.1|localhost|\[::1\])(?::|%3A))\d{4,5}\b",
        "$1<port>",
    ),
    (r"(\.s\.PGSQL\.)\d+", "$1<port>"),
    (r"\b[67]\d{18}\b", "<system identifier>"),
    (r"\b[0-9a-f]{64}\b", "<hash>"),
    (r"\b[0-9A-F]{1,8}/[0-9A-F]{5,8}\b", "<lsn>"),
    (
        r#"(?i)(\b(?:pid|process(?: id)?)["']?\s*[=:]?\s*)\d+\b"#,
        "$1<pid>",
    ),
    (
        r"\b\d+(?:\.\d+)? ?(?:bytes|B|kB|KB|KiB|MB|MiB|GB|GiB|TB|TiB)(?:/s)?\b",
        "<size>",
    ),
    (
        r"\b\d+(?:\.\d+)? ?(?:ms|µs|us|ns|s|min|h|seconds?|minutes?|hours?)\b(?: ?\d+(?:\.\d+)? ?(?:ms|s|min)\b)*",
        "<duration>",
    ),
];

/// Where the id of a migration stands. By itself an id must hold a digit, or every word of eight letters were one.
const IDS: &[&str] = &[
    r"\bpghaul_([a-z0-9]{8})_",
    r"\bpghaul/([a-z0-9]{8})/",
    r"\bmigration [a-z]+-[a-z]+ \(([a-z0-9]{8})\)",
    r#"(?i)\bmigration["']?\s*[=:]?\s*["']?([a-z]*[0-9][a-z0-9]*)\b"#,
];

/// Where the generated name of a migration stands, such as `brave-otter`.
const NAME: &str = r#"(?i)\bmigration["']?\s*[=:]?\s*["']?([a-z]+-[a-z]+)\b"#;

/// Replaces ports, temporary paths, migration ids and generated names, times, durations, LSNs, sizes, process ids, hashes and system
/// identifiers, so that a snapshot of the text is the same on every run. An id that is found once is replaced
/// everywhere, a name too.
pub fn redact(text: &str) -> String {
    static COMPILED: OnceLock<Vec<(Regex, &str)>> = OnceLock::new();
    let masks = COMPILED.get_or_init(|| {
        MASKS
            .iter()
            .map(|(pattern, mask)| (compile(pattern), *mask))
            .collect()
    });
    let mut text = text.to_owned();
    for id in ids(&text) {
        text = compile(&format!(r"(^|[^a-z0-9]){id}($|[^a-z0-9])"))
            .replace_all(&text, |found: &Captures<'_>| {
                format!("{}<id>{}", &found[1], &found[2])
            })
            .into_owned();
    }
    for name in compile(NAME)
        .captures_iter(&text.clone())
        .map(|found| found[1].to_owned())
    {
        text = text.replace(&name, "<name>");
    }
    for (pattern, mask) in masks {
        text = pattern.replace_all(&text, *mask).into_owned();
    }
    text
}

fn ids(text: &str) -> BTreeSet<String> {
    let found = IDS.iter().flat_map(|pattern| {
        let ids = compile(pattern)
            .captures_iter(text)
            .map(|found| found[1].to_owned())
            .collect::<Vec<_>>();
        ids.into_iter().filter(|id| id.len() == 8)
    });
    found.collect()
}

fn compile(pattern: &str) -> Regex {
    Regex::new(pattern).unwrap_or_else(|error| panic!("{error}"))
}

#[cfg(test)]
mod tests {
    use super::redact;

    #[test]
    fn what_differs_is_masked_and_what_matters_stays() {
        let cases = [
            ("port=20123 host=127.0.0.1", "port=<port> host=127.0.0.1"),
            (
                "port='20123' at 127.0.0.1:20123",
                "port='<port>' at 127.0.0.1:<port>",
            ),
            (
                r#"{"port": 20123, "pid": 77}"#,
                r#"{"port": <port>, "pid": <pid>}"#,
            ),
            (
                "/tmp/pghaul-test-a1B2c3/12-home/state/pghaul/journal",
                "<home>/state/pghaul/journal",
            ),
            (
                "socket /tmp/pghaul-test-x/3-source/.s.PGSQL.20123",
                "socket <source>/.s.PGSQL.<port>",
            ),
            ("slot pghaul_k3v9x2ab_3_g1a2", "slot pghaul_<id>_3_g1a2"),
            ("pghaul/abcdefgh/2, later abcdefgh", "pghaul/<id>/2, later <id>"),
            (
                "migration k3v9x2ab: migration finished",
                "migration <id>: migration finished",
            ),
            (
                "migration brave-otter (abcdefgh): syncing; abcdefgh",
                "migration <name> (<id>): syncing; <id>",
            ),
            (
                "migration brave-otter; see status brave-otter",
                "migration <name>; see status <name>",
            ),
            ("at 2026-11-22T17:10:00.123Z in 1.25 s", "at <time> in <duration>"),
            (
                "took 2 min 3 s, 14.2 MiB/s, 512 bytes",
                "took <duration>, <size>, <size>",
            ),
            ("LSN 0/15D6A28, 3/5 tables", "LSN <lsn>, 3/5 tables"),
            ("system 7312345678901234567", "system <system identifier>"),
            (
                "120 rows of 3 tables, exit code 4",
                "120 rows of 3 tables, exit code 4",
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(redact(text), expected);
        }
    }
}
