//! The slots of this migration on the source, those of the target's table workers among them.
//!
//! While a table is copied by a worker of the target, a slot of the worker's own keeps WAL too, and may keep more than
//! the subscription's: `pg_<subscription's oid>_sync_<table's oid>_<target's system identifier>`. Only the target
//! knows whose the oid is. Before PostgreSQL 14 the name begins with that of the subscription's slot.

use crate::doctor::table_worker;
use pghaul_core::id::database_of_object;
use pghaul_core::{Failure, MigrationId};
use pghaul_postgres::{ReadOnly, Server, Session, Source, Target};
use pghaul_step::check::maintenance_for_reading;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// A slot of pghaul's and the WAL that it keeps, in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Kept {
    /// The number of its database in the migration.
    pub(super) number: u32,
    pub(super) slot: String,
    pub(super) retained: u64,
}

/// Knows which slots are ours.
pub(super) struct OurSlots {
    prefix: String,
    target: Server<Target>,
    /// The target's system identifier, where it may be asked.
    target_identity: Option<String>,
    /// The databases' numbers by the oids of the target's subscriptions; `None` for those of others. An oid is not given
    /// twice in the life of a run, so that the target is asked once for each.
    subscriptions: Mutex<BTreeMap<u32, Option<u32>>>,
}

impl OurSlots {
    /// `target` needs a connection budget of its own.
    pub(super) fn new(
        migration: &MigrationId,
        target: Server<Target>,
        target_identity: Option<String>,
    ) -> Self {
        Self {
            prefix: format!("pghaul_{migration}_"),
            target,
            target_identity,
            subscriptions: Mutex::default(),
        }
    }

    /// Every slot of pghaul's that keeps WAL. A table worker's is left out while the target can't say whose it is: then the
    /// target is down, and the subscription's slot keeps at least as much from now on.
    pub(super) async fn look(&self, source: &Session<Source, ReadOnly>) -> Result<Vec<Kept>, Failure> {
        let doing = source.doing("look at the WAL that pghaul's slots keep");
        let identity = self.target_identity.as_deref().unwrap_or("-");
        let rows = doing
            .query(include_str!("retained.sql"), &[&self.prefix, &identity])
            .await?;
        let mut kept = Vec::new();
        for row in &rows {
            let slot: String = row.get("name");
            let retained = row.get::<_, i64>("retained").max(0).unsigned_abs();
            let number = match number_in(&slot, &self.prefix) {
                Some(number) => Some(number),
                None => self.of_table_worker(&slot, identity).await,
            };
            kept.extend(number.map(|number| Kept {
                number,
                slot,
                retained,
            }));
        }
        Ok(kept)
    }

    async fn of_table_worker(&self, slot: &str, identity: &str) -> Option<u32> {
        let oid = table_worker(slot, identity)?;
        if let Some(known) = self.known(oid) {
            return known;
        }
        match self.ask().await {
            Ok(found) => {
                // A subscription that is not there any more is nobody's.
                let mut known = self.subscriptions.lock().unwrap_or_else(PoisonError::into_inner);
                known.extend(found);
                *known.entry(oid).or_default()
            }
            Err(failure) => {
                tracing::debug!(%failure, slot, "whose slot this is could not be asked");
                None
            }
        }
    }

    fn known(&self, oid: u32) -> Option<Option<u32>> {
        let known = self.subscriptions.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&oid).copied()
    }

    /// All subscriptions of the target.
    async fn ask(&self) -> Result<BTreeMap<u32, Option<u32>>, Failure> {
        let session = maintenance_for_reading(&self.target).await?;
        let sql = "SELECT oid, subname::text AS name FROM pg_catalog.pg_subscription";
        let rows = session.doing("look for subscriptions").query(sql, &[]).await?;
        Ok(rows
            .iter()
            .map(|row| (row.get("oid"), number_in(row.get("name"), &self.prefix)))
            .collect())
    }
}

/// The number of the database in the name of a slot or subscription of this migration.
fn number_in(name: &str, prefix: &str) -> Option<u32> {
    database_of_object(name).filter(|_| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_tells_its_database() {
        let prefix = "pghaul_k3v9x2ab_";
        assert_eq!(number_in("pghaul_k3v9x2ab_12_g1a1", prefix), Some(12));
        assert_eq!(
            number_in("pghaul_k3v9x2ab_12_g1a1_16410_sync_16394", prefix),
            Some(12)
        );
        assert_eq!(number_in("pghaul_k3v9x2ab_x_g1a1", prefix), None);
    }
}
