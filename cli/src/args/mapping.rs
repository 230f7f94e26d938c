//! What has another name, owner or rights on the target.

use clap::Args;
use pghaul_core::{Failure, Mapping, Renaming};

/// What is different on the target.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct MappingArgs {
    /// Let role NEW of the target take the place of role OLD of the source everywhere: as owner, in privileges, in
    /// memberships; may be repeated; * stands for all roles that no other option names
    #[arg(long, value_name = "OLD=NEW", help_heading = "What is moved")]
    pub(crate) map_role: Vec<Renaming>,
    /// Move a database to one of another name; may be repeated
    #[arg(long, value_name = "OLD=NEW", help_heading = "What is moved")]
    pub(crate) rename_database: Vec<Renaming>,
    /// Let everything belong to pghaul's role on the target
    #[arg(long, help_heading = "What is moved")]
    pub(crate) no_owner: bool,
    /// Grant no privileges on the target, and set no default privileges
    #[arg(long, help_heading = "What is moved")]
    pub(crate) no_privileges: bool,
}

impl MappingArgs {
    /// What the options mean together.
    ///
    /// # Errors
    /// Where they contradict each other, or name what PostgreSQL reserves.
    pub(crate) fn mapping(&self) -> Result<Mapping, Failure> {
        Ok(Mapping {
            no_owner: self.no_owner,
            no_privileges: self.no_privileges,
            ..Mapping::new(&self.map_role, &self.rename_database)?
        })
    }
}
