//! The snapshot that all tables of a database are copied from.

use crate::tables::{self, Table};
use pghaul_core::Failure;
use pghaul_postgres::{Lsn, ReadOnly, Server, Session, SnapshotId, Source};
use std::collections::BTreeMap;

/// An exported snapshot, alive as long as this value is.
pub struct Snapshot {
    id: SnapshotId,
    position: Lsn,
    tables: BTreeMap<(String, String), Table>,
    keeper: Session<Source, ReadOnly>,
}

impl Snapshot {
    /// Takes a snapshot of a database.
    ///
    /// The file nodes of the tables are read before it: whatever moves rows afterwards is noticed when the
    /// table is copied.
    ///
    /// # Errors
    /// When the source can't be asked.
    pub async fn take(source: &Server<Source>, database: &str) -> Result<Self, Failure> {
        let keeper: Session<Source, ReadOnly> = source.connect(database).await?;
        let tables = tables::read(&keeper).await?;
        keeper.begin_snapshot().await?;
        let id = keeper.export_snapshot().await?;
        let row = keeper
            .doing("read the position of the snapshot")
            .query_one("SELECT pg_catalog.pg_current_wal_insert_lsn()::text", &[])
            .await?;
        let position = row
            .get::<_, String>(0)
            .parse()
            .map_err(|_| Failure::bug("an LSN that is none"))?;
        Ok(Self {
            id,
            position,
            tables,
            keeper,
        })
    }

    /// The source's WAL position when the snapshot was taken, or a little later.
    pub fn position(&self) -> Lsn {
        self.position
    }

    /// The tables of the database, by schema and name, as of just before the snapshot.
    pub fn tables(&self) -> &BTreeMap<(String, String), Table> {
        &self.tables
    }

    /// Another session that sees the same snapshot.
    ///
    /// # Errors
    /// When the source can't be reached, or the snapshot is gone because its keeper's connection is.
    pub async fn session(
        &self,
        source: &Server<Source>,
        database: &str,
    ) -> Result<Session<Source, ReadOnly>, Failure> {
        let session: Session<Source, ReadOnly> = source.connect(database).await?;
        session.adopt_snapshot(&self.id).await?;
        Ok(session)
    }

    /// The session that keeps the snapshot alive; it sees the snapshot too.
    pub fn keeper(&self) -> &Session<Source, ReadOnly> {
        &self.keeper
    }
}
