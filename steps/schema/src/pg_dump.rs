//! Finds and runs pg_dump.

use crate::raw::{self, Encoded};
use pghaul_step::postgres::{Server, Source, child};
use pghaul_step::selection::SelectedObjects;
use pghaul_step::{Code, Failure, Side, escaped};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::AsyncReadExt as _;
use tokio::process::Command;

/// The environment variable that names the pg_dump to use.
const VARIABLE: &str = "PGHAUL_PG_DUMP";

/// How long a program may take to say its version, and how many bytes of it are read.
const VERSION_PATIENCE: Duration = Duration::from_secs(10);
const LONGEST_VERSION: u64 = 4096;

/// So many of the last lines that a pg_dump wrote are kept, and so many characters of each: they go into the journal.
const LINES: usize = 20;
const LONGEST_LINE: usize = 500;

/// A pg_dump that fits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PgDump {
    /// The program.
    pub program: PathBuf,
    /// Its major version.
    pub major: u32,
}

/// Finds the pg_dump that fits best: not older than the source, and the target's version if there is one.
///
/// Looks at `PGHAUL_PG_DUMP`, or else along `PGHAUL_PG_BIN` and `PATH`, and where distributions install
/// PostgreSQL.
///
/// # Errors
/// [`Code::ToolFailed`] where there is none, or only ones that are too old.
pub async fn find(source_major: u32, target_major: u32) -> Result<PgDump, Failure> {
    if let Some(program) = std::env::var_os(VARIABLE) {
        let program = PathBuf::from(program);
        let major = version(&program).await.ok_or_else(|| {
            Failure::new(
                Code::ToolFailed,
                format!("{VARIABLE} names {}, which is no pg_dump", program.display()),
            )
            .with_hint(format!("set {VARIABLE} to the path of a pg_dump, or unset it"))
        })?;
        return choose(vec![PgDump { program, major }], source_major, target_major);
    }
    let mut found = Vec::new();
    for program in candidates() {
        if let Some(major) = version(&program).await {
            found.push(PgDump { program, major });
        }
    }
    choose(found, source_major, target_major)
}

fn choose(found: Vec<PgDump>, source_major: u32, target_major: u32) -> Result<PgDump, Failure> {
    let install = format!(
        "install the client programs of PostgreSQL {target_major} (Debian and Ubuntu: postgresql-client-{target_major}), or set {VARIABLE} to a pg_dump of version {source_major} or newer"
    );
    let newest = found.iter().map(|p| p.major).max();
    let fitting = found.into_iter().filter(|p| p.major >= source_major);
    // The target's own version needs no filtering; otherwise the nearest to it does best.
    if let Some(best) = fitting.min_by_key(|p| p.major.abs_diff(target_major)) {
        return Ok(best);
    }
    Err(match newest {
        None => Failure::new(Code::ToolFailed, "pg_dump was not found"),
        Some(newest) => Failure::new(
            Code::ToolFailed,
            format!("pg_dump is too old: version {newest} can't read a server of version {source_major}"),
        ),
    }
    .with_hint(install))
}

fn candidates() -> Vec<PathBuf> {
    let paths = ["PGHAUL_PG_BIN", "PATH"].map(|name| std::env::var_os(name).unwrap_or_default());
    let mut directories: Vec<PathBuf> = paths.iter().flat_map(std::env::split_paths).collect();
    for parent in [
        "/usr/lib/postgresql",
        "/opt/homebrew/opt",
        "/usr/local/opt",
        "/usr",
    ] {
        let Ok(children) = std::fs::read_dir(parent) else {
            continue;
        };
        for child in children.flatten() {
            let name = child.file_name().to_string_lossy().into_owned();
            let is_installation = parent == "/usr/lib/postgresql"
                || name.starts_with("pgsql-")
                || name.starts_with("postgresql@")
                || name == "libpq";
            if is_installation {
                directories.push(child.path().join("bin"));
            }
        }
    }
    let programs = directories.into_iter().map(|d| d.join("pg_dump"));
    let mut known = BTreeSet::new();
    let found = programs.filter_map(|program| {
        let file = program.canonicalize().ok()?;
        let is_new = file.is_file() && known.insert(file.clone());
        is_new.then(|| (file.ends_with(DEBIANS_WRAPPER), program))
    });
    let (wrapped, own): (Vec<_>, Vec<_>) = found.partition(|(is_wrapper, _)| *is_wrapper);
    let found = if own.is_empty() { wrapped } else { own };
    found.into_iter().map(|(_, program)| program).collect()
}

/// The major version that a program says it has; `None` where it is no pg_dump. It may be anything: what it says is read no
/// further, and waited for no longer, than a pg_dump needs.
async fn version(program: &Path) -> Option<u32> {
    let mut command = Command::new(program);
    // It may be any program, and needs no password to tell its version.
    child::without_our_variables(command.as_std_mut());
    let mut child = command
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .ok()?;
    let mut said = child.stdout.take()?.take(LONGEST_VERSION);
    let mut bytes = Vec::new();
    let read = tokio::time::timeout(VERSION_PATIENCE, said.read_to_end(&mut bytes));
    read.await.ok()?.ok()?;
    parse_version(&String::from_utf8(bytes).ok()?)
}

