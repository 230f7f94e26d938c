//! SQL by way of psql, and quoting for it.

use crate::conninfo::conninfo;
use crate::postgres;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// Between fields and between records of [`rows`]: control characters that no sensible value holds.
const FIELD: &str = "\u{1f}";
const RECORD: &str = "\u{1e}";

/// How psql is to write results.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Format {
    /// Values alone, `|` between columns, a line for each row.
    Plain,
    /// Any value can be told from the next, see [`rows`].
    Fields,
}

/// Runs `sql` in a connection of its own and returns what it printed, without the last line's end.
pub(crate) fn run(conninfo: &str, sql: &str, format: Format) -> Result<String, String> {
    let mut command = client("psql");
    // A statement that waits for ever is a failed test, not a hanging one.
    command.env("PGOPTIONS", "-c statement_timeout=120s");
    command.args([
        "-X",
        "-q",
        "-A",
        "-t",
        "-v",
        "ON_ERROR_STOP=1",
        "-d",
        conninfo,
        "-f",
        "-",
    ]);
    if matches!(format, Format::Fields) {
        command.args(["-F", FIELD, "-R", RECORD]);
    }
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("start psql");
    let mut input = child.stdin.take().expect("psql's input");
    let output = std::thread::scope(|scope| {
        // Beside the reading, or both sides could wait for each other. psql stops reading at an error.
        scope.spawn(move || {
            let _ = input.write_all(sql.as_bytes());
        });
        child.wait_with_output().expect("wait for psql")
    });
    let stdout = String::from_utf8_lossy(&output.stdout);
    if output.status.success() {
        Ok(stdout.strip_suffix('\n').unwrap_or(&stdout).to_owned())
    } else {
        Err(format!("{}{stdout}", String::from_utf8_lossy(&output.stderr)))
    }
}

/// The rows of the one query in `sql`.
pub(crate) fn rows(conninfo: &str, sql: &str) -> Result<Vec<Vec<String>>, String> {
    let text = run(conninfo, sql, Format::Fields)?;
    let records = text.split(RECORD).filter(|record| !record.is_empty());
    Ok(records
        .map(|record| record.split(FIELD).map(str::to_owned).collect())
        .collect())
}

/// A client program in an environment without any `PG*` variable.
pub(crate) fn client(name: &str) -> Command {
    hermetic(&postgres::client(name))
}

/// A program in an environment without any `PG*` variable of the user's.
pub fn hermetic(program: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("LC_ALL", "C.UTF-8")
        .env("PGAPPNAME", "testkit");
    command
        .env("PGPASSFILE", "/nonexistent")
        .env("PGCONNECT_TIMEOUT", "20");
    command
}

/// A name as it stands in SQL.
///
/// ```
/// assert_eq!(pghaul_testkit::identifier(r#"my "table""#), r#""my ""table""""#);
/// ```
pub fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The parameters of a superuser's connection through the Unix socket.
pub(crate) fn through_socket(directory: &Path, port: u16, database: &str) -> String {
    let directory = directory.to_str().expect("the directory is UTF-8");
    conninfo(&[
        ("host", directory),
        ("port", &port.to_string()),
        ("user", "postgres"),
        ("dbname", database),
    ])
}
