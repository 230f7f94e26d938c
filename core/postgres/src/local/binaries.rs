//! Where PostgreSQL's programs are on this machine.

use crate::child::without_our_variables;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The programs of one PostgreSQL installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binaries {
    /// Where they are.
    pub directory: PathBuf,
    /// The major version, such as 15.
    pub major: u32,
}

impl Binaries {
    /// The installation in a directory, if it has at least `initdb` and `postgres`.
    pub fn in_directory(directory: &Path) -> Option<Self> {
        if !directory.join("initdb").is_file() {
            return None;
        }
        let mut postgres = Command::new(directory.join("postgres"));
        without_our_variables(&mut postgres);
        let output = postgres.arg("--version").output().ok()?;
        let major = major(&String::from_utf8_lossy(&output.stdout))?;
        Some(Self {
            directory: directory.to_owned(),
            major,
        })
    }

    /// The path of a program, if the installation has it.
    pub fn program(&self, name: &str) -> Option<PathBuf> {
        Some(self.directory.join(name)).filter(|path| path.is_file())
    }
}

/// The version in `postgres (PostgreSQL) 15.18 (Debian …)` or `… 18beta1`.
fn major(text: &str) -> Option<u32> {
    let (_, version) = text.split_once("(PostgreSQL) ")?;
    let digits = version.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}

/// All installations: those of `PGHAUL_PG_BIN` (directories separated as in `PATH`) in its order, then what `PATH`,
/// `pg_config` and the usual places have, newest first.
pub fn find_binaries() -> Vec<Binaries> {
    let mut found: Vec<Binaries> = Vec::new();
    let mut add = |directories: Vec<PathBuf>, newest_first: bool| {
        let mut new: Vec<Binaries> = Vec::new();
        for directory in directories {
            let directory = directory.canonicalize().unwrap_or(directory);
            if found.iter().chain(&new).all(|known| known.directory != directory) {
                new.extend(Binaries::in_directory(&directory));
            }
        }
        if newest_first {
            new.sort_by_key(|binaries| std::cmp::Reverse(binaries.major));
        }
        found.append(&mut new);
    };
    add(directories_in("PGHAUL_PG_BIN"), false);
    let mut usual = directories_in("PATH");
    usual.extend(pg_config());
    for (parent, prefix, suffix) in [
        ("/usr/lib/postgresql", "", "bin"),
        ("/usr", "pgsql-", "bin"),
        ("/usr/local", "pgsql", "bin"),
        ("/opt/homebrew/opt", "postgresql", "bin"),
        ("/usr/local/opt", "postgresql", "bin"),
        ("/Applications/Postgres.app/Contents/Versions", "", "bin"),
    ] {
        usual.extend(below(parent, prefix, suffix));
    }
    add(usual, true);
    found
}

fn directories_in(variable: &str) -> Vec<PathBuf> {
    let value: OsString = std::env::var_os(variable).unwrap_or_default();
    std::env::split_paths(&value)
        .filter(|path| !path.as_os_str().is_empty())
        .collect()
}

fn pg_config() -> Option<PathBuf> {
    let mut pg_config = Command::new("pg_config");
    without_our_variables(&mut pg_config);
    let output = pg_config.arg("--bindir").output().ok()?;
    let directory = String::from_utf8(output.stdout).ok()?;
    Some(PathBuf::from(directory.trim_end())).filter(|path| !path.as_os_str().is_empty())
}

fn below(parent: &str, prefix: &str, suffix: &str) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(parent) else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix))
        .map(|entry| entry.path().join(suffix))
        .collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn versions() {
        let major = super::major;
        assert_eq!(
            major("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n"),
            Some(15)
        );
        assert_eq!(major("postgres (PostgreSQL) 18beta1\n"), Some(18));
        assert_eq!(major("postgres"), None);
    }
}
