//! Replication connections: the only way to create a slot together with a snapshot that fits it.

use super::{Driver, ReadOnly, Server, SideMarker, Source, settings};
use crate::connect::Connected;
use crate::error::{PgError, Place};
use tokio::sync::OwnedSemaphorePermit;
use tokio_postgres::{Client, SimpleQueryMessage};

/// A connection that takes the commands of the
/// [streaming replication protocol](https://www.postgresql.org/docs/current/protocol-replication.html).
///
/// A snapshot that `CREATE_REPLICATION_SLOT … EXPORT_SNAPSHOT` gave lives until the next command, even a failing
/// one, and until the connection is dropped.
pub struct ReplicationSession {
    client: Client,
    _driver: Driver,
    place: Place,
    pid: i32,
    _permit: OwnedSemaphorePermit,
}

impl Server<Source> {
    /// Opens a replication connection in a database. It counts in the connection budget.
    ///
    /// # Errors
    /// As [`Server::connect`]; also that the role may not replicate.
    pub async fn connect_replication(&self, database: &str) -> Result<ReplicationSession, PgError> {
        // SET would be one command too many later, so the version is asked before.
        let probe = self.connect::<ReadOnly>(database).await?;
        let known = probe.facts.known;
        probe.close().await;
        let place = self.place(database);
        let permit = self.permit(&place).await?;
        let mut startup = self
            .inner
            .route
            .startup(database, &settings::for_replication(known));
        startup.replication = true;
        let (Connected { client, driver, .. }, _) = self.inner.route.open(startup, &place).await?;
        let _driver = Driver(driver);
        let facts = super::facts(&client, &place).await?;
        // Before the first command there is no snapshot to lose.
        let done = client
            .simple_query(&settings::statements::<ReadOnly>(known))
            .await;
        done.map_err(|error| PgError::from_driver(&place, "set up the session", &error))?;
        Ok(ReplicationSession {
            client,
            _driver,
            place,
            pid: facts.pid,
            _permit: permit,
        })
    }
}

impl ReplicationSession {
    /// Runs a command and returns its rows as texts.
    ///
    /// # Errors
    /// What the server says, or a lost connection.
    pub async fn command(&self, operation: &str, command: &str) -> Result<Vec<Vec<Option<String>>>, PgError> {
        let answer = self.client.simple_query(command).await;
        let answer = answer.map_err(|error| PgError::from_driver(&self.place, operation, &error))?;
        let rows = answer.iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(
                (0..row.len())
                    .map(|column| row.get(column).map(str::to_owned))
                    .collect(),
            ),
            _ => None,
        });
        Ok(rows.collect())
    }

    /// The walsender, which `pg_blocking_pids()` takes while a slot waits for transactions to end.
    pub fn backend_pid(&self) -> i32 {
        self.pid
    }

    /// Whether the connection is known to be broken.
    pub fn is_closed(&self) -> bool {
        self.client.is_closed()
    }
}

/// Replication connections exist on the source only.
const _: fn() = || {
    fn source_is_a_side<S: SideMarker>() {}
    source_is_a_side::<Source>();
};
