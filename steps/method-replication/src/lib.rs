//! The method `replication`: PostgreSQL's own logical replication.
//!
//! In the order in which the steps run:
//!
//! 1. [`Publication`] names the tables on the source. It comes before the slot: changes that a slot has seen
//!    before its publication existed are lost (on PostgreSQL 18 without any error).
//! 2. [`Slot`] keeps the source's WAL from here on, and holds a snapshot of the database as of its beginning.
//! 3. The step `snapshot-copy`, of another package, copies the tables out of that snapshot, while others build
//!    their indexes and constraints.
//! 4. [`Subscription`] lets the target's workers follow the changes from the slot's beginning, and copy those
//!    tables that pghaul has not copied.
//! 5. [`Connection`] tells it how the source is reached now, in every run where it is cut off.
//! 6. [`InitialCopy`] waits until every table is ready.
//! 7. [`Follow`] proves that the target holds and follows everything it should; `status`, every further `run`
//!    and `remove` ask it again.
//!
//! With `--initial-copy server`, 3 is left out: the target's workers copy all tables.
//!
//! 1, 2 and 4 exist once more, for the second [`Generation`]: the tables that the copy was interrupted at, where
//! pghaul copies them itself. Everything that is proven is proven of both.
//!
//! Nothing is adopted by looks: each step notes in the journal the name of what it is about to create, and a
//! name is never used twice.

mod aiven;
mod altered;
mod connection;
mod failover;
mod follow;
mod halt;
mod history;
mod initial_copy;
mod publication;
mod relation;
mod rights;
mod slot;
mod subscription;
mod worker_copies;
mod worker_settings;

pub use connection::Connection;
pub use follow::Follow;
pub use initial_copy::InitialCopy;
pub use publication::Publication;
pub use slot::Slot;
pub use subscription::Subscription;

use pghaul_contracts::Generation;
use pghaul_step::postgres::{ReadWrite, Session, Source};
use pghaul_step::{Code, Context, Database, Failure, Method};
use serde::{Deserialize, Serialize};

/// The name of an object, noted before the object is created.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Named {
    name: String,
}

/// Notes and returns a name that was never used before.
async fn new_name(ctx: &Context<Database>, generation: Generation) -> Result<String, Failure> {
    let attempt = u32::try_from(ctx.facts::<Named>()?.len())
        .unwrap_or(u32::MAX)
        .saturating_add(1);
    let name = ctx.object_name(generation.number(), attempt);
    ctx.record(&Named { name: name.clone() }).await?;
    Ok(name)
}

/// The name that was noted last, if any.
fn last_name(ctx: &Context<Database>) -> Result<Option<String>, Failure> {
    Ok(ctx.facts::<Named>()?.pop().map(|named| named.name))
}

/// A session in the database on the source, to take something back there; none where the database was dropped, and all of it
/// with it. One that was renamed is refused before.
async fn source_if_there(ctx: &Context<Database>) -> Result<Option<Session<Source, ReadWrite>>, Failure> {
    match ctx.source_for_writing().await {
        Ok(session) => Ok(Some(session)),
        Err(failure) if failure.code == Code::UnknownDatabase => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// Replication is not possible here, a dump may be.
fn impossible(failure: Failure) -> Failure {
    Failure {
        code: Code::ReplicationImpossible,
        ..failure
    }
    .ruling_out(Method::Replication)
}

/// An error that says that replication can't be set up here, as the reason for a dump instead.
fn or_dump(error: pghaul_step::postgres::PgError) -> Failure {
    // 42501 insufficient_privilege, 55000 wal_level too low, 53400 no free slot, 0A000 not supported
    let reason = matches!(error.sqlstate(), Some("42501" | "55000" | "53400" | "0A000"))
        // A pooler's words for what it does not pass on.
        || error.to_string().contains("unsupported startup parameter");
    let failure = Failure::from(error);
    if reason { impossible(failure) } else { failure }
}
