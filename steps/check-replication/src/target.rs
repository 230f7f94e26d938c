//! The check `replication-target`.

use crate::aiven_extras::AivenExtras;
use crate::capacity;
use crate::probe::{self, Outcome, Way};
use pghaul_step::check::Secret;
use pghaul_step::postgres::{ReadOnly, Row, Session, Target};
use pghaul_step::{
    Check, CheckContext, CheckDescriptor, Cluster, Concern, Database, DatabaseName, Failure, Finding,
    FindingKind, Severity, Subject, async_trait, quoted,
};
use serde::Serialize;
use std::collections::BTreeSet;

/// The first version with the role `pg_create_subscription`.
const GRANTS_SUBSCRIPTIONS: u32 = 160_000;

/// Why the target can't subscribe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum TargetObstacle {
    /// A setting leaves no worker for any database.
    NoWorkers {
        /// The setting.
        setting: &'static str,
        /// Its value.
        maximum: i64,
        /// How much of it others use already.
        used: i64,
        /// The value that is enough for all databases of the selection.
        needed: i64,
    },
    /// No worker may copy tables for a subscription.
    NoSyncWorkers,
    /// pghaul's role may not create subscriptions.
    CannotSubscribe {
        /// The role.
        role: String,
        /// Whether the server has the role `pg_create_subscription`.
        grantable: bool,
    },
    /// pghaul's role may subscribe only with the functions of aiven_extras, and may not use them.
    AivenExtrasClosed {
        /// The role.
        role: String,
        /// The maintenance database, in which it was tried.
        database: String,
    },
    /// pghaul's role may subscribe only with a password, and none is given.
    PasswordMissing {
        /// The role.
        role: String,
    },
    /// pghaul's role may subscribe only with a password, and the source lets the target's server in without.
    PasswordNotAsked {
        /// The role.
        role: String,
    },
    /// The source's conninfo is of no use on the target's machine.
    ConninfoNotUsable,
    /// The target's server can't connect to the source.
    SourceNotReached {
        /// What the target says.
        error: String,
    },
    /// The conninfo leads the target's server to another server than ours.
    AnotherServerReached {
        /// A database of the source that what was reached does not have.
        database: String,
    },
    /// It could not be tried, because pghaul's role may create subscriptions but not in the maintenance database.
    NotTried {
        /// The role.
        role: String,
        /// The maintenance database.
        database: String,
    },
}

impl FindingKind for TargetObstacle {
    fn severity(&self) -> Severity {
        match self {
            Self::NotTried { .. } => Severity::Warning,
            _ => Severity::Error,
        }
    }

    fn concern(&self) -> Concern {
        Concern::Replication
    }

    fn message(&self) -> String {
        match self {
            Self::NoWorkers {
                setting,
                maximum,
                used,
                ..
            } => {
                format!(
                    "the target has no worker left for a subscription: {setting} is {maximum}, {used} are in use"
                )
            }
            Self::NoSyncWorkers => {
                "max_sync_workers_per_subscription of the target is 0: tables that a killed run has left would never \
                 be copied"
                    .to_owned()
            }
            Self::CannotSubscribe { role, .. } => {
                format!("role {} may not create subscriptions on the target", quoted(role))
            }
            Self::AivenExtrasClosed { role, database } => format!(
                "role {} may subscribe on the target with aiven_extras only, and has no USAGE on its schema in \
                 database {database}",
                quoted(role)
            ),
            Self::PasswordMissing { role } => format!(
                "role {} may subscribe on the target with a password only, and the source's conninfo has none",
                quoted(role)
            ),
            Self::PasswordNotAsked { role } => format!(
                "role {} may subscribe on the target with a password only, and the source does not ask for it",
                quoted(role)
            ),
            Self::ConninfoNotUsable => {
                "the target's server can't use the source's conninfo, which names files of this machine"
                    .to_owned()
            }
            Self::SourceNotReached { error } => {
                format!("the target's server can't reach the source: {error}")
            }
            Self::AnotherServerReached { database } => format!(
                "the target's server reaches another server with the source's conninfo: one without database {database}"
            ),
            Self::NotTried { role, database } => format!(
                "whether the target's server reaches the source could not be tried: \
                 role {} may not create anything in database {database}",
                quoted(role)
            ),
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoWorkers { setting, needed, .. } => {
                format!("ALTER SYSTEM SET {setting} = {needed}; and restart the target: that is enough for all databases")
            }
            Self::NoSyncWorkers => {
                "on the target: ALTER SYSTEM SET max_sync_workers_per_subscription = 2; SELECT pg_reload_conf();"
                    .to_owned()
            }
            Self::CannotSubscribe {
                role,
                grantable: true,
            } => {
                format!(
                    "as a superuser of the target: GRANT pg_create_subscription TO {} WITH INHERIT TRUE;",
                    quoted(role)
                )
            }
            Self::CannotSubscribe { .. } => "connect to the target as a superuser".to_owned(),
            Self::AivenExtrasClosed { role, .. } => {
                format!("GRANT USAGE ON SCHEMA aiven_extras TO {};", quoted(role))
            }
            Self::PasswordMissing { .. } => {
                "give the source's password: in --source, PGHAUL_SOURCE_PASSWORD or the password file".to_owned()
            }
            Self::PasswordNotAsked { .. } => "in the source's pg_hba.conf, let the target's server in with \
                 scram-sha-256; or connect to the target as a superuser"
                .to_owned(),
            Self::ConninfoNotUsable | Self::SourceNotReached { .. } | Self::AnotherServerReached { .. } => {
                "say how the target's machine reaches the source: --source-from-target 'host=… port=…'"
                    .to_owned()
            }
            Self::NotTried { role, database } => {
                format!(
                    "GRANT CREATE ON DATABASE {} TO {};",
                    quoted(database),
                    quoted(role)
                )
            }
        })
    }
}

