//! The check `disk`: is there room on the target for the databases?
//!
//! What is needed is the size of the source's databases times a margin (130 % unless the user says otherwise),
//! without what this migration has already put on the target. What is free is what the user says; else what the
//! file system says, where the target's data directory is on this machine; else what the target's server says,
//! where pghaul's role may run programs there. Otherwise the finding is a warning with the figure that is needed.

mod free;

pub use free::FreeSpace;

use pghaul_step::postgres::{Session, SideMarker};
use pghaul_step::quantity::bytes;
use pghaul_step::{
    Check, CheckContext, CheckDescriptor, Cluster, DatabaseName, Failure, Finding, FindingKind, Registry,
    Severity, Subject, async_trait,
};
use serde::Serialize;
use std::collections::BTreeMap;

/// Adds the check of this package.
pub fn register(registry: Registry) -> Registry {
    registry.with_cluster_check(Disk)
}

/// What the room on the target is not enough for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Room {
    /// There is less than needed.
    TooLittleSpace {
        /// What is free.
        #[serde(flatten)]
        free: FreeSpace,
        /// What is needed.
        #[serde(flatten)]
        need: Need,
    },
    /// Nobody says how much there is.
    FreeSpaceUnknown {
        /// What is needed.
        #[serde(flatten)]
        need: Need,
    },
}

/// How much room is needed, and how that was reckoned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Need {
    /// The bytes that must be free.
    pub needed_bytes: u64,
    /// The size of the selected databases on the source.
    pub source_bytes: u64,
    /// The margin in percent.
    pub margin_percent: u32,
}

impl Need {
    /// Of databases with these sizes on the source, and on the target where they are this migration's.
    fn of(sizes: impl IntoIterator<Item = (u64, u64)>, margin_percent: u32) -> Self {
        let mut need = Self {
            needed_bytes: 0,
            source_bytes: 0,
            margin_percent,
        };
        for (on_source, on_target) in sizes {
            let whole = u128::from(on_source) * u128::from(margin_percent) / 100;
            let whole = u64::try_from(whole).unwrap_or(u64::MAX);
            need.source_bytes = need.source_bytes.saturating_add(on_source);
            need.needed_bytes = need.needed_bytes.saturating_add(whole.saturating_sub(on_target));
        }
        need
    }
}

impl std::fmt::Display for Need {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            needed_bytes,
            source_bytes,
            margin_percent,
        } = self;
        write!(
            f,
            "{} needed ({margin_percent} % of the {} that the databases have on the source)",
            bytes(*needed_bytes),
            bytes(*source_bytes)
        )
    }
}

impl FindingKind for Room {
    fn severity(&self) -> Severity {
        match self {
            Self::TooLittleSpace { .. } => Severity::Error,
            Self::FreeSpaceUnknown { .. } => Severity::Warning,
        }
    }

    fn message(&self) -> String {
        match self {
            Self::TooLittleSpace { free, need } => {
                format!(
                    "the target has {} free{}, {need}",
                    bytes(free.free_bytes),
                    free.told_by
                )
            }
            Self::FreeSpaceUnknown { need } => {
                format!("how much room the target has is unknown, {need}")
            }
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::TooLittleSpace { .. } => {
                "give the target more room, move fewer databases, or ask for less with --disk-margin PERCENT"
                    .to_owned()
            }
            Self::FreeSpaceUnknown { .. } => {
                "look it up in the console of the service or with `df`, and say it: --target-free-space 500GB"
                    .to_owned()
            }
        })
    }
}

/// The check `disk`.
#[derive(Debug, Clone, Copy)]
pub struct Disk;

#[async_trait]
impl Check for Disk {
    type Scope = Cluster;

    fn descriptor(&self) -> CheckDescriptor {
        CheckDescriptor {
            name: "disk",
            summary: "the target has room for the databases",
            after: &["connection", "same-server"],
        }
    }

    async fn examine(&self, ctx: &CheckContext<Cluster>) -> Result<Vec<Finding>, Failure> {
        let landscape = ctx.landscape();
        let names = |databases: &[DatabaseName]| -> Vec<String> {
            databases.iter().map(ToString::to_string).collect()
        };
        let (source, target) = (ctx.source().await?, ctx.target().await?);
        let on_source = sizes(&source, &names(&landscape.selected)).await?;
        let there = |name: &DatabaseName| landscape.mapping().database(name).clone();
        let ours: Vec<DatabaseName> = landscape.ours.iter().map(there).collect();
        let on_target = sizes(&target, &names(&ours)).await?;
        let both = on_source.iter().map(|(name, bytes)| {
            let there = there(&DatabaseName::new(name));
            (*bytes, on_target.get(there.as_str()).copied().unwrap_or(0))
        });
        let need = Need::of(both, landscape.disk.margin_percent);
        let room = match free::on_target(ctx, &target).await? {
            None => Some(Room::FreeSpaceUnknown { need }),
            Some(free) if free.free_bytes < need.needed_bytes => Some(Room::TooLittleSpace { free, need }),
            Some(_) => None,
        };
        Ok(room
            .iter()
            .map(|room| room.about("disk", Subject::Cluster))
            .collect())
    }
}

/// The sizes of databases, as far as we may measure them: what we may not enter, other checks report.
async fn sizes<S: SideMarker>(
    session: &Session<S, pghaul_step::postgres::ReadOnly>,
    databases: &[String],
) -> Result<BTreeMap<String, u64>, Failure> {
    if databases.is_empty() {
        return Ok(BTreeMap::new());
    }
    let doing = session.doing("measure the databases");
    let rows = doing.query(include_str!("sizes.sql"), &[&databases]).await?;
    // A database that is dropped while it is looked at has no size.
    let size = |row: &pghaul_step::postgres::Row| {
        let bytes = row.get::<_, Option<i64>>("bytes")?;
        Some((row.get("name"), bytes.unsigned_abs()))
    };
    Ok(rows.iter().filter_map(size).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_on_the_target_already_is_not_needed_again() {
        let need = Need::of([(1000, 0), (100, 100), (10, 50)], 130);
        assert_eq!((need.source_bytes, need.needed_bytes), (1110, 1330));
        assert_eq!(Need::of([(u64::MAX, 0), (1, 0)], 200).needed_bytes, u64::MAX);
    }

    #[test]
    fn the_sentence_has_all_figures() {
        let need = Need::of([(1 << 40, 0)], 130);
        let room = Room::FreeSpaceUnknown { need };
        assert_eq!(
            room.message(),
            "how much room the target has is unknown, 1.3 TiB needed (130 % of the 1.0 TiB that the databases have \
             on the source)"
        );
        assert_eq!(
            room.about("disk", Subject::Cluster).facts["needed_bytes"],
            1_429_365_116_108_u64
        );
    }
}
