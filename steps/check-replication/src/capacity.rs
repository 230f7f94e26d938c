//! How many more databases can be replicated.

use pghaul_step::check::Landscape;
use pghaul_step::postgres::{Right, Session, Source, Target};
use pghaul_step::{DatabaseName, Failure, InitialCopy};

/// A setting that limits something, and how much of it others use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Limit {
    pub(crate) setting: &'static str,
    pub(crate) maximum: i64,
    pub(crate) used: i64,
    /// How much of it is kept for the workers that copy tables.
    pub(crate) reserved: i64,
}

impl Limit {
    pub(crate) fn free(&self) -> i64 {
        (self.maximum - self.used - self.reserved).max(0)
    }

    /// The value that is enough for so many databases.
    pub(crate) fn needed(&self, databases: usize) -> i64 {
        self.used + self.reserved + i64::try_from(databases).unwrap_or(i64::MAX / 2)
    }

    /// Whether nothing is left for a database, given how many come before it.
    pub(crate) fn is_spent_before(&self, position: usize) -> bool {
        i64::try_from(position).is_ok_and(|position| self.free() <= position)
    }
}

/// What names begin with that are this migration's own: those of objects, and those of sessions.
fn own_prefixes(landscape: &Landscape) -> (String, String) {
    match &landscape.migration {
        Some(migration) => (format!("pghaul_{migration}_"), format!("pghaul/{migration}/")),
        // Nothing can be pghaul's own yet.
        None => (String::new(), String::new()),
    }
}

/// How many databases of the selection come before this one and want the same.
pub(crate) fn position(landscape: &Landscape, database: &DatabaseName) -> usize {
    landscape
        .selected
        .iter()
        .position(|selected| selected == database)
        .unwrap_or(0)
}

/// What the target's workers that copy tables share: each needs a slot and a WAL sender on the source, a worker and an
/// origin on the target, while it copies. One of each is enough for all of them, one table after the other. Where pghaul
/// copies the tables, there is none: only what a killed run has left is copied by them, and what they need then is looked
/// for then.
fn for_table_workers(landscape: &Landscape) -> i64 {
    match landscape.initial_copy {
        InitialCopy::Server => 1,
        InitialCopy::Snapshot => 0,
    }
}

/// Replication slots and WAL senders of the source. Those of this migration do not count as used.
pub(crate) async fn of_source<R: Right>(
    session: &Session<Source, R>,
    landscape: &Landscape,
) -> Result<[Limit; 2], Failure> {
    let (objects, sessions) = own_prefixes(landscape);
    let reserved = for_table_workers(landscape);
    let doing = session.doing("count replication slots and WAL senders");
    let row = doing
        .query_one(include_str!("capacity_source.sql"), &[&objects, &sessions])
        .await?;
    Ok([
        Limit {
            setting: "max_replication_slots",
            maximum: row.get(0),
            used: row.get(1),
            reserved,
        },
        Limit {
            setting: "max_wal_senders",
            maximum: row.get(2),
            used: row.get(3),
            reserved,
        },
    ])
}

/// What the workers of subscriptions need on the target. Those of this migration do not count as used.
pub(crate) async fn of_target<R: Right>(
    session: &Session<Target, R>,
    landscape: &Landscape,
) -> Result<[Limit; 3], Failure> {
    let (objects, _) = own_prefixes(landscape);
    let reserved = for_table_workers(landscape);
    let doing = session.doing("count subscriptions");
    let row = doing
        .query_one(include_str!("capacity_target.sql"), &[&objects])
        .await?;
    let used: i64 = row.get("used");
    // Each worker that applies has an origin; until PostgreSQL 17 the slots' setting limits them, too.
    let origins = match session.server_version() {
        180_000.. => "max_active_replication_origins",
        _ => "max_replication_slots",
    };
    Ok([
        Limit {
            setting: "max_logical_replication_workers",
            maximum: row.get("workers"),
            used,
            reserved,
        },
        Limit {
            setting: "max_worker_processes",
            maximum: row.get("processes"),
            used: used + 1,
            reserved,
        },
        Limit {
            setting: origins,
            maximum: row.get("origins"),
            used,
            reserved,
        },
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_databases_get_what_is_left() {
        let limit = Limit {
            setting: "max_replication_slots",
            maximum: 6,
            used: 3,
            reserved: 1,
        };
        assert_eq!(
            [0, 1, 2, 3].map(|position| limit.is_spent_before(position)),
            [false, false, true, true]
        );
        assert_eq!(limit.needed(4), 8);
        let all = Limit {
            reserved: 0,
            ..limit.clone()
        };
        assert_eq!(
            [2, 3].map(|position| all.is_spent_before(position)),
            [false, true]
        );
        let over = Limit { used: 9, ..limit };
        assert_eq!(over.free(), 0);
        assert!(over.is_spent_before(0));
    }
}
