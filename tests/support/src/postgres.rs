//! Finding PostgreSQL, and fetching what is not there.
//!
//! Looked for in Debian's `/usr/lib/postgresql` and in the directory that `tests/postgres.sh` fetches to,
//! normally `.postgres` of the project. Fetching is left to that script, which other processes wait for.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The oldest version from which a server is good enough for tests that don't ask for a version.
const OLDEST_ORDINARY: u32 = 15;
const NEWEST: u32 = 18;

/// The programs of one version of PostgreSQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installation {
    /// The major version.
    pub major: u32,
    /// The directory with `initdb` and `postgres`; `psql` and `pg_dump` may be missing, see [`client`].
    pub bin: PathBuf,
}

impl Installation {
    fn at(major: u32, bin: PathBuf) -> Option<Self> {
        bin.join("postgres").is_file().then_some(Self { major, bin })
    }
}

/// PostgreSQL of this major version, 10 to 18, fetched when it is not there.
///
/// # Panics
/// With the output of `tests/postgres.sh` when it can't be fetched.
pub fn find(major: u32) -> Installation {
    installed(major).unwrap_or_else(|| {
        setup(&[&major.to_string()]);
        installed(major)
            .unwrap_or_else(|| panic!("tests/postgres.sh {major} did not bring PostgreSQL {major}"))
    })
}

/// PostgreSQL of any version from 15 on, for tests that don't care.
pub fn ordinary() -> Installation {
    newest_installed().unwrap_or_else(|| {
        setup(&[]);
        newest_installed().expect("tests/postgres.sh did not bring PostgreSQL")
    })
}

/// A client program such as `psql` or `pgbench`, of whichever version is there.
pub fn client(name: &str) -> PathBuf {
    let found = || {
        (10..=NEWEST)
            .rev()
            .flat_map(directories)
            .map(|bin| bin.join(name))
            .find(|path| path.is_file())
    };
    found().unwrap_or_else(|| {
        setup(&["clients"]);
        found().unwrap_or_else(|| panic!("tests/postgres.sh clients did not bring {name}"))
    })
}

/// A client program of this version or the nearest newer one: `pg_dump` refuses servers newer than itself.
pub fn client_from(name: &str, major: u32) -> PathBuf {
    let found = || {
        (major..=NEWEST)
            .flat_map(directories)
            .map(|bin| bin.join(name))
            .find(|path| path.is_file())
    };
    found().unwrap_or_else(|| {
        setup(&["clients"]);
        found().unwrap_or_else(|| panic!("no {name} of version {major} or newer"))
    })
}

/// Where the client programs of the newest version are that the system has, which is what its `PATH` leads to.
pub fn newest_programs() -> Option<PathBuf> {
    newest_installed().map(|installation| installation.bin)
}

fn installed(major: u32) -> Option<Installation> {
    directories(major).find_map(|bin| Installation::at(major, bin))
}

/// What the system has installed goes before what was fetched, among that the newest.
fn newest_installed() -> Option<Installation> {
    let majors = || (OLDEST_ORDINARY..=NEWEST).rev();
    majors()
        .find_map(|major| Installation::at(major, of_debian(major)))
        .or_else(|| majors().find_map(installed))
}

fn directories(major: u32) -> impl Iterator<Item = PathBuf> {
    let fetched = |name: String| fetched().join(name).join("bin");
    [
        of_debian(major),
        fetched(major.to_string()),
        fetched(format!("{major}-full")),
    ]
    .into_iter()
}

fn of_debian(major: u32) -> PathBuf {
    PathBuf::from(format!("/usr/lib/postgresql/{major}/bin"))
}

/// Where `tests/postgres.sh` puts what it fetches.
fn fetched() -> &'static Path {
    static DIRECTORY: OnceLock<PathBuf> = OnceLock::new();
    DIRECTORY.get_or_init(|| PathBuf::from(setup(&["--where"]).trim_end()))
}

/// The root of the workspace.
pub(crate) fn project() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

fn setup(arguments: &[&str]) -> String {
    let output = Command::new(project().join("tests/postgres.sh"))
        .args(arguments)
        .output()
        .expect("run tests/postgres.sh");
    let (stdout, stderr) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(
        output.status.success(),
        "tests/postgres.sh {arguments:?}: {}\n{stdout}{stderr}",
        output.status
    );
    stdout.into_owned()
}
