//! The databases that are moved. Each is the same whenever it is made.

use super::servers::{DATABASE, patiently};
use clap::ValueEnum;
use pghaul_testkit::{Cluster, fill};
use std::fmt;

/// What is moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Workload {
    /// pgbench of scale 50: 5,000,000 narrow rows in one table, with a primary key
    Acc,
    /// 2,000,000 rows of eleven types in one table, with a primary key and four more indexes
    Wide,
    /// 5,000 tables of 100 rows, each with a key, an index and a foreign key
    Many,
    /// 20 tables, of which one holds 90 % of the 4,000,000 rows
    Skew,
    /// 2 GB in rows of 1 to 20 MB that can't be compressed
    Blob,
}

impl Workload {
    /// Fills the empty database; a scale of 1 is all of it.
    pub(super) fn fill(self, source: &Cluster, scale: f64) {
        let script = match self {
            Self::Acc => {
                fill::pgbench(source, DATABASE, pgbench_scale(scale));
                include_str!("acc.sql")
            }
            Self::Wide => include_str!("wide.sql"),
            Self::Many => include_str!("many.sql"),
            Self::Skew => include_str!("skew.sql"),
            Self::Blob => include_str!("blob.sql"),
        };
        patiently(
            source,
            DATABASE,
            &format!("set bench.scale = '{scale}';\n{script}"),
        );
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a scale is small and positive"
)]
fn pgbench_scale(scale: f64) -> u32 {
    (50.0 * scale).round().max(1.0) as u32
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.to_possible_value().expect("no workload is hidden");
        f.pad(value.get_name())
    }
}
