//! Findings of checks as people read them: a table by severity, with the fix under each finding.

use super::legible::legible;
use super::quantity::plural;
use super::wrap::wrapped;
use crate::style::{BOLD, DIM, ERROR, GOOD, of_severity, paint};
use pghaul_core::{Concern, Finding, Severity, Subject, escaped};
use pghaul_engine::Survey;
use pghaul_step::listed;

/// How wide the column of checks and subjects becomes at most.
const LEFT: usize = 24;

/// Narrower than this the table becomes illegible: lines break outside of it instead.
const NARROWEST: usize = 30;

/// The parts of the table, the worst first.
const PARTS: [(Severity, Option<Concern>, &str); 5] = [
    (Severity::Error, Some(Concern::Migration), ": to be fixed first"),
    (
        Severity::Error,
        Some(Concern::Replication),
        ": replication is impossible, a dump is made instead",
    ),
    (Severity::Accepted, None, ": accepted"),
    (Severity::Warning, None, ""),
    (Severity::Note, None, ""),
];

/// Whether the servers are ready for a migration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Readiness {
    /// Nothing, or nothing but notes.
    Ready,
    /// A run would begin, but somebody may be surprised.
    ReadyWithWarnings,
    /// A run would stop before anything is created.
    NotReady,
}

impl Readiness {
    /// Of what the checks found.
    pub(crate) fn of(survey: &Survey) -> Self {
        if survey.failure.is_some() || survey.all_findings().any(Finding::stops_migration) {
            Self::NotReady
        } else if survey.all_findings().any(|f| f.severity > Severity::Note) {
            Self::ReadyWithWarnings
        } else {
            Self::Ready
        }
    }

    /// As JSON has it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::ReadyWithWarnings => "ready-with-warnings",
            Self::NotReady => "not-ready",
        }
    }
}

/// All findings, the worst first; the order of the checks otherwise.
pub(crate) fn text(survey: &Survey, width: usize) -> String {
    let groups = grouped(survey);
    let left = groups.iter().map(Group::left_width).max().unwrap_or(0).min(LEFT);
    let mut text = String::new();
    for (severity, concern, title) in PARTS {
        let of_part: Vec<&Group<'_>> = groups
            .iter()
            .filter(|g| g.finding.severity == severity && concern.is_none_or(|c| c == g.finding.concern))
            .collect();
        if of_part.is_empty() {
            continue;
        }
        let number = of_part.iter().map(|g| g.subjects.len() as u64).sum();
        let title = format!("{}{title}", noun(severity, number));
        text.push_str(&format!("{}\n", paint(of_severity(severity), title)));
        text.extend(of_part.iter().map(|group| group.text(left, width)));
        text.push('\n');
    }
    text.push_str(&verdict(survey));
    text
}

fn noun(severity: Severity, number: u64) -> String {
    match severity {
        Severity::Error | Severity::Accepted => plural(number, "error"),
        Severity::Warning => plural(number, "warning"),
        Severity::Note => plural(number, "note"),
    }
}

fn verdict(survey: &Survey) -> String {
    match Readiness::of(survey) {
        Readiness::Ready if survey.all_findings().next().is_none() => {
            format!("{}: the checks found nothing\n", paint(GOOD, "ready"))
        }
        Readiness::Ready => format!("{}\n", paint(GOOD, "ready")),
        Readiness::ReadyWithWarnings => format!(
            "{}: nothing stops the migration\n",
            paint(of_severity(Severity::Warning), "ready with warnings")
        ),
        Readiness::NotReady if survey.failure.is_some() => {
            format!("{}: a check could not be made\n", paint(ERROR, "not ready"))
        }
        Readiness::NotReady => format!(
            "{}: the migration can't begin\n--accept CHECK[=DATABASE] goes on in spite of the errors of a check\n",
            paint(ERROR, "not ready")
        ),
    }
}

/// The same finding of one or more databases.
struct Group<'a> {
    finding: &'a Finding,
    subjects: Vec<&'a Subject>,
}

fn grouped(survey: &Survey) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for finding in survey.all_findings() {
        let same = |group: &&mut Group<'_>| {
            let known = group.finding;
            (&known.check, &known.kind, known.severity) == (&finding.check, &finding.kind, finding.severity)
                && (&known.message, &known.hint) == (&finding.message, &finding.hint)
        };
        match groups.iter_mut().find(same) {
            Some(group) => group.subjects.push(&finding.subject),
            None => groups.push(Group {
                finding,
                subjects: vec![&finding.subject],
            }),
        }
    }
    groups
}

