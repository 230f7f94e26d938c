//! What a command that works on a migration leaves for an auditor.

use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use std::path::PathBuf;

/// What a command that works on a migration leaves for an auditor.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct AuditArgs {
    /// Why this is done, for the journal: a ticket, or who agreed; stands beside everything that the options override
    #[arg(long, value_name = "TEXT", value_parser = NonEmptyStringValueParser::new(), help_heading = "Journal")]
    pub(crate) reason: Option<String>,
    /// Where the journal's head is kept outside of it at the end: a file, to which a line is appended, or |COMMAND, which
    /// reads the line
    #[arg(long, value_name = "FILE", value_parser = NonEmptyStringValueParser::new(), help_heading = "Journal")]
    pub(crate) anchor: Option<String>,
    /// Sign the anchor with this Ed25519 key, a file that ssh-keygen has made, without a passphrase
    #[arg(long, value_name = "KEY", requires = "anchor", help_heading = "Journal")]
    pub(crate) sign_with: Option<PathBuf>,
}
