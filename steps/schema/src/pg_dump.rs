//! Finds and runs pg_dump.

use pghaul_step::postgres::{Server, Source, child};
use pghaul_step::{Code, Failure, Side};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tokio::process::Command;

/// The environment variable that names the pg_dump to use.
const VARIABLE: &str = "PGHAUL_PG_DUMP";

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
    let mut programs: Vec<PathBuf> = directories.into_iter().map(|d| d.join("pg_dump")).collect();
    programs.dedup();
    programs.retain(|p| p.is_file());
    programs
}

async fn version(program: &Path) -> Option<u32> {
    let output = Command::new(program)
        .arg("--version")
        .stdin(Stdio::null())
        .output()
        .await
        .ok()?;
    parse_version(&String::from_utf8(output.stdout).ok()?)
}

/// `pg_dump (PostgreSQL) 15.20 (Debian 15.20-0+deb12u1)` is 15.
fn parse_version(text: &str) -> Option<u32> {
    let number = text.trim().strip_prefix("pg_dump (PostgreSQL) ")?;
    let digits: String = number.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

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

/// Dumps the schema of one database into a directory, which must not exist.
pub(crate) async fn dump_schema(
    pg_dump: &PgDump,
    target_major: u32,
    source: &Server<Source>,
    database: &str,
    directory: &Path,
) -> Result<(), Failure> {
    let failed = |message: String| {
        Failure::new(Code::ToolFailed, message)
            .with_side(Side::Source)
            .with_operation("dump the schema")
    };
    let endpoint = source
        .pinned()
        .await
        .ok_or_else(|| Failure::bug("pg_dump before the first connection"))?;
    let mut command = Command::new(&pg_dump.program);
    child::connect_like_us(
        &mut command,
        source.resolved(),
        &endpoint,
        database,
        source.application_name(),
    );
    command
        .args(pg_dump.contents(target_major))
        .args([
            "--create",
            "--format=directory",
            "--encoding=UTF8",
            "--no-password",
        ])
        .arg("--file")
        .arg(directory)
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let output = command
        .output()
        .await
        .map_err(|e| failed(format!("{} could not be started", pg_dump.program.display())).with_cause(e))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.lines().filter(|line| !line.trim().is_empty());
    Err(said
        .fold(
            failed(format!("pg_dump of database {database} failed")),
            Failure::with_cause,
        )
        .with_hint("mend what pg_dump says, then run again"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn installed(majors: &[u32]) -> Vec<PgDump> {
        majors
            .iter()
            .map(|major| PgDump {
                program: format!("/pg{major}").into(),
                major: *major,
            })
            .collect()
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
