//! The journal file, and which migration in it is meant.

use crate::args::JournalArgs;
use crate::command::Session;
use crate::moment::Place;
use crate::servers::Identities;
use crate::view::Times;
use etcetera::BaseStrategy as _;
use pghaul_core::event::Created;
use pghaul_core::{Code, DatabaseEvent, Envelope, Event, Failure, MigrationId, Seq, Side};
use pghaul_step::shell_word;
use pghaul_store::{JournalFile, Listed, MigrationEntry, OpenMigration, Standing, StoreError};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Where the journal is.
///
/// # Errors
/// When there is no home directory to put it in.
pub(crate) fn path(args: &JournalArgs) -> Result<PathBuf, Failure> {
    path_or_default(args.journal.as_deref())
}

/// The given file, or the one that is used where none is given.
///
/// # Errors
/// As [`path`].
pub(crate) fn path_or_default(given: Option<&Path>) -> Result<PathBuf, Failure> {
    if let Some(path) = given {
        return Ok(path.to_owned());
    }
    let strategy = etcetera::base_strategy::Xdg::new().map_err(|error| {
        Failure::new(
            Code::JournalUnusable,
            "there is no home directory to keep the journal in",
        )
        .with_cause(error)
        .with_hint("name a file with --journal or PGHAUL_JOURNAL")
    })?;
    let state = strategy.state_dir().unwrap_or_else(|| strategy.data_dir());
    Ok(state.join("pghaul").join("journal.db"))
}

/// A migration's own directory for files, beside the journal.
pub(crate) fn state_directory(file: &JournalFile, id: &MigrationId) -> PathBuf {
    let mut name = OsString::from(file.path());
    name.push(".d");
    PathBuf::from(name).join(id.as_str())
}

/// Opens the journal for reading.
///
/// # Errors
/// When there is none or it can't be read.
pub(crate) fn open(session: &Session, args: &JournalArgs) -> Result<JournalFile, Failure> {
    Ok(JournalFile::open(path(args)?)?.with_versions(session.registry.versions()))
}

/// The migration that a command is about which needs one: the named one; the only open one; where none is open,
/// the last one.
///
/// # Errors
/// When there is none, or when several are open.
pub(crate) fn existing(file: &JournalFile, name: Option<&str>) -> Result<MigrationEntry, Failure> {
    if let Some(name) = name {
        return file.find(name)?.ok_or_else(|| unknown(file, name));
    }
    let all = file.migrations()?;
    let mut open = all.iter().filter(|listed| !ended(listed));
    match (open.next(), open.next()) {
        (Some(only), None) => Ok(only.entry.clone()),
        (Some(_), Some(_)) => Err(ambiguous(all.iter().filter(|listed| !ended(listed)))),
        (None, _) => match all.last() {
            Some(last) => Ok(last.entry.clone()),
            None => Err(Failure::new(Code::BadInput, "the journal holds no migration")
                .with_hint("begin one with `pghaul run`")),
        },
    }
}

/// Which migration `run` goes on with.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    /// One that the journal holds.
    Existing(MigrationEntry),
    /// A new one, by that name where one was given.
    New(Option<String>),
}

/// The named migration; else the only open one, between these servers where they are given; else a new one.
///
/// # Errors
/// When several are open, or when none is and a server is not given.
pub(crate) fn choose(
    file: &JournalFile,
    name: Option<&str>,
    identities: &Identities,
) -> Result<Choice, Failure> {
    if let Some(name) = name {
        return Ok(file
            .find(name)?
            .map_or_else(|| Choice::New(Some(name.to_owned())), Choice::Existing));
    }
    let all = file.migrations()?;
    let mut fitting = Vec::new();
    let mut replaced = None;
    for listed in all.into_iter().filter(|listed| !ended(listed)) {
        match (&listed.created, &listed.standing) {
            (Some(created), _) if identities.fit(created) => fitting.push(listed),
            (Some(created), _) => replaced = replaced.or(identities.replaces(created).zip(Some(listed))),
            // It may be one between these servers: going on without it could double everything.
            (None, Standing::Unreadable(_)) => return Err(unreadable(listed)),
            (None, _) => {}
        }
    }
    match (fitting.as_slice(), replaced) {
        ([], None) => Ok(Choice::New(None)),
        ([], Some((side, listed))) => Err(replaced_server(side, &listed.entry.name)),
        ([only], _) => Ok(Choice::Existing(only.entry.clone())),
        (several, _) => Err(ambiguous(several.iter())),
    }
}

