//! The check `version`: do the versions of both servers fit?
//!
//! The source must be PostgreSQL 10 or newer, the target not older than the source. What is newer than the
//! newest version that pghaul is tested with gives a warning.

use pghaul_step::{
    Check, CheckContext, CheckDescriptor, Cluster, Failure, Finding, FindingKind, Registry, Severity, Side,
    Subject, async_trait,
};
use serde::Serialize;

/// Adds the check of this package.
pub fn register(registry: Registry) -> Registry {
    registry.with_cluster_check(Version)
}

/// The oldest source, as `server_version_num` gives it: logical replication begins with it.
const OLDEST: u32 = 100_000;
/// The first version that pghaul was not tested with.
const UNTESTED: u32 = 190_000;

/// What is wrong with a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Misfit {
    /// The source is older than PostgreSQL 10.
    SourceTooOld {
        /// Its version.
        source: String,
    },
    /// The target's major version is older than the source's.
    Downgrade {
        /// The source's version.
        source: String,
        /// The target's version.
        target: String,
    },
    /// A server is newer than what pghaul was tested with.
    Untested {
        /// Which server.
        side: Side,
        /// Its version.
        version: String,
    },
}

impl FindingKind for Misfit {
    fn severity(&self) -> Severity {
        match self {
            Self::SourceTooOld { .. } | Self::Downgrade { .. } => Severity::Error,
            Self::Untested { .. } => Severity::Warning,
        }
    }

    fn message(&self) -> String {
        match self {
            Self::SourceTooOld { source } => {
                format!("the source is PostgreSQL {source}, pghaul needs 10 or newer")
            }
            Self::Downgrade { source, target } => {
                format!("the target is PostgreSQL {target}, older than the source's {source}")
            }
            Self::Untested { side, version } => {
                format!(
                    "the {side} is PostgreSQL {version}, which this version of pghaul was not tested with"
                )
            }
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::SourceTooOld { .. } => "upgrade the source with pg_upgrade first".to_owned(),
            Self::Downgrade { source, .. } => {
                format!(
                    "use a target of PostgreSQL {} or newer; or, if nothing that is new in {0} is used: --accept version",
                    first_part(source)
                )
            }
            Self::Untested { .. } => "look for a newer version of pghaul".to_owned(),
        })
    }
}

/// The check `version`.
#[derive(Debug, Clone, Copy)]
pub struct Version;

#[async_trait]
impl Check for Version {
    type Scope = Cluster;

    fn descriptor(&self) -> CheckDescriptor {
        CheckDescriptor {
            name: "version",
            summary: "the source is supported and the target not older",
            after: &["connection"],
        }
    }

    async fn examine(&self, ctx: &CheckContext<Cluster>) -> Result<Vec<Finding>, Failure> {
        let source = ctx.source().await?.server_version();
        let target = ctx.target().await?.server_version();
        let misfits = misfits(source, target).into_iter();
        Ok(misfits
            .map(|misfit| misfit.about("version", Subject::Cluster))
            .collect())
    }
}

/// What is wrong with two versions, each as `server_version_num` gives it.
fn misfits(source: u32, target: u32) -> Vec<Misfit> {
    let mut found = Vec::new();
    if source < OLDEST {
        found.push(Misfit::SourceTooOld { source: text(source) });
    }
    if target / 10_000 < source / 10_000 {
        found.push(Misfit::Downgrade {
            source: text(source),
            target: text(target),
        });
    }
    for (side, version) in [(Side::Source, source), (Side::Target, target)] {
        if version >= UNTESTED {
            found.push(Misfit::Untested {
                side,
                version: text(version),
            });
        }
    }
    found
}

/// `server_version_num` as people write it: 150018 is 15.18, 90624 is 9.6.24.
fn text(version: u32) -> String {
    match version {
        OLDEST.. => format!("{}.{}", version / 10_000, version % 10_000),
        _ => format!("{}.{}.{}", version / 10_000, version / 100 % 100, version % 100),
    }
}

fn first_part(version: &str) -> &str {
    version.split('.').next().unwrap_or(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(source: u32, target: u32) -> Vec<String> {
        misfits(source, target)
            .iter()
            .map(|m| m.about("version", Subject::Cluster).kind)
            .collect()
    }

    #[test]
    fn only_majors_count_and_only_downwards() {
        assert_eq!(kinds(100_023, 100_001), [""; 0]);
        assert_eq!(kinds(150_018, 180_004), [""; 0]);
        assert_eq!(kinds(160_000, 150_018), ["downgrade"]);
        assert_eq!(kinds(90_624, 100_023), ["source-too-old"]);
        assert_eq!(kinds(180_004, 190_000), ["untested"]);
        assert_eq!(kinds(190_000, 190_000), ["untested", "untested"]);
    }

    #[test]
    fn versions_are_written_as_people_do() {
        assert_eq!(
            (text(90_624), text(100_023), text(180_004)),
            ("9.6.24".into(), "10.23".into(), "18.4".into())
        );
        let misfit = Misfit::Downgrade {
            source: text(160_002),
            target: text(150_018),
        };
        assert_eq!(
            misfit.hint().as_deref(),
            Some(
                "use a target of PostgreSQL 16 or newer; or, if nothing that is new in 16 is used: --accept version"
            )
        );
    }
}
