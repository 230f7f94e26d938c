//! The options of `run` that say how rows are copied.

use crate::size;
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use pghaul_core::event::Selection;
use pghaul_core::plan::{CopyFormat, InitialCopy};
use pghaul_step::Copying;

/// How rows are copied.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct CopyingArgs {
    /// How many workers copy tables and build indexes, of all databases together, as far as --max-connections
    /// allows; by default as many as this machine has cores, 2 to 8, or 4 where a server is elsewhere
    #[arg(
        long,
        value_name = "N",
        value_parser = clap::value_parser!(u16).range(1..),
        help_heading = "Work"
    )]
    pub(crate) jobs: Option<u16>,
    /// The format of COPY; by default binary for each table whose types allow it
    #[arg(
        long,
        value_name = "FORMAT",
        default_value = "auto",
        value_parser = PossibleValuesParser::new(["auto", "text", "binary"]),
        help_heading = "Work"
    )]
    pub(crate) copy_format: String,
    /// Copy no more than so many bytes a second, of all workers together, such as 50MB
    #[arg(long, value_name = "SIZE", value_parser = rate, help_heading = "Work")]
    pub(crate) rate_limit: Option<u64>,
    /// When a dump was interrupted, keep the tables that it had finished: only where nobody has written to the
    /// source since
    #[arg(long, help_heading = "Work")]
    pub(crate) keep_finished_tables: bool,
    /// When the initial copy of replication was interrupted, who copies the tables that it had not finished: the
    /// target's workers, or pghaul, from the snapshot of a second slot; by default as the first run was told, else
    /// server
    #[arg(
        long,
        value_name = "WHO",
        value_parser = PossibleValuesParser::new(["snapshot", "server"]).try_map(|text| text.parse::<InitialCopy>()),
        help_heading = "Work"
    )]
    pub(crate) rest_copy: Option<InitialCopy>,
}

/// A size that something can be copied with.
fn rate(text: &str) -> Result<u64, String> {
    match size::parse(text)? {
        0 => Err(
            "nothing would be copied: give at least 1 byte a second, or leave it out for no limit".to_owned(),
        ),
        bytes => Ok(bytes),
    }
}

impl CopyingArgs {
    /// What the steps are told, where the first run was told what the journal holds.
    pub(crate) fn copying(&self, journaled: Option<&Selection>) -> Copying {
        Copying {
            format: self.copy_format.parse::<CopyFormat>().ok(),
            rate_limit: self.rate_limit,
            keep_finished_tables: self.keep_finished_tables,
            rest: self
                .rest_copy
                .or_else(|| journaled?.rest_copy)
                .unwrap_or(InitialCopy::Server),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_copies_the_rest_is_what_was_said_last() {
        let first = Selection {
            rest_copy: Some(InitialCopy::Snapshot),
            ..Selection::default()
        };
        let given = |rest_copy| CopyingArgs {
            rest_copy,
            ..CopyingArgs::default()
        };
        let rest = |rest_copy, journaled| given(rest_copy).copying(journaled).rest;
        assert_eq!(rest(None, None), InitialCopy::Server);
        assert_eq!(rest(None, Some(&first)), InitialCopy::Snapshot);
        assert_eq!(rest(Some(InitialCopy::Server), Some(&first)), InitialCopy::Server);
    }
}
