//! `pghaul steps`.

use super::Session;
use crate::args::StepsArgs;
use crate::exit_code::ExitCode;
use crate::report::steps;
use pghaul_core::Failure;

/// Lists steps and checks.
pub(crate) fn steps(session: &Session, args: &StepsArgs) -> Result<ExitCode, Failure> {
    if args.json {
        session.printer.json(&steps::json(&session.registry)?)?;
    } else {
        session.printer.answer(&steps::text(&session.registry)?)?;
    }
    Ok(ExitCode::Success)
}
