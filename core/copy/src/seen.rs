//! What a snapshot sees, for whoever asks later whether a row is newer.
//!
//! A snapshot names the transactions that were in progress, and no subtransactions of them; a row that one has written holds the
//! id of the subtransaction. So these are looked for while their transactions are in progress, and added.

use crate::tables::Table;
use pghaul_core::{Failure, Mark};
use pghaul_postgres::{ReadOnly, Session, Source};

/// More ids than these between the ends of a snapshot are not looked at: it takes a microsecond for each.
const MOST_IDS: u64 = 10_000_000;

/// What a snapshot sees, and when it was taken.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    snapshot: String,
    at: String,
    standby: bool,
}

impl Seen {
    /// Reads it in the transaction of a slot's snapshot, which names everything that was not committed.
    pub(crate) async fn read(keeper: &Session<Source, ReadOnly>) -> Result<Self, Failure> {
        let doing = keeper.doing("read what the snapshot sees");
        let row = doing.query_one(include_str!("mark_seen.sql"), &[]).await?;
        Ok(Self {
            snapshot: row.get("snapshot"),
            at: row.get("at"),
            standby: row.get("standby"),
        })
    }

    /// Reads it in the transaction of any other snapshot, right after that was taken.
    pub(crate) async fn read_with_subtransactions(
        keeper: &Session<Source, ReadOnly>,
    ) -> Result<Self, Failure> {
        let mut seen = Self::read(keeper).await?;
        let Some(mut ids) = Ids::parse(&seen.snapshot) else {
            return Ok(seen);
        };
        // Of a standby nothing from the first of them on counts as seen.
        if seen.standby || ids.in_progress.is_empty() {
            return Ok(seen);
        }
        if ids.xmax.saturating_sub(ids.xmin) > MOST_IDS {
            ids.forget_from(ids.xmin);
        } else {
            let doing = keeper.doing("look for the subtransactions that are in progress");
            let sql = "SELECT x FROM pg_catalog.generate_series($1::int8, $2::int8 - 1) AS x \
                       WHERE pg_catalog.txid_status(x) = 'in progress'";
            let rows = doing.query(sql, &[&signed(ids.xmin), &signed(ids.xmax)]).await?;
            ids.add(rows.iter().map(|row| row.get::<_, i64>(0).unsigned_abs()));
            // Those of one that has ended meanwhile may have been missed. Their ids are higher than its own.
            let sql = "SELECT pg_catalog.min(x) FROM pg_catalog.unnest($1::int8[]) AS x \
                       WHERE pg_catalog.txid_status(x) IS DISTINCT FROM 'in progress'";
            let known: Vec<i64> = ids.in_progress.iter().copied().map(signed).collect();
            let ended: Option<i64> = doing.query_one(sql, &[&known]).await?.get(0);
            if let Some(ended) = ended {
                ids.forget_from(ended.unsigned_abs());
            }
        }
        seen.snapshot = ids.to_string();
        Ok(seen)
    }

    pub(crate) fn mark(&self, table: &Table) -> Mark {
        Mark {
            oid: table.oid,
            file_node: table.file_node,
            changes: table.changes,
            snapshot: self.snapshot.clone(),
            at: self.at.clone(),
            standby: self.standby,
        }
    }
}

fn signed(id: u64) -> i64 {
    i64::try_from(id).unwrap_or(i64::MAX)
}

/// A snapshot as the server writes it, `xmin:xmax:in_progress,…`: it sees all transactions before `xmax` but those in progress.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ids {
    pub(crate) xmin: u64,
    pub(crate) xmax: u64,
    /// In ascending order.
    pub(crate) in_progress: Vec<u64>,
}

impl Ids {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(':');
        let (xmin, xmax) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        let listed = parts.next()?.split(',').filter(|id| !id.is_empty());
        let in_progress = listed.map(|id| id.parse().ok()).collect::<Option<Vec<_>>>()?;
        Some(Self {
            xmin,
            xmax,
            in_progress,
        })
    }

    fn add(&mut self, ids: impl Iterator<Item = u64>) {
        self.in_progress.extend(ids);
        self.in_progress.sort_unstable();
        self.in_progress.dedup();
    }

    /// Lets nothing from an id on count as seen.
    fn forget_from(&mut self, id: u64) {
        self.xmax = self.xmax.min(id);
        self.xmin = self.xmin.min(id);
        self.in_progress.retain(|known| *known < id);
    }
}

impl std::fmt::Display for Ids {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let listed: Vec<String> = self.in_progress.iter().map(u64::to_string).collect();
        write!(f, "{}:{}:{}", self.xmin, self.xmax, listed.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::Ids;

    #[test]
    fn what_is_not_known_to_be_seen_is_not_seen() {
        let mut ids = Ids::parse("100:110:100,105").unwrap();
        assert_eq!(ids.to_string(), "100:110:100,105");
        ids.add([101, 105].into_iter());
        assert_eq!(ids.to_string(), "100:110:100,101,105");
        ids.forget_from(105);
        assert_eq!(ids.to_string(), "100:105:100,101");
        ids.forget_from(100);
        assert_eq!(ids.to_string(), "100:100:");
        assert_eq!(Ids::parse("x"), None);
    }
}
