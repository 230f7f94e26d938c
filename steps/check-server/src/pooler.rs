//! The check `pooler`.

use pghaul_step::check::maintenance;
use pghaul_step::postgres::{ReadOnly, Server, Session, SideMarker};
use pghaul_step::{
    Check, CheckContext, CheckDescriptor, Cluster, Failure, Finding, FindingKind, Side, Subject, async_trait,
};
use serde::Serialize;
use std::collections::BTreeSet;

/// How many connections are compared.
const TRIES: usize = 3;

/// What stands between us and a server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Between {
    /// The settings that pghaul's sessions begin with do not reach the server.
    SettingsDropped {
        /// Which server.
        side: Side,
        /// The settings.
        settings: Vec<String>,
    },
    /// One address leads to several servers.
    SeveralServers {
        /// Which server.
        side: Side,
    },
}

impl FindingKind for Between {
    fn message(&self) -> String {
        match self {
            Self::SettingsDropped { side, settings } => format!(
                "a connection pooler in front of the {side} drops settings that pghaul's sessions rely on: {}",
                settings.join(", ")
            ),
            Self::SeveralServers { side } => {
                format!("the address of the {side} leads to several servers, to another one each time")
            }
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::SettingsDropped { side, .. } => format!(
                "give the address of the {side}'s server itself, not that of PgBouncer or another pooler"
            ),
            Self::SeveralServers { side } => {
                format!("give the address of the {side}'s primary itself, not that of a load balancer")
            }
        })
    }
}

/// The check `pooler`: does each address lead to one server, with nothing in between that changes pghaul's sessions?
///
/// A snapshot belongs to the session that took it, and a session must not hide rows from us. A pooler that refuses the
/// start of pghaul's sessions is told by `connection`, one that refuses replication by `replication-source`.
#[derive(Debug, Clone, Copy)]
pub struct Pooler;

#[async_trait]
impl Check for Pooler {
    type Scope = Cluster;

    fn descriptor(&self) -> CheckDescriptor {
        CheckDescriptor {
            name: "pooler",
            summary: "no pooler and no load balancer stands in front of a server",
            after: &["connection"],
        }
    }

    async fn examine(&self, ctx: &CheckContext<Cluster>) -> Result<Vec<Finding>, Failure> {
        let (source, target) = (ctx.source().await?, ctx.target().await?);
        let mut found = between(&source, ctx.source_server()).await?;
        found.extend(between(&target, ctx.target_server()).await?);
        Ok(found
            .iter()
            .map(|between| between.about("pooler", Subject::Cluster))
            .collect())
    }
}

/// What stands before a server, by a session that is there and by further ones.
async fn between<S: SideMarker>(
    session: &Session<S, ReadOnly>,
    server: &Server<S>,
) -> Result<Vec<Between>, Failure> {
    let mut found = Vec::new();
    let settings = dropped(session).await?;
    if !settings.is_empty() {
        found.push(Between::SettingsDropped {
            side: S::SIDE,
            settings,
        });
    }
    let mut servers = BTreeSet::from([started(session).await?]);
    for _ in 1..TRIES {
        let session: Session<S, ReadOnly> = maintenance(server).await?;
        servers.insert(started(&session).await?);
        session.close().await;
    }
    if servers.len() > 1 {
        found.push(Between::SeveralServers { side: S::SIDE });
    }
    Ok(found)
}

/// What tells one server from another, a standby of it too.
async fn started<S: SideMarker>(session: &Session<S, ReadOnly>) -> Result<String, Failure> {
    let sql = "SELECT pg_catalog.pg_postmaster_start_time()::text || ' ' || pg_catalog.pg_is_in_recovery()::text \
               || ' ' || pg_catalog.current_setting('port')";
    Ok(session
        .doing("see which server answers")
        .query_one(sql, &[])
        .await?
        .get(0))
}

/// Those of the settings that pghaul's sessions begin with that the server does not have.
async fn dropped<S: SideMarker>(session: &Session<S, ReadOnly>) -> Result<Vec<String>, Failure> {
    let wanted = [
        ("row_security", "off"),
        ("search_path", ""),
        ("default_transaction_read_only", "on"),
    ];
    let mut dropped = Vec::new();
    for (name, value) in wanted {
        let there = session.setting(name).await?.unwrap_or_default();
        // An empty list of schemas is shown as an empty name.
        if there.trim_matches('"') != value {
            dropped.push(name.to_owned());
        }
    }
    Ok(dropped)
}
