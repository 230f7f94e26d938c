//! Which objects of the databases are moved.

use clap::Args;
use pghaul_core::selection::{ObjectSelection, read_filter};
use pghaul_core::{Code, Failure};
use std::path::{Path, PathBuf};

/// Patterns are those of pg_dump; each option may be repeated.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "What is moved")]
pub(crate) struct ObjectArgs {
    /// Move only tables, views and sequences that match, and what they need; [database.][schema.]name, as in pg_dump; may be
    /// repeated
    #[arg(long, value_name = "PATTERN")]
    pub(crate) table: Vec<String>,
    /// Leave out tables, views and sequences that match, and what needs them; may be repeated
    #[arg(long, value_name = "PATTERN")]
    pub(crate) exclude_table: Vec<String>,
    /// Move only schemas that match, and what their objects need; [database.]name; may be repeated
    #[arg(long, value_name = "PATTERN")]
    pub(crate) schema: Vec<String>,
    /// Leave out schemas that match, and what needs their objects; may be repeated
    #[arg(long, value_name = "PATTERN")]
    pub(crate) exclude_schema: Vec<String>,
    /// Move tables that match without their rows; may be repeated
    #[arg(long, value_name = "PATTERN")]
    pub(crate) schema_only_table: Vec<String>,
    /// Leave out extensions that match, and what needs them; may be repeated
    #[arg(long, value_name = "PATTERN")]
    pub(crate) exclude_extension: Vec<String>,
    /// Leave out event triggers that match; may be repeated
    #[arg(long, value_name = "PATTERN")]
    pub(crate) exclude_event_trigger: Vec<String>,
    /// Do not create roles that match; may be repeated
    #[arg(long, value_name = "PATTERN")]
    pub(crate) exclude_role: Vec<String>,
    /// The provider that the source comes from, whose objects are left out; recognised by default; none moves them like all
    /// others
    #[arg(long, value_name = "NAME")]
    pub(crate) provider: Option<String>,
    /// Read such patterns from a file as pg_dump --filter does; may be repeated
    #[arg(long, value_name = "FILE")]
    pub(crate) filter: Vec<PathBuf>,
}

impl ObjectArgs {
    /// The patterns of all options and files, and the databases that files exclude.
    ///
    /// # Errors
    /// A file that can't be read.
    pub(crate) fn selection(&self) -> Result<(ObjectSelection, Vec<String>), Failure> {
        let mut selection = ObjectSelection {
            tables: self.table.clone(),
            exclude_tables: self.exclude_table.clone(),
            schemas: self.schema.clone(),
            exclude_schemas: self.exclude_schema.clone(),
            schema_only_tables: self.schema_only_table.clone(),
            exclude_extensions: self.exclude_extension.clone(),
            exclude_event_triggers: self.exclude_event_trigger.clone(),
            exclude_roles: self.exclude_role.clone(),
        };
        let mut databases = Vec::new();
        for file in &self.filter {
            let (patterns, excluded) = filter(file)?;
            selection.extend(patterns);
            databases.extend(excluded);
        }
        Ok((selection, databases))
    }
}

fn filter(file: &Path) -> Result<(ObjectSelection, Vec<String>), Failure> {
    let refused = |cause: String| {
        Failure::new(
            Code::BadInput,
            format!("the filter file {} can't be read", file.display()),
        )
        .with_cause(cause)
        .with_hint("each line is `include` or `exclude`, a kind of object such as `table`, and a pattern; # begins a comment")
    };
    let text = std::fs::read_to_string(file);
    let text = text.map_err(|error| refused(error.to_string()))?;
    read_filter(&text).map_err(|error| refused(error.to_string()))
}
