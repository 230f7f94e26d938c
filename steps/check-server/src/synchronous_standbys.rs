//! The check `synchronous-standbys`.

use pghaul_step::postgres::synchronous::Waiting;
use pghaul_step::postgres::{ReadOnly, Session, SideMarker, Source, Target};
use pghaul_step::{
    Check, CheckContext, CheckDescriptor, Cluster, Concern, Failure, Finding, FindingKind, Subject,
    async_trait,
};
use serde::Serialize;

/// The setting.
const SETTING: &str = "synchronous_standby_names";

/// What synchronous replication would do to the migration, or the migration to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum SynchronousProblem {
    /// The source would take a subscription for one of its synchronous standbys.
    SubscriptionIsStandby {
        /// `synchronous_standby_names` of the source.
        names: String,
        /// The same with the standbys that are connected in place of all, where there are some.
        #[serde(skip)]
        named: Option<String>,
    },
    /// The target waits for standbys that are not connected.
    StandbyMissing {
        /// `synchronous_standby_names` of the target.
        names: String,
        /// For how many standbys a commit waits.
        wanted: i64,
        /// How many are connected.
        connected: i64,
    },
}

impl FindingKind for SynchronousProblem {
    fn concern(&self) -> Concern {
        match self {
            Self::SubscriptionIsStandby { .. } => Concern::Replication,
            Self::StandbyMissing { .. } => Concern::Migration,
        }
    }

    fn message(&self) -> String {
        match self {
            Self::SubscriptionIsStandby { names, .. } => format!(
                "{SETTING} = '{names}' of the source matches every WAL receiver: the target's subscription would count as \
                 a synchronous standby, and commits on the source would wait for the target"
            ),
            Self::StandbyMissing {
                names,
                wanted,
                connected,
            } => format!(
                "commits on the target wait for {wanted} synchronous standby ({SETTING} = '{names}'), and {connected} are \
                 connected: pghaul's first commit would wait too"
            ),
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::SubscriptionIsStandby {
                named: Some(named), ..
            } => format!(
                "on the source, name the standbys, here those that are connected: ALTER SYSTEM SET {SETTING} = {}; SELECT \
                 pg_reload_conf();",
                pghaul_step::postgres::literal(named).unwrap_or_default()
            ),
            // No statement: with the name of a standby that is not connected every commit would wait.
            Self::SubscriptionIsStandby { named: None, .. } => format!(
                "on the source, name in {SETTING} the standbys that commits are to wait for, by their application_name in \
                 pg_stat_replication"
            ),
            Self::StandbyMissing { .. } => format!(
                "connect the target's standby; or, on the target, for the time of the migration: ALTER SYSTEM SET {SETTING} = ''; \
                 SELECT pg_reload_conf();"
            ),
        })
    }
}

/// The check `synchronous-standbys`: does synchronous replication of either server keep commits waiting?
#[derive(Debug, Clone, Copy)]
pub struct SynchronousStandbys;

#[async_trait]
impl Check for SynchronousStandbys {
    type Scope = Cluster;

    fn descriptor(&self) -> CheckDescriptor {
        CheckDescriptor {
            name: "synchronous-standbys",
            summary: "no commit waits for a standby that is missing, or for the target",
            after: &["connection"],
        }
    }

    async fn examine(&self, ctx: &CheckContext<Cluster>) -> Result<Vec<Finding>, Failure> {
        let source = ctx.source().await?;
        let names = names(&*source).await?;
        let on_source = match Waiting::of(&names) {
            Some(waiting) if waiting.takes_any => {
                let named = with_names(&names, &standbys(&source).await?);
                Some(SynchronousProblem::SubscriptionIsStandby { names, named })
            }
            _ => None,
        };
        let on_target = missing(&*ctx.target().await?).await?;
        let found = on_source.into_iter().chain(on_target);
        Ok(found
            .map(|problem| problem.about("synchronous-standbys", Subject::Cluster))
            .collect())
    }
}

async fn names<S: SideMarker>(session: &Session<S, ReadOnly>) -> Result<String, Failure> {
    Ok(session.setting(SETTING).await?.unwrap_or_default())
}

/// The synchronous standbys of the source that are connected, as far as the role may see them.
async fn standbys(source: &Session<Source, ReadOnly>) -> Result<Vec<String>, Failure> {
    let sql = "SELECT DISTINCT application_name FROM pg_catalog.pg_stat_replication \
                WHERE sync_state IN ('sync', 'quorum', 'potential') AND application_name !~ '^pghaul_' AND application_name <> '' \
                ORDER BY 1";
    let doing = source.doing("list the synchronous standbys");
    let rows = doing.query(sql, &[]).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// The setting with these standbys in place of those that it has.
fn with_names(setting: &str, standbys: &[String]) -> Option<String> {
    if standbys.is_empty() {
        return None;
    }
    let quoted = |name: &String| format!("\"{}\"", name.replace('"', "\"\""));
    let list = standbys.iter().map(quoted).collect::<Vec<_>>().join(", ");
    Some(match setting.split_once('(') {
        Some((method, _)) => format!("{}({list})", method.trim_start()),
        None => list,
    })
}

/// Whether too few standbys are connected to the target. A role that may not see which of them are synchronous counts all.
async fn missing(target: &Session<Target, ReadOnly>) -> Result<Option<SynchronousProblem>, Failure> {
    let names = names(target).await?;
    let Some(waiting) = Waiting::of(&names) else {
        return Ok(None);
    };
    let sql = "SELECT count(*) FROM pg_catalog.pg_stat_replication WHERE coalesce(sync_state, 'sync') IN ('sync', 'quorum')";
    let doing = target.doing("count the synchronous standbys");
    let connected: i64 = doing.query_one(sql, &[]).await?.get(0);
    let wanted = waiting.standbys;
    Ok(
        (connected < wanted).then_some(SynchronousProblem::StandbyMissing {
            names,
            wanted,
            connected,
        }),
    )
}

#[cfg(test)]
mod tests {
    use super::with_names;

    #[test]
    fn only_known_standbys_are_named() {
        let standbys = ["s1".to_owned(), "My \"s\"".to_owned()];
        let with = |setting| with_names(setting, &standbys);
        assert_eq!(with("*").as_deref(), Some(r#""s1", "My ""s""""#));
        assert_eq!(with("ANY 1 (*)").as_deref(), Some(r#"ANY 1 ("s1", "My ""s""")"#));
        assert_eq!(with_names("*", &[]), None);
    }
}
