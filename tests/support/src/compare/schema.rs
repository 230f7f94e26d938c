//! Definitions, as `pg_dump --schema-only` writes them.

use super::Description;
use crate::cluster::Cluster;
use crate::postgres;
use crate::psql::hermetic;
use regex::Regex;

/// The subject of what stands before the first object: settings of the whole dump.
const PREAMBLE: &str = "preamble of the dump";

/// How both sides are dumped: definitions can be compared only when the same `pg_dump` wrote them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dump {
    /// The version that `pg_dump` must have at least.
    pub(super) major: u32,
    /// Whether the database's own definition is dumped too.
    pub(super) properties: bool,
    /// Whether owners and privileges are dumped too.
    pub(super) privileges: bool,
    /// Whether what servers of different versions write differently is to look the same.
    pub(super) across_versions: bool,
}

impl Dump {
    /// The definition of every object.
    pub(super) fn describe(self, cluster: &Cluster, database: &str) -> Description {
        let mut command = hermetic(&postgres::client_from("pg_dump", self.major));
        command.args([
            "--schema-only",
            "--no-publications",
            "--no-subscriptions",
            "--exclude-schema=pghaul",
        ]);
        if self.properties {
            command.arg("--create");
        }
        if !self.privileges {
            command.args(["--no-owner", "--no-privileges"]);
        }
        let output = command
            .arg("--dbname")
            .arg(cluster.conninfo_socket(database))
            .output();
        let output = output.expect("run pg_dump");
        assert!(
            output.status.success(),
            "pg_dump of {database:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        let mut entries = entries(&without_workers(&String::from_utf8_lossy(&output.stdout)));
        entries.retain(|subject, entry| {
            !subject.starts_with("DATABASE PROPERTIES")
                || entry.contains("ALTER ")
                || entry.contains("UPDATE ")
        });
        if self.across_versions {
            for (subject, entry) in &mut entries {
                *entry = of_any_version(subject, entry);
            }
        }
        entries
    }
}

/// Without what pghaul has set for the workers of a subscription while it follows.
fn without_workers(dump: &str) -> String {
    let is_of_workers =
        |line: &&str| line.contains(" IN DATABASE ") && line.ends_with(" SET array_nulls TO 'on';");
    let lines: Vec<&str> = dump.lines().filter(|line| !is_of_workers(line)).collect();
    lines.join("\n")
}

/// The entry as it looks the same whichever server it comes from.
fn of_any_version(subject: &str, entry: &str) -> String {
    let replace = |text: &str, pattern: &str, with: &str| {
        Regex::new(pattern)
            .expect("a valid pattern")
            .replace_all(text, with)
            .into_owned()
    };
    let identifier = r#"(?:"(?:[^"]|"")+"|\w+)"#;
    match subject.split(' ').next().unwrap_or_default() {
        // Since 11 triggers execute functions.
        "TRIGGER" | "EVENT" => replace(entry, " EXECUTE PROCEDURE ", " EXECUTE FUNCTION "),
        // Since 14 the arguments of procedures have a mode.
        "PROCEDURE" => replace(entry, r"([(,] ?)IN ", "$1"),
        // Since 14 ranges have multiranges.
        "TYPE" => replace(entry, r",\n    multirange_type_name = .*", ""),
        // Since 18 constraints that are not null have names of their own.
        "TABLE" => replace(entry, &format!(" CONSTRAINT {identifier} NOT NULL"), " NOT NULL"),
        // Since 16 columns are qualified only where they need to be.
        "VIEW" | "MATERIALIZED" | "RULE" => replace(entry, &format!(r"{identifier}\."), ""),
        _ => entry.to_owned(),
    }
}

/// Cuts a dump into its entries; the order of entries does not matter then.
fn entries(dump: &str) -> Description {
    let internal_option = Regex::new(r"pg_attver=\d+(, )?").expect("a valid pattern");
    let mut entries = Description::new();
    let mut subject = PREAMBLE.to_owned();
    let mut defaults = Defaults::default();
    for line in dump.lines() {
        if let Some(header) = line.strip_prefix("-- Name: ") {
            subject = subject_of(header);
            let entry = entries.entry(subject.clone()).or_default();
            entry.push_str(&defaults.deviation());
            continue;
        }
        let noise = [
            "-- Dumped ",
            "-- PostgreSQL database dump",
            r"\restrict ",
            r"\unrestrict ",
            "SET transaction_timeout",
        ];
        if line == "--"
            || line.is_empty()
            || noise.iter().any(|start| line.starts_with(start))
            || defaults.take(line)
        {
            continue;
        }
        let line = internal_option.replace_all(line, "");
        // All that is left of an option only the server itself uses.
        if line.ends_with(" SET ();") {
            continue;
        }
        let entry = entries.entry(subject.clone()).or_default();
        entry.push_str(&line);
        entry.push('\n');
    }
    entries
}

/// From `orders; Type: TABLE; Schema: public; Owner: shop` to `TABLE public.orders`. The owner is in the entry.
fn subject_of(header: &str) -> String {
    let pattern = Regex::new(r"^(?s)(.*); Type: ([^;]*); Schema: (.*); Owner: .*$").expect("a valid pattern");
    match pattern.captures(header).map(|captures| captures.extract()) {
        Some((_, [name, kind, "-"])) => format!("{kind} {name}"),
        Some((_, [name, kind, schema])) => format!("{kind} {schema}.{name}"),
        None => header.to_owned(),
    }
}

/// A dump sets tablespace and access method only where they change from one entry to the next.
#[derive(Debug, Default)]
struct Defaults {
    tablespace: String,
    access_method: String,
}

impl Defaults {
    /// Whether the line was such a setting.
    fn take(&mut self, line: &str) -> bool {
        if line.starts_with("SET default_tablespace = ") {
            self.tablespace = if line.ends_with("= '';") {
                String::new()
            } else {
                line.to_owned()
            };
        } else if line.starts_with("SET default_table_access_method = ") {
            self.access_method = if line.ends_with("= heap;") {
                String::new()
            } else {
                line.to_owned()
            };
        } else {
            return false;
        }
        true
    }

