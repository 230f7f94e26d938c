//! A check that could not be made: that nothing is known is a finding too.

use crate::program::bounded;
use pghaul_step::{Concern, DatabaseName, Failure, Finding, Severity, Subject};
use serde_json::Value;

/// The finding that a check could not be made.
pub(crate) fn not_made(
    check: &str,
    database: Option<&DatabaseName>,
    severity: Severity,
    failure: &Failure,
) -> Finding {
    let causes = failure.causes.iter().map(|cause| format!(": {}", bounded(cause)));
    let message = causes.fold(failure.message.clone(), |message, cause| message + &cause);
    Finding {
        check: check.into(),
        severity,
        concern: Concern::Migration,
        subject: database.map_or(Subject::Cluster, |database| Subject::Database(database.clone())),
        kind: "not-made".to_owned(),
        facts: Value::Null,
        message: format!("the check could not be made: {}", bounded(&message)),
        hint: failure.hint.clone(),
    }
}
