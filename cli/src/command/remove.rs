//! `pghaul remove`: takes every object of pghaul's off both servers.

use super::Session;
use super::gone::remove_without;
use super::run::interrupted;
use super::worked::{Worked, answer, conclude, shown, summary};
use crate::anchor::Keeper;
use crate::args::RemoveArgs;
use crate::exit_code::ExitCode;
use crate::journals;
use crate::progress::{Aim, Watcher};
use crate::runner::{Equipment, Locked, Start};
use crate::servers::{Given, is_unreachable, way_back};
use crate::signals::Signals;
use pghaul_core::{Code, Failure, Migration};
use pghaul_engine::{Allowed, Purpose};
use pghaul_step::{Copying, Workers};

const STOPPING: &str =
    "stopping in order; Ctrl-C once more stops at once (`pghaul remove` goes on either way)";

/// Removes, and shows how the migration stands then.
pub(crate) async fn remove(session: &Session, args: &RemoveArgs) -> Result<ExitCode, Failure> {
    let keeper = Keeper::of(&args.audit)?;
    let signals = Signals::watch(&session.printer, STOPPING)?;
    let worked = match work(session, args, &signals).await {
        Ok(worked) => worked,
        Err(failure) if failure.code == Code::Interrupted => return Ok(signals.exit_code(failure.code)),
        Err(failure) => return Err(failure),
    };
    if worked.over {
        session.printer.note(&format!(
            "migration {} is removed already: there is nothing to do",
            worked.view.name
        ));
    }
    if args.json || worked.outcome.is_ok() {
        let summary = summary(session, &args.journal, &worked.view).filter(|_| !worked.over);
        answer(session, args.json, &worked.view, summary.as_ref())?;
    } else {
        session.printer.note(&format!("journal  {}", worked.view.head));
    }
    let code = conclude(session, &signals, &worked);
    Ok(session
        .anchor(keeper.as_ref(), "remove", &worked.view, code)
        .await)
}

/// Removes, showing nothing but progress.
///
/// # Errors
/// What kept the removal from beginning.
pub(super) async fn work(session: &Session, args: &RemoveArgs, signals: &Signals) -> Result<Worked, Failure> {
    let file = journals::open(session, &args.journal)?;
    let entry = journals::existing(&file, args.journal.name.as_deref())?;
    let locked = Locked::take(&file, &entry.id)?;
    if locked.read(Migration::is_removed) {
        // The removal may have been killed between its last event and this.
        locked.clear_state_directory();
        return Ok(Worked {
            view: shown(&locked),
            outcome: Ok(()),
            over: true,
        });
    }
    let purpose = match args.removal().allowed {
        Allowed::Anything => Purpose::ForcedRemoval,
        Allowed::Nothing | Allowed::Named(_) | Allowed::Incomplete => Purpose::Remove,
    };
    if let Some(side) = args.gone {
        return remove_without(session, args, side, locked).await;
    }
    locked.check_release(session, purpose)?;
    locked.check_last_runner(args.take_over)?;
    let created = locked.read(journals::created)?;
    let ways = Given::new(&args.servers)?.or_journaled(&created)?;
    let application_name = locked.application_name();
    let servers = tokio::select! {
        servers = ways.connect(Some(&application_name)) => servers.map_err(|failure| may_be_gone(failure, args))?,
        () = signals.token().cancelled() => return Err(interrupted()),
    };
    servers
        .check(&created)
        .map_err(|failure| may_be_gone(failure, args))?;
    let journaled = locked.read(|m| m.selection.as_ref().and_then(|s| s.source_from_target.clone()));
    let way_back = way_back(None, journaled.as_deref(), &servers.source)?;
    let watcher = Watcher::start(&session.printer, &locked.read(Clone::clone), Aim::Remove);
    let equipment = Equipment {
        servers,
        way_back,
        workers: Workers::new(1),
        copying: Copying::default(),
        signals: signals.clone(),
        observer: watcher.observer(),
    };
    let start = Start {
        command: "remove",
        take_over: args.take_over,
        reason: args.audit.reason.clone(),
    };
    let runner = locked.start(session, start, equipment).await?;
    let removal = args.removal();
    let outcome = tokio::select! {
        outcome = runner.engine.remove(&removal) => outcome,
        () = signals.token().cancelled() => {
            Err(Failure::new(Code::Interrupted, "the removal was stopped"))
        }
    };
    watcher.finish();
    let locked = runner.stop(&outcome).await;
    if outcome.is_ok() {
        locked.clear_state_directory();
    }
    Ok(Worked {
        view: shown(&locked),
        outcome,
        over: false,
    })
}

/// Says what to do where a server that a forced removal does not reach will never come back.
fn may_be_gone(failure: Failure, args: &RemoveArgs) -> Failure {
    let (Some(side), true) = (failure.side, args.force && is_unreachable(failure.code)) else {
        return failure;
    };
    let hint = failure.hint.clone().unwrap_or_default();
    failure.with_hint(format!(
        "{hint}; where the {side} of this migration no longer exists, `pghaul remove --force --gone {side}` removes what is on the other server and ends the migration"
    ))
}
