//! `pghaul journal`: is the journal as it was written, and how does it get to another machine.

use super::Session;
use crate::args::{ExportArgs, ImportArgs, JournalCommand, VerifyArgs};
use crate::exit_code::ExitCode;
use crate::journals;
use crate::report::journal::{Verified, json, text};
use pghaul_core::journal::Head;
use pghaul_core::{Code, Failure};
use pghaul_store::{JournalFile, MigrationEntry, StoreError};
use std::fs::File;
use std::io::{BufRead, BufReader, stdin};
use std::path::Path;

/// Does what was asked for.
pub(crate) fn journal(session: &Session, command: &JournalCommand) -> Result<ExitCode, Failure> {
    match command {
        JournalCommand::Verify(args) => verify(session, args),
        JournalCommand::Export(args) => export(session, args),
        JournalCommand::Import(args) => import(session, args),
    }
}

/// Verifies one migration where one is named or a head is given, else all of the file.
fn verify(session: &Session, args: &VerifyArgs) -> Result<ExitCode, Failure> {
    let file = journals::open(session, &args.journal)?;
    let entries = if args.head.is_some() || args.journal.name.is_some() {
        vec![journals::existing(&file, args.journal.name.as_deref())?]
    } else {
        let listed = file.migrations()?;
        listed.into_iter().map(|listed| listed.entry).collect()
    };
    let verified: Vec<Verified> = entries
        .into_iter()
        .map(|entry| Verified {
            verdict: verdict(&file, &entry, args.head.as_ref()).map_err(Failure::from),
            entry,
        })
        .collect();
    if args.json {
        session.printer.json(&json(file.path(), &verified))?;
    } else {
        session.printer.answer(&text(&verified))?;
    }
    let failures: Vec<&Failure> = verified.iter().filter_map(|v| v.verdict.as_ref().err()).collect();
    for failure in &failures {
        session.printer.error(failure);
    }
    Ok(failures
        .first()
        .map_or(ExitCode::Success, |failure| failure.code.into()))
}

fn verdict(file: &JournalFile, entry: &MigrationEntry, head: Option<&Head>) -> Result<Head, StoreError> {
    let open = file.read_migration(&entry.id)?;
    match head {
        Some(head) => open.verify_since(head),
        None => open.verify(),
    }
}

fn export(session: &Session, args: &ExportArgs) -> Result<ExitCode, Failure> {
    let file = journals::open(session, &args.journal)?;
    let entry = journals::existing(&file, args.journal.name.as_deref())?;
    let open = file.read_migration(&entry.id)?;
    if is_stream(&args.file) {
        let mut text = Vec::new();
        open.export(&mut text)?;
        session.printer.verbatim(&String::from_utf8_lossy(&text))?;
        return Ok(ExitCode::Success);
    }
    if args.file.exists() {
        return Err(
            Failure::new(Code::BadInput, format!("{} exists", args.file.display()))
                .with_hint("name a file that does not exist: an export is never written over something"),
        );
    }
    let head = open.export_to(&args.file)?;
    session.printer.note(&format!(
        "{}: migration {} up to {head}",
        args.file.display(),
        entry.name
    ));
    Ok(ExitCode::Success)
}

fn import(session: &Session, args: &ImportArgs) -> Result<ExitCode, Failure> {
    let mut text: Box<dyn BufRead> = if is_stream(&args.file) {
        Box::new(BufReader::new(stdin()))
    } else {
        let failed = |error| {
            Failure::new(Code::BadInput, format!("{} can't be read", args.file.display()))
                .with_cause(error)
                .with_hint("name a file that `pghaul journal export` has written")
        };
        Box::new(BufReader::new(File::open(&args.file).map_err(failed)?))
    };
    let path = journals::path_or_default(args.journal.as_deref())?;
    let imported = JournalFile::import_at(path, session.registry.versions(), &mut text)?;
    session.printer.answer(&format!(
        "migration {} ({}): {} events more, up to {}\n",
        imported.name, imported.id, imported.added, imported.head
    ))?;
    session
        .printer
        .note("go on with `pghaul run`; with --take-over where the last runner has not ended in order");
    Ok(ExitCode::Success)
}

/// `-`, as everywhere.
fn is_stream(file: &Path) -> bool {
    file == Path::new("-")
}
