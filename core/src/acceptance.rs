//! Errors of checks that the user takes upon himself.

use crate::finding::{Finding, Severity};
use crate::id::{CheckName, DatabaseName};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

/// The override of one check, of everything or of one database: `--accept NAME[=DATABASE]`.
///
/// ```
/// use pghaul_core::Acceptance;
///
/// let acceptance: Acceptance = "extensions=my=shop".parse()?;
/// assert_eq!(acceptance.check.as_str(), "extensions");
/// assert_eq!(acceptance.database, Some("my=shop".into()));
/// assert_eq!(acceptance.to_string(), "extensions=my=shop");
/// # Ok::<(), std::convert::Infallible>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Acceptance {
    /// The check.
    pub check: CheckName,
    /// The database that it is limited to, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<DatabaseName>,
}

impl Acceptance {
    /// Whether it is about this finding.
    pub fn covers(&self, finding: &Finding) -> bool {
        self.check == finding.check
            && self
                .database
                .as_ref()
                .is_none_or(|database| finding.subject.database() == Some(database))
    }
}

/// Turns the errors among the findings that somebody has accepted into [`Severity::Accepted`].
pub fn accept(accepted: &BTreeSet<Acceptance>, findings: &mut [Finding]) {
    for finding in findings {
        if finding.severity == Severity::Error && accepted.iter().any(|a| a.covers(finding)) {
            finding.severity = Severity::Accepted;
        }
    }
}

impl FromStr for Acceptance {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match text.split_once('=') {
            Some((check, database)) => Self {
                check: check.into(),
                database: Some(database.into()),
            },
            None => Self {
                check: text.into(),
                database: None,
            },
        })
    }
}

impl fmt::Display for Acceptance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.database {
            Some(database) => write!(f, "{}={database}", self.check),
            None => write!(f, "{}", self.check),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Acceptance, accept};
    use crate::{Concern, Finding, Severity, Subject};
    use std::collections::BTreeSet;

    fn finding(check: &str, severity: Severity, subject: Subject) -> Finding {
        Finding {
            check: check.into(),
            severity,
            concern: Concern::Migration,
            subject,
            kind: "thing".to_owned(),
            facts: serde_json::Value::Null,
            message: "a thing".to_owned(),
            hint: None,
        }
    }

    #[test]
    fn only_errors_of_that_check_about_that_database_are_accepted() {
        let shop = Subject::Object {
            database: "shop".into(),
            object: "extension x".to_owned(),
        };
        let blog = Subject::Database("blog".into());
        let accepted = |text: &str| {
            let accepted: BTreeSet<Acceptance> = BTreeSet::from([text.parse().unwrap()]);
            let mut findings = [
                finding("extensions", Severity::Error, shop.clone()),
                finding("extensions", Severity::Error, blog.clone()),
                finding("extensions", Severity::Warning, shop.clone()),
                finding("version", Severity::Error, Subject::Cluster),
            ];
            accept(&accepted, &mut findings);
            let stops: Vec<bool> = findings.iter().map(Finding::stops_migration).collect();
            assert_eq!(
                findings[2].severity,
                Severity::Warning,
                "no error, nothing to accept"
            );
            (stops[0], stops[1], stops[3])
        };
        assert_eq!(accepted("extensions=shop"), (false, true, true));
        assert_eq!(accepted("extensions"), (false, false, true));
        assert_eq!(accepted("version"), (true, true, false));
        assert_eq!(accepted("version=shop"), (true, true, true));
    }
}
