//! An event as it is stored, and the one way by which it is read: a live run, `status`, `history`, an export and an
//! import all come here.

use crate::chain::{self, Columns, Hash};
use crate::damage::DamageReason;
use pghaul_core::event::UnknownRecord;
use pghaul_core::journal::Head;
use pghaul_core::{
    DatabaseName, Envelope, Epoch, Event, Migration, MigrationId, Seq, StepName, StepVersions, hex,
};
use rusqlite::Row;
use rusqlite::types::ValueRef;

/// The part of the chain that has been checked.
#[derive(Debug, Clone)]
pub(crate) struct Links {
    /// The last event.
    pub(crate) seq: u64,
    /// Its hash.
    pub(crate) before: Hash,
}

impl Links {
    /// Before the first event.
    pub(crate) fn new(migration: &MigrationId) -> Self {
        Self {
            seq: 0,
            before: chain::genesis(migration),
        }
    }

    /// The end as the rest of pghaul knows it.
    pub(crate) fn head(&self) -> Head {
        let hash = if self.seq == 0 {
            String::new()
        } else {
            hex(&self.before)
        };
        Head {
            seq: Seq(self.seq),
            hash,
        }
    }

    /// Takes the event as the next of the chain, where it is.
    pub(crate) fn check(&mut self, event: &StoredEvent<'_>) -> Result<(), DamageReason> {
        let seq = self.seq + 1;
        let found = event.integer(SEQ)?;
        if u64::try_from(found) != Ok(seq) {
            return Err(DamageReason::Gap { found });
        }
        let hash = chain::link(&self.before, &event.columns);
        if event.hash != ValueRef::Blob(&hash) {
            return Err(DamageReason::HashMismatch);
        }
        self.seq = seq;
        self.before = hash;
        Ok(())
    }
}

/// The columns by their place and name.
type Column = (usize, &'static str);
const MIGRATION: Column = (0, "migration");
const SEQ: Column = (1, "seq");
const EPOCH: Column = (2, "epoch");
const AT: Column = (3, "at");
const DATABASE: Column = (4, "database");
const STEP: Column = (5, "step");
const ITEM: Column = (6, "item");
const KIND: Column = (7, "kind");
const VERSION: Column = (8, "version");
const PAYLOAD: Column = (9, "payload");
const HASH: usize = 10;

/// One row, as it is stored.
pub(crate) struct StoredEvent<'a> {
    columns: Columns<'a>,
    hash: ValueRef<'a>,
}

impl<'a> StoredEvent<'a> {
    pub(crate) fn read(row: &'a Row<'_>) -> rusqlite::Result<Self> {
        let mut columns = [ValueRef::Null; 10];
        for (place, column) in columns.iter_mut().enumerate() {
            *column = row.get_ref(place)?;
        }
        Ok(Self {
            columns,
            hash: row.get_ref(HASH)?,
        })
    }

