//! How long a copy may take, and how much WAL the source writes meanwhile. Rough, and rather too much.

use pghaul_step::postgres::{ReadOnly, Session, Source};
use pghaul_step::{DatabaseName, Failure};

/// Bytes of tables and indexes that are copied in a second. Half of it is usual on a fast network, so that a slow one
/// is covered as well.
const COPIED_PER_SECOND: f64 = 20.0 * 1024.0 * 1024.0;

/// An estimate for all selected databases together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Estimate {
    /// How long their copy may take, in seconds.
    pub(crate) seconds: i64,
    /// How many bytes of WAL the source writes meanwhile.
    pub(crate) wal_bytes: i64,
}

impl Estimate {
    /// From the databases' sizes, and what the source has written since its last checkpoint.
    pub(crate) async fn of(
        source: &Session<Source, ReadOnly>,
        databases: &[DatabaseName],
    ) -> Result<Self, Failure> {
        let names: Vec<&str> = databases.iter().map(DatabaseName::as_str).collect();
        let row = source
            .doing("estimate how much WAL the source writes")
            .query_one(include_str!("estimate.sql"), &[&names])
            .await?;
        Ok(Self::from_rate(
            row.get("bytes"),
            row.get("wal_bytes"),
            row.get("seconds"),
        ))
    }

    fn from_rate(bytes: f64, wal_bytes: f64, seconds: f64) -> Self {
        let duration = bytes / COPIED_PER_SECOND;
        Self {
            seconds: whole(duration),
            wal_bytes: whole(wal_bytes / seconds.max(1.0) * duration),
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a float becomes the nearest integer there is"
)]
fn whole(number: f64) -> i64 {
    number.max(0.0).ceil() as i64
}

#[cfg(test)]
mod tests {
    use super::Estimate;

    #[test]
    fn a_large_database_that_is_written_to() {
        let (gib, mib) = (1024.0 * 1024.0 * 1024.0, 1024.0 * 1024.0);
        let estimate = Estimate::from_rate(200.0 * gib, 60.0 * mib, 60.0);
        assert_eq!(estimate.seconds, 10_240, "not quite three hours");
        assert_eq!(estimate.wal_bytes, 10 * 1024 * 1024 * 1024, "a megabyte a second");
    }

    #[test]
    fn nothing_is_estimated_from_nothing() {
        let nothing = Estimate {
            seconds: 0,
            wal_bytes: 0,
        };
        assert_eq!(Estimate::from_rate(0.0, 1e9, 0.0), nothing);
    }
}
