//! What the checks found.

use crate::account::by_severity;
use maud::{Markup, html};
use pghaul_core::{Finding, Severity};

pub(super) fn of_cluster(findings: &[Finding]) -> Markup {
    list("What the checks found of the servers", findings)
}

pub(super) fn of_database(findings: &[Finding]) -> Markup {
    list("What the checks found", findings)
}

fn list(title: &str, findings: &[Finding]) -> Markup {
    html! {
        @if !findings.is_empty() {
            h3 { (title) }
            div.wide { table {
                tr { th { "severity" } th { "check" } th { "what" } }
                @for (severity, findings) in by_severity(findings) {
                    @for finding in findings {
                        tr {
                            td class=(class(severity.0)) { (severity.0) }
                            td.name { (finding.check) }
                            td { (finding.message)
                                @if let Some(hint) = &finding.hint { p.soft { (hint) } }
                            }
                        }
                    }
                }
            } }
        }
    }
}

fn class(severity: Severity) -> &'static str {
    match severity {
        Severity::Note => "soft",
        Severity::Warning | Severity::Accepted => "warning",
        Severity::Error => "error",
    }
}