/// Another server has the address of a migration's: whoever upgraded or restored it will not want a second migration, whose first
/// one makes the other server retain WAL.
fn replaced_server(side: Side, name: &str) -> Failure {
    let message =
        format!("another server is at the address of the {side} of migration {name}, which is open");
    let name = shell_word(name);
    Failure::new(Code::OtherServer, message)
        .with_side(side)
        .with_hint(format!(
            "where the {side} was replaced for good, end that migration with `pghaul remove --name {name} --force --gone {side}`, and run again; to leave it as it is, begin another one with another --name"
        ))
}

/// The ended migrations between these servers, the oldest first.
///
/// # Errors
/// When the journal can't be read.
pub(crate) fn ended_between(
    file: &JournalFile,
    identities: &Identities,
) -> Result<Vec<MigrationEntry>, Failure> {
    let fits = |listed: &Listed| {
        ended(listed)
            && listed
                .created
                .as_ref()
                .is_some_and(|created| identities.fit(created))
    };
    let all = file.migrations()?.into_iter().filter(fits);
    Ok(all.map(|listed| listed.entry).collect())
}

/// Refuses a number that no event of the journal has: what comes after its end is not known.
///
/// # Errors
/// [`Code::BadInput`] with the last event's number; or when the journal can't be read.
pub(crate) fn check_place(open: &OpenMigration, place: Option<Place>) -> Result<(), Failure> {
    let Some(Place::Seq(seq)) = place else {
        return Ok(());
    };
    if open.hash_at(Seq(seq))?.is_some() {
        return Ok(());
    }
    let end = open.load()?.head.seq;
    Err(Failure::new(
        Code::BadInput,
        format!("the journal has no event {seq}; it ends at event {end}"),
    )
    .with_hint("`pghaul history --limit 1 --reverse` shows its last event"))
}

/// When databases were proven last, by the times of their events; up to an event, where one is given.
///
/// # Errors
/// When the journal can't be read.
pub(crate) fn times(open: &OpenMigration, until: Option<Seq>) -> Result<Times, StoreError> {
    open.proven_at(until)
}

/// Notes when a state was proven, for an event that says so.
pub(crate) fn note_proof(times: &mut Times, envelope: Envelope) {
    if let Event::Database(name, DatabaseEvent::SyncingProven { .. } | DatabaseEvent::DoneProven { .. }) =
        envelope.event
    {
        times.insert(name, envelope.at);
    }
}

/// The created event of a migration.
///
/// # Errors
/// When the journal does not hold it, which is damage.
pub(crate) fn created(migration: &pghaul_core::Migration) -> Result<Created, Failure> {
    migration.created.clone().ok_or_else(|| {
        Failure::new(Code::JournalDamaged, "the migration has no first event")
            .with_hint("restore the journal from a backup")
    })
}

fn ended(listed: &Listed) -> bool {
    matches!(listed.standing, Standing::Ended)
}

fn unknown(file: &JournalFile, name: &str) -> Failure {
    let known: Vec<String> = file
        .migrations()
        .unwrap_or_default()
        .into_iter()
        .map(|l| l.entry.name)
        .collect();
    let failure = Failure::new(Code::BadInput, format!("the journal holds no migration {name:?}"));
    match known.as_slice() {
        [] => failure.with_hint("begin one with `pghaul run`"),
        known => failure.with_hint(format!("it holds: {}", known.join(", "))),
    }
}

fn ambiguous<'a>(open: impl Iterator<Item = &'a Listed>) -> Failure {
    let failure = Failure::new(Code::BadInput, "several migrations are open");
    let failure = open.fold(failure, |failure, listed| {
        let between = listed
            .created
            .as_ref()
            .map(|c| format!(": from {} to {}", c.source.conninfo, c.target.conninfo))
            .unwrap_or_default();
        failure.with_cause(format!(
            "{} of {}{between}",
            listed.entry.name, listed.entry.created_at
        ))
    });
    failure.with_hint(
        "say which one with --name; one that never began to act on a server, such as one with a mistyped target, is ended by \
         `pghaul migrations close NAME`",
    )
}

