//! The snapshot that all tables of a database are copied from.

use crate::seen::Seen;
use crate::tables::{self, Table};
use pghaul_core::catalog::Catalog;
use pghaul_core::{Code, Failure, Mark, Side, TableName};
use pghaul_postgres::catalog::Detail;
use pghaul_postgres::{
    Ident, Lsn, PgError, ReadOnly, ReplicationSession, Server, Session, SnapshotId, Source,
};
use std::collections::BTreeMap;
use tokio::sync::OnceCell;

/// An exported snapshot, alive as long as this value is and the connection that keeps it.
pub struct Snapshot {
    id: SnapshotId,
    position: Lsn,
    tables: BTreeMap<TableName, Table>,
    large_object_catalogs: Vec<Table>,
    seen: Seen,
    catalog: OnceCell<Catalog>,
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
        let large_object_catalogs = tables::read_large_object_catalogs(&keeper).await?;
        keeper.begin_snapshot().await?;
        let id = keeper.export_snapshot().await?;
        let seen = Seen::read_with_subtransactions(&keeper).await?;
        // A standby has no position of its own to insert at.
        let sql = "SELECT CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn() \
                   ELSE pg_catalog.pg_current_wal_insert_lsn() END::text";
        let row = keeper
            .doing("read the position of the snapshot")
            .query_one(sql, &[])
            .await?;
        let position = row
            .get::<_, String>(0)
            .parse()
            .map_err(|_| Failure::bug("an LSN that is none"))?;
        Ok(Self {
            id,
            position,
            tables,
            large_object_catalogs,
            seen,
            catalog: OnceCell::new(),
            keeper,
        })
    }

    /// What is remembered of a table that is copied from this snapshot, to know later whether it was written to since.
    pub fn mark(&self, table: &Table) -> Mark {
        self.seen.mark(table)
    }

    /// The source's WAL position when the snapshot was taken, or a little later; of a slot's snapshot, exactly
    /// the slot's consistent point.
    pub fn position(&self) -> Lsn {
        self.position
    }

    /// The tables of the database as of just before the snapshot.
    pub fn tables(&self) -> &BTreeMap<TableName, Table> {
        &self.tables
    }

    /// The catalogs of large objects as of just before the snapshot; none in that of a slot.
    pub fn large_object_catalogs(&self) -> &[Table] {
        &self.large_object_catalogs
    }

    /// What the database holds as the snapshot sees it; read once.
    ///
    /// # Errors
    /// When the source can't be asked.
    pub async fn catalog(&self) -> Result<&Catalog, Failure> {
        let version = self.keeper.server_version();
        let read = || async {
            let doing = self.keeper.doing("read the catalogs in the snapshot");
            doing.catalog(version, Detail::Facts).await
        };
        Ok(self.catalog.get_or_try_init(read).await?)
    }

    /// Another session that sees the same snapshot.
    ///
    /// # Errors
    /// When the source can't be reached; [`Code::SnapshotLost`] where the snapshot ended with its keeper.
    pub async fn session(
        &self,
        source: &Server<Source>,
        database: &str,
    ) -> Result<Session<Source, ReadOnly>, Failure> {
        let session: Session<Source, ReadOnly> = source.connect(database).await?;
        match session.adopt_snapshot(&self.id).await {
            Ok(()) => {
                // Amounts are written without a currency, as the target's session reads them.
                let sql = "SELECT pg_catalog.set_config('lc_monetary', 'C', true)";
                session.doing("set lc_monetary").query(sql, &[]).await?;
                Ok(session)
            }
            // 22023 invalid_parameter_value up to version 17, 42704 undefined_object since.
            Err(error) if matches!(error.sqlstate(), Some("22023" | "42704")) => Err(lost(&error)),
            Err(error) => Err(error.into()),
        }
    }

    /// The session that keeps the snapshot alive; it sees the snapshot too.
    pub fn keeper(&self) -> &Session<Source, ReadOnly> {
        &self.keeper
    }
}

