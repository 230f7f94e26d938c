//! How much an event weighs for whoever looks for trouble.

use pghaul_core::event::{Ending, Note};
use pghaul_core::{DatabaseEvent, Event, Finding, MigrationEvent, Severity, StepEvent};
use strum::{Display, EnumString};

/// How much an event weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Display, EnumString)]
#[strum(serialize_all = "kebab-case")]
pub(crate) enum Weight {
    /// All went as it should.
    Note,
    /// Something was overridden, repeated, or is to be known.
    Warning,
    /// Something failed.
    Error,
}

/// How much an event weighs.
pub(crate) fn weight(event: &Event) -> Weight {
    match event {
        Event::Migration(event) => of_migration(event),
        Event::Database(_, event) => of_database(event),
        Event::ClusterStep(_, event) | Event::DatabaseStep(_, _, event) => match event {
            StepEvent::StepFailed { .. } => Weight::Error,
            StepEvent::StepStarted
            | StepEvent::StepRecorded { .. }
            | StepEvent::ItemFinished { .. }
            | StepEvent::StepFinished { .. }
            | StepEvent::StepUndone => Weight::Note,
        },
        Event::Note(_, Note::Retried(_)) => Weight::Warning,
        Event::Note(_, Note::Waited(_) | Note::TablesStarted { .. }) => Weight::Note,
    }
}

fn of_migration(event: &MigrationEvent) -> Weight {
    match event {
        MigrationEvent::RunnerStarted(runner) if runner.took_over || runner.last_unended => Weight::Warning,
        MigrationEvent::CheckAccepted { .. } => Weight::Warning,
        MigrationEvent::ClusterChecked { findings } => of_findings(findings),
        MigrationEvent::RunnerStopped { ending, .. } => match ending {
            Ending::Finished => Weight::Note,
            Ending::Interrupted => Weight::Warning,
            Ending::Failed => Weight::Error,
        },
        MigrationEvent::MigrationCreated(_)
        | MigrationEvent::RunnerStarted(_)
        | MigrationEvent::DatabasesSelected { .. } => Weight::Note,
    }
}

fn of_database(event: &DatabaseEvent) -> Weight {
    match event {
        DatabaseEvent::Checked { findings } => of_findings(findings),
        DatabaseEvent::Failed { .. } => Weight::Error,
        DatabaseEvent::FellBack { .. }
        | DatabaseEvent::WalLimitReached { .. }
        | DatabaseEvent::DiscardStarted { .. } => Weight::Warning,
        DatabaseEvent::RemovalStarted {
            forced,
            overrides,
            left,
            connected,
            ..
        } if *forced || !overrides.is_empty() || !left.is_empty() || connected.is_some() => Weight::Warning,
        DatabaseEvent::CheckingStarted
        | DatabaseEvent::Planned { .. }
        | DatabaseEvent::SchemaStarted
        | DatabaseEvent::ReplicatingStarted
        | DatabaseEvent::DumpingStarted
        | DatabaseEvent::CopyBegan
        | DatabaseEvent::SyncingProven { .. }
        | DatabaseEvent::DoneProven { .. }
        | DatabaseEvent::DataDiscarded
        | DatabaseEvent::Resumed
        | DatabaseEvent::RemovalStarted { .. }
        | DatabaseEvent::Removed => Weight::Note,
    }
}

fn of_findings(findings: &[Finding]) -> Weight {
    let weights = findings.iter().map(|finding| match finding.severity {
        Severity::Error => Weight::Error,
        Severity::Warning | Severity::Accepted => Weight::Warning,
        Severity::Note => Weight::Note,
    });
    weights.max().unwrap_or(Weight::Note)
}
