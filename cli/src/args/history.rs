//! What `history` is asked to show.

use super::JournalArgs;
use crate::moment::{Moment, Place};
use crate::report::history::Weight;
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use pghaul_core::event::{DatabaseEventKind, MigrationEventKind, NoteKind, StepEventKind};
use strum::IntoEnumIterator;

/// What `history` is asked to show.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct HistoryArgs {
    #[command(flatten)]
    pub(crate) journal: JournalArgs,
    /// Only events of this database; may be repeated
    #[arg(long, value_name = "DATABASE", help_heading = "Filter")]
    pub(crate) database: Vec<String>,
    /// Only events of this step; may be repeated
    #[arg(long, value_name = "STEP", help_heading = "Filter")]
    pub(crate) step: Vec<String>,
    /// Only events about this table, as NAME or SCHEMA.NAME; may be repeated
    #[arg(long, value_name = "TABLE", help_heading = "Filter")]
    pub(crate) table: Vec<String>,
    /// Only events of this kind, such as retried; may be repeated
    #[arg(
        long,
        value_name = "KIND",
        value_parser = kinds(),
        hide_possible_values = true,
        help_heading = "Filter"
    )]
    pub(crate) kind: Vec<String>,
    /// Only events that weigh so much or more
    #[arg(
        long,
        value_name = "SEVERITY",
        value_parser = PossibleValuesParser::new(["note", "warning", "error"]).try_map(|text| text.parse::<Weight>()),
        help_heading = "Filter"
    )]
    pub(crate) severity: Option<Weight>,
    /// Only events at this time or later: 2026-11-29T18:00:00Z, 2026-11-29, or 90m for the last 90 minutes
    #[arg(long, value_name = "TIME", help_heading = "Filter")]
    pub(crate) since: Option<Moment>,
    /// Only events before this time or at it
    #[arg(long, value_name = "TIME", help_heading = "Filter")]
    pub(crate) until: Option<Moment>,
    /// As if the journal ended at this event or time
    #[arg(
        long,
        value_name = "SEQ|TIME",
        conflicts_with = "follow",
        help_heading = "Filter"
    )]
    pub(crate) at: Option<Place>,
    /// At most so many events: the last ones, or with --reverse the first that are shown
    #[arg(long, value_name = "N", help_heading = "Filter")]
    pub(crate) limit: Option<usize>,
    /// The newest event first
    #[arg(long, conflicts_with = "follow", help_heading = "Output")]
    pub(crate) reverse: bool,
    /// Show new events as they come, until Ctrl-C
    #[arg(long, help_heading = "Output")]
    pub(crate) follow: bool,
    /// One event a line in the order of the journal, not grouped by database, phase and step
    #[arg(long, help_heading = "Output")]
    pub(crate) flat: bool,
    /// Answer in JSON, one event a line
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,
}

/// The kinds of events: a misspelled one would show nothing, as if nothing of it had happened.
fn kinds() -> PossibleValuesParser {
    fn all<K: IntoEnumIterator + Into<&'static str>>() -> impl Iterator<Item = &'static str> {
        K::iter().map(Into::into)
    }
    let of_migration = all::<MigrationEventKind>().chain(all::<DatabaseEventKind>());
    PossibleValuesParser::new(
        of_migration
            .chain(all::<StepEventKind>())
            .chain(all::<NoteKind>()),
    )
}