    fn deviation(&self) -> String {
        [&self.tablespace, &self.access_method]
            .into_iter()
            .filter(|line| !line.is_empty())
            .map(|line| format!("{line}\n"))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_the_schema_is_left_out() {
        let dump = "--\n-- PostgreSQL database dump\n--\n\n\\restrict abc\n\n-- Dumped by pg_dump version 18\n\n\
            SET transaction_timeout = 0;\nSET client_encoding = 'UTF8';\n\n\
            --\n-- Name: t; Type: TABLE; Schema: public; Owner: a\n--\n\nCREATE TABLE public.t (\n    i integer\n);\n\
            ALTER TABLE ONLY public.t ALTER COLUMN i SET (pg_attver=12);\n\
            ALTER TABLE ONLY public.t ALTER COLUMN j SET (pg_attver=12, n_distinct=7);\n";
        let expected = [
            (PREAMBLE, "SET client_encoding = 'UTF8';\n"),
            (
                "TABLE public.t",
                "CREATE TABLE public.t (\n    i integer\n);\nALTER TABLE ONLY public.t ALTER COLUMN j SET (n_distinct=7);\n",
            ),
        ];
        let expected: Description = expected.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        assert_eq!(entries(dump), expected);
    }

    #[test]
    fn versions_write_the_same_differently() {
        let same = |subject: &str, old: &str, new: &str| {
            assert_eq!(of_any_version(subject, old), of_any_version(subject, new));
        };
        same(
            "VIEW a.b",
            r#"SELECT "T t".id FROM a."T t""#,
            r#"SELECT id FROM a."T t""#,
        );
        same(
            "TABLE a",
            "i integer NOT NULL",
            r#"i integer CONSTRAINT "a i_not_null" NOT NULL"#,
        );
        same(
            "TYPE a",
            "AS RANGE (\n    subtype = x\n);",
            "AS RANGE (\n    subtype = x,\n    multirange_type_name = a.y\n);",
        );
        same(
            "TRIGGER t",
            "FOR EACH ROW EXECUTE PROCEDURE f();",
            "FOR EACH ROW EXECUTE FUNCTION f();",
        );
    }

    #[test]
    fn tablespaces_belong_to_the_entries() {
        let dump = "SET default_tablespace = fast;\n-- Name: t; Type: TABLE; Schema: s; Owner: a\nCREATE\n\
            SET default_tablespace = '';\n-- Name: u; Type: TABLE; Schema: s; Owner: a\nCREATE\n";
        let found = entries(dump);
        assert_eq!(
            found.get("TABLE s.t").map(String::as_str),
            Some("SET default_tablespace = fast;\nCREATE\n")
        );
        assert_eq!(found.get("TABLE s.u").map(String::as_str), Some("CREATE\n"));
    }
}