fn unreadable(listed: Listed) -> Failure {
    let name = listed.entry.name;
    match listed.standing {
        Standing::Unreadable(error) => Failure::from(error),
        _ => Failure::new(Code::JournalUnusable, format!("migration {name} can't be read")),
    }
}

#[cfg(test)]
mod tests {
    use super::{Choice, choose, existing};
    use crate::servers::Identities;
    use pghaul_core::event::{Created, Endpoint};
    use pghaul_core::{Code, MigrationId};
    use pghaul_store::JournalFile;

    fn endpoint(system_identifier: &str) -> Endpoint {
        let conninfo = format!("host={system_identifier}");
        Endpoint {
            conninfo,
            system_identifier: system_identifier.to_owned(),
            version: 150_018,
        }
    }

    /// A journal with a migration from `old` to each of the targets, named like it.
    fn journal(directory: &tempfile::TempDir, targets: &[&str]) -> JournalFile {
        let file = JournalFile::create(directory.path().join("journal.db")).unwrap();
        for (number, target) in targets.iter().enumerate() {
            let (source, target, name) = (endpoint("old"), endpoint(target), (*target).to_owned());
            let created = Created {
                name,
                source,
                target,
                pghaul: "0".to_owned(),
            };
            file.begin(&MigrationId::new(format!("aaaaaaa{number}")), created)
                .unwrap();
        }
        file
    }

    fn between(source: Option<&str>, target: Option<&str>) -> Identities {
        Identities::of(source.map(endpoint), target.map(endpoint))
    }

    fn chosen(file: &JournalFile, name: Option<&str>, identities: &Identities) -> Result<String, Code> {
        match choose(file, name, identities) {
            Ok(Choice::Existing(entry)) => Ok(entry.name),
            Ok(Choice::New(name)) => Ok(format!("new {name:?}")),
            Err(failure) => Err(failure.code),
        }
    }

    #[test]
    fn run_finds_the_migration_between_the_servers() {
        let directory = tempfile::tempdir().unwrap();
        let file = journal(&directory, &["one", "two"]);
        let choose = |name, source, target| chosen(&file, name, &between(source, target));
        assert_eq!(choose(None, Some("old"), Some("two")).unwrap(), "two");
        assert_eq!(choose(None, None, Some("one")).unwrap(), "one");
        assert_eq!(choose(None, Some("old"), Some("three")).unwrap(), "new None");
        assert_eq!(choose(None, Some("other"), Some("one")).unwrap(), "new None");
        assert_eq!(choose(Some("one"), None, None).unwrap(), "one");
        assert_eq!(choose(Some("x"), None, None).unwrap(), "new Some(\"x\")");
        assert_eq!(choose(None, Some("old"), None), Err(Code::BadInput), "two fit");
    }

    #[test]
    fn status_needs_a_name_where_several_are_open() {
        let directory = tempfile::tempdir().unwrap();
        let file = journal(&directory, &["one", "two"]);
        let ambiguous = existing(&file, None).unwrap_err();
        assert_eq!(ambiguous.code, Code::BadInput);
        assert_eq!(ambiguous.causes.len(), 2, "both are listed: {ambiguous:?}");
        assert_eq!(existing(&file, Some("two")).unwrap().name, "two");
        assert_eq!(
            existing(&file, Some("x")).unwrap_err().hint.as_deref(),
            Some("it holds: one, two")
        );
        let other = tempfile::tempdir().unwrap();
        assert_eq!(existing(&journal(&other, &["one"]), None).unwrap().name, "one");
        let empty = tempfile::tempdir().unwrap();
        assert_eq!(
            existing(&journal(&empty, &[]), None).unwrap_err().code,
            Code::BadInput
        );
    }

    #[test]
    fn another_server_at_the_address_of_an_open_migration_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let file = journal(&directory, &["new"]);
        let replaced = Endpoint {
            system_identifier: "restored".to_owned(),
            ..endpoint("new")
        };
        let identities = Identities::of(Some(endpoint("old")), Some(replaced));
        assert_eq!(chosen(&file, None, &identities), Err(Code::OtherServer));
        assert_eq!(
            chosen(&file, Some("another"), &identities),
            Ok("new Some(\"another\")".to_owned())
        );
    }
}