fn lost(error: &PgError) -> Failure {
    Failure::new(
        Code::SnapshotLost,
        "the snapshot ended with the connection that held it",
    )
    .with_side(Side::Source)
    .with_cause(error)
    .with_hint("run again: tables that are complete stay, the others are copied anew")
}

/// A replication slot about to be created, together with a snapshot of the database as of the slot's beginning.
///
/// Only the streaming replication protocol gives such a pair: rows that the snapshot shows are not in the slot's
/// changes, and all others are. See
/// [CREATE_REPLICATION_SLOT](https://www.postgresql.org/docs/current/protocol-replication.html).
pub struct SlotWithSnapshot {
    replication: ReplicationSession,
    keeper: Session<Source, ReadOnly>,
    tables: BTreeMap<TableName, Table>,
}

impl SlotWithSnapshot {
    /// Opens the connections that it takes, and reads the file nodes of all tables.
    ///
    /// # Errors
    /// When the source can't be reached, or the role may not replicate.
    pub async fn prepare(source: &Server<Source>, database: &str) -> Result<Self, PgOrFailure> {
        let keeper: Session<Source, ReadOnly> = source.connect(database).await?;
        let tables = tables::read(&keeper).await?;
        let replication = source.connect_replication(database).await?;
        Ok(Self {
            replication,
            keeper,
            tables,
        })
    }

    /// The walsender that creates the slot, which `pg_blocking_pids()` takes.
    pub fn backend_pid(&self) -> i32 {
        self.replication.backend_pid()
    }

    /// Creates the slot, with `failover` one that standbys keep a copy of (PostgreSQL 17 and later). That waits for every transaction of the whole cluster that has an id to end.
    ///
    /// # Errors
    /// What the source says; without a slot then, unless the connection broke.
    pub async fn create(self, name: &str, failover: bool) -> Result<Snapshot, PgOrFailure> {
        // The older form is the only one that all versions know; it asks for the snapshot since version 10.
        let options = if failover {
            "(SNAPSHOT 'export', FAILOVER true)"
        } else {
            "EXPORT_SNAPSHOT"
        };
        let command = format!(
            "CREATE_REPLICATION_SLOT {} LOGICAL pgoutput {options}",
            Ident::new(name).map_err(Failure::from)?
        );
        let rows = self
            .replication
            .command("create the replication slot", &command)
            .await?;
        let (position, exported) = answer(&rows)?;
        self.keeper.adopt_snapshot(&exported).await?;
        // Exported by a session of pghaul's, it outlives the walsender, which a next command would take it from.
        let id = self.keeper.export_snapshot().await?;
        let seen = Seen::read(&self.keeper).await?;
        Ok(Snapshot {
            id,
            position,
            tables: self.tables,
            large_object_catalogs: Vec::new(),
            seen,
            catalog: OnceCell::new(),
            keeper: self.keeper,
        })
    }
}

/// The columns of the answer: slot_name, consistent_point, snapshot_name, output_plugin.
fn answer(rows: &[Vec<Option<String>>]) -> Result<(Lsn, SnapshotId), Failure> {
    let understood = || {
        let row = rows.first()?;
        let position = row.get(1)?.as_deref()?.parse().ok()?;
        let exported = SnapshotId::new(row.get(2)?.as_deref()?).ok()?;
        Some((position, exported))
    };
    understood().ok_or_else(|| {
        Failure::new(
            Code::ServerError,
            "the answer to CREATE_REPLICATION_SLOT makes no sense",
        )
        .with_side(Side::Source)
        .with_hint("connect to PostgreSQL directly, without a pooler or proxy in between")
    })
}

/// Either what a server said, with its SQLSTATE for the caller to judge, or a failure that is none of a server's.
#[derive(Debug)]
pub enum PgOrFailure {
    /// A server's error.
    Pg(PgError),
    /// Anything else.
    Other(Failure),
}

impl From<PgError> for PgOrFailure {
    fn from(error: PgError) -> Self {
        Self::Pg(error)
    }
}

impl From<Failure> for PgOrFailure {
    fn from(failure: Failure) -> Self {
        Self::Other(failure)
    }
}
