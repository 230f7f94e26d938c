//! Says more about a step's failure than the server could.

use pghaul_core::{Code, Failure, Side};

/// undefined_column.
const COLUMN: &str = "42703";

/// undefined_table, undefined_column, invalid_schema_name: what a statement names is not there.
const UNDEFINED: [&str; 3] = ["42P01", COLUMN, "3F000"];

/// What a step's failure means where the server only said that a statement did not work.
///
/// Statements of steps name what the plan, or an earlier step, has found or made: a server that does not know it has been
/// changed by somebody meanwhile.
pub(crate) fn explained(failure: Failure) -> Failure {
    if failure.code != Code::ServerError {
        return failure;
    }
    let state = failure.sqlstate.as_deref();
    match failure.side {
        // The columns are those of the source at the moment of the copy.
        Some(Side::Target) if state == Some(COLUMN) => Failure {
            code: Code::PlanChanged,
            ..failure
        }
        .with_hint(
            "a table is no longer the same on both sides: undo what was changed on the source after its schema was taken, and run again; or, where the target was changed, remove this migration with --force, drop the target database, and begin anew",
        ),
        Some(Side::Target) if state.is_some_and(|state| UNDEFINED.contains(&state)) => Failure {
            code: Code::StateLost,
            ..failure
        }
        .with_hint(
            "somebody has changed on the target what pghaul made there: remove this migration with --force, drop the target database, and begin anew",
        ),
        Some(Side::Source) if state.is_some_and(|state| UNDEFINED.contains(&state)) => Failure {
            code: Code::PlanChanged,
            ..failure
        }
        .with_hint(
            "somebody has changed the schema of the source since the plan: undo the change and run again, or remove this migration and begin a new one",
        ),
        _ if failure.hint.is_none() => failure.with_hint(
            "see the server's log; when the cause is mended, run again: it goes on where it was",
        ),
        _ => failure,
    }
}

#[cfg(test)]
mod tests {
    use super::explained;
    use pghaul_core::{Code, Failure, Side};

    #[test]
    fn what_is_not_there_was_changed_by_somebody() {
        let code = |side, state: &str| {
            let mut failure = Failure::new(Code::ServerError, "it does not exist").with_side(side);
            failure.sqlstate = Some(state.to_owned());
            let failure = explained(failure);
            assert!(failure.hint.is_some(), "{failure}");
            failure.code
        };
        assert_eq!(code(Side::Target, "42P01"), Code::StateLost);
        assert_eq!(code(Side::Target, "42703"), Code::PlanChanged);
        assert_eq!(code(Side::Source, "42P01"), Code::PlanChanged);
        assert_eq!(code(Side::Target, "22003"), Code::ServerError);
    }

    #[test]
    fn what_is_understood_stays_as_it_is() {
        let refused = Failure::new(Code::PermissionDenied, "no").with_side(Side::Target);
        assert_eq!(explained(refused.clone()), refused);
    }
}
