//! `pghaul doctor`: everything of pghaul on the servers, and its removal where the journal is lost.

use super::Session;
use super::survey::drop_abandoned_rehearsals;
use crate::args::DoctorArgs;
use crate::exit_code::ExitCode;
use crate::journals;
use crate::report::doctor::{Diagnosis, Whose, json, text};
use crate::servers::{Given, Known as Servers};
use pghaul_core::event::Created;
use pghaul_core::machine::DatabaseRecord;
use pghaul_core::{Code, Failure, MigrationId, Side, StepName, StepState};
use pghaul_engine::doctor::{Cleanup, Known, Looked, Remain, Unseen, examine, judge};
use pghaul_step::Registry;
use pghaul_store::{JournalFile, Listed, Standing};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, IsTerminal as _, stdin};

/// Shows what is there, or drops what is left of one migration.
pub(crate) async fn doctor(session: &Session, args: &DoctorArgs) -> Result<ExitCode, Failure> {
    let file = match journals::open(session, &args.journal) {
        Ok(file) => Some(file),
        // Without a journal there is all the more to look for.
        Err(_) if args.journal.journal.is_none() => None,
        Err(failure) if args.drop.is_none() => return Err(failure),
        Err(_) => None,
    };
    let listed = match &file {
        Some(file) => file.migrations()?,
        None => Vec::new(),
    };
    let journaled = match &file {
        Some(file) => journaled(file, &listed, args)?,
        None => None,
    };
    let servers = Given::new(&args.servers)?.any(journaled.as_ref())?;
    if servers.source.is_none() && servers.target.is_none() {
        return Err(
            Failure::new(Code::BadInput, "there is no server to look at").with_hint(
                "give --source, --target or both; with an open migration in the journal, its servers are looked at",
            ),
        );
    }
    if let Some(target) = &servers.target {
        drop_abandoned_rehearsals(session, target).await;
    }
    match &args.drop {
        None => {
            let copying = file.map(|file| copying(&file, &listed, &session.registry));
            let copying = copying.unwrap_or_default();
            show(session, args, &look(&listed, &servers, &copying).await)
        }
        Some(id) => drop_remains(session, args, &servers, &listed, id).await,
    }
}

/// The migration whose servers are looked at when none is given.
fn journaled(file: &JournalFile, listed: &[Listed], args: &DoctorArgs) -> Result<Option<Created>, Failure> {
    if args.servers.source.is_some() || args.servers.target.is_some() || listed.is_empty() {
        return Ok(None);
    }
    let entry = journals::existing(file, args.journal.name.as_deref())?;
    let found = listed.iter().find(|l| l.entry.id == entry.id);
    Ok(found.and_then(|l| l.created.clone()))
}

/// The databases of each open migration, by their numbers, whose initial copy is not finished.
fn copying(
    file: &JournalFile,
    listed: &[Listed],
    registry: &Registry,
) -> BTreeMap<MigrationId, BTreeSet<u32>> {
    let readers: Vec<StepName> = registry
        .steps()
        .filter(|step| step.reads_slots)
        .map(|step| StepName::from(step.name))
        .collect();
    let open = listed
        .iter()
        .filter(|listed| matches!(listed.standing, Standing::Open));
    open.filter_map(|listed| {
        let id = &listed.entry.id;
        // One that can't be read is told elsewhere.
        let migration = file.read_migration(id).ok()?.load().ok()?.migration;
        let databases = migration.databases.values();
        let is_read = |d: &&DatabaseRecord| {
            readers
                .iter()
                .any(|step| d.step_state(step) == StepState::Finished)
        };
        let copying = databases.filter(|d| !is_read(d));
        Some((id.clone(), copying.map(|d| d.number).collect()))
    })
    .collect()
}

