//! `pghaul history`.

use super::Session;
use crate::args::HistoryArgs;
use crate::exit_code::ExitCode;
use crate::journals;
use crate::report::history;
use pghaul_core::{Code, Failure};

/// Shows every event in order, as it is read: a long journal needs no memory.
pub(crate) fn history(session: &Session, args: &HistoryArgs) -> Result<ExitCode, Failure> {
    let file = journals::open(session, &args.journal)?;
    let entry = journals::existing(&file, args.journal.name.as_deref())?;
    let open = file.read_migration(&entry.id)?;
    for envelope in open.events() {
        let envelope = envelope?;
        let text = if args.json {
            let value = history::json(&envelope)
                .map_err(|e| Failure::new(Code::Bug, "an event can't be shown").with_cause(e))?;
            format!("{value}\n")
        } else {
            history::line(&envelope)
        };
        session.printer.answer(&text)?;
        if session.printer.is_closed() {
            break;
        }
    }
    Ok(ExitCode::Success)
}
