//! The check `long-transactions`.

use pghaul_step::{
    Check, CheckContext, CheckDescriptor, Cluster, Concern, Failure, Finding, FindingKind, Severity, Subject,
    async_trait,
};
use serde::Serialize;
use std::time::Duration;

/// What a replication slot would wait for.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Blocker {
    /// A transaction that has written something.
    LongTransaction {
        /// Its process on the source.
        pid: i32,
        /// Its database.
        database: String,
        /// Its role.
        role: String,
        /// How long ago it began, in seconds.
        age_seconds: i64,
    },
    /// A prepared transaction.
    PreparedTransaction {
        /// Its global identifier.
        gid: String,
        /// Its database.
        database: String,
        /// Its role.
        role: String,
        /// How long ago it was prepared, in seconds.
        age_seconds: i64,
    },
}

impl FindingKind for Blocker {
    fn severity(&self) -> Severity {
        Severity::Warning
    }

    fn concern(&self) -> Concern {
        Concern::Replication
    }

    fn message(&self) -> String {
        match self {
            Self::LongTransaction {
                pid,
                database,
                role,
                age_seconds,
            } => format!(
                "process {pid} on the source (role {role}, database {database}) has a transaction open for {}; \
                 no replication slot can be created before it ends",
                age(*age_seconds)
            ),
            Self::PreparedTransaction {
                gid,
                database,
                role,
                age_seconds,
            } => format!(
                "transaction {gid:?} (role {role}, database {database}) is prepared for {} on the source; \
                 no replication slot can be created before it ends",
                age(*age_seconds)
            ),
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::LongTransaction { pid, .. } => {
                format!("wait for it; or end it, which rolls it back: SELECT pg_terminate_backend({pid});")
            }
            Self::PreparedTransaction { gid, database, .. } => {
                let gid = pghaul_step::postgres::literal(gid).unwrap_or_default();
                format!("in database {database}: COMMIT PREPARED {gid}; or ROLLBACK PREPARED {gid};")
            }
        })
    }
}

/// The check `long-transactions`: is there anything on the source that a replication slot would wait for? That
/// is every transaction with an id, in any database. What other roles do is only seen with `pg_monitor`.
#[derive(Debug, Clone, Copy)]
pub struct LongTransactions {
    /// From which age on a transaction is worth a warning; five minutes by default.
    pub older_than: Duration,
}

impl Default for LongTransactions {
    fn default() -> Self {
        Self {
            older_than: Duration::from_secs(300),
        }
    }
}

#[async_trait]
impl Check for LongTransactions {
    type Scope = Cluster;

    fn descriptor(&self) -> CheckDescriptor {
        CheckDescriptor {
            name: "long-transactions",
            summary: "no transaction holds up the creation of replication slots",
            after: &["connection"],
        }
    }

    async fn examine(&self, ctx: &CheckContext<Cluster>) -> Result<Vec<Finding>, Failure> {
        let session = ctx.source().await?;
        let doing = session.doing("look for long transactions");
        let rows = doing
            .query(
                include_str!("long_transactions.sql"),
                &[&self.older_than.as_secs_f64()],
            )
            .await?;
        let blockers = rows.iter().map(|row| {
            let (database, role, age_seconds) =
                (row.get("database"), row.get("role"), row.get("age_seconds"));
            match row.get::<_, Option<String>>("gid") {
                Some(gid) => Blocker::PreparedTransaction {
                    gid,
                    database,
                    role,
                    age_seconds,
                },
                None => Blocker::LongTransaction {
                    pid: row.get("pid"),
                    database,
                    role,
                    age_seconds,
                },
            }
        });
        Ok(blockers
            .map(|b| b.about("long-transactions", Subject::Cluster))
            .collect())
    }
}

/// Seconds as people say them.
fn age(seconds: i64) -> String {
    match seconds {
        ..120 => format!("{seconds} seconds"),
        120..7_200 => format!("{} minutes", seconds / 60),
        7_200..172_800 => format!("{} hours", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::age;

    #[test]
    fn ages_are_said_in_a_fitting_unit() {
        assert_eq!(
            [119, 120, 7_199, 7_200, 172_800].map(age),
            ["119 seconds", "2 minutes", "119 minutes", "2 hours", "2 days"]
        );
    }
}
