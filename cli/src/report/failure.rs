//! Failures as people read them. They hold no secrets: their makers see to that.

use super::legible::legible;
use crate::style::{BOLD, DIM, ERROR, GOOD, paint};
use pghaul_core::Failure;

/// The failure over several lines, the last one with what can be done.
///
/// ```text
/// error[not-in-hba]: no pg_hba.conf entry for host "10.0.0.7"
///   on the target, while trying to connect; SQLSTATE 28000
///   because: …
/// hint: …
/// ```
pub(crate) fn text(failure: &Failure) -> String {
    let failure = &legible(failure);
    let mut text = format!(
        "{}: {}\n",
        paint(ERROR, format_args!("error[{}]", failure.code)),
        paint(BOLD, &failure.message)
    );
    if let Some(place) = place(failure) {
        text.push_str(&format!("  {}\n", paint(DIM, place)));
    }
    for cause in &failure.causes {
        text.push_str(&format!("  because: {cause}\n"));
    }
    if let Some(hint) = &failure.hint {
        text.push_str(&format!("{}: {hint}\n", paint(GOOD, "hint")));
    }
    text
}

/// Where it happened, and while doing what.
fn place(failure: &Failure) -> Option<String> {
    let parts = [
        failure.side.map(|side| format!("on the {side}")),
        failure
            .database
            .as_ref()
            .map(|database| format!("in database {database}")),
        failure
            .operation
            .as_ref()
            .map(|operation| format!("while trying to {operation}")),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    let state = failure.sqlstate.as_ref().map(|state| format!("SQLSTATE {state}"));
    let place = (!parts.is_empty()).then(|| parts.join(", "));
    let all: Vec<String> = place.into_iter().chain(state).collect();
    (!all.is_empty()).then(|| all.join("; "))
}

/// The failure in one line, as a table or a list has room for it.
pub(crate) fn line(failure: &Failure) -> String {
    let failure = legible(failure);
    let side = failure.side.map(|side| format!("{side}: ")).unwrap_or_default();
    let cause = failure
        .causes
        .first()
        .map(|cause| format!(": {cause}"))
        .unwrap_or_default();
    format!("{side}{}{cause}", failure.message)
}

#[cfg(test)]
mod tests {
    use super::{line, text};
    use pghaul_core::{Code, Failure, Side};

    fn plain(text: &str) -> String {
        anstream::adapter::strip_str(text).to_string()
    }

    #[test]
    fn everything_that_is_known_is_shown() {
        let failure = Failure::new(
            Code::PermissionDenied,
            "must be superuser to create a subscription",
        )
        .with_side(Side::Target)
        .with_database("shop")
        .with_operation("create the subscription")
        .with_sqlstate("42501")
        .with_cause("first\nsecond")
        .with_cause("deeper")
        .with_hint("GRANT pg_create_subscription TO mover");
        insta::assert_snapshot!(plain(&text(&failure)), @r"
        error[permission-denied]: must be superuser to create a subscription
          on the target, in database shop, while trying to create the subscription; SQLSTATE 42501
          because: first\nsecond
          because: deeper
        hint: GRANT pg_create_subscription TO mover
        ");
        assert_eq!(
            line(&failure),
            "target: must be superuser to create a subscription: first\\nsecond"
        );
    }

    #[test]
    fn nothing_unknown_is_shown() {
        assert_eq!(
            plain(&text(&Failure::new(Code::BadInput, "no"))),
            "error[bad-input]: no\n"
        );
    }
}
