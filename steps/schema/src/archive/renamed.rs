//! The archive as it is restored where roles or the database have other names on the target.

use super::{Archive, Entry};
use libpgdump::ObjectType;
use pghaul_step::postgres::QuoteError;
use pghaul_step::renaming::renamed;
use pghaul_step::{DatabaseName, Mapping};

impl Archive {
    /// With the names of the target. Its fingerprint is another one then: it is compared before.
    pub(crate) fn renamed(mut self, mapping: &Mapping) -> Result<Self, QuoteError> {
        for entry in &mut self.entries {
            entry.rename(mapping)?;
        }
        Ok(self)
    }
}

impl Entry {
    fn rename(&mut self, mapping: &Mapping) -> Result<(), QuoteError> {
        let of_database = self.tag.starts_with("DATABASE ");
        match self.kind {
            ObjectType::Acl | ObjectType::DefaultAcl => {
                self.statements = renamed(&self.statements, mapping, Some(&self.owner))?.into_owned();
            }
            ObjectType::Policy
            | ObjectType::UserMapping
            | ObjectType::DatabaseProperties
            | ObjectType::Function
            | ObjectType::Procedure => {
                self.statements = renamed(&self.statements, mapping, None)?.into_owned();
            }
            ObjectType::Comment | ObjectType::SecurityLabel if of_database => {
                self.statements = renamed(&self.statements, mapping, None)?.into_owned();
            }
            ObjectType::Database => {
                let name = DatabaseName::new(&self.tag);
                self.tag = mapping.database(&name).to_string();
            }
            _ => {}
        }
        self.owner = mapping.role(&self.owner).to_owned();
        Ok(())
    }
}