    fn column(&self, (place, _): Column) -> ValueRef<'a> {
        self.columns.get(place).copied().unwrap_or(ValueRef::Null)
    }

    fn integer(&self, column: Column) -> Result<i64, DamageReason> {
        self.column(column)
            .as_i64()
            .map_err(|_| DamageReason::Column { column: column.1 })
    }

    fn number(&self, column: Column) -> Result<u32, DamageReason> {
        u32::try_from(self.integer(column)?).map_err(|_| DamageReason::Column { column: column.1 })
    }

    fn text(&self, column: Column) -> Result<&'a str, DamageReason> {
        self.column(column)
            .as_str()
            .map_err(|_| DamageReason::Column { column: column.1 })
    }

    fn optional(&self, column: Column) -> Result<Option<&'a str>, DamageReason> {
        self.column(column)
            .as_str_or_null()
            .map_err(|_| DamageReason::Column { column: column.1 })
    }

    pub(crate) fn seq(&self) -> Result<i64, DamageReason> {
        self.integer(SEQ)
    }

    pub(crate) fn epoch(&self) -> Result<i64, DamageReason> {
        self.integer(EPOCH)
    }

    pub(crate) fn at(&self) -> Result<&'a str, DamageReason> {
        self.text(AT)
    }

    pub(crate) fn database(&self) -> Result<Option<&'a str>, DamageReason> {
        self.optional(DATABASE)
    }

    pub(crate) fn step(&self) -> Result<Option<&'a str>, DamageReason> {
        self.optional(STEP)
    }

    pub(crate) fn item(&self) -> Result<Option<&'a str>, DamageReason> {
        self.optional(ITEM)
    }

    pub(crate) fn kind(&self) -> Result<&'a str, DamageReason> {
        self.text(KIND)
    }

    pub(crate) fn version(&self) -> Result<i64, DamageReason> {
        self.integer(VERSION)
    }

    pub(crate) fn payload(&self) -> Result<&'a str, DamageReason> {
        self.text(PAYLOAD)
    }

    /// The hash as lower-case hexadecimal digits.
    pub(crate) fn hash_hex(&self) -> Result<String, DamageReason> {
        let hash = self
            .hash
            .as_blob()
            .ok()
            .and_then(|blob| Hash::try_from(blob).ok());
        hash.map(|hash| hex(&hash))
            .ok_or(DamageReason::Column { column: "hash" })
    }

    /// An event from elsewhere, with the hash that it is said to have.
    pub(crate) fn of(columns: Columns<'a>, hash: ValueRef<'a>) -> Self {
        Self { columns, hash }
    }

    /// The event as the newest versions have it.
    fn event(&self, versions: &StepVersions) -> Result<Event, DamageReason> {
        let event = Event::from_text(
            self.optional(DATABASE)?.map(DatabaseName::new),
            self.optional(STEP)?.map(StepName::new),
            self.text(KIND)?,
            self.number(VERSION)?,
            self.text(PAYLOAD)?,
        )
        .map_err(|record| self.unreadable(record))?;
        if event.item() != self.optional(ITEM)? {
            return Err(DamageReason::Column { column: ITEM.1 });
        }
        versions.upcast(event).map_err(DamageReason::Unreadable)
    }

    fn unreadable(&self, record: UnknownRecord) -> DamageReason {
        match record {
            UnknownRecord::Payload { .. } => DamageReason::Unreadable(record),
            UnknownRecord::Kind { .. } | UnknownRecord::Version { .. } => {
                let name = |column| self.optional(column).ok().flatten();
                let subject = match (name(DATABASE), name(STEP)) {
                    (Some(database), Some(step)) => format!("step {step} of database {database}"),
                    (Some(database), None) => format!("database {database}"),
                    (None, Some(step)) => format!("step {step}"),
                    (None, None) => "the migration as a whole".to_owned(),
                };
                DamageReason::Newer {
                    subject,
                    record,
                    release: None,
                }
            }
        }
    }

    /// Makes the event part of the state that those before it lead to.
    pub(crate) fn replay(&self, state: &mut Migration, versions: &StepVersions) -> Result<(), DamageReason> {
        let event = self.event(versions).map_err(|reason| match reason {
            // Whoever wrote this event has said at its start which release it is.
            DamageReason::Newer { subject, record, .. } => DamageReason::Newer {
                subject,
                record,
                release: state.runner.as_ref().and_then(|runner| runner.pghaul.clone()),
            },
            other => other,
        })?;
        state.apply(&event).map_err(DamageReason::Illegal)?;
        if self.number(EPOCH)? != state.epoch.0 {
            return Err(DamageReason::Column { column: EPOCH.1 });
        }
        Ok(())
    }

    pub(crate) fn envelope(&self, versions: &StepVersions) -> Result<Envelope, DamageReason> {
        Ok(Envelope {
            migration: MigrationId::new(self.text(MIGRATION)?),
            seq: Seq(u64::try_from(self.integer(SEQ)?).unwrap_or_default()),
            epoch: Epoch(self.number(EPOCH)?),
            at: self.text(AT)?.to_owned(),
            event: self.event(versions)?,
        })
    }
}
