//! Sessions, typed by side and by what they may do.
//!
//! A [`Server`] knows the way to one of the two servers; [`Server::connect`] opens a [`Session`]. What a session may
//! do is in its type: a [`ReadOnly`] one has no `execute`, a [`Rehearsal`] one has no commit. The server enforces the
//! same with `default_transaction_read_only`.

mod copy_out;
mod doing;
mod epoch;
mod grants;
mod home;
mod idle;
mod rehearsal;
mod release;
mod replication;
mod right;
mod room;
mod route;
mod secret;
mod server;
pub mod settings;
mod snapshot;
mod transaction;

pub use copy_out::CopyOut;
pub use doing::Doing;
pub use epoch::OLDER_EPOCHS_TIMEOUT;
pub use home::{HomeSettings, PlainSetting};
pub use idle::{Pooled, Reader, Writer};
pub use rehearsal::Rehearsed;
pub use release::RELEASE_TIMEOUT;
pub use replication::ReplicationSession;
pub use right::{ReadOnly, ReadWrite, Rehearsal, Right, SideMarker, Source, Target};
pub use room::Room;
pub use server::Server;
pub use snapshot::SnapshotId;
pub use transaction::Transaction;

use settings::without_login_triggers;

use crate::connect::{self, Connected};
use crate::error::{PgError, Place};
use crate::tls::Tls;
use pghaul_core::Code;
use std::marker::PhantomData;
use std::sync::Arc;
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::JoinHandle;
use tokio_postgres::{Client, SimpleQueryMessage};

/// One session on one server. Dropping it closes the connection at once; [`Session::close`] says goodbye first.
///
/// The server notices a closed connection only when it next writes to it: a long statement goes on. Cancel it with
/// [`Session::cancel_token`] before dropping the session where that matters.
pub struct Session<S, R> {
    client: Client,
    driver: Driver,
    place: Place,
    facts: Facts,
    counts: Arc<connect::RowCounts>,
    unmet: Arc<connect::UnmetRights>,
    canceller: CancelToken,
    _permit: Option<OwnedSemaphorePermit>,
    _type: PhantomData<fn() -> (S, R)>,
}

/// What a session asks the server at its begin.
#[derive(Debug, Clone, Copy)]
struct Facts {
    known: settings::Known,
    pid: i32,
}

/// The task that moves the bytes; it ends with the session.
struct Driver(JoinHandle<()>);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Cancels what a session is doing, from outside of it. It may outlive the session; then it does nothing.
#[derive(Clone)]
pub struct CancelToken {
    token: tokio_postgres::CancelToken,
    target: connect::Target,
    tls: Option<Arc<Tls>>,
    socket: connect::SocketOptions,
    place: Place,
}

impl CancelToken {
    /// Asks the server to cancel the statement that the session runs now, if any. That the server got the request
    /// does not mean that it comes in time.
    ///
    /// # Errors
    /// The server can't be reached.
    pub async fn cancel(&self) -> Result<(), PgError> {
        self.target
            .cancel(&self.token, self.tls.as_deref(), &self.socket)
            .await
            .map_err(|error| {
                PgError::new(
                    Code::ConnectionLost,
                    &self.place,
                    "cancel a statement",
                    error.to_string(),
                )
            })
    }
}

impl<S: SideMarker, R: Right> Session<S, R> {
    /// Says what the next statement is for; an error then tells what could not be done. An infinitive, as in
    /// `read the tables`.
    ///
    /// ```no_run
    /// # async fn f(session: &pghaul_postgres::Session<pghaul_postgres::Source, pghaul_postgres::ReadOnly>)
    /// # -> Result<(), pghaul_postgres::PgError> {
    /// let row = session.doing("count the tables").query_one("SELECT count(*) FROM pg_class", &[]).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn doing<'a>(&'a self, operation: &'a str) -> Doing<'a, R> {
        Doing::new(&self.client, &self.place, operation)
    }

    /// The server's version as `server_version_num` gives it, such as 150018.
    pub fn server_version(&self) -> u32 {
        self.facts.known.version
    }

    /// The process that serves this session.
    pub fn backend_pid(&self) -> i32 {
        self.facts.pid
    }

    /// The side and database, for errors of pghaul's own.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// The database of this session.
    pub fn database(&self) -> &str {
        self.place.database.as_deref().unwrap_or_default()
    }

    /// Something that can cancel what this session does.
    pub fn cancel_token(&self) -> CancelToken {
        self.canceller.clone()
    }

    /// Whether the connection is known to be broken.
    pub fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// Whether the connection is encrypted with TLS.
    pub fn is_encrypted(&self) -> bool {
        self.canceller.tls.is_some()
    }

    /// Tells the server goodbye and waits until that is sent, so that no session of pghaul's is left behind.
    ///
    /// It waits for a statement that is under way; who does not want to, drops the future, and with it the connection.
    pub async fn close(self) {
        let Self {
            client, mut driver, ..
        } = self;
        drop(client);
        let _ended = (&mut driver.0).await;
    }

    /// The same session under another type. Its settings are those that it was opened with.
    fn retyped<T: Right>(self) -> Session<S, T> {
        Session {
            client: self.client,
            driver: self.driver,
            place: self.place,
            facts: self.facts,
            counts: self.counts,
            unmet: self.unmet,
            canceller: self.canceller,
            _permit: self._permit,
            _type: PhantomData,
        }
    }

    /// Asks for the facts and sets what only some versions know.
    async fn begin(connected: Connected, place: Place, way: Way) -> Result<Self, PgError> {
        let Connected {
            client,
            driver,
            encrypted,
            counts,
            unmet,
        } = connected;
        let driver = Driver(driver);
        let facts = facts(&client, &place).await?;
        client
            .batch_execute(&settings::statements::<R>(facts.known))
            .await
            .map_err(|error| PgError::from_driver(&place, "set up the session", &error))?;
        let canceller = CancelToken {
            token: client.cancel_token(),
            target: way.target,
            tls: encrypted.then_some(way.tls),
            socket: way.socket,
            place: place.clone(),
        };
        Ok(Self {
            client,
            driver,
            place,
            facts,
            counts,
            unmet,
            canceller,
            _permit: Some(way.permit),
            _type: PhantomData,
        })
    }
}

/// How a connection came about, which a session keeps.
struct Way {
    target: connect::Target,
    tls: Arc<Tls>,
    socket: connect::SocketOptions,
    permit: OwnedSemaphorePermit,
}

async fn facts(client: &Client, place: &Place) -> Result<Facts, PgError> {
    let sql = "SELECT pg_catalog.current_setting('server_version_num'), pg_catalog.pg_backend_pid(), \
               pg_catalog.current_setting('is_superuser')";
    let operation = "ask for the server's version";
    let answer = client
        .simple_query(sql)
        .await
        .map_err(|error| PgError::from_driver(place, operation, &error))?;
    let facts = answer.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(Facts {
            known: settings::Known {
                version: row.get(0)?.parse().ok()?,
                superuser: row.get(2)? == "on",
            },
            pid: row.get(1)?.parse().ok()?,
        }),
        _ => None,
    });
    facts.ok_or_else(|| PgError::new(Code::ServerError, place, operation, "the answer makes no sense"))
}
