//! The check `synchronous-standbys`.

use pghaul_step::postgres::{ReadOnly, Session, SideMarker, Target};
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
            Self::SubscriptionIsStandby { names } => format!(
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
            Self::SubscriptionIsStandby { .. } => format!(
                "on the source, name the standbys instead of *: ALTER SYSTEM SET {SETTING} = 'their, names'; \
                 SELECT pg_reload_conf();"
            ),
            Self::StandbyMissing { .. } => format!(
                "connect the target's standby; or, for the time of the migration, ALTER SYSTEM SET {SETTING} = ''; \
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
        let names = names(&*ctx.source().await?).await?;
        let takes_any = Waiting::of(&names).is_some_and(|waiting| waiting.takes_any);
        let on_source = takes_any.then_some(SynchronousProblem::SubscriptionIsStandby { names });
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

/// What a commit waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Waiting {
    /// So many standbys.
    standbys: i64,
    /// Whether any WAL receiver counts as one, also a subscription.
    takes_any: bool,
}

impl Waiting {
    /// Reads `a, b`, `2 (a, b)`, `FIRST 2 (a, b)` or `ANY 2 (a, b)`; nothing where no commit waits.
    fn of(names: &str) -> Option<Self> {
        let (method, list) = names.split_once('(').unwrap_or(("", names));
        let list = list.trim_end_matches([')', ' ']);
        if list.trim().is_empty() {
            return None;
        }
        let number = method.split_whitespace().find_map(|word| word.parse().ok());
        // Every subscription of a migration is called so, and no standby is.
        let is_any = |name: &str| name == "*" || name.to_ascii_lowercase().starts_with("pghaul_");
        Some(Self {
            standbys: number.unwrap_or(1),
            takes_any: list.split(',').any(|name| is_any(name.trim().trim_matches('"'))),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Waiting;

    #[test]
    fn every_form_is_read() {
        let of = |names| Waiting::of(names).map(|w| (w.standbys, w.takes_any));
        assert_eq!(of(""), None);
        assert_eq!(of("s1, s2"), Some((1, false)));
        assert_eq!(of("*"), Some((1, true)));
        assert_eq!(of("2 (s1, \"*\")"), Some((2, true)));
        assert_eq!(of("ANY 1 (*)"), Some((1, true)));
        assert_eq!(of("first 3 (a,b,c)"), Some((3, false)));
        assert_eq!(of("PGHAUL_abc_1_g1a1"), Some((1, true)));
    }
}
