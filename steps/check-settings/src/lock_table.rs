//! The check `lock-table`.

use pghaul_step::postgres::{Right, Session, SideMarker};
use pghaul_step::{
    Check, CheckContext, CheckDescriptor, Concern, Database, Failure, Finding, FindingKind, Side, async_trait,
};
use serde::Serialize;

/// A server that can't lock as many relations as one step must.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum LockTableTooSmall {
    /// The lock table has room for fewer locks than the database has tables, or sequences.
    LockTableTooSmall {
        /// Which server.
        side: Side,
        /// How many locks one transaction takes.
        locks: i64,
        /// For how many the table is made.
        room: i64,
        /// `max_locks_per_transaction` now.
        now: i64,
        /// What it must be at least.
        needed: i64,
    },
}

impl FindingKind for LockTableTooSmall {
    fn concern(&self) -> Concern {
        match self {
            // Only CREATE SUBSCRIPTION locks all tables of the target; the schema comes in small transactions.
            Self::LockTableTooSmall {
                side: Side::Target, ..
            } => Concern::Replication,
            Self::LockTableTooSmall {
                side: Side::Source, ..
            } => Concern::Migration,
        }
    }

    fn message(&self) -> String {
        let Self::LockTableTooSmall {
            side,
            locks,
            room,
            now,
            ..
        } = self;
        let who = match side {
            Side::Source => "pg_dump",
            Side::Target => "CREATE SUBSCRIPTION",
        };
        format!(
            "{who} locks {locks} tables of the {side} at once, whose lock table has room for {room} \
             (max_locks_per_transaction = {now})"
        )
    }

    fn hint(&self) -> Option<String> {
        let Self::LockTableTooSmall { side, needed, .. } = self;
        Some(format!(
            "ALTER SYSTEM SET max_locks_per_transaction = {needed}; and restart the {side}"
        ))
    }
}

/// The check `lock-table`: can each server lock all tables of the database at once?
///
/// PostgreSQL makes the [shared lock
/// table](https://www.postgresql.org/docs/current/runtime-config-locks.html) for `max_locks_per_transaction` ×
/// (`max_connections` + `max_prepared_transactions`) locks. A little more fits, but that is what the applications
/// live on: when it is used up, it is their statements that fail, too.
#[derive(Debug, Clone, Copy)]
pub struct LockTable;

#[async_trait]
impl Check for LockTable {
    type Scope = Database;

    fn descriptor(&self) -> CheckDescriptor {
        CheckDescriptor {
            name: "lock-table",
            summary: "both servers can lock all tables of the database at once",
            after: super::AFTER,
        }
    }

    async fn examine(&self, ctx: &CheckContext<Database>) -> Result<Vec<Finding>, Failure> {
        let source = ctx.source().await?;
        let row = source
            .doing("count the tables")
            .query_one(include_str!("lock_table.sql"), &[])
            .await?;
        let (tables, sequences): (i64, i64) = (row.get("tables"), row.get("sequences"));
        let of_source = too_small(&source, tables.max(sequences)).await?;
        let target = ctx.target().await?;
        let of_target = too_small(&target, tables).await?;
        let both = [of_source, of_target];
        Ok(both
            .iter()
            .flatten()
            .map(|found| found.about("lock-table", super::database(ctx)))
            .collect())
    }
}

async fn too_small<S: SideMarker, R: Right>(
    session: &Session<S, R>,
    locks: i64,
) -> Result<Option<LockTableTooSmall>, Failure> {
    let row = session
        .doing("read the size of the lock table")
        .query_one(include_str!("lock_table_size.sql"), &[])
        .await?;
    let (now, transactions): (i64, i64) = (row.get("per_transaction"), row.get("transactions"));
    let room = now.saturating_mul(transactions);
    Ok((locks > room).then(|| LockTableTooSmall::LockTableTooSmall {
        side: S::SIDE,
        locks,
        room,
        now,
        needed: needed(locks, transactions),
    }))
}

/// The setting with which a quarter more locks than needed fit, rounded up to a multiple of 64.
fn needed(locks: i64, transactions: i64) -> i64 {
    let each = (locks + locks / 4) / transactions.max(1) + 1;
    (each + 63) / 64 * 64
}

#[cfg(test)]
mod tests {
    use super::needed;

    #[test]
    fn what_is_needed_leaves_room_for_others() {
        assert_eq!(needed(20_000, 100), 256);
        assert_eq!(needed(6_401, 100), 128);
        assert_eq!(needed(51_200, 100), 704);
    }
}
