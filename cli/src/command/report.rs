//! `pghaul report`: a whole migration in one file, from the journal alone.

use super::Session;
use crate::account::Account;
use crate::args::ReportArgs;
use crate::exit_code::ExitCode;
use crate::journals;
use crate::report::account::{markdown, page};
use pghaul_core::{Code, Failure};
use std::io::Write as _;
use std::path::Path;

/// Writes it.
pub(crate) fn report(session: &Session, args: &ReportArgs) -> Result<ExitCode, Failure> {
    let file = journals::open(session, &args.journal)?;
    let entry = journals::existing(&file, args.journal.name.as_deref())?;
    let open = file.read_migration(&entry.id)?;
    let account = Account::read(&open, None)?;
    let version = env!("CARGO_PKG_VERSION");
    let text = if args.markdown {
        markdown(&account, version)
    } else {
        page(&account, version)
    };
    match &args.output {
        Some(path) => write(path, &text)?,
        None => session.printer.verbatim(&text)?,
    }
    Ok(ExitCode::Success)
}

/// The file appears whole or not at all, readable by its owner alone.
fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let written = tempfile::NamedTempFile::new_in(directory).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.persist(path).map_err(|error| error.error)
    });
    let failed = |error| {
        Failure::new(
            Code::OutOfResources,
            format!("{} can't be written", path.display()),
        )
        .with_cause(error)
        .with_hint("name another file with --output, or leave it out for standard output")
    };
    written.map(drop).map_err(failed)
}
