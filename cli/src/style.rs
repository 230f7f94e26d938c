//! The few styles that output has. Everything is legible without them.

use anstyle::{AnsiColor, Style};
use pghaul_core::{Phase, Severity};

pub(crate) const BOLD: Style = Style::new().bold();
pub(crate) const DIM: Style = Style::new().dimmed();
pub(crate) const ERROR: Style = AnsiColor::Red.on_default().bold();
pub(crate) const WARNING: Style = AnsiColor::Yellow.on_default().bold();
pub(crate) const GOOD: Style = AnsiColor::Green.on_default().bold();
pub(crate) const BUSY: Style = AnsiColor::Cyan.on_default().bold();

/// A text in a style.
pub(crate) fn paint(style: Style, text: impl std::fmt::Display) -> String {
    format!("{style}{text}{style:#}")
}

/// The style of a phase.
pub(crate) fn of_phase(phase: Phase) -> Style {
    match phase {
        Phase::Syncing | Phase::Done => GOOD,
        Phase::Failed => ERROR,
        Phase::Checking | Phase::Schema | Phase::Replicating | Phase::Dumping | Phase::Removing => BUSY,
        Phase::Pending | Phase::Removed => DIM,
    }
}

/// The style of a severity.
pub(crate) fn of_severity(severity: Severity) -> Style {
    match severity {
        Severity::Error => ERROR,
        Severity::Accepted | Severity::Warning => WARNING,
        Severity::Note => BUSY,
    }
}
