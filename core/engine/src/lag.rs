//! How far the target is behind the source, cheaply: one query, and nothing is proven.

use crate::run::Engine;
use pghaul_core::id::database_of_object;
use pghaul_core::{DatabaseName, Failure};
use pghaul_step::check::maintenance_for_reading;
use std::collections::BTreeMap;

/// Positions in the source's WAL, in bytes from its begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lag {
    /// Where the source writes.
    pub position: u64,
    /// Up to where the target has confirmed; that of the slowest slot of the database.
    pub confirmed: u64,
    /// From where on the source keeps WAL for the database.
    pub restart: u64,
}

impl Lag {
    /// The bytes that the target has yet to confirm.
    pub fn bytes(&self) -> u64 {
        self.position.saturating_sub(self.confirmed)
    }

    /// The bytes of WAL that the source keeps.
    pub fn retained(&self) -> u64 {
        self.position.saturating_sub(self.restart)
    }

    fn or_slower(self, other: Self) -> Self {
        Self {
            position: self.position.max(other.position),
            confirmed: self.confirmed.min(other.confirmed),
            restart: self.restart.min(other.restart),
        }
    }
}

impl Engine {
    /// The lag of every database that has a slot.
    ///
    /// # Errors
    /// When the source can't be asked.
    pub async fn look_at_lag(&self) -> Result<BTreeMap<DatabaseName, Lag>, Failure> {
        let numbers: BTreeMap<u32, DatabaseName> = self.run.recorder.read(|m| {
            let all = m.databases.iter();
            all.map(|(name, record)| (record.number, name.clone())).collect()
        });
        let prefix = format!("pghaul_{}_", self.run.migration);
        let source = maintenance_for_reading(&self.run.source).await?;
        let doing = source.doing("read the positions of pghaul's slots");
        let mut found: BTreeMap<DatabaseName, Lag> = BTreeMap::new();
        for row in doing.query(include_str!("lag.sql"), &[&prefix]).await? {
            let bytes = |column: &str| row.get::<_, i64>(column).max(0).unsigned_abs();
            let name: String = row.get("name");
            let Some(database) = database_of_object(&name).and_then(|number| numbers.get(&number)) else {
                continue;
            };
            let lag = Lag {
                position: bytes("position"),
                confirmed: bytes("confirmed"),
                restart: bytes("restart"),
            };
            let known = found.get(database).copied();
            found.insert(database.clone(), known.map_or(lag, |known| known.or_slower(lag)));
        }
        Ok(found)
    }
}
