//! The check `same-server`: are source and target one and the same?
//!
//! Names prove nothing: `localhost`, `127.0.0.1`, a socket and an alias may all be one server. Two servers with
//! different system identifiers are different. Equal identifiers mean the same server or a physical copy of it,
//! and the difference is proven: a transaction on the source takes an advisory lock under a random key, and a
//! session on the target looks for it, with the same process, in its `pg_locks`. It is a transaction because a
//! pooler keeps one server's process for as long as that lasts.
//!
//! Rests on [`pg_control_system()`](https://www.postgresql.org/docs/current/functions-info.html) and
//! [`pg_locks`](https://www.postgresql.org/docs/current/view-pg-locks.html), which every role may read.

use pghaul_step::check::maintenance;
use pghaul_step::postgres::{ReadOnly, Server, Session, Source, Target};
use pghaul_step::{
    Check, CheckContext, CheckDescriptor, Cluster, Failure, Finding, FindingKind, Registry, Severity,
    Subject, async_trait,
};
use serde::Serialize;

/// Adds the check of this package.
pub fn register(registry: Registry) -> Registry {
    registry.with_cluster_check(SameServer)
}

/// What source and target have to do with each other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Kinship {
    /// They are the same server.
    SameServer {
        /// Its system identifier, where the service tells it.
        system_identifier: Option<String>,
    },
    /// One is a physical copy of the other, or both are copies of a third.
    PhysicalCopy {
        /// Their common system identifier.
        system_identifier: String,
    },
}

impl FindingKind for Kinship {
    fn severity(&self) -> Severity {
        match self {
            Self::SameServer { .. } => Severity::Error,
            Self::PhysicalCopy { .. } => Severity::Note,
        }
    }

    fn message(&self) -> String {
        match self {
            Self::SameServer { .. } => {
                "source and target are the same server: a lock taken on one is held on the other".to_owned()
            }
            Self::PhysicalCopy { system_identifier } => format!(
                "source and target are different servers with the same system identifier {system_identifier}: \
                 one was made from a physical copy of the other"
            ),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::SameServer { .. } => Some("check host and port of --source and --target".to_owned()),
            Self::PhysicalCopy { .. } => None,
        }
    }
}

/// The check `same-server`.
#[derive(Debug, Clone, Copy)]
pub struct SameServer;

#[async_trait]
impl Check for SameServer {
    type Scope = Cluster;

    fn descriptor(&self) -> CheckDescriptor {
        CheckDescriptor {
            name: "same-server",
            summary: "source and target are different servers",
            after: &["connection"],
        }
    }

    async fn examine(&self, ctx: &CheckContext<Cluster>) -> Result<Vec<Finding>, Failure> {
        let (source, target) = (ctx.source().await?, ctx.target().await?);
        // A service that hides the identifier leaves only the lock to go by.
        let identifiers = (source.identity().await.ok(), target.identity().await.ok());
        let kinship = match identifiers {
            (Some(one), Some(other)) if one != other => None,
            (one, _) if shares_locks(ctx.source_server(), &target).await? => Some(Kinship::SameServer {
                system_identifier: one,
            }),
            (Some(system_identifier), Some(_)) => Some(Kinship::PhysicalCopy { system_identifier }),
            _ => None,
        };
        Ok(kinship
            .into_iter()
            .map(|k| k.about("same-server", Subject::Cluster))
            .collect())
    }
}

/// Whether a lock of a transaction on the source is seen on the target.
async fn shares_locks(source: &Server<Source>, target: &Session<Target, ReadOnly>) -> Result<bool, Failure> {
    // A session of its own, for the transaction.
    let source: Session<Source, ReadOnly> = maintenance(source).await?;
    source.begin_snapshot().await?;
    let row = source
        .doing("take an advisory lock under a random key")
        .query_one(include_str!("take_lock.sql"), &[])
        .await?;
    let (key, database, pid): (i64, u32, i32) = (row.get("key"), row.get("database"), row.get("pid"));
    let row = target
        .doing("look for the advisory lock")
        .query_one(include_str!("find_lock.sql"), &[&key, &database, &pid])
        .await?;
    source.end_snapshot().await?;
    Ok(row.get(0))
}
