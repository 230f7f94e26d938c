//! Where the configuration is.

use crate::journals;
use etcetera::BaseStrategy as _;
use pghaul_core::{Code, Failure};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

const NAME: &str = "pghaul.toml";
const SQL_CHECKS: &str = "sql-checks";

/// Anyone may write.
const OTHERS: u32 = 0o002;

/// The places that the user gives.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Places<'a> {
    /// `--config`
    pub(crate) config: Option<&'a Path>,
    /// `--sql-checks`
    pub(crate) sql_checks: Option<&'a Path>,
    /// `--journal`
    pub(crate) journal: Option<&'a Path>,
}

impl Places<'_> {
    /// The file: the given one, the one beside the journal, or the one in the configuration directory of the user.
    pub(super) fn file(&self) -> Result<Option<PathBuf>, Failure> {
        if let Some(given) = self.config {
            refuse_writable_by_all(given)?;
            return Ok(Some(given.to_owned()));
        }
        let beside = self.beside_the_journal(NAME);
        let own = etcetera::base_strategy::Xdg::new()
            .ok()
            .map(|xdg| xdg.config_dir().join("pghaul").join(NAME));
        let found = beside.into_iter().chain(own).find(|path| path.exists());
        if let Some(path) = &found {
            refuse_writable_by_all(path)?;
        }
        Ok(found)
    }

    /// The folder of checks in SQL: the given one, that of the file, or the one beside the journal.
    pub(super) fn sql_checks(&self, of_file: Option<PathBuf>) -> Option<PathBuf> {
        let given = self.sql_checks.map(Path::to_owned).or(of_file);
        let beside = || self.beside_the_journal(SQL_CHECKS).filter(|path| path.is_dir());
        given.or_else(beside)
    }

    fn beside_the_journal(&self, name: &str) -> Option<PathBuf> {
        let journal = journals::path_or_default(self.journal).ok()?;
        Some(journal.parent()?.join(name))
    }
}

/// The configuration names programs that run as this user.
pub(super) fn refuse_writable_by_all(path: &Path) -> Result<(), Failure> {
    let shown = path.display();
    let failure =
        |message: String| Failure::new(Code::BadInput, message).with_operation("read the configuration");
    let found = std::fs::metadata(path)
        .map_err(|error| failure(format!("{shown} can't be read")).with_cause(error))?;
    if found.mode() & OTHERS != 0 {
        let hint = format!("it names programs that are run as you: chmod o-w {shown}");
        return Err(failure(format!("{shown} can be written by everyone")).with_hint(hint));
    }
    Ok(())
}
