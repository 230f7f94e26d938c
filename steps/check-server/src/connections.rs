//! The check `connections`.

use pghaul_step::postgres::{ReadOnly, Session, SideMarker};
use pghaul_step::{
    Check, CheckContext, CheckDescriptor, Cluster, DatabaseName, Failure, Finding, FindingKind, Severity,
    Side, Subject, async_trait, listed, quoted,
};
use serde::Serialize;

/// So many sessions a run has open on one server: for tables that are copied side by side, for schema and progress, and
/// what the other server's subscriptions open.
const WANTED: i64 = 10;

/// Limits that leave pghaul's sessions too little room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum FewConnections {
    /// The server has few sessions left.
    FewConnectionsLeft {
        /// Which server.
        side: Side,
        /// How many.
        left: i64,
    },
    /// pghaul's role may open few sessions more.
    RoleLimited {
        /// Which server.
        side: Side,
        /// The role.
        role: String,
        /// How many.
        left: i64,
    },
    /// Databases let few sessions more in.
    DatabasesLimited {
        /// Which server.
        side: Side,
        /// The databases.
        databases: Vec<String>,
    },
}

impl FindingKind for FewConnections {
    fn severity(&self) -> Severity {
        Severity::Warning
    }

    fn message(&self) -> String {
        match self {
            Self::FewConnectionsLeft { side, left } => format!(
                "the {side} has {left} connections left: a run may take up to {WANTED}, and then the applications get none"
            ),
            Self::RoleLimited { side, role, left } => format!(
                "role {} may open {left} connections more on the {side}, and a run may take up to {WANTED}",
                quoted(role)
            ),
            Self::DatabasesLimited { side, databases } => format!(
                "databases on the {side} let fewer than {WANTED} connections more in: {}",
                listed(databases)
            ),
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::FewConnectionsLeft { side, .. } => format!(
                "end idle sessions; or raise max_connections and restart the {side}; or run with fewer at a time: --jobs"
            ),
            Self::RoleLimited { role, .. } => format!("ALTER ROLE {} CONNECTION LIMIT -1;", quoted(role)),
            Self::DatabasesLimited { databases, .. } => {
                let first = databases.first().map(|name| quoted(name)).unwrap_or_default();
                format!("for each: ALTER DATABASE {first} CONNECTION LIMIT -1;")
            }
        })
    }
}

/// The check `connections`: do the servers have room for pghaul's sessions besides those of the applications?
#[derive(Debug, Clone, Copy)]
pub struct Connections;

#[async_trait]
impl Check for Connections {
    type Scope = Cluster;

    fn descriptor(&self) -> CheckDescriptor {
        CheckDescriptor {
            name: "connections",
            summary: "both servers have room for pghaul's sessions",
            after: &["connection"],
        }
    }

    async fn examine(&self, ctx: &CheckContext<Cluster>) -> Result<Vec<Finding>, Failure> {
        let landscape = ctx.landscape();
        let selected: Vec<&str> = landscape.selected.iter().map(DatabaseName::as_str).collect();
        let on_target: Vec<&str> = landscape.selected_on_target().map(DatabaseName::as_str).collect();
        let (source, target) = (ctx.source().await?, ctx.target().await?);
        let mut found = few(&source, &selected).await?;
        found.extend(few(&target, &on_target).await?);
        Ok(found
            .iter()
            .map(|few| few.about("connections", Subject::Cluster))
            .collect())
    }
}

async fn few<S: SideMarker>(
    session: &Session<S, ReadOnly>,
    selected: &[&str],
) -> Result<Vec<FewConnections>, Failure> {
    let row = session
        .doing("count the connections that are left")
        .query_one(include_str!("connections.sql"), &[&selected, &WANTED])
        .await?;
    let side = S::SIDE;
    let left: i64 = row.get("of_server");
    let of_role: Option<i64> = row.get("of_role");
    let databases: Vec<String> = row.get("databases");
    let found = [
        (left < WANTED).then_some(FewConnections::FewConnectionsLeft {
            side,
            left: left.max(0),
        }),
        of_role
            .filter(|left| *left < WANTED)
            .map(|left| FewConnections::RoleLimited {
                side,
                role: row.get("role"),
                left: left.max(0),
            }),
        (!databases.is_empty()).then_some(FewConnections::DatabasesLimited { side, databases }),
    ];
    Ok(found.into_iter().flatten().collect())
}
