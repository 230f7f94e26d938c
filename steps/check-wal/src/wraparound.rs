//! The check `wraparound`.

use pghaul_step::{
    Check, CheckContext, CheckDescriptor, Cluster, Failure, Finding, FindingKind, Severity, Subject,
    async_trait, listed, shell_word,
};
use serde::Serialize;

/// Ids this old are worth a warning: autovacuum has been after them for long, see
/// [autovacuum_freeze_max_age](https://www.postgresql.org/docs/current/runtime-config-vacuum.html), and has not come
/// through.
const OLD: i64 = 1_200_000_000;
/// At about 2.1 billion a server takes no more writes.
const TOO_OLD: i64 = 2_000_000_000;

/// Databases whose ids run out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum NearWraparound {
    /// Databases of the source with old transaction ids.
    NearWraparound {
        /// The databases, the oldest first.
        databases: Vec<String>,
        /// The age of the oldest, in transactions.
        age: i64,
    },
}

impl FindingKind for NearWraparound {
    fn severity(&self) -> Severity {
        let Self::NearWraparound { age, .. } = self;
        match *age >= TOO_OLD {
            true => Severity::Error,
            false => Severity::Warning,
        }
    }

    fn message(&self) -> String {
        let Self::NearWraparound { databases, age } = self;
        format!(
            "transaction ids on the source are up to {:.1} billion transactions old, and at 2.1 it takes no more \
             writes; the copy keeps VACUUM from making them younger: {}",
            *age as f64 / 1e9,
            listed(databases)
        )
    }

    fn hint(&self) -> Option<String> {
        let Self::NearWraparound { databases, .. } = self;
        // Nobody enters template0, which autovacuum reaches all the same.
        let entered = databases.iter().find(|name| *name != "template0");
        let first = entered.map(|name| shell_word(name)).unwrap_or_default();
        Some(format!(
            "before the migration: vacuumdb --freeze {first}; and end old transactions, prepared ones, and slots that \
             nobody needs"
        ))
    }
}

/// The check `wraparound`: are the source's transaction ids young enough for a long copy?
#[derive(Debug, Clone, Copy)]
pub struct Wraparound;

#[async_trait]
impl Check for Wraparound {
    type Scope = Cluster;

    fn descriptor(&self) -> CheckDescriptor {
        CheckDescriptor {
            name: "wraparound",
            summary: "the source's transaction ids do not run out",
            after: &["connection"],
        }
    }

    async fn examine(&self, ctx: &CheckContext<Cluster>) -> Result<Vec<Finding>, Failure> {
        let source = ctx.source().await?;
        let doing = source.doing("look for old transaction ids");
        let rows = doing.query(include_str!("wraparound.sql"), &[&OLD]).await?;
        let Some(oldest) = rows.first() else {
            return Ok(Vec::new());
        };
        let found = NearWraparound::NearWraparound {
            databases: rows.iter().map(|row| row.get("database")).collect(),
            age: oldest.get("age"),
        };
        Ok(vec![found.about("wraparound", Subject::Cluster)])
    }
}