async fn look(
    listed: &[Listed],
    servers: &Servers,
    copying: &BTreeMap<MigrationId, BTreeSet<u32>>,
) -> Diagnosis {
    let mut remains: Vec<Remain> = Vec::new();
    let mut unseen: Vec<Unseen> = Vec::new();
    let unreachable = |side: Side, failure: Failure| Unseen {
        side,
        what: "the server".to_owned(),
        failure,
    };
    let mut looked = Looked {
        source: false,
        target: false,
    };
    let mut subscriptions = Default::default();
    if let Some(target) = &servers.target {
        match examine(target, &Default::default()).await {
            Ok(((found, not), own)) => {
                looked.target = true;
                remains.extend(found);
                unseen.extend(not);
                subscriptions = own;
            }
            Err(failure) => unseen.push(unreachable(Side::Target, failure)),
        }
    }
    if let Some(source) = &servers.source {
        match examine(source, &subscriptions).await {
            Ok(((found, not), _)) => {
                looked.source = true;
                remains.splice(0..0, found);
                unseen.extend(not);
            }
            Err(failure) => unseen.push(unreachable(Side::Source, failure)),
        }
    }
    let known: BTreeMap<MigrationId, Known> = listed
        .iter()
        .map(|l| match l.standing {
            Standing::Ended => (l.entry.id.clone(), Known::Ended),
            Standing::Open | Standing::Unreadable(_) => {
                let copying = copying.get(&l.entry.id).cloned().unwrap_or_default();
                (l.entry.id.clone(), Known::Open { copying })
            }
        })
        .collect();
    let troubles = judge(&remains, &known, looked);
    let whose = listed.iter().map(|l| (l.entry.id.clone(), whose(l))).collect();
    Diagnosis {
        remains: remains.into_iter().zip(troubles).collect(),
        unseen,
        whose,
    }
}

fn whose(listed: &Listed) -> Whose {
    let standing = match listed.standing {
        Standing::Open => "open",
        Standing::Ended => "removed",
        Standing::Unreadable(_) => "unreadable",
    };
    Whose {
        name: listed.entry.name.clone(),
        standing,
    }
}

fn show(session: &Session, args: &DoctorArgs, diagnosis: &Diagnosis) -> Result<ExitCode, Failure> {
    if args.json {
        session.printer.json(&json(diagnosis))?;
    } else {
        session.printer.answer(&text(diagnosis))?;
    }
    for unseen in &diagnosis.unseen {
        session.printer.error(&unseen.failure);
    }
    Ok(match diagnosis.unseen.first() {
        _ if diagnosis.is_ailing() => ExitCode::Ailing,
        Some(unseen) => unseen.failure.code.into(),
        None => ExitCode::Success,
    })
}

async fn drop_remains(
    session: &Session,
    args: &DoctorArgs,
    servers: &Servers,
    listed: &[Listed],
    id: &str,
) -> Result<ExitCode, Failure> {
    let migration = MigrationId::new(id);
    let open = |l: &&Listed| l.entry.id == migration && matches!(l.standing, Standing::Open);
    if let Some(open) = listed.iter().find(open) {
        return Err(Failure::new(
            Code::BadInput,
            format!("migration {id} is open in this journal, as {}", open.entry.name),
        )
        .with_hint("take it off the servers with `pghaul remove`, or `pghaul remove --force`: the journal then knows"));
    }
    let diagnosis = look(listed, servers, &BTreeMap::new()).await;
    if let Some(unseen) = diagnosis.unseen.iter().find(|u| u.what == "the server") {
        return Err(unseen.failure.clone());
    }
    let own = diagnosis.only(&migration);
    if own.remains.is_empty() {
        session
            .printer
            .note(&format!("there is nothing of migration {id} on the servers"));
        return Ok(ExitCode::Success);
    }
    session.printer.to_stderr(&text(&own));
    if !args.yes {
        confirm(session, id)?;
    }
    Cleanup {
        migration: &migration,
        source: servers.source.as_ref(),
        target: servers.target.as_ref(),
        registry: &session.registry,
    }
    .run()
    .await?;
    let left = look(listed, servers, &BTreeMap::new()).await.only(&migration);
    if !left.remains.is_empty() {
        return show(session, args, &left);
    }
    session
        .printer
        .note(&format!("nothing of migration {id} is left; no row was touched"));
    Ok(ExitCode::Success)
}

/// Lets the user type the id again.
fn confirm(session: &Session, id: &str) -> Result<(), Failure> {
    if !stdin().is_terminal() {
        return Err(Failure::new(
            Code::BadInput,
            "nothing was dropped: there is no terminal to ask at",
        )
        .with_hint("give --yes when you have seen what is listed"));
    }
    session
        .printer
        .to_stderr(&format!("Type {id} to drop these from the servers: "));
    let mut answer = String::new();
    let read = stdin().lock().read_line(&mut answer);
    if read.is_err() || answer.trim() != id {
        return Err(Failure::new(Code::BadInput, "nothing was dropped").with_hint("the id was not typed"));
    }
    Ok(())
}
