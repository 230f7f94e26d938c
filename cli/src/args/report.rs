//! What `report` is asked to write.

use super::JournalArgs;
use clap::Args;
use std::path::PathBuf;

#[derive(Debug, Clone, Args)]
pub(crate) struct ReportArgs {
    #[command(flatten)]
    pub(crate) journal: JournalArgs,
    /// Write Markdown, for a ticket, instead of HTML
    #[arg(long, help_heading = "Output")]
    pub(crate) markdown: bool,
    /// Write to this file instead of standard output; an existing file is replaced
    #[arg(short, long, value_name = "FILE", help_heading = "Output")]
    pub(crate) output: Option<PathBuf>,
}
