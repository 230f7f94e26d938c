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
        let found = self.of_file().into_iter().find(|path| path.exists());
        if let Some(path) = &found {
            refuse_writable_by_all(path)?;
            refuse_of_another(path, nix::unistd::geteuid().as_raw())?;
        }
        Ok(found)
    }

    /// The folder of checks in SQL: the given one, that of the file, or the one beside the journal.
    pub(super) fn sql_checks(&self, of_file: Option<PathBuf>) -> Result<Option<PathBuf>, Failure> {
        let given = self.sql_checks.map(Path::to_owned).or(of_file);
        if let Some(given) = given {
            return Ok(Some(given));
        }
        let beside = self.of_sql_checks().filter(|path| path.is_dir());
        if let Some(folder) = &beside {
            refuse_of_another(folder, nix::unistd::geteuid().as_raw())?;
        }
        Ok(beside)
    }

    /// Where the file is looked for when it is not given.
    pub(super) fn of_file(&self) -> Vec<PathBuf> {
        let own = etcetera::base_strategy::Xdg::new()
            .ok()
            .map(|xdg| xdg.config_dir().join("pghaul").join(NAME));
        self.beside_the_journal(NAME).into_iter().chain(own).collect()
    }

    /// Where the folder of checks in SQL is looked for when it is not given.
    pub(super) fn of_sql_checks(&self) -> Option<PathBuf> {
        self.beside_the_journal(SQL_CHECKS)
    }

    fn beside_the_journal(&self, name: &str) -> Option<PathBuf> {
        let journal = journals::path_or_default(self.journal).ok()?;
        Some(journal.parent()?.join(name))
    }
}

/// What was found without being named may have been put there by anyone who may write the directory, as with a journal in `/tmp`.
fn refuse_of_another(path: &Path, user: u32) -> Result<(), Failure> {
    let shown = path.display();
    let owner = std::fs::metadata(path).map_or(user, |found| found.uid());
    if [0, user].contains(&owner) {
        return Ok(());
    }
    let owner = pghaul_store::account(owner).name;
    Err(
        Failure::new(Code::BadInput, format!("{shown} belongs to {owner}, not to you"))
            .with_operation("read the configuration")
            .with_hint(format!(
                "remove it; or name it with --config or --sql-checks if you trust {owner}: it runs programs as you, and statements with \
                 your rights on the servers"
            )),
    )
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

#[cfg(test)]
mod tests {
    use super::{OTHERS, refuse_of_another, refuse_writable_by_all};
    use pghaul_core::Code;
    use std::fs::Permissions;
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

    #[test]
    fn a_configuration_that_others_may_have_written_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let (path, own) = (file.path(), std::fs::metadata(file.path()).unwrap().uid());
        assert_eq!(refuse_of_another(path, own), Ok(()));
        // Of root it may be for everybody; of another one for nobody.
        let another = own + 1;
        assert_eq!(refuse_of_another(path, another).is_ok(), own == 0);
        // Only root can give a file away.
        if std::os::unix::fs::chown(path, Some(another), None).is_ok() {
            assert_eq!(refuse_of_another(path, own).unwrap_err().code, Code::BadInput);
        }
        assert_eq!(refuse_writable_by_all(path), Ok(()));
        std::fs::set_permissions(path, Permissions::from_mode(0o600 | OTHERS)).unwrap();
        assert_eq!(refuse_writable_by_all(path).unwrap_err().code, Code::BadInput);
    }
}
