//! `pghaul history`.

use super::Session;
use crate::args::HistoryArgs;
use crate::exit_code::ExitCode;
use crate::journals;
use crate::report::history::{self, Filter, Grouped, Seen};
use crate::signals::Signals;
use pghaul_core::{Code, Envelope, Failure, Seq};
use pghaul_store::{JournalFile, MigrationEntry, OpenMigration};
use std::collections::VecDeque;
use std::time::Duration;

/// How often `--follow` reads the journal.
const PAUSE: Duration = Duration::from_millis(500);

/// Shows the events that are asked for.
pub(crate) async fn history(session: &Session, args: &HistoryArgs) -> Result<ExitCode, Failure> {
    let file = journals::open(session, &args.journal)?;
    let entry = journals::existing(&file, args.journal.name.as_deref())?;
    let open = file.read_migration(&entry.id)?;
    let filter = Filter::new(args);
    check(&open, args)?;
    if args.follow {
        return follow(session, args, (&file, &entry), &filter).await;
    }
    let mut seen = Seen::default();
    if args.reverse || args.limit.is_some() {
        show_some(session, args, (&open, &filter), &mut seen)?;
    } else {
        show_all(session, args, (&open, &filter), &mut seen)?;
    }
    for note in seen.notes(args) {
        session.printer.note(&note);
    }
    Ok(ExitCode::Success)
}

/// Refuses places and times that fit no event.
fn check(open: &OpenMigration, args: &HistoryArgs) -> Result<(), Failure> {
    journals::check_place(open, args.at)?;
    match (args.since, args.until) {
        (Some(since), Some(until)) if since > until => Err(Failure::new(
            Code::BadInput,
            "--since is later than --until: no event is between them",
        )
        .with_hint("exchange them")),
        _ => Ok(()),
    }
}

fn show_all(
    session: &Session,
    args: &HistoryArgs,
    (open, filter): (&OpenMigration, &Filter<'_>),
    seen: &mut Seen,
) -> Result<(), Failure> {
    let mut grouped = Grouped::default();
    for envelope in open.events() {
        let envelope = envelope?;
        if filter.is_behind(&envelope) || session.printer.is_closed() {
            break;
        }
        let shown = filter.shows(&envelope);
        seen.add(&envelope, shown);
        if !args.json && !args.flat {
            grouped.add(&envelope, shown);
        } else if shown {
            show(session, args, &envelope)?;
        }
    }
    session.printer.answer(&grouped.text())
}

/// The last events that are asked for; the newest first, where that is wanted.
fn show_some(
    session: &Session,
    args: &HistoryArgs,
    (open, filter): (&OpenMigration, &Filter<'_>),
    seen: &mut Seen,
) -> Result<(), Failure> {
    let most = args.limit.unwrap_or(usize::MAX);
    let mut last = VecDeque::new();
    for envelope in open.events() {
        let envelope = envelope?;
        if filter.is_behind(&envelope) {
            break;
        }
        let shown = filter.shows(&envelope);
        seen.add(&envelope, shown);
        if shown {
            last.push_back(envelope);
            if last.len() > most {
                last.pop_front();
            }
        }
    }
    if args.reverse {
        last.make_contiguous().reverse();
    }
    for envelope in last {
        show(session, args, &envelope)?;
    }
    Ok(())
}

/// Shows what is there, the last of it where a limit is given, then what comes, until the user stops it.
async fn follow(
    session: &Session,
    args: &HistoryArgs,
    (file, entry): (&JournalFile, &MigrationEntry),
    filter: &Filter<'_>,
) -> Result<ExitCode, Failure> {
    let signals = Signals::watch(&session.printer, "")?;
    let mut seen = Seq(0);
    let mut waiting = VecDeque::new();
    let mut most = args.limit.unwrap_or(usize::MAX);
    loop {
        // Opened anew each time: the file may be replaced by an import meanwhile.
        let open = file.read_migration(&entry.id)?;
        for envelope in open.events_after(seen)? {
            let envelope = envelope?;
            seen = envelope.seq;
            if filter.shows(&envelope) {
                waiting.push_back(envelope);
                if waiting.len() > most {
                    waiting.pop_front();
                }
            }
        }
        most = usize::MAX;
        for envelope in waiting.drain(..) {
            show(session, args, &envelope)?;
        }
        if session.printer.is_closed() {
            return Ok(ExitCode::Success);
        }
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            () = signals.token().cancelled() => return Ok(ExitCode::Success),
        }
    }
}

fn show(session: &Session, args: &HistoryArgs, envelope: &Envelope) -> Result<(), Failure> {
    if args.json {
        let value = history::json(envelope)
            .map_err(|e| Failure::new(Code::Bug, "an event can't be shown").with_cause(e))?;
        return session.printer.json_text(&format!("{value}\n"));
    }
    session.printer.answer(&history::line(envelope))
}
