//! `pghaul journal`: is the journal as it was written, and how does it get to another machine.

use super::Session;
use crate::anchor::{self, Anchor, Verifier};
use crate::args::{ExportArgs, ImportArgs, JournalCommand, VerifyArgs};
use crate::exit_code::ExitCode;
use crate::journals;
use crate::report::journal::{Verified, json, text};
use pghaul_core::journal::Head;
use pghaul_core::{Code, Failure, MigrationId, escaped};
use pghaul_store::{JournalFile, MigrationEntry, StoreError};
use std::collections::BTreeSet;
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

/// Verifies one migration where one is named or a head is given, else all of the file; with anchors, those of each.
fn verify(session: &Session, args: &VerifyArgs) -> Result<ExitCode, Failure> {
    let file = journals::open(session, &args.journal)?;
    let entries = if args.head.is_some() || args.journal.name.is_some() {
        vec![journals::existing(&file, args.journal.name.as_deref())?]
    } else {
        let listed = file.migrations()?;
        listed.into_iter().map(|listed| listed.entry).collect()
    };
    let anchors = args.anchor.as_deref().map(anchor::read).transpose()?;
    let compares = anchors.is_some();
    let mut anchors = anchors.unwrap_or_default();
    if let (true, Some(_), [entry]) = (compares, &args.journal.name, entries.as_slice()) {
        anchors.retain(|anchor| anchor.migration == entry.id || anchor.name == entry.name);
        confirm(entry, &anchors)?;
    }
    let missing = missing(&file, &anchors)?;
    let verifier = args.signed_by.as_deref().map(Verifier::read).transpose()?;
    let verified: Vec<Verified> = entries
        .into_iter()
        .map(|entry| {
            let own: Vec<&Anchor> = anchors
                .iter()
                .filter(|anchor| anchor.migration == entry.id)
                .collect();
            let verdict = verdict(&file, &entry, args.head.as_ref())
                .map_err(Failure::from)
                .and_then(|head| hold(&file, &entry, &own, verifier.as_ref()).map(|()| head));
            Verified {
                verdict,
                anchors: compares.then_some(own.len()),
                entry,
            }
        })
        .collect();
    if args.json {
        session.printer.json(&json(file.path(), &verified))?;
    } else {
        session.printer.answer(&text(&verified))?;
    }
    let of_verified = verified.iter().filter_map(|v| v.verdict.as_ref().err());
    let failures: Vec<&Failure> = of_verified.chain(&missing).collect();
    for failure in &failures {
        session.printer.error(failure);
    }
    Ok(failures
        .first()
        .map_or(ExitCode::Success, |failure| failure.code.into()))
}

/// Refuses anchors that say nothing of the one migration that is asked for.
fn confirm(entry: &MigrationEntry, anchors: &[Anchor]) -> Result<(), Failure> {
    if anchors.iter().any(|anchor| anchor.migration == entry.id) {
        return Ok(());
    }
    let MigrationEntry { name, id, .. } = entry;
    let message = match anchors.first() {
        None => format!("none of the anchors is of migration {name} ({id})"),
        Some(other) => {
            let id_of_anchor = &other.migration;
            format!(
                "the anchors of a migration {name} are of {id_of_anchor}, not of {id}, which the journal holds"
            )
        }
    };
    Err(Failure::new(Code::JournalDamaged, message).with_hint(
        "name the file that --anchor has written in its runs, or find the journal that was written then",
    ))
}

/// Migrations that anchors name and the journal lacks.
fn missing(file: &JournalFile, anchors: &[Anchor]) -> Result<Vec<Failure>, Failure> {
    let ids: BTreeSet<&MigrationId> = anchors.iter().map(|anchor| &anchor.migration).collect();
    let mut failures = Vec::new();
    for id in ids {
        if file.find(id.as_str())?.is_none_or(|entry| entry.id != *id) {
            let message = format!("the journal does not hold migration {id}, of which there are anchors");
            failures.push(Failure::new(Code::JournalDamaged, message).with_hint(
                "find the journal that holds it; this one was replaced, or the migration was taken out of it. With --name, only anchors of \
                 that migration count",
            ));
        }
    }
    Ok(failures)
}

/// Whether the journal holds the event of each anchor.
fn hold(
    file: &JournalFile,
    entry: &MigrationEntry,
    anchors: &[&Anchor],
    verifier: Option<&Verifier>,
) -> Result<(), Failure> {
    let open = file.read_migration(&entry.id)?;
    for anchor in anchors {
        if let Some(verifier) = verifier {
            verifier.verify(anchor)?;
        }
        let head = anchor.head()?;
        if open.hash_at(head.seq)?.as_deref() != Some(head.hash.as_str()) {
            // It says what is wrong.
            open.verify_since(&head)?;
        }
    }
    Ok(())
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
        escaped(&imported.name),
        imported.id,
        imported.added,
        imported.head
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

#[cfg(test)]
mod tests {
    use super::{confirm, hold, missing};
    use crate::anchor::Anchor;
    use pghaul_core::event::{Created, Endpoint, Invocation};
    use pghaul_core::{Code, MigrationId};
    use pghaul_store::JournalFile;

    fn journal(directory: &std::path::Path, name: &str, id: &MigrationId, version: u32) -> JournalFile {
        let side = || Endpoint {
            conninfo: String::new(),
            system_identifier: "1".to_owned(),
            version,
        };
        let created = Created {
            name: "shops".to_owned(),
            source: side(),
            target: side(),
            pghaul: "0".to_owned(),
        };
        let file = JournalFile::create(directory.join(name)).unwrap();
        file.begin(id, created).unwrap();
        file
    }

    /// A rewritten journal is whole in itself, its hashes fit: only what was kept elsewhere tells.
    #[test]
    fn a_rewritten_or_replaced_journal_does_not_fit_an_anchor() {
        let directory = tempfile::tempdir().unwrap();
        let (id, other) = (MigrationId::new("aaaaaaaa"), MigrationId::new("bbbbbbbb"));
        let file = journal(directory.path(), "true.db", &id, 150_000);
        let entry = file.find("shops").unwrap().unwrap();
        let head = file.read_migration(&id).unwrap().verify().unwrap();
        let anchor = Anchor::new((&id, "shops"), &head, "remove", &Invocation::default());
        let anchors = [anchor];
        assert_eq!(hold(&file, &entry, &[&anchors[0]], None), Ok(()));
        assert_eq!(missing(&file, &anchors), Ok(Vec::new()));

        let rewritten = journal(directory.path(), "rewritten.db", &id, 160_000);
        rewritten.read_migration(&id).unwrap().verify().unwrap();
        let found = hold(&rewritten, &entry, &[&anchors[0]], None).unwrap_err();
        assert_eq!(found.code, Code::JournalDamaged, "{found}");

        let replaced = journal(directory.path(), "replaced.db", &other, 150_000);
        let found = missing(&replaced, &anchors).unwrap();
        assert_eq!(found[0].code, Code::JournalDamaged);
        // Whole in itself, by the same name: that the anchors say nothing of it must not look like a confirmation.
        let entry_of_other = replaced.find("shops").unwrap().unwrap();
        for anchors in [&anchors[..], &[]] {
            let found = confirm(&entry_of_other, anchors).unwrap_err();
            assert_eq!(found.code, Code::JournalDamaged, "{found}");
        }
        assert_eq!(confirm(&entry, &anchors), Ok(()));
    }
}
