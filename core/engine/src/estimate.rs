//! What a migration will need of the servers, and roughly how long it will take: recomputed from every survey, never
//! frozen.

use crate::survey::{Survey, SurveyedDatabase};
use pghaul_core::Method;
use std::time::Duration;

/// The bytes of tables that are copied in a second, their indexes built: measured with both servers and pghaul on
/// two cores, so that servers with more are faster. `docs/benchmarks.md` has the figures.
pub const BYTES_PER_SECOND: u64 = 64 << 20;

/// What the servers must have to spare for the databases that are replicated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Needs {
    /// Replication slots on the source, and as many WAL senders.
    pub slots: u64,
    /// Workers of subscriptions on the target, and as many origins.
    pub workers: u64,
    /// As many more of each while the target's own workers copy tables.
    pub while_copying: u64,
}

/// How long the copy takes, and what the source writes meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Estimate {
    /// Of all databases, at [`BYTES_PER_SECOND`].
    pub copy: Duration,
    /// The WAL that the source writes in a second, where it could be measured.
    pub wal_bytes_per_second: Option<u64>,
}

impl Estimate {
    /// The WAL that the source writes while the databases are copied, which its slots keep.
    pub fn wal_bytes(&self) -> Option<u64> {
        let rate = self.wal_bytes_per_second?;
        Some(rate.saturating_mul(self.copy.as_secs()))
    }
}

impl Survey {
    /// What the servers must have to spare.
    pub fn needs(&self) -> Needs {
        let replicated = |d: &&SurveyedDatabase| {
            d.plan
                .as_ref()
                .is_some_and(|plan| plan.method == Method::Replication)
        };
        let replicated = self.databases.iter().filter(replicated).count() as u64;
        Needs {
            slots: replicated,
            workers: replicated,
            while_copying: replicated.min(1),
        }
    }

    /// How long the copy takes, and what the source writes meanwhile.
    pub fn estimate(&self) -> Estimate {
        let planned = self.databases.iter().filter(|d| d.plan.is_some());
        let bytes: u64 = planned.map(|d| d.bytes).sum();
        Estimate {
            copy: Duration::from_secs(bytes.div_ceil(BYTES_PER_SECOND)),
            wal_bytes_per_second: self.wal_bytes_per_second,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Estimate, Needs};
    use crate::survey::{Survey, SurveyedDatabase};
    use pghaul_core::Method;
    use std::time::Duration;

    fn database(name: &str, bytes: u64, method: Option<Method>) -> SurveyedDatabase {
        SurveyedDatabase {
            database: name.into(),
            findings: Vec::new(),
            plan: method.map(|method| {
                // Through JSON, so that a field with a default that is added to the plan does not break this.
                let plan = serde_json::json!({
                    "database": name, "number": 1, "method": method, "forced": false, "reasons": [],
                    "steps": [], "tables": [],
                });
                serde_json::from_value(plan).unwrap()
            }),
            bytes,
            sizes: Default::default(),
        }
    }

    #[test]
    fn only_what_is_moved_counts() {
        let survey = Survey {
            databases: vec![
                database("a", 64 << 20, Some(Method::Replication)),
                database("b", 64 << 20, Some(Method::Dump)),
                database("c", 1, Some(Method::Replication)),
                database("d", 1 << 50, None),
            ],
            wal_bytes_per_second: Some(1000),
            ..Survey::default()
        };
        let (slots, workers, while_copying) = (2, 2, 1);
        assert_eq!(
            survey.needs(),
            Needs {
                slots,
                workers,
                while_copying
            }
        );
        let estimate = survey.estimate();
        assert_eq!(estimate.copy, Duration::from_secs(3));
        assert_eq!(estimate.wal_bytes(), Some(3000));
        let unknown = Estimate {
            wal_bytes_per_second: None,
            ..estimate
        };
        assert_eq!(unknown.wal_bytes(), None);
    }
}
