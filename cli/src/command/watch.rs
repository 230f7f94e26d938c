//! `pghaul status --watch`: the answer again and again; on a terminal, a live screen.

use super::Session;
use super::answer::{look, show};
use crate::account::Account;
use crate::args::StatusArgs;
use crate::exit_code::ExitCode;
use crate::metrics::{Delay, Exporter, Measures};
use crate::printer::Printer;
use crate::report::live::{self, Frame};
use crate::screen::{Asked, Screen};
use crate::servers::Given;
use crate::signals::Signals;
use crate::view::View;
use pghaul_core::{Failure, MigrationId};
use pghaul_store::JournalFile;
use std::time::{Duration, Instant};

/// How often the size of the terminal is read.
const TICK: Duration = Duration::from_millis(250);

/// What is watched.
pub(super) struct Watched<'a> {
    pub(super) session: &'a Session,
    pub(super) args: &'a StatusArgs,
    pub(super) file: &'a JournalFile,
    pub(super) id: &'a MigrationId,
    pub(super) given: &'a Given,
}

/// Watches until the user stops it.
pub(super) async fn watch(watched: &Watched<'_>, every: Duration) -> Result<ExitCode, Failure> {
    let exporter = Exporter::start(&watched.args.metrics, &watched.session.printer).await?;
    let signals = Signals::watch(&watched.session.printer, "")?;
    let mut looks = Looks {
        watched,
        exporter,
        delay: Delay::default(),
    };
    if Printer::stdout_is_terminal() && !watched.args.json {
        live(&mut looks, &signals, every).await?;
    } else {
        again_and_again(&mut looks, &signals, every).await?;
    }
    Ok(ExitCode::Success)
}

/// Looks, and what they have seen.
struct Looks<'a> {
    watched: &'a Watched<'a>,
    exporter: Option<Exporter>,
    delay: Delay,
}

impl Looks<'_> {
    async fn look(&mut self) -> Result<View, Failure> {
        let Watched {
            session,
            file,
            id,
            given,
            ..
        } = self.watched;
        let mut view = look(session, file, id, given).await?;
        let now = Instant::now();
        if let Some(position) = view.databases.iter().filter_map(|d| Some(d.lag?.position)).max() {
            self.delay.note(now, position);
        }
        for database in &mut view.databases {
            let delay = database.lag.and_then(|lag| self.delay.of(now, lag.confirmed));
            database.lag_seconds = delay.map(|delay| delay.as_secs_f64());
        }
        if let Some(exporter) = &self.exporter {
            let account = Account::read(&file.read_migration(id)?, None)?;
            exporter.set(Measures::of_view(&view, &account));
        }
        Ok(view)
    }
}

async fn again_and_again(looks: &mut Looks<'_>, signals: &Signals, every: Duration) -> Result<(), Failure> {
    let Watched { session, args, .. } = looks.watched;
    loop {
        let view = tokio::select! {
            view = looks.look() => view?,
            () = signals.token().cancelled() => return Ok(()),
        };
        show(session, args, &view)?;
        if session.printer.is_closed() {
            return Ok(());
        }
        tokio::select! {
            () = tokio::time::sleep(every) => {}
            () = signals.token().cancelled() => return Ok(()),
        }
    }
}

async fn live(looks: &mut Looks<'_>, signals: &Signals, every: Duration) -> Result<(), Failure> {
    let printer = looks.watched.session.printer.clone();
    let mut screen = Screen::open()?;
    let mut frame = Frame::new(every);
    loop {
        let view = {
            let look = looks.look();
            tokio::pin!(look);
            loop {
                frame.looks = true;
                printer.frame(&live::lines(&mut frame, screen.size()))?;
                tokio::select! {
                    view = &mut look => break view?,
                    asked = screen.asked() => if frame.is_over(asked) { return Ok(()) },
                    () = tokio::time::sleep(TICK) => {}
                    () = signals.token().cancelled() => return Ok(()),
                }
            }
        };
        frame.view = Some(view);
        frame.looks = false;
        let next = tokio::time::sleep(every);
        tokio::pin!(next);
        loop {
            printer.frame(&live::lines(&mut frame, screen.size()))?;
            if printer.is_closed() {
                return Ok(());
            }
            tokio::select! {
                () = &mut next => break,
                asked = screen.asked() => {
                    if asked == Asked::Again {
                        break;
                    }
                    if frame.is_over(asked) {
                        return Ok(());
                    }
                }
                () = tokio::time::sleep(TICK) => {}
                () = signals.token().cancelled() => return Ok(()),
            }
        }
    }
}
