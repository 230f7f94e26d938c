//! Checks that are files of SQL: each row that the query returns is a finding.

mod check;
mod header;

pub use check::{SqlClusterCheck, SqlDatabaseCheck};
pub use header::SqlFile;

use crate::interned::interned;
use pghaul_step::{Code, Failure, Origin, Registry};
use std::path::{Path, PathBuf};

/// Adds the check of every `.sql` file of a folder, in the order of their names.
///
/// # Errors
/// [`Code::BadInput`] for a folder that can't be read, and for the first file whose header is wrong, with its line.
pub fn register(registry: Registry, folder: &Path) -> Result<Registry, Failure> {
    let mut registry = registry;
    for path in files(folder)? {
        let text = std::fs::read_to_string(&path).map_err(|error| unreadable(&path, &error))?;
        let file = interned(SqlFile::parse(&path, &text)?);
        if is_taken(&registry, &file.name) {
            let origin = registry.origin_of_check(&file.name);
            let message = format!("there is a check {:?} already ({origin})", file.name);
            return Err(header::wrong(&path, file.name_line, message).with_hint("give it another `name`"));
        }
        registry = registry.from_now_on(Origin::Sql(path));
        registry = match file.scope {
            header::Scope::Cluster => registry.with_cluster_check(SqlClusterCheck(file)),
            header::Scope::Database => registry.with_check(SqlDatabaseCheck(file)),
        };
    }
    Ok(registry)
}

fn is_taken(registry: &Registry, name: &str) -> bool {
    let cluster = registry.cluster_checks().iter().map(|c| c.descriptor().name);
    let database = registry.database_checks().iter().map(|c| c.descriptor().name);
    cluster.chain(database).any(|taken| taken == name)
}

fn files(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let entries = std::fs::read_dir(folder).map_err(|error| unreadable(folder, &error))?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| unreadable(folder, &error))?.path();
        if path.extension().is_some_and(|extension| extension == "sql") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    let message = format!("{} can't be read", path.display());
    Failure::new(Code::BadInput, message)
        .with_operation("read the checks in SQL")
        .with_cause(error)
}
