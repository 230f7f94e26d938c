//! The migrations of a file, and whether they are still to be worked on.

use crate::error::StoreError;
use crate::file::{JournalFile, MigrationEntry};
use crate::reader::OpenMigration;
use pghaul_core::event::Created;

/// Whether a migration is still to be worked on.
#[derive(Debug)]
pub enum Standing {
    /// Something of it may still be on the servers.
    Open,
    /// Every one of its databases is removed.
    Ended,
    /// Its events can't be trusted or read.
    Unreadable(StoreError),
}

/// A migration in the list of a file.
#[derive(Debug)]
pub struct Listed {
    /// Its id and name.
    pub entry: MigrationEntry,
    /// What it was created with, unless its events can't be read.
    pub created: Option<Created>,
    /// Whether it is still to be worked on.
    pub standing: Standing,
}

impl JournalFile {
    /// Every migration of the file, oldest first. All their events are read: [`JournalFile::find`] is quicker. A migration
    /// that can't be read is listed as such.
    ///
    /// # Errors
    /// When the file can't be read.
    pub fn migrations(&self) -> Result<Vec<Listed>, StoreError> {
        self.entries()?
            .into_iter()
            .map(|entry| self.list(entry))
            .collect()
    }

    fn list(&self, entry: MigrationEntry) -> Result<Listed, StoreError> {
        let open = OpenMigration::new(self.read()?, self, entry.clone());
        Ok(match open.load() {
            Ok(loaded) => {
                let standing = if loaded.migration.is_removed() {
                    Standing::Ended
                } else {
                    Standing::Open
                };
                Listed {
                    entry,
                    created: loaded.migration.created,
                    standing,
                }
            }
            Err(error) => Listed {
                entry,
                created: None,
                standing: Standing::Unreadable(error),
            },
        })
    }
}
