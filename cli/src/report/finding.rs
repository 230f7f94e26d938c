//! Findings of checks as people read them.

use super::quantity::plural;
use crate::style::{DIM, GOOD, of_severity, paint};
use pghaul_core::{Concern, Finding, Severity};
use pghaul_engine::Survey;

/// All findings, the worst first; the order of the checks otherwise.
pub(crate) fn text(survey: &Survey) -> String {
    let mut findings: Vec<&Finding> = survey.all_findings().collect();
    if findings.is_empty() {
        return format!("{}: the checks found nothing\n", paint(GOOD, "ok"));
    }
    findings.sort_by_key(|finding| std::cmp::Reverse((finding.severity, finding.stops_migration())));
    let mut text: String = findings.iter().map(|finding| one(finding)).collect();
    text.push_str(&summary(&findings));
    text
}

fn one(finding: &Finding) -> String {
    let effect = match (finding.severity, finding.concern) {
        (Severity::Error, Concern::Replication) => " (prevents replication)",
        _ => "",
    };
    let mut text = format!(
        "{}: {}{effect}\n  {}\n",
        paint(
            of_severity(finding.severity),
            format_args!("{}[{}]", finding.severity, finding.check)
        ),
        finding.message,
        paint(DIM, &finding.subject),
    );
    if let Some(hint) = &finding.hint {
        text.push_str(&format!("  hint: {hint}\n"));
    }
    text
}

fn summary(findings: &[&Finding]) -> String {
    let number = |severity| findings.iter().filter(|f| f.severity == severity).count() as u64;
    let counts = [
        (Severity::Error, "error"),
        (Severity::Warning, "warning"),
        (Severity::Note, "note"),
    ]
    .into_iter()
    .filter(|(severity, _)| number(*severity) > 0)
    .map(|(severity, noun)| plural(number(severity), noun))
    .collect::<Vec<_>>()
    .join(", ");
    let stops = findings.iter().any(|f| f.stops_migration());
    let verdict = if stops {
        "the migration can't begin"
    } else {
        "nothing stops the migration"
    };
    format!("\n{counts}; {verdict}\n")
}
