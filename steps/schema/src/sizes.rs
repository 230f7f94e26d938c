//! The sizes of tables on the target, by which work is dealt out.

use pghaul_step::postgres::{Right, Session, Target};
use pghaul_step::{DatabasePlan, Failure, TablePlan};
use std::collections::BTreeMap;

/// From this size on, in bytes, what is done to a table takes long enough to be done side by side.
pub(crate) const LARGE: u64 = 16 << 20;

/// Bytes by the tables' numbers in the plan.
pub(crate) struct Sizes(BTreeMap<u32, u64>);

impl Sizes {
    /// Asks the target.
    pub(crate) async fn read<R: Right>(
        target: &Session<Target, R>,
        plan: &DatabasePlan,
    ) -> Result<Self, Failure> {
        let sizes = target.table_sizes().await?;
        let size = |t: &TablePlan| {
            let bytes = sizes.get(&t.name).copied();
            (t.number, bytes.unwrap_or(0))
        };
        Ok(Self(plan.tables.iter().map(size).collect()))
    }

    /// Of one table; 0 where it has none.
    pub(crate) fn of(&self, number: u32) -> u64 {
        self.0.get(&number).copied().unwrap_or(0)
    }
}