/// The check `replication-target`: may the target subscribe, and does its server reach the source?
#[derive(Debug, Clone, Copy)]
pub struct ReplicationTarget;

#[async_trait]
impl Check for ReplicationTarget {
    type Scope = Cluster;

    fn descriptor(&self) -> CheckDescriptor {
        CheckDescriptor {
            name: "replication-target",
            summary: "the target can subscribe, and its server reaches the source",
            after: &["connection", "version", "same-server"],
        }
    }

    async fn examine(&self, ctx: &CheckContext<Cluster>) -> Result<Vec<Finding>, Failure> {
        let session = ctx.target().await?;
        // Nothing can be tried on a standby; that it is one, `target-rights` says.
        if session.is_standby().await? {
            return Ok(Vec::new());
        }
        let limits = capacity::of_target(&session, ctx.landscape()).await?;
        let spent = limits
            .iter()
            .find(|limit| limit.free() == 0)
            .map(|limit| TargetObstacle::NoWorkers {
                setting: limit.setting,
                maximum: limit.maximum,
                used: limit.used,
                needed: limit.needed(ctx.landscape().selected.len()),
            });
        let sync_workers = session.setting("max_sync_workers_per_subscription").await?;
        let no_sync_workers = (sync_workers.as_deref() == Some("0")).then_some(TargetObstacle::NoSyncWorkers);
        let obstacle = subscription_obstacle(ctx, &session).await?;
        let settings = spent.into_iter().chain(no_sync_workers);
        let settings = settings.map(|obstacle| obstacle.about("replication-target", Subject::Cluster));
        let found = obstacle.map(|(obstacle, subject)| obstacle.about("replication-target", subject));
        Ok(settings.chain(found).collect())
    }
}

type Found = Option<(TargetObstacle, Subject)>;

/// Tries a subscription, and says what is in its way.
async fn subscription_obstacle(
    ctx: &CheckContext<Cluster>,
    session: &Session<Target, ReadOnly>,
) -> Result<Found, Failure> {
    let cluster = |obstacle| Ok(Some((obstacle, Subject::Cluster)));
    let Some(secret) = &ctx.landscape().source_from_target else {
        return cluster(TargetObstacle::ConninfoNotUsable);
    };
    let role = session.role().await?;
    let grantable = session.server_version() >= GRANTS_SUBSCRIPTIONS;
    if !role.superuser && grantable && is_granted(session).await? && !may_create(session).await? {
        if !probe::has_password(secret) {
            return cluster(TargetObstacle::PasswordMissing { role: role.name });
        }
        let database = session.database().to_owned();
        return cluster(TargetObstacle::NotTried {
            role: role.name,
            database,
        });
    }
    let telling = telling_database(ctx, session).await?;
    let (mut outcome, mut subject) = try_to_reach(ctx, &Way::Native, secret, telling.as_ref()).await?;
    let mut by = Way::Native;
    if outcome == Outcome::NotPermitted {
        let there = AivenExtras::of(session, &*ctx.target_extensions().await?).await?;
        if let AivenExtras::NoUsage { .. } = there {
            let database = session.database().to_owned();
            return cluster(TargetObstacle::AivenExtrasClosed {
                role: role.name,
                database,
            });
        }
        if there.helps() {
            by = Way::AivenExtras(there);
            (outcome, subject) = try_to_reach(ctx, &by, secret, telling.as_ref()).await?;
        }
    }
    if outcome != Outcome::NotPermitted {
        remember(ctx, by).await?;
    }
    Ok(obstacle(outcome, role.name, grantable, telling).map(|obstacle| (obstacle, subject)))
}

