//! `pghaul migrations`: lists the migrations of the journal, and ends those that never began.

use super::Session;
use crate::args::{CloseArgs, JournalArgs, MigrationsArgs, MigrationsCommand};
use crate::exit_code::ExitCode;
use crate::journals;
use crate::report::migrations::{self, Summary};
use crate::runner::{Locked, Start};
use crate::view::View;
use pghaul_core::{Code, Failure, Migration, escaped};
use pghaul_store::{JournalFile, MigrationEntry};

/// Does what was asked for.
pub(crate) async fn migrations(session: &Session, args: &MigrationsArgs) -> Result<ExitCode, Failure> {
    let journal = JournalArgs {
        journal: args.journal.clone(),
        ..JournalArgs::default()
    };
    let file = journals::open(session, &journal)?;
    match &args.command {
        None => list(session, args, &file),
        Some(MigrationsCommand::Close(close_args)) => close(session, &file, close_args).await,
    }
}

fn list(session: &Session, args: &MigrationsArgs, file: &JournalFile) -> Result<ExitCode, Failure> {
    let listed = file.migrations()?;
    let all: Vec<Summary> = listed
        .into_iter()
        .map(|listed| Summary {
            state: summarize(file, &listed.entry),
            entry: listed.entry,
        })
        .collect();
    if args.json {
        session.printer.json(&migrations::json(&all))?;
    } else {
        session.printer.answer(&migrations::text(&all))?;
    }
    Ok(ExitCode::Success)
}

fn summarize(file: &JournalFile, entry: &MigrationEntry) -> Result<migrations::State, Failure> {
    let open = file.read_migration(&entry.id)?;
    let loaded = open.load()?;
    let last = loaded.head.seq;
    let before = pghaul_core::Seq(last.0.saturating_sub(1));
    let last_event_at = match open.events_after(before)?.next() {
        Some(envelope) => envelope?.at,
        None => entry.created_at.clone(),
    };
    let view = View::of_journal(
        &entry.id,
        &loaded.migration,
        loaded.head,
        &journals::times(&open, None)?,
    );
    Ok(migrations::State {
        acted: loaded.migration.has_acted(),
        ended: loaded.migration.is_removed(),
        runner: loaded.migration.runner,
        last_event_at,
        view,
    })
}

/// Ends a migration of which nothing can be on a server.
async fn close(session: &Session, file: &JournalFile, args: &CloseArgs) -> Result<ExitCode, Failure> {
    let entry = journals::existing(file, Some(&args.name))?;
    let name = &entry.name;
    let locked = Locked::take(file, &entry.id)?;
    if locked.read(Migration::is_removed) {
        session.printer.note(&format!(
            "migration {name} has ended already: there is nothing to do"
        ));
        return Ok(ExitCode::Success);
    }
    if locked.read(Migration::has_acted) {
        return Err(Failure::new(
            Code::NotSafeToRemove,
            format!("migration {name} can't be closed: it has begun to act on the servers"),
        )
        .with_hint(format!(
            "`pghaul status --name {name}` shows what is there; `pghaul remove --name {name}` takes what pghaul has made off both \
             servers and ends it, with --force where the target may lack something"
        )));
    }
    locked.check_last_runner(false)?;
    let start = Start {
        command: "migrations close",
        take_over: false,
        reason: args.reason.clone(),
    };
    let head = locked.close(session, &start, None).await?;
    locked.clear_state_directory();
    session.printer.answer(&format!(
        "migration {} is closed; nothing of it is on any server\njournal  {head}\n",
        escaped(name)
    ))?;
    Ok(ExitCode::Success)
}
