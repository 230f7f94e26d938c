//! The journal: one append-only SQLite file that holds several migrations.
//!
//! [`JournalFile`] is the file. It lists its migrations, begins new ones, and opens one of them:
//!
//! * [`OpenMigration`] reads. It needs no lock and works while a runner writes.
//! * [`Writer`] appends, for the one process that holds the migration's lock ([`Holder`] says which). A thread of
//!   its own validates requests against the state, commits everything that waits in one transaction, and only
//!   then shows the new state.
//!
//! [`OpenMigration::export`] writes a migration as text that [`JournalFile::import`] reads on another machine.
//!
//! Every event carries a hash over itself and the event before, so that [`OpenMigration::verify`] finds an edit, a
//! loss or a reordering. The file's format is described in `docs/reference/journal.md`.

mod account;
mod chain;
mod clock;
mod damage;
mod error;
mod file;
mod format;
mod holder;
mod listing;
mod lock;
mod reader;
mod row;
mod stored;
mod transfer;
mod writer;

pub use account::account;
pub use clock::Clock;
pub use damage::{Damage, DamageReason};
pub use error::StoreError;
pub use file::{JournalFile, MigrationEntry};
pub use holder::Holder;
pub use listing::{Listed, Standing};
pub use lock::LockState;
pub use reader::{Events, Loaded, OpenMigration};
pub use transfer::Imported;
pub use writer::Writer;
