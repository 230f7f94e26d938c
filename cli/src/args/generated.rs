//! What is generated from the definition of the command line, and is part of a package.

use clap::Args;
use clap_complete::Shell;
use std::path::PathBuf;

#[derive(Debug, Clone, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell that reads the script
    #[arg(value_enum, value_name = "SHELL")]
    pub(crate) shell: Shell,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct ManArgs {
    /// The directory for pghaul.1 and a page of each command, such as pghaul-run.1; it is created when it does not exist
    #[arg(value_name = "DIRECTORY")]
    pub(crate) directory: PathBuf,
}
