//! PostgreSQL as pghaul sees it: conninfo, TLS, sessions by side, quoting, catalogs.
//!
//! - [`conninfo`]: what a user writes, completed from service file, `PG*` variables, password file and defaults.
//! - [`session`]: a [`Server`] opens [`Session`]s, typed by side ([`Source`], [`Target`]) and by what they may do
//!   ([`ReadOnly`], [`Rehearsal`], [`ReadWrite`]); transactions, snapshots, COPY, replication connections.
//! - [`catalog`]: small questions to the catalogs, as methods of every session.
//!   `Session::definitions` is the large one: a digest of every object.
//! - [`columns`]: whether the tables of one server still are those of the other; [`extension`]: extensions that a server has,
//!   and who may create them.
//! - [`quote`] and [`lsn`]: names, literals and WAL positions.
//! - [`error`] and [`sqlstate`]: what a server said, as a [`Failure`](pghaul_core::Failure) with code and hint.
//! - [`child`]: PostgreSQL's client programs as child processes that connect as we do.
//! - [`tls`]: what is checked about a server's certificate, by sslmode.
//! - [`local`]: throwaway clusters for the demo and for tests.
//!
//! ```no_run
//! use pghaul_postgres::{ConnInfo, Environment, ReadOnly, Server, Source};
//!
//! # async fn example() -> Result<(), pghaul_core::Failure> {
//! let resolved = ConnInfo::parse("postgresql://db.example.com/shop")?.resolve(&Environment::from_process())?;
//! let server = Server::<Source>::new(resolved, "pghaul/k3v9x2ab/1", 8);
//! let session = server.connect::<ReadOnly>("shop").await?;
//! let tables = session.doing("count the tables").query_one("SELECT count(*) FROM pg_class", &[]).await?;
//! # Ok(())
//! # }
//! ```

pub mod catalog;
pub mod child;
pub mod columns;
mod connect;
pub mod conninfo;
mod definitions;
pub mod error;
pub mod extension;
pub mod local;
pub mod lsn;
mod position;
pub mod quote;
pub mod session;
pub mod sqlstate;
pub mod synchronous;
pub mod tls;

pub use columns::Columns;
pub use conninfo::{
    ConnInfo, ConnInfoError, Environment, OtherPassword, Resolved, other_password, renewed_conninfo,
};
pub use error::{PgError, Place};
pub use lsn::{Lsn, LsnError};
pub use quote::{Ident, QualifiedName, QuoteError, copy_text, literal};
pub use session::{
    CancelToken, CopyOut, Doing, HomeSettings, Pooled, RELEASE_TIMEOUT, ReadOnly, ReadWrite, Reader,
    Rehearsal, Rehearsed, ReplicationSession, Right, Room, Server, Session, SideMarker, SnapshotId, Source,
    Target, Transaction, Writer,
};
pub use tokio_postgres::types::ToSql;
pub use tokio_postgres::{CopyInSink, Error as DriverError, Row, Statement};
