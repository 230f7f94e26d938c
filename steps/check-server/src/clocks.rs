//! The check `clocks`.

use pghaul_step::postgres::{ReadOnly, Session, SideMarker};
use pghaul_step::{
    Check, CheckContext, CheckDescriptor, Cluster, Failure, Finding, FindingKind, Severity, Subject,
    async_trait,
};
use serde::Serialize;
use std::time::Instant;

/// A difference of so many seconds is more than two synchronized clocks have.
const TOLERATED: f64 = 10.0;

/// Clocks that differ.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum ClocksDiffer {
    /// The target's clock is ahead of the source's, or behind it.
    ClocksDiffer {
        /// By so many seconds the target is ahead; negative when it is behind.
        seconds: f64,
    },
}

impl FindingKind for ClocksDiffer {
    fn severity(&self) -> Severity {
        Severity::Warning
    }

    fn message(&self) -> String {
        let Self::ClocksDiffer { seconds } = self;
        let (by, how) = match *seconds < 0.0 {
            true => (
                -seconds,
                "behind the source's: what is written first after the cutover looks older than what was \
                                written last before it",
            ),
            false => (*seconds, "ahead of the source's"),
        };
        format!("the target's clock is {by:.0} seconds {how}")
    }

    fn hint(&self) -> Option<String> {
        Some("synchronize the clocks of both machines (NTP)".to_owned())
    }
}

/// The check `clocks`: do both servers have the same time?
///
/// Nothing of pghaul's own depends on it; `now()` of the applications does.
#[derive(Debug, Clone, Copy)]
pub struct Clocks;

#[async_trait]
impl Check for Clocks {
    type Scope = Cluster;

    fn descriptor(&self) -> CheckDescriptor {
        CheckDescriptor {
            name: "clocks",
            summary: "both servers have the same time",
            after: &["connection"],
        }
    }

    async fn examine(&self, ctx: &CheckContext<Cluster>) -> Result<Vec<Finding>, Failure> {
        let start = Instant::now();
        let (source, target) = (ctx.source().await?, ctx.target().await?);
        let source = Reading::of(&source, start).await?;
        let target = Reading::of(&target, start).await?;
        let seconds = ahead(source, target);
        let found = seconds.map(|seconds| ClocksDiffer::ClocksDiffer { seconds });
        Ok(found
            .iter()
            .map(|differ| differ.about("clocks", Subject::Cluster))
            .collect())
    }
}

/// What a clock showed, and when, in seconds since a start of pghaul's: somewhere between two points.
#[derive(Debug, Clone, Copy)]
struct Reading {
    shown: f64,
    asked: f64,
    answered: f64,
}

impl Reading {
    async fn of<S: SideMarker>(session: &Session<S, ReadOnly>, start: Instant) -> Result<Self, Failure> {
        let sql = "SELECT pg_catalog.date_part('epoch', pg_catalog.clock_timestamp())";
        let asked = start.elapsed().as_secs_f64();
        let row = session.doing("read the clock").query_one(sql, &[]).await?;
        Ok(Self {
            shown: row.get(0),
            asked,
            answered: start.elapsed().as_secs_f64(),
        })
    }
}

/// By how many seconds the target's clock is ahead for sure, where that is not tolerated.
fn ahead(source: Reading, target: Reading) -> Option<f64> {
    let least = (target.shown - target.answered) - (source.shown - source.asked);
    let most = (target.shown - target.asked) - (source.shown - source.answered);
    match (least > TOLERATED, most < -TOLERATED) {
        (true, _) => Some(least),
        (_, true) => Some(most),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Reading, ahead};

    fn reading(shown: f64, asked: f64, answered: f64) -> Reading {
        Reading {
            shown,
            asked,
            answered,
        }
    }

    #[test]
    fn slow_answers_are_no_difference() {
        let source = reading(1_000.0, 0.0, 30.0);
        assert_eq!(ahead(source, reading(1_040.0, 30.0, 60.0)), None);
        assert_eq!(ahead(source, reading(1_100.0, 30.0, 31.0)), Some(69.0));
    }

    #[test]
    fn both_directions_count() {
        let source = reading(1_000.0, 0.0, 0.0);
        assert_eq!(ahead(source, reading(1_060.0, 0.0, 0.0)), Some(60.0));
        assert_eq!(ahead(source, reading(940.0, 0.0, 0.0)), Some(-60.0));
        assert_eq!(ahead(source, reading(1_009.0, 0.0, 0.0)), None);
    }
}
