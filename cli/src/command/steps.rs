//! `pghaul steps`, `pghaul checks` and `pghaul describe`.

use super::Session;
use crate::args::{DescribeArgs, ListArgs};
use crate::exit_code::ExitCode;
use crate::report::{describe, steps};
use pghaul_core::Failure;

/// Lists steps and checks.
pub(crate) fn steps(session: &Session, args: &ListArgs) -> Result<ExitCode, Failure> {
    if args.json {
        session.printer.json(&steps::json(&session.registry)?)?;
    } else {
        session.printer.answer(&steps::text(&session.registry)?)?;
    }
    Ok(ExitCode::Success)
}

/// Lists checks.
pub(crate) fn checks(session: &Session, args: &ListArgs) -> Result<ExitCode, Failure> {
    if args.json {
        session.printer.json(&steps::json_of_checks(&session.registry))?;
    } else {
        session
            .printer
            .answer(&steps::text_of_checks(&session.registry))?;
    }
    Ok(ExitCode::Success)
}

/// Shows one step or check.
pub(crate) fn describe(session: &Session, args: &DescribeArgs) -> Result<ExitCode, Failure> {
    let described = describe::find(&session.registry, &args.name)?;
    if args.list.json {
        session.printer.json(&described)?;
    } else {
        session.printer.answer(&describe::text(&described))?;
    }
    Ok(ExitCode::Success)
}