fn obstacle(
    outcome: Outcome,
    role: String,
    grantable: bool,
    telling: Option<DatabaseName>,
) -> Option<TargetObstacle> {
    Some(match (outcome, telling) {
        (Outcome::Reached, _) => return None,
        (Outcome::NotPermitted, _) => TargetObstacle::CannotSubscribe { role, grantable },
        (Outcome::PasswordRequired { given: true }, _) => TargetObstacle::PasswordNotAsked { role },
        (Outcome::PasswordRequired { given: false }, _) => TargetObstacle::PasswordMissing { role },
        (Outcome::NoSuchDatabase, Some(database)) => TargetObstacle::AnotherServerReached {
            database: database.to_string(),
        },
        (Outcome::NoSuchDatabase, None) => TargetObstacle::SourceNotReached {
            error: "no such database".to_owned(),
        },
        (Outcome::Failed(error), _) => TargetObstacle::SourceNotReached { error },
    })
}

const WAY: &str = "how pghaul's role subscribes on the target";

/// Keeps for the checks of the databases how pghaul's role subscribes.
async fn remember(ctx: &CheckContext<Cluster>, way: Way) -> Result<(), Failure> {
    ctx.once(WAY, async { Ok(way) }).await.map(drop)
}

/// How pghaul's role subscribes, as this check has found out; as everybody does where it could not.
pub(crate) async fn remembered(ctx: &CheckContext<Database>) -> Result<Way, Failure> {
    Ok((*ctx.once(WAY, async { Ok(Way::Native) }).await?).clone())
}

/// Tries the telling database first. Where that fails and the conninfo's own database is reached, the obstacle
/// is that one database's.
async fn try_to_reach(
    ctx: &CheckContext<Cluster>,
    way: &Way,
    secret: &Secret,
    telling: Option<&DatabaseName>,
) -> Result<(Outcome, Subject), Failure> {
    let mut session = ctx.rehearse_on_target().await?;
    let outcome = probe::reach(&mut session, way, secret, telling.map(DatabaseName::as_str)).await?;
    if let (Outcome::Failed(_), Some(database)) = (&outcome, telling)
        && probe::reach(&mut session, way, secret, None).await? == Outcome::Reached
    {
        return Ok((outcome, Subject::Database(database.clone())));
    }
    Ok((outcome, Subject::Cluster))
}

/// Whether the role has the rights of the role that may subscribe: a membership without INHERIT gives none.
async fn is_granted(session: &Session<Target, ReadOnly>) -> Result<bool, Failure> {
    let sql = "SELECT pg_catalog.pg_has_role('pg_create_subscription', 'USAGE')";
    Ok(session
        .doing("look for the right to subscribe")
        .query_one(sql, &[])
        .await?
        .get(0))
}

async fn may_create(session: &Session<Target, ReadOnly>) -> Result<bool, Failure> {
    let sql = "SELECT pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE')";
    Ok(session
        .doing("look for the right to create")
        .query_one(sql, &[])
        .await?
        .get(0))
}

/// A database that the source has and the target has not: what has it is not the target itself, to which a
/// conninfo with `localhost` would lead. One that we may not enter tells nothing.
async fn telling_database(
    ctx: &CheckContext<Cluster>,
    target: &Session<Target, ReadOnly>,
) -> Result<Option<DatabaseName>, Failure> {
    let sql = "SELECT datname::text FROM pg_catalog.pg_database \
               WHERE datallowconn AND pg_catalog.has_database_privilege(oid, 'CONNECT')";
    let source = ctx.source().await?;
    let open = names(source.doing("list the databases").query(sql, &[]).await?);
    let sql = "SELECT datname::text FROM pg_catalog.pg_database";
    let there = names(target.doing("list the databases").query(sql, &[]).await?);
    let tells =
        |database: &&DatabaseName| open.contains(database.as_str()) && !there.contains(database.as_str());
    Ok(ctx.landscape().selected.iter().find(tells).cloned())
}

fn names(rows: Vec<Row>) -> BTreeSet<String> {
    rows.iter().map(|row| row.get(0)).collect()
}
