//! The check `minor-versions`.

use crate::version_text;
use pghaul_step::{
    Check, CheckContext, CheckDescriptor, Cluster, Concern, Failure, Finding, FindingKind, Severity, Side,
    Subject, async_trait,
};
use serde::Serialize;

/// A bug of replication, from the [release notes](https://www.postgresql.org/docs/release/).
struct Bug {
    /// On which side it does harm.
    side: Side,
    /// What it does.
    effect: &'static str,
    /// The minor release that brought it, for each major version; nothing where it was there from the start.
    since: &'static [u32],
    /// The minor release that fixed it, for each major version that it was fixed in.
    mended: &'static [u32],
}

const BUGS: &[Bug] = &[
    Bug {
        side: Side::Source,
        effect: "columns that were added with a default may arrive as NULL",
        since: &[],
        mended: &[150_006, 160_002],
    },
    Bug {
        side: Side::Source,
        effect: "transactions with subtransactions that change catalogs may be decoded wrongly",
        since: &[],
        mended: &[120_018, 130_014, 140_011, 150_006, 160_002],
    },
    Bug {
        side: Side::Source,
        effect: "a slot may begin within a transaction, which is then decoded wrongly",
        since: &[],
        mended: &[120_020, 130_016, 140_013, 150_008, 160_004],
    },
    Bug {
        side: Side::Source,
        effect: "a slot may want WAL again that is gone already",
        since: &[],
        mended: &[130_018, 140_015, 150_010, 160_006, 170_002],
    },
    Bug {
        side: Side::Source,
        effect: "changes in transactions that were open when a publication was made may be lost",
        since: &[],
        mended: &[130_021, 140_018, 150_013, 160_009, 170_005],
    },
    Bug {
        side: Side::Source,
        effect: "decoding may run out of memory when many transactions change catalogs",
        since: &[130_021, 140_018, 150_013, 160_009, 170_005],
        mended: &[130_022, 140_019, 150_014, 160_010, 170_006],
    },
    Bug {
        side: Side::Source,
        effect: "a new slot may be lost at the next checkpoint",
        since: &[],
        mended: &[140_021, 150_016, 160_012, 170_008, 180_002],
    },
    Bug {
        side: Side::Target,
        effect: "the workers of a subscription may wait for each other for ever",
        since: &[],
        mended: &[120_018, 130_014, 140_011, 150_006, 160_002],
    },
];

/// A server with bugs that a minor update fixes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum KnownBugs {
    /// Bugs of replication.
    KnownBugs {
        /// Which server.
        side: Side,
        /// Its version.
        version: String,
        /// What they do.
        effects: Vec<&'static str>,
        /// The minor release that fixes them all.
        mended: String,
    },
}

impl FindingKind for KnownBugs {
    fn severity(&self) -> Severity {
        Severity::Warning
    }

    fn concern(&self) -> Concern {
        Concern::Replication
    }

    fn message(&self) -> String {
        let Self::KnownBugs {
            side,
            version,
            effects,
            ..
        } = self;
        format!(
            "PostgreSQL {version} of the {side} has known bugs of replication: {}",
            effects.join("; ")
        )
    }

    fn hint(&self) -> Option<String> {
        let Self::KnownBugs { side, mended, .. } = self;
        Some(format!(
            "update the {side} to {mended} or newer, which takes a restart; or --method dump"
        ))
    }
}

/// The check `minor-versions`: has a server known bugs of replication that a minor update fixes?
#[derive(Debug, Clone, Copy)]
pub struct MinorVersions;

#[async_trait]
impl Check for MinorVersions {
    type Scope = Cluster;

    fn descriptor(&self) -> CheckDescriptor {
        CheckDescriptor {
            name: "minor-versions",
            summary: "the servers have no known bugs of replication that an update fixes",
            after: &["connection"],
        }
    }

    async fn examine(&self, ctx: &CheckContext<Cluster>) -> Result<Vec<Finding>, Failure> {
        let source = ctx.source().await?.server_version();
        let target = ctx.target().await?.server_version();
        let found = [known(Side::Source, source), known(Side::Target, target)];
        Ok(found
            .iter()
            .flatten()
            .map(|bugs| bugs.about("minor-versions", Subject::Cluster))
            .collect())
    }
}

/// The bugs that a server of this version has on this side.
fn known(side: Side, version: u32) -> Option<KnownBugs> {
    let of_major = |releases: &[u32]| {
        let same = |release: &&u32| **release / 10_000 == version / 10_000;
        releases.iter().find(same).copied()
    };
    let there: Vec<(&Bug, u32)> = BUGS
        .iter()
        .filter(|bug| bug.side == side && of_major(bug.since).is_none_or(|since| version >= since))
        .filter_map(|bug| Some((bug, of_major(bug.mended).filter(|mended| version < *mended)?)))
        .collect();
    let mended = there.iter().map(|(_, mended)| *mended).max()?;
    Some(KnownBugs::KnownBugs {
        side,
        version: version_text(version),
        effects: there.iter().map(|(bug, _)| bug.effect).collect(),
        mended: version_text(mended),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(side: Side, version: u32) -> Option<(usize, String)> {
        known(side, version).map(|KnownBugs::KnownBugs { effects, mended, .. }| (effects.len(), mended))
    }

    #[test]
    fn bugs_end_with_the_release_that_mended_them() {
        assert_eq!(count(Side::Source, 150_005), Some((6, "15.16".to_owned())));
        assert_eq!(count(Side::Source, 150_012), Some((2, "15.16".to_owned())));
        assert_eq!(count(Side::Source, 150_015), Some((1, "15.16".to_owned())));
        assert_eq!(count(Side::Source, 150_016), None);
        assert_eq!(count(Side::Target, 150_005), Some((1, "15.6".to_owned())));
        assert_eq!(count(Side::Target, 150_006), None);
    }

    #[test]
    fn one_release_brought_another_bug() {
        let effects = |version| match known(Side::Source, version) {
            Some(KnownBugs::KnownBugs { effects, .. }) => effects,
            None => Vec::new(),
        };
        let memory = |version| effects(version).iter().any(|effect| effect.contains("memory"));
        assert_eq!([170_004, 170_005, 170_006].map(memory), [false, true, false]);
    }

    #[test]
    fn versions_without_updates_are_left_alone() {
        assert_eq!(count(Side::Source, 100_000), None);
        assert_eq!(count(Side::Source, 190_000), None);
    }
}
