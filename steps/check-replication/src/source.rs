//! The check `replication-source`.

use pghaul_step::postgres::{ReadOnly, Server, Session, Source};
use pghaul_step::{
    Check, CheckContext, CheckDescriptor, Cluster, Code, Concern, Failure, Finding, FindingKind, Subject,
    async_trait, quoted,
};
use serde::Serialize;

/// Why the source can't be replicated from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum SourceObstacle {
    /// The source is a standby, where no publication can be created.
    SourceIsStandby,
    /// The WAL does not hold what logical decoding needs.
    WalLevel {
        /// The setting `wal_level`.
        wal_level: String,
        /// Whether the source is Amazon RDS or Aurora, where a setting of theirs decides.
        rds: bool,
    },
    /// pghaul's role may not open replication connections.
    RoleMayNotReplicate {
        /// The role.
        role: String,
        /// Whether the source is Amazon RDS or Aurora, where membership gives the right.
        rds: bool,
    },
    /// The source lets replication use output plugins that do not include PostgreSQL's own.
    OutputPlugin {
        /// The setting `output_plugin_libraries`, which minor releases since August 2026 have.
        libraries: String,
    },
    /// A replication connection failed for another reason, such as a connection pooler.
    ReplicationConnectionRefused {
        /// What kind of failure.
        code: Code,
        /// What the server says.
        error: String,
        /// What the user can do.
        #[serde(skip)]
        hint: Option<String>,
    },
}

impl FindingKind for SourceObstacle {
    fn concern(&self) -> Concern {
        Concern::Replication
    }

    fn message(&self) -> String {
        match self {
            Self::SourceIsStandby => "the source is a standby".to_owned(),
            Self::WalLevel { wal_level, .. } => format!("the source's wal_level is {wal_level}, not logical"),
            Self::RoleMayNotReplicate { role, .. } => {
                format!(
                    "role {} may not open replication connections on the source",
                    quoted(role)
                )
            }
            Self::OutputPlugin { libraries } => {
                format!("the source's output_plugin_libraries does not list pgoutput: {libraries}")
            }
            Self::ReplicationConnectionRefused { error, .. } => {
                format!("the source refuses a replication connection: {error}")
            }
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::SourceIsStandby => "give the primary as --source".to_owned(),
            Self::WalLevel { rds: true, .. } => {
                "set rds.logical_replication to 1 in the parameter group and reboot the instance".to_owned()
            }
            Self::WalLevel { .. } => {
                "ALTER SYSTEM SET wal_level = logical; and restart the source".to_owned()
            }
            Self::RoleMayNotReplicate { role, rds: true } => {
                format!("GRANT rds_replication TO {};", quoted(role))
            }
            Self::RoleMayNotReplicate { role, .. } => format!("ALTER ROLE {} REPLICATION;", quoted(role)),
            Self::OutputPlugin { libraries } => {
                let others: Vec<&str> = plugins(libraries).collect();
                let all = [others.as_slice(), &[PLUGIN]].concat().join(", ");
                format!(
                    "ALTER SYSTEM SET output_plugin_libraries = {all}; SELECT pg_reload_conf(); on the source"
                )
            }
            Self::ReplicationConnectionRefused { hint, .. } => return hint.clone(),
        })
    }
}

/// The check `replication-source`: does the source decode its WAL, and let pghaul's role have it?
#[derive(Debug, Clone, Copy)]
pub struct ReplicationSource;

/// Whether changes can be decoded. Servers that have `effective_wal_level`, from PostgreSQL 19 on, raise it from `replica` when the
/// first logical slot is created.
fn is_logical(wal_level: &str, rises: bool) -> bool {
    wal_level == "logical" || rises && wal_level == "replica"
}

const PLUGIN: &str = "pgoutput";

/// The entries of a list of libraries. What is quoted may hold a comma, and is then none of PostgreSQL's anyway.
fn plugins(list: &str) -> impl Iterator<Item = &str> {
    list.split(',')
        .map(str::trim)
        .filter(|entry| !matches!(*entry, "" | "\"\""))
}

/// The setting, where it refuses the plugin, and pghaul's role may see it. Otherwise the slot is refused, and the database is copied.
async fn refused_plugin(session: &Session<Source, ReadOnly>) -> Result<Option<String>, Failure> {
    let sql = "SELECT setting FROM pg_catalog.pg_settings WHERE name = 'output_plugin_libraries'";
    let rows = session
        .doing("read which output plugins are allowed")
        .query(sql, &[])
        .await?;
    let libraries: Option<String> = rows.first().map(|row| row.get(0));
    let lists_it = |list: &String| plugins(list).any(|entry| entry.trim_matches('"') == PLUGIN);
    Ok(libraries.filter(|list| !lists_it(list)))
}

#[async_trait]
impl Check for ReplicationSource {
    type Scope = Cluster;

    fn descriptor(&self) -> CheckDescriptor {
        CheckDescriptor {
            name: "replication-source",
            summary: "the source can be replicated from",
            after: &["connection", "version"],
        }
    }

    async fn examine(&self, ctx: &CheckContext<Cluster>) -> Result<Vec<Finding>, Failure> {
        let session = ctx.source().await?;
        let rds = session.setting("rds.logical_replication").await?.is_some();
        let role = session.role().await?.name;
        let mut obstacles = Vec::new();
        if session.is_standby().await? {
            obstacles.push(SourceObstacle::SourceIsStandby);
        }
        let wal_level = session.setting("wal_level").await?.unwrap_or_default();
        let rises = session.setting("effective_wal_level").await?.is_some();
        if !is_logical(&wal_level, rises) {
            obstacles.push(SourceObstacle::WalLevel { wal_level, rds });
        }
        if let Some(libraries) = refused_plugin(&session).await? {
            obstacles.push(SourceObstacle::OutputPlugin { libraries });
        }
        obstacles.extend(refusal(ctx.source_server(), role, rds).await);
        Ok(obstacles
            .iter()
            .map(|o| o.about("replication-source", Subject::Cluster))
            .collect())
    }
}

/// Tries a replication connection: services grant the right by attribute, by membership, or otherwise.
async fn refusal(server: &Server<Source>, role: String, rds: bool) -> Option<SourceObstacle> {
    let error = server
        .connect_replication(server.resolved().database())
        .await
        .err()?;
    match error.code() {
        // Each database's own check counts what is left.
        Code::TooManyConnections => None,
        Code::PermissionDenied => Some(SourceObstacle::RoleMayNotReplicate { role, rds }),
        code => Some(SourceObstacle::ReplicationConnectionRefused {
            code,
            error: error.message().to_owned(),
            hint: error.hint(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::{SourceObstacle, is_logical};
    use pghaul_step::FindingKind as _;

    #[test]
    fn a_level_that_rises_by_itself_is_enough() {
        assert!(is_logical("logical", false));
        assert!(is_logical("replica", true));
        assert!(!is_logical("replica", false));
        assert!(!is_logical("minimal", true));
    }

    #[test]
    fn what_is_advised_keeps_the_other_plugins() {
        for (list, advised) in [
            ("", "pgoutput"),
            ("\"\"", "pgoutput"),
            (
                "test_decoding, \"my Plugin\"",
                "test_decoding, \"my Plugin\", pgoutput",
            ),
        ] {
            let libraries = list.to_owned();
            let hint = SourceObstacle::OutputPlugin { libraries }.hint().unwrap();
            assert!(hint.contains(&format!(" = {advised};")), "{hint}");
        }
    }
}
