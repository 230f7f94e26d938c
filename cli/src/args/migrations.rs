//! The migrations of a journal.

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Subcommand};
use std::path::PathBuf;

#[derive(Debug, Clone, Args)]
pub(crate) struct MigrationsArgs {
    #[command(subcommand)]
    pub(crate) command: Option<MigrationsCommand>,
    /// The journal file; by default pghaul/journal.db in $XDG_STATE_HOME or ~/.local/state
    #[arg(
        long,
        env = "PGHAUL_JOURNAL",
        value_name = "FILE",
        global = true,
        help_heading = "Journal"
    )]
    pub(crate) journal: Option<PathBuf>,
    /// Answer in JSON
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum MigrationsCommand {
    /// End a migration that never began to act on a server, such as one with a mistyped target
    Close(CloseArgs),
}

#[derive(Debug, Clone, Args)]
pub(crate) struct CloseArgs {
    /// The migration's name or id
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// Why this is done, for the journal
    #[arg(long, value_name = "TEXT", value_parser = NonEmptyStringValueParser::new(), help_heading = "Journal")]
    pub(crate) reason: Option<String>,
}