/// `pg_dump (PostgreSQL) 15.20 (Debian 15.20-0+deb12u1)` is 15.
fn parse_version(text: &str) -> Option<u32> {
    let number = text.trim().strip_prefix("pg_dump (PostgreSQL) ")?;
    let digits: String = number.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

/// What `/usr/bin/pg_dump` is on Debian: it chooses one of `/usr/lib/postgresql` by its arguments, each time anew.
const DEBIANS_WRAPPER: &str = "pg_wrapper";

/// Version 18 is the first that dumps statistics, of servers of any version, and the first that takes them over.
const CARRIES_STATISTICS: u32 = 18;

impl PgDump {
    /// What is dumped: the schema, and with it the statistics where the target can take them over.
    fn contents(&self, target_major: u32) -> &'static [&'static str] {
        if self.major.min(target_major) >= CARRIES_STATISTICS {
            &["--no-data", "--statistics"]
        } else {
            &["--schema-only"]
        }
    }
}

/// The dump of one schema.
#[derive(Debug)]
pub(crate) struct Dump<'a> {
    pub(crate) pg_dump: &'a PgDump,
    pub(crate) target_major: u32,
    pub(crate) source: &'a Server<Source>,
    pub(crate) database: &'a str,
    /// The encoding of the database.
    pub(crate) encoding: &'a str,
    /// How long it waits for a lock, in seconds; for ever where it is absent.
    pub(crate) lock_wait_seconds: Option<u32>,
    /// Whether it quotes all names.
    pub(crate) quoted: bool,
    /// What is selected; `None` where everything is. pg_dump reads and locks no table of a schema that is left out.
    pub(crate) selected: Option<&'a SelectedObjects>,
}

impl Dump<'_> {
    /// Dumps the schema into a directory, which must not exist. Texts that no UTF-8 stands for are lifted.
    pub(crate) async fn write(&self, directory: &Path) -> Result<(), Failure> {
        let Err(lines) = self.run(UTF8, directory).await? else {
            return Ok(());
        };
        if self.encoding == UTF8 || !lines.iter().any(|line| tells_of_an_encoding(line)) {
            return Err(self.failure(lines));
        }
        tracing::info!(
            database = self.database,
            encoding = self.encoding,
            "the schema holds texts that can't be converted to UTF-8: dumping it as it is"
        );
        remove_if_there(directory).map_err(|e| self.failure(vec![e.to_string()]))?;
        if let Err(lines) = self.run(self.encoding, directory).await? {
            return Err(self.failure(lines));
        }
        let contents = directory.join("toc.dat");
        let encoded = match self.encoding {
            "SQL_ASCII" => Encoded::Unknown,
            _ => Encoded::Otherwise,
        };
        let bytes = std::fs::read(&contents).map_err(|e| self.failure(vec![e.to_string()]))?;
        let lifted = raw::lift_contents(&bytes, encoded).ok_or_else(crate::unreadable::unreadable)?;
        std::fs::write(&contents, lifted).map_err(|e| self.failure(vec![e.to_string()]))
    }

    /// Runs pg_dump. Where that fails, the last lines that it wrote.
    async fn run(&self, encoding: &str, directory: &Path) -> Result<Result<(), Vec<String>>, Failure> {
        let endpoint = self
            .source
            .pinned()
            .await
            .ok_or_else(|| Failure::bug("pg_dump before the first connection"))?;
        let mut command = Command::new(&self.pg_dump.program);
        child::connect_like_us(&mut command, self.source, &endpoint, self.database);
        command
            // What it says is read: in one language, whatever the user's is.
            .env("LC_ALL", "C")
            .args(self.pg_dump.contents(self.target_major))
            .args(["--create", "--format=directory", "--no-password"])
            .arg(format!("--encoding={encoding}"))
            .arg("--file")
            .arg(directory)
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        if let Some(seconds) = self.lock_wait_seconds {
            command.arg(format!("--lock-wait-timeout={seconds}s"));
        }
        if self.quoted {
            command.arg("--quote-all-identifiers");
        }
        for schema in self
            .selected
            .iter()
            .flat_map(|selected| selected.schemas_left_out())
        {
            command.arg(format!("--exclude-schema=\"{}\"", schema.replace('"', "\"\"")));
        }
        let output = command.output().await.map_err(|e| {
            let message = format!("{} could not be started", self.pg_dump.program.display());
            failed(Code::ToolFailed, message).with_cause(e)
        })?;
        Ok(match output.status.success() {
            true => Ok(()),
            false => Err(last_lines(&output.stderr)),
        })
    }

    fn failure(&self, lines: Vec<String>) -> Failure {
        let database = self.database;
        let failure = if lines.iter().any(|line| tells_of_a_lost_connection(line)) {
            let message = format!("pg_dump of database {database} lost its connection");
            failed(Code::ConnectionLost, message).with_hint("see the source's log for why, then run again")
        } else {
            let message = format!("pg_dump of database {database} failed");
            failed(Code::ToolFailed, message).with_hint("fix what pg_dump says, then run again")
        };
        lines.into_iter().fold(failure, Failure::with_cause)
    }
}

