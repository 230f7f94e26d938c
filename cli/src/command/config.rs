//! `pghaul config`.

use super::Session;
use crate::args::{ConfigCommand, ConfigCommandArgs};
use crate::configuration::{example, schema};
use crate::exit_code::ExitCode;
use pghaul_core::Failure;
use std::path::Path;

/// Shows what the configuration is, or can be.
pub(crate) fn config(session: &Session, args: &ConfigCommandArgs) -> Result<ExitCode, Failure> {
    match args.command {
        // It has been validated by now.
        ConfigCommand::Check(_) => session.printer.answer(&found(session))?,
        ConfigCommand::Example => session.printer.answer(&example()?)?,
        ConfigCommand::Schema => session.printer.json(&schema())?,
    }
    Ok(ExitCode::Success)
}

fn found(session: &Session) -> String {
    let configuration = &session.configuration;
    let path = |path: Option<&Path>| path.map_or("none".to_owned(), |path| path.display().to_string());
    format!(
        "configuration file: {}\nchecks in SQL: {}\nobservers: {}\n`pghaul steps` and `pghaul checks` list what they add.\n",
        path(configuration.file.as_deref()),
        path(configuration.sql_checks.as_deref()),
        configuration.observers.len(),
    )
}
