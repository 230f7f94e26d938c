//! The configuration, and the commands that show what it adds.

use super::JournalArgs;
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// Where the configuration is.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct ConfigurationArgs {
    /// The configuration file; by default pghaul.toml beside the journal, or pghaul/pghaul.toml in $XDG_CONFIG_HOME or
    /// ~/.config
    #[arg(
        long,
        global = true,
        env = "PGHAUL_CONFIG",
        value_name = "FILE",
        help_heading = "Configuration"
    )]
    pub(crate) config: Option<PathBuf>,
    /// The folder of checks in SQL; by default that of the configuration file, or sql-checks beside the journal
    #[arg(long, global = true, value_name = "FOLDER", help_heading = "Configuration")]
    pub(crate) sql_checks: Option<PathBuf>,
}

/// For lists of steps and checks.
#[derive(Debug, Clone, Args)]
pub(crate) struct ListArgs {
    /// The journal file, beside which a configuration may be
    #[arg(long, env = "PGHAUL_JOURNAL", value_name = "FILE", help_heading = "Journal")]
    pub(crate) journal: Option<PathBuf>,
    /// Answer in JSON
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct DescribeArgs {
    /// A step or a check
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) list: ListArgs,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct ConfigCommandArgs {
    #[command(subcommand)]
    pub(crate) command: ConfigCommand,
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Validate the configuration, its programs and the checks in SQL, and show where they are
    Check(JournalArgs),
    /// Print a configuration file with every key
    Example,
    /// Print the JSON Schema of the configuration file
    Schema,
}