fn failed(code: Code, message: String) -> Failure {
    Failure::new(code, message)
        .with_side(Side::Source)
        .with_operation("dump the schema")
}

fn remove_if_there(directory: &Path) -> std::io::Result<()> {
    match std::fs::remove_dir_all(directory) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

/// The encoding that pg_dump converts to, where it can.
const UTF8: &str = "UTF8";

/// What the server says, in English or by its SQLSTATE, of bytes that are no text in an encoding.
fn tells_of_an_encoding(line: &str) -> bool {
    [
        "invalid byte sequence for encoding",
        "has no equivalent in encoding",
    ]
    .iter()
    .any(|words| line.contains(words))
}

/// What libpq says, in English, when a connection ends that it did not end itself, or a server that was there a moment ago
/// refuses one.
const LOST: &[&str] = &[
    "server closed the connection unexpectedly",
    "could not receive data from server",
    "could not send data to server",
    "SSL connection has been closed unexpectedly",
    "SSL SYSCALL error",
    "failed: Connection refused",
];

fn tells_of_a_lost_connection(line: &str) -> bool {
    LOST.iter().any(|words| line.contains(words))
}

/// The end of what a program wrote.
fn last_lines(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let last = lines.iter().skip(lines.len().saturating_sub(LINES));
    let shortened = |line: &&str| line.chars().take(LONGEST_LINE).collect::<String>();
    last.map(|line| escaped(&shortened(line)).into_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn installed(majors: &[u32]) -> Vec<PgDump> {
        majors
            .iter()
            .map(|major| PgDump {
                program: format!("/pg{major}").into(),
                major: *major,
            })
            .collect()
    }

    proptest! {
        /// Whatever stands in the place of a pg_dump may say whatever it likes.
        #[test]
        fn any_version_is_read_or_is_none(text in "(pg_dump \\(PostgreSQL\\) )?[0-9]{0,30}.{0,20}") {
            let _ = parse_version(&text);
        }

        #[test]
        fn any_output_makes_few_plain_lines(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
            let lines = last_lines(&bytes);
            prop_assert!(lines.len() <= LINES);
            for line in lines {
                // An escaped character has six.
                prop_assert!(line.chars().count() <= 6 * LONGEST_LINE);
                prop_assert!(!line.chars().any(char::is_control));
            }
        }
    }

    #[tokio::test]
    async fn a_program_that_writes_without_an_end_is_no_pg_dump() {
        let directory = tempfile::tempdir().unwrap();
        let program = directory.path().join("pg_dump");
        std::fs::write(&program, "#!/bin/sh\nexec yes\n").unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o700)).unwrap();
        assert_eq!(version(&program).await, None);
    }

    #[test]
    fn a_lost_connection_is_told_from_a_mistake() {
        let lost = "pg_dump: error: query failed: server closed the connection unexpectedly";
        assert!(tells_of_a_lost_connection(lost));
        let refused =
            "pg_dump: error: connection to server at \"127.0.0.1\", port 1 failed: Connection refused";
        assert!(tells_of_a_lost_connection(refused));
        let denied = "pg_dump: error: query failed: ERROR:  permission denied for table book";
        assert!(!tells_of_a_lost_connection(denied));
    }

    #[test]
    fn the_last_lines_are_kept() {
        let text: String = (1..=50).map(|n| format!("line {n}\n\n")).collect();
        let lines = last_lines(text.as_bytes());
        assert_eq!(
            (lines.len(), lines[0].as_str(), lines[19].as_str()),
            (20, "line 31", "line 50")
        );
    }

    #[test]
    fn the_targets_version_is_preferred() {
        assert_eq!(choose(installed(&[13, 15, 18]), 13, 15).unwrap().major, 15);
        assert_eq!(choose(installed(&[13, 18]), 13, 17).unwrap().major, 18);
        assert_eq!(choose(installed(&[13, 18]), 10, 15).unwrap().major, 13);
    }

    #[test]
    fn one_older_than_the_source_is_refused() {
        let failure = choose(installed(&[13]), 15, 15).unwrap_err();
        assert_eq!(
            failure.message,
            "pg_dump is too old: version 13 can't read a server of version 15"
        );
        assert_eq!(
            choose(Vec::new(), 15, 15).unwrap_err().message,
            "pg_dump was not found"
        );
    }

    #[test]
    fn versions_are_read() {
        assert_eq!(
            parse_version("pg_dump (PostgreSQL) 15.20 (Debian 15.20-0+deb12u1)\n"),
            Some(15)
        );
        assert_eq!(parse_version("pg_dump (PostgreSQL) 18beta1\n"), Some(18));
        assert_eq!(parse_version("pg_dump 0.1"), None);
    }
}