impl Group<'_> {
    /// The databases, or nothing where it is about the servers. An object stands in the sentence.
    fn databases(&self) -> String {
        let mut names: Vec<&str> = Vec::new();
        for database in self.subjects.iter().filter_map(|subject| subject.database()) {
            if names.last() != Some(&database.as_str()) {
                names.push(database.as_str());
            }
        }
        escaped(&listed(&names)).into_owned()
    }

    fn left_width(&self) -> usize {
        let databases = self.databases().chars().count();
        self.finding.check.as_str().chars().count().max(databases)
    }

    /// Check and databases to the left, sentence and fix to the right.
    fn text(&self, left: usize, width: usize) -> String {
        let finding = legible(self.finding);
        let indent = left + 4;
        let room = width.saturating_sub(indent).max(NARROWEST);
        let mut lefts = vec![paint(BOLD, &finding.check)];
        let mut widths = vec![finding.check.as_str().chars().count()];
        let databases = self.databases();
        for line in wrapped(&databases, left)
            .into_iter()
            .filter(|line| !line.is_empty())
        {
            widths.push(line.chars().count());
            lefts.push(paint(DIM, line));
        }
        let mut rights = wrapped(&finding.message, room);
        if let Some(hint) = &finding.hint {
            let fix = wrapped(&format!("fix: {hint}"), room);
            rights.extend(fix.into_iter().enumerate().map(|(number, line)| {
                match line.strip_prefix("fix:").filter(|_| number == 0) {
                    Some(rest) => format!("{}{rest}", paint(GOOD, "fix:")),
                    None => line,
                }
            }));
        }
        let mut text = String::new();
        for row in 0..lefts.len().max(rights.len()) {
            let cell = lefts.get(row).map_or("", String::as_str);
            let space = " ".repeat(left.saturating_sub(widths.get(row).copied().unwrap_or(0)));
            let right = rights.get(row).map_or("", String::as_str);
            text.push_str(format!("  {cell}{space}  {right}").trim_end());
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::text;
    use pghaul_core::{Concern, Finding, Severity, Subject};
    use pghaul_engine::{Survey, SurveyedDatabase};

    fn finding(check: &str, severity: Severity, concern: Concern, message: &str) -> Finding {
        Finding {
            check: check.into(),
            severity,
            concern,
            subject: Subject::Cluster,
            kind: "kind".to_owned(),
            facts: serde_json::Value::Null,
            message: message.to_owned(),
            hint: Some(
                "ALTER SYSTEM SET this_or_that = 'whatever it takes'; and restart the server".to_owned(),
            ),
        }
    }

    fn survey() -> Survey {
        let of = |database: &str, finding: &Finding| SurveyedDatabase {
            database: database.into(),
            findings: vec![Finding {
                subject: Subject::Database(database.into()),
                hint: None,
                ..finding.clone()
            }],
            plan: None,
            bytes: 0,
            sizes: Default::default(),
        };
        let missing = finding(
            "extensions",
            Severity::Error,
            Concern::Migration,
            "extension hstore (version 1.8) is not available on the target",
        );
        Survey {
            findings: vec![
                finding(
                    "version",
                    Severity::Accepted,
                    Concern::Migration,
                    "the target is older",
                ),
                finding(
                    "replication-source",
                    Severity::Error,
                    Concern::Replication,
                    "the source's wal_level is replica, not logical, and that is a long story to be told in more words \
                     than fit into one line",
                ),
                finding("disk", Severity::Warning, Concern::Migration, "who knows"),
            ],
            databases: vec![of("shop", &missing), of("blog", &missing)],
            ..Survey::default()
        }
    }

    #[test]
    fn findings_are_a_table_by_severity() {
        let plain = |width| anstream::adapter::strip_str(&text(&survey(), width)).to_string();
        insta::assert_snapshot!("at_80_columns", plain(80));
        insta::assert_snapshot!("at_140_columns", plain(140));
        for line in plain(80).lines() {
            assert!(line.chars().count() <= 80, "{line}");
        }
    }
}
