//! The check `standby`.

use crate::version_text;
use pghaul_step::{
    Check, CheckContext, CheckDescriptor, Cluster, Failure, Finding, FindingKind, Severity, Subject,
    async_trait,
};
use serde::Serialize;

/// The minor releases of 2026-11-12, from which on a snapshot that is exported on a standby is right in the session that
/// imports it. Older major versions were not fixed.
const MENDED: &[u32] = &[140_025, 150_020, 160_016, 170_012, 180_007];
/// From this version on it was always right.
const RIGHT_FROM_THE_START: u32 = 190_000;

/// What is wrong with a source that is a standby.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum StandbyProblem {
    /// Snapshots that are passed from one session to others are wrong there.
    SnapshotsBroken {
        /// The source's version.
        version: String,
        /// The minor release that fixes it, if any.
        mended: Option<String>,
    },
    /// The standby may cancel the copy.
    CopyMayBeCancelled {
        /// `max_standby_streaming_delay`.
        delay: String,
    },
}

impl FindingKind for StandbyProblem {
    fn severity(&self) -> Severity {
        match self {
            Self::SnapshotsBroken { .. } => Severity::Error,
            Self::CopyMayBeCancelled { .. } => Severity::Warning,
        }
    }

    fn message(&self) -> String {
        match self {
            Self::SnapshotsBroken { version, .. } => format!(
                "the source is a standby of PostgreSQL {version}, where a snapshot that several sessions share is wrong: \
                 the copy would be, and the standby's own data may be damaged"
            ),
            Self::CopyMayBeCancelled { delay } => format!(
                "the source is a standby that does not tell its primary which rows it still reads \
                 (hot_standby_feedback = off): when the primary removes them, the copy is cancelled after \
                 max_standby_streaming_delay = {delay}"
            ),
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::SnapshotsBroken {
                mended: Some(mended), ..
            } => format!("give the primary as --source; or update the standby to {mended}"),
            Self::SnapshotsBroken { mended: None, .. } => "give the primary as --source".to_owned(),
            Self::CopyMayBeCancelled { .. } => {
                "on the standby: ALTER SYSTEM SET hot_standby_feedback = on; SELECT pg_reload_conf();"
                    .to_owned()
            }
        })
    }
}

/// The check `standby`: is a source that is a standby fit for a copy?
///
/// That it can't be replicated from, `replication-source` says.
#[derive(Debug, Clone, Copy)]
pub struct Standby;

#[async_trait]
impl Check for Standby {
    type Scope = Cluster;

    fn descriptor(&self) -> CheckDescriptor {
        CheckDescriptor {
            name: "standby",
            summary: "a source that is a standby gives right snapshots",
            after: &["connection"],
        }
    }

    async fn examine(&self, ctx: &CheckContext<Cluster>) -> Result<Vec<Finding>, Failure> {
        let source = ctx.source().await?;
        if !source.is_standby().await? {
            return Ok(Vec::new());
        }
        let feedback = source.setting("hot_standby_feedback").await?.unwrap_or_default();
        let delay = source
            .setting("max_standby_streaming_delay")
            .await?
            .unwrap_or_default();
        let mut found = Vec::from_iter(broken(source.server_version()));
        if feedback == "off" && delay != "-1" {
            found.push(StandbyProblem::CopyMayBeCancelled { delay });
        }
        Ok(found
            .iter()
            .map(|problem| problem.about("standby", Subject::Cluster))
            .collect())
    }
}

fn broken(version: u32) -> Option<StandbyProblem> {
    let same = |release: &&u32| **release / 10_000 == version / 10_000;
    let mended = MENDED.iter().find(same).copied();
    let right = version >= RIGHT_FROM_THE_START || mended.is_some_and(|mended| version >= mended);
    (!right).then(|| StandbyProblem::SnapshotsBroken {
        version: version_text(version),
        mended: mended.map(version_text),
    })
}

#[cfg(test)]
mod tests {
    use super::{StandbyProblem, broken};

    #[test]
    fn snapshots_are_right_from_a_minor_release_on() {
        assert_eq!(broken(150_020), None);
        assert_eq!(broken(190_000), None);
        assert_eq!(
            broken(150_019),
            Some(StandbyProblem::SnapshotsBroken {
                version: "15.19".to_owned(),
                mended: Some("15.20".to_owned())
            })
        );
        assert!(matches!(
            broken(130_023),
            Some(StandbyProblem::SnapshotsBroken { mended: None, .. })
        ));
    }
}
