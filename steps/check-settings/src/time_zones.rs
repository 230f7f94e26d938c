//! The check `time-zones`.

use pghaul_step::postgres::{ReadOnly, Session, SideMarker};
use pghaul_step::{
    Check, CheckContext, CheckDescriptor, Cluster, Failure, Finding, FindingKind, Severity, Subject,
    async_trait, listed,
};
use serde::Serialize;
use std::collections::BTreeMap;

/// Zones about whose rules there is nothing to compare.
const WITHOUT_RULES: &[&str] = &["UTC", "Etc/UTC", "GMT", "Etc/GMT"];

/// Time zones that mean something else on the target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum TimeZoneProblem {
    /// The target's time zone data lacks zones that the source's settings name.
    TimeZoneUnknown {
        /// The zones.
        zones: Vec<String>,
    },
    /// Zones have other rules on the target.
    TimeZoneRulesDiffer {
        /// The zones.
        zones: Vec<String>,
    },
}

impl FindingKind for TimeZoneProblem {
    fn severity(&self) -> Severity {
        Severity::Warning
    }

    fn message(&self) -> String {
        match self {
            Self::TimeZoneUnknown { zones } => format!(
                "the target does not know time zones that settings of the source name: {}",
                listed(zones)
            ),
            Self::TimeZoneRulesDiffer { zones } => format!(
                "time zones in use have other rules on the target, so that some local times are converted \
                 otherwise: {}",
                listed(zones)
            ),
        }
    }

    fn hint(&self) -> Option<String> {
        Some("bring the time zone data of both servers to the same release (package tzdata, or a minor update)".to_owned())
    }
}

/// The check `time-zones`: do both servers know the same rules for the time zones in use?
#[derive(Debug, Clone, Copy)]
pub struct TimeZones;

#[async_trait]
impl Check for TimeZones {
    type Scope = Cluster;

    fn descriptor(&self) -> CheckDescriptor {
        CheckDescriptor {
            name: "time-zones",
            summary: "both servers have the same rules for the time zones in use",
            after: &["connection"],
        }
    }

    async fn examine(&self, ctx: &CheckContext<Cluster>) -> Result<Vec<Finding>, Failure> {
        let source = ctx.source().await?;
        let doing = source.doing("list the time zones in use");
        let rows = doing.query(include_str!("time_zones_used.sql"), &[]).await?;
        let used: Vec<String> = rows
            .iter()
            .filter_map(|row| row.get::<_, Option<String>>(0))
            .filter(|zone| !WITHOUT_RULES.iter().any(|plain| plain.eq_ignore_ascii_case(zone)))
            .collect();
        if used.is_empty() {
            return Ok(Vec::new());
        }
        let known = known(&source, &used).await?;
        let rules = rules(&source, &known).await?;
        let target = ctx.target().await?;
        let (there, unknown): (Vec<String>, Vec<String>) = {
            let there = self::known(&target, &known).await?;
            known.into_iter().partition(|zone| there.contains(zone))
        };
        let of_target = self::rules(&target, &there).await?;
        let differing: Vec<String> = there
            .into_iter()
            .filter(|zone| rules.get(zone) != of_target.get(zone))
            .collect();
        let mut found = Vec::new();
        if !unknown.is_empty() {
            found.push(TimeZoneProblem::TimeZoneUnknown { zones: unknown });
        }
        if !differing.is_empty() {
            found.push(TimeZoneProblem::TimeZoneRulesDiffer { zones: differing });
        }
        Ok(found
            .iter()
            .map(|problem| problem.about("time-zones", Subject::Cluster))
            .collect())
    }
}

/// Those of the zones that the server has data for; others are written out, such as `<-03>3`.
async fn known<S: SideMarker>(
    session: &Session<S, ReadOnly>,
    zones: &[String],
) -> Result<Vec<String>, Failure> {
    let doing = session.doing("look for time zones");
    let rows = doing
        .query(include_str!("time_zones_known.sql"), &[&zones])
        .await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

async fn rules<S: SideMarker>(
    session: &Session<S, ReadOnly>,
    zones: &[String],
) -> Result<BTreeMap<String, String>, Failure> {
    let doing = session.doing("read the rules of time zones");
    let rows = doing
        .query(include_str!("time_zones_rules.sql"), &[&zones])
        .await?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}
