//! The check `application-limits`.

use pghaul_step::postgres::{ReadOnly, Session, SideMarker};
use pghaul_step::{
    Check, CheckContext, CheckDescriptor, Cluster, Failure, Finding, FindingKind, Severity, Subject,
    async_trait,
};
use serde::Serialize;

/// How pghaul's own sessions are named, of whatever migration.
const OURS: &str = "pghaul/";

const PREPARED: &str = "SELECT pg_catalog.current_setting('max_prepared_transactions')::bigint, \
                        (SELECT pg_catalog.count(*) FROM pg_catalog.pg_prepared_xacts)";

/// A limit that is lower on the target than on the source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum LowerLimit {
    /// The target admits fewer sessions.
    FewerSessions(Limits),
    /// The target admits fewer prepared transactions.
    FewerPreparedTransactions(Limits),
}

/// How many of something each server admits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Limits {
    /// How many the source admits.
    pub source: i64,
    /// How many there are on the source now.
    pub used: i64,
    /// How many the target admits.
    pub target: i64,
}

impl Limits {
    fn are_lower(self) -> bool {
        self.target < self.source
    }

    fn are_too_low(self) -> bool {
        self.target < self.used
    }
}

impl LowerLimit {
    /// The limits, what they limit, and the setting.
    fn parts(&self) -> (Limits, &'static str, &'static str) {
        match self {
            Self::FewerSessions(limits) => (*limits, "sessions", "max_connections"),
            Self::FewerPreparedTransactions(limits) => {
                (*limits, "prepared transactions", "max_prepared_transactions")
            }
        }
    }
}

impl FindingKind for LowerLimit {
    fn severity(&self) -> Severity {
        let (limits, _, _) = self.parts();
        if limits.are_too_low() {
            Severity::Warning
        } else {
            Severity::Note
        }
    }

    fn message(&self) -> String {
        let (Limits { source, used, target }, what, _) = self.parts();
        format!("{what}: the source admits {source} and has {used} now, the target admits {target}")
    }

    fn hint(&self) -> Option<String> {
        let (_, _, setting) = self.parts();
        Some(format!(
            "before the cutover, raise {setting} on the target and restart it; or let the applications use fewer"
        ))
    }
}

/// The check `application-limits`: will the target admit the applications after the cutover?
#[derive(Debug, Clone, Copy)]
pub struct ApplicationLimits;

#[async_trait]
impl Check for ApplicationLimits {
    type Scope = Cluster;

    fn descriptor(&self) -> CheckDescriptor {
        CheckDescriptor {
            name: "application-limits",
            summary: "the target admits as many sessions and prepared transactions as the source",
            after: &["connection"],
        }
    }

    async fn examine(&self, ctx: &CheckContext<Cluster>) -> Result<Vec<Finding>, Failure> {
        let (source, target) = (ctx.source().await?, ctx.target().await?);
        let sessions = limits(sessions(&source).await?, sessions(&target).await?);
        let prepared = limits(prepared(&source).await?, prepared(&target).await?);
        let found = [
            sessions
                .are_lower()
                .then_some(LowerLimit::FewerSessions(sessions)),
            prepared
                .are_lower()
                .then_some(LowerLimit::FewerPreparedTransactions(prepared)),
        ];
        let findings = found.iter().flatten();
        Ok(findings
            .map(|limit| limit.about("application-limits", Subject::Cluster))
            .collect())
    }
}

/// How many a server admits, and how many it has.
struct Admitted {
    limit: i64,
    used: i64,
}

fn limits(source: Admitted, target: Admitted) -> Limits {
    Limits {
        source: source.limit,
        used: source.used,
        target: target.limit,
    }
}

async fn sessions<S: SideMarker>(session: &Session<S, ReadOnly>) -> Result<Admitted, Failure> {
    let room = session.room(OURS).await?;
    let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    Ok(Admitted {
        limit: number(room.usable),
        used: number(room.others),
    })
}

async fn prepared<S: SideMarker>(session: &Session<S, ReadOnly>) -> Result<Admitted, Failure> {
    let doing = session.doing("count prepared transactions");
    let row = doing.query_one(PREPARED, &[]).await?;
    Ok(Admitted {
        limit: row.get(0),
        used: row.get(1),
    })
}
