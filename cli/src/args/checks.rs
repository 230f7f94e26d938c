//! What the checks are told.

use crate::size;
use clap::Args;
use clap::builder::TypedValueParser as _;
use pghaul_core::Acceptance;
use pghaul_step::check::{DiskSettings, Rehearse};

/// What the checks are told.
#[derive(Debug, Clone, Args)]
pub(crate) struct CheckArgs {
    /// Go on in spite of the errors that a check finds, in one database or everywhere; may be repeated
    #[arg(
        long,
        value_name = "CHECK[=DATABASE]",
        value_parser = clap::builder::NonEmptyStringValueParser::new().try_map(|text| text.parse::<Acceptance>()),
        help_heading = "Checks"
    )]
    pub(crate) accept: Vec<Acceptance>,
    /// How much room the target has, such as 500GB or 2TiB; otherwise it is asked where that is possible
    #[arg(long, value_name = "SIZE", value_parser = size::parse, help_heading = "Checks")]
    pub(crate) target_free_space: Option<u64>,
    /// How much room the databases need on the target, in percent of their size on the source
    #[arg(
        long,
        value_name = "PERCENT",
        default_value_t = DiskSettings::default().margin_percent,
        help_heading = "Checks"
    )]
    pub(crate) disk_margin: u32,
    /// Restore every schema with a few rows into a throwaway database on the target first; check and run do so by
    /// themselves where the schema is small
    #[arg(long, conflicts_with = "no_rehearsal", help_heading = "Checks")]
    pub(crate) rehearse: bool,
    /// Do not create a throwaway database on the target
    #[arg(long, help_heading = "Checks")]
    pub(crate) no_rehearsal: bool,
}

impl Default for CheckArgs {
    fn default() -> Self {
        Self {
            accept: Vec::new(),
            target_free_space: None,
            disk_margin: DiskSettings::default().margin_percent,
            rehearse: false,
            no_rehearsal: false,
        }
    }
}

impl CheckArgs {
    /// Which schemas are rehearsed, where the user says nothing: those that `otherwise` names.
    pub(crate) fn rehearse(&self, otherwise: Rehearse) -> Rehearse {
        match (self.rehearse, self.no_rehearsal) {
            (true, _) => Rehearse::Always,
            (_, true) => Rehearse::Never,
            _ => otherwise,
        }
    }

    /// What is said about the disk.
    pub(crate) fn disk(&self) -> DiskSettings {
        DiskSettings {
            target_free_bytes: self.target_free_space,
            margin_percent: self.disk_margin,
        }
    }
}
