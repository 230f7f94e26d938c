//! `pghaul config`.

use super::Session;
use crate::args::{ConfigCommand, ConfigCommandArgs};
use crate::configuration::{example, schema};
use crate::exit_code::ExitCode;
use pghaul_core::Failure;
use pghaul_step::{Origin, Registry};
use std::path::{Path, PathBuf};

/// Shows what the configuration is, or can be.
pub(crate) fn config(session: &Session, args: &ConfigCommandArgs) -> Result<ExitCode, Failure> {
    match args.command {
        // It has been validated by now.
        ConfigCommand::Check(_) => {
            session.printer.answer(&found(session))?;
            session.configuration.find_programs()?;
        }
        ConfigCommand::Example => session.printer.answer(&example()?)?,
        ConfigCommand::Schema => session.printer.json(&schema())?,
    }
    Ok(ExitCode::Success)
}

fn found(session: &Session) -> String {
    let configuration = &session.configuration;
    let (for_file, for_folder) = &configuration.looked_for;
    let checks = in_sql(&session.registry);
    let folder = match (&configuration.sql_checks, checks.is_empty()) {
        (None, _) => none(for_folder),
        (Some(folder), true) => format!(
            "{}, which has no file whose name ends with .sql",
            folder.display()
        ),
        (Some(folder), false) => format!("{}: {}", folder.display(), checks.join(", ")),
    };
    let file = configuration.file.as_deref();
    format!(
        "configuration file: {}\nchecks in SQL: {folder}\nobservers: {}\n`pghaul steps` and `pghaul checks` list what they add.\n",
        file.map_or_else(|| none(for_file), |path| path.display().to_string()),
        configuration.observers.len(),
    )
}

fn none(looked_for: &[PathBuf]) -> String {
    let paths: Vec<String> = looked_for.iter().map(|path| shown(path)).collect();
    match paths.is_empty() {
        true => "none".to_owned(),
        false => format!("none; looked for {}", paths.join(" and ")),
    }
}

/// Absolute, as the user may be in another directory than expected.
fn shown(path: &Path) -> String {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    path.display().to_string()
}

/// The names of the checks in SQL.
fn in_sql(registry: &Registry) -> Vec<&'static str> {
    let cluster = registry.cluster_checks().iter().map(|c| c.descriptor().name);
    let database = registry.database_checks().iter().map(|c| c.descriptor().name);
    let all = cluster.chain(database);
    all.filter(|name| matches!(registry.origin_of_check(name), Origin::Sql(_)))
        .collect()
}
