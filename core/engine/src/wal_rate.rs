//! How much WAL the source writes in a second.

use pghaul_postgres::{Lsn, ReadOnly, Session, Source};
use std::time::{Duration, Instant};

/// A look at how far the source has written its WAL.
pub(crate) struct WalMark {
    at: Instant,
    position: Lsn,
    /// The average in bytes a second since the server's statistics were reset, from PostgreSQL 14 on.
    average: Option<u64>,
}

impl WalMark {
    /// Looks. A standby writes none, and has no such functions.
    pub(crate) async fn new(source: &Session<Source, ReadOnly>) -> Option<Self> {
        let position = source.wal_insert_lsn().await.ok()?;
        let average = match source.server_version() {
            140_000.. => average(source).await,
            _ => None,
        };
        Some(Self {
            at: Instant::now(),
            position,
            average,
        })
    }

    /// The bytes a second: of the time between the two looks, or on average where that is more. The survey itself
    /// writes next to nothing.
    pub(crate) fn rate_until(&self, later: &Self) -> u64 {
        let elapsed = later.at.duration_since(self.at).max(Duration::from_millis(1));
        let written = later.position.bytes_since(self.position) as f64;
        let now = (written / elapsed.as_secs_f64()) as u64;
        now.max(later.average.unwrap_or(0))
    }
}

async fn average(source: &Session<Source, ReadOnly>) -> Option<u64> {
    let sql = "SELECT (wal_bytes / greatest(extract(epoch FROM pg_catalog.clock_timestamp() - stats_reset), 1))::bigint \
               FROM pg_catalog.pg_stat_wal";
    let row = source
        .doing("ask for the WAL written")
        .query_one(sql, &[])
        .await
        .ok()?;
    row.get::<_, Option<i64>>(0).map(i64::unsigned_abs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_the_higher_of_now_and_the_average() {
        let at = Instant::now();
        let mark = |seconds, position, average| WalMark {
            at: at + Duration::from_secs(seconds),
            position: Lsn(position),
            average,
        };
        assert_eq!(mark(0, 1000, None).rate_until(&mark(2, 5000, None)), 2000);
        assert_eq!(mark(0, 1000, None).rate_until(&mark(2, 5000, Some(7000))), 7000);
    }
}
