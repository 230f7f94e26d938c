//! What working on a migration led to, and how that is shown: for `run` and `remove`.

use super::Session;
use crate::account::{Account, Summary};
use crate::args::JournalArgs;
use crate::exit_code::ExitCode;
use crate::journals;
use crate::report;
use crate::runner::Locked;
use crate::signals::Signals;
use crate::view::{Times, View};
use pghaul_core::{Code, Failure, MigrationId, Phase, Seq};

/// What working on a migration led to.
pub(super) struct Worked {
    /// How it stands then.
    pub(super) view: View,
    /// What stopped it, if anything did.
    pub(super) outcome: Result<(), Failure>,
    /// Whether there was nothing to do.
    pub(super) over: bool,
}

/// How it stands after work on it.
pub(super) fn shown(locked: &Locked) -> View {
    View::of_journal(
        locked.id(),
        &locked.read(Clone::clone),
        locked.head(),
        &proven_now(locked),
    )
}

/// What the run that has just ended has done. Nothing where the journal can't be read any more: the run has its own answer.
pub(super) fn summary(session: &Session, journal: &JournalArgs, view: &View) -> Option<Summary> {
    match read(session, journal, &view.id, Some(view.head.seq)) {
        Ok(account) => Summary::of(&account),
        Err(failure) => {
            tracing::warn!(%failure, "the run can't be summarized");
            None
        }
    }
}

/// All that the journal says of a migration.
///
/// # Errors
/// When the journal can't be read.
pub(super) fn account(
    session: &Session,
    journal: &JournalArgs,
    id: &MigrationId,
) -> Result<Account, Failure> {
    read(session, journal, id, None)
}

fn read(
    session: &Session,
    journal: &JournalArgs,
    id: &MigrationId,
    until: Option<Seq>,
) -> Result<Account, Failure> {
    let file = journals::open(session, journal)?;
    Account::read(&file.read_migration(id)?, until)
}

/// The answer of a command that has worked on the migration.
pub(super) fn answer(
    session: &Session,
    json: bool,
    view: &View,
    summary: Option<&Summary>,
) -> Result<(), Failure> {
    if json {
        let mut answer = report::json::status(view);
        if let (Some(summary), Some(fields)) = (summary, answer.as_object_mut()) {
            fields.insert("summary".to_owned(), report::summary::json(summary));
        }
        return session.printer.json(&answer);
    }
    for line in summary.iter().flat_map(|summary| report::summary::text(summary)) {
        session.printer.note(&line);
    }
    session.printer.answer(&report::status::text(view))?;
    if view.has_arrived() {
        session
            .printer
            .answer(&format!("\n{}", report::status::next_steps(view, &view.name)))?;
    }
    Ok(())
}

/// Every failure: the one that ended the run, and those of other databases.
fn show_failures(session: &Session, view: &View, outcome: &Failure) {
    let failed = view.databases.iter().filter(|d| d.phase == Phase::Failed);
    let others = failed
        .filter_map(|d| d.error.as_ref())
        .filter(|failure| *failure != outcome)
        // One that lists what it rests on has said it all.
        .filter(|failure| match outcome.code {
            Code::CheckFailed => failure.code != Code::CheckFailed,
            Code::NotSafeToRemove => false,
            _ => true,
        });
    for failure in others {
        session.printer.error(failure);
    }
    match outcome.code {
        // The user knows why.
        Code::Interrupted => session
            .printer
            .note("stopped in order; the same command goes on from here"),
        _ => session.printer.error(outcome),
    }
}

/// Shows what stopped a command that worked, and says how the process is to exit.
pub(super) fn conclude(session: &Session, signals: &Signals, worked: &Worked) -> ExitCode {
    match &worked.outcome {
        Ok(()) => ExitCode::Success,
        Err(failure) => {
            show_failures(session, &worked.view, failure);
            signals.exit_code(failure.code)
        }
    }
}

/// A run that has just ended has just proven what it says.
fn proven_now(locked: &Locked) -> Times {
    let now = pghaul_store::Clock::system().now();
    locked.read(|m| {
        let arrived = m
            .databases
            .iter()
            .filter(|(_, d)| matches!(d.state.phase(), Phase::Syncing | Phase::Done));
        arrived.map(|(name, _)| (name.clone(), now.clone())).collect()
    })
}
