//! The check `wal-retention`.

use crate::estimate::Estimate;
use pghaul_step::postgres::{ReadOnly, Row, Session, SideMarker};
use pghaul_step::{
    Check, CheckContext, CheckDescriptor, Cluster, Concern, Failure, Finding, FindingKind, Method, Severity,
    Side, Subject, async_trait,
};
use serde::Serialize;

const GIB: i64 = 1024 * 1024 * 1024;
/// A limit below this is too low for any database: so much a server writes before it makes a checkpoint, by default.
const LEAST: i64 = GIB;
/// A timeout below this, in seconds, is reached by a short stop.
const SHORT: f64 = 10.0;

/// What may go wrong with the WAL that a slot needs.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum WalProblem {
    /// `max_slot_wal_keep_size` may make the source give up pghaul's slot.
    SlotLimitTooLow {
        /// The limit, in bytes.
        limit: i64,
        /// The WAL that may be written during the copy, in bytes.
        estimated: i64,
        /// How long the copy may take, in seconds.
        seconds: i64,
        /// A limit that is high enough, in bytes.
        needed: i64,
    },
    /// `idle_replication_slot_timeout` may make the source give up pghaul's slot while nobody reads it.
    IdleSlotsExpire {
        /// The timeout, in seconds.
        timeout: i64,
        /// How long the copy may take, in seconds.
        seconds: i64,
    },
    /// A server drops replication connections after a short silence.
    TimeoutShort {
        /// Which server.
        side: Side,
        /// The setting.
        setting: &'static str,
        /// Its value, in seconds.
        seconds: f64,
    },
    /// Nothing limits the WAL, and it may become much.
    MuchWalKept {
        /// The WAL that may be written during the copy, in bytes.
        estimated: i64,
        /// How long the copy may take, in seconds.
        seconds: i64,
    },
}

impl FindingKind for WalProblem {
    fn severity(&self) -> Severity {
        match self {
            Self::MuchWalKept { .. } => Severity::Note,
            _ => Severity::Warning,
        }
    }

    fn concern(&self) -> Concern {
        Concern::Replication
    }

    fn message(&self) -> String {
        match self {
            Self::SlotLimitTooLow {
                limit,
                estimated,
                seconds,
                ..
            } => format!(
                "max_slot_wal_keep_size of the source is {}: when a slot needs more WAL, the source gives it up, and \
                 the copy has to start over; during the copy, about {} long, it may write {}",
                size(*limit),
                duration(*seconds),
                size(*estimated)
            ),
            Self::IdleSlotsExpire { timeout, seconds } => format!(
                "idle_replication_slot_timeout of the source is {}: it gives up a slot that nobody reads for so long, as \
                 may be while tables are copied (about {}) or the target is down",
                duration(*timeout),
                duration(*seconds)
            ),
            Self::TimeoutShort {
                side,
                setting,
                seconds,
            } => format!(
                "{setting} of the {side} is {seconds} seconds: a short stop of the network or of the other server ends \
                 replication, which then starts again"
            ),
            Self::MuchWalKept { estimated, seconds } => format!(
                "the source keeps the WAL that it writes during the copy, about {} long: it may be {}",
                duration(*seconds),
                size(*estimated)
            ),
        }
    }

    fn hint(&self) -> Option<String> {
        let set = |setting: &str, value: String| {
            format!("ALTER SYSTEM SET {setting} = {value}; SELECT pg_reload_conf();")
        };
        Some(match self {
            Self::SlotLimitTooLow { needed, .. } => {
                let enough = format!("'{} MB'", needed / (1024 * 1024));
                format!(
                    "for the time of the migration, if the source's disk has the room: {}",
                    set("max_slot_wal_keep_size", enough)
                )
            }
            Self::IdleSlotsExpire { .. } => format!(
                "for the time of the migration: {}",
                set("idle_replication_slot_timeout", "0".to_owned())
            ),
            Self::TimeoutShort { side, setting, .. } => {
                format!("on the {side}: {}", set(setting, "'60 s'".to_owned()))
            }
            Self::MuchWalKept { .. } => {
                "see that the disk with the source's pg_wal has the room; a quiet time needs less".to_owned()
            }
        })
    }
}

/// The check `wal-retention`: does the source keep the WAL that pghaul's slots need until the copy is through?
///
/// Slots are made before the copy begins, and keep what is written until their subscriptions have caught up. How much
/// that is can only be estimated: from the size of the databases, and what was written since the last checkpoint.
#[derive(Debug, Clone, Copy)]
pub struct WalRetention;

#[async_trait]
impl Check for WalRetention {
    type Scope = Cluster;

    fn descriptor(&self) -> CheckDescriptor {
        CheckDescriptor {
            name: "wal-retention",
            summary: "the source keeps the WAL that slots need during the copy",
            after: &["connection", "version"],
        }
    }

    async fn examine(&self, ctx: &CheckContext<Cluster>) -> Result<Vec<Finding>, Failure> {
        let source = ctx.source().await?;
        // A standby writes no WAL, and `replication-source` says that it is one.
        if ctx.landscape().forced == Some(Method::Dump) || source.is_standby().await? {
            return Ok(Vec::new());
        }
        let estimate = Estimate::of(&source, &ctx.landscape().selected).await?;
        let settings = read(&source).await?;
        let target = ctx.target().await?;
        let of_target = read(&target).await?;
        let mut found = of_slots(settings.get("keep_bytes"), settings.get("idle_seconds"), estimate);
        let timeouts: [(_, _, Option<f64>); 2] = [
            (Side::Source, "wal_sender_timeout", settings.get("sender_seconds")),
            (
                Side::Target,
                "wal_receiver_timeout",
                of_target.get("receiver_seconds"),
            ),
        ];
        for (side, setting, seconds) in timeouts {
            if let Some(seconds) = seconds.filter(|seconds| *seconds < SHORT) {
                found.push(WalProblem::TimeoutShort {
                    side,
                    setting,
                    seconds,
                });
            }
        }
        Ok(found
            .iter()
            .map(|problem| problem.about("wal-retention", Subject::Cluster))
            .collect())
    }
}

async fn read<S: SideMarker>(session: &Session<S, ReadOnly>) -> Result<Row, Failure> {
    let doing = session.doing("read what limits replication slots");
    Ok(doing.query_one(include_str!("retention.sql"), &[]).await?)
}

/// What may become of pghaul's slots, with a limit on their WAL and a timeout, where there are such.
fn of_slots(limit: Option<i64>, timeout: Option<i64>, estimate: Estimate) -> Vec<WalProblem> {
    let mut found = Vec::new();
    let Estimate { seconds, wal_bytes } = estimate;
    // Twice the estimate, because it is one.
    let needed = wal_bytes.saturating_mul(2).max(LEAST);
    match limit {
        Some(limit) if limit < needed => found.push(WalProblem::SlotLimitTooLow {
            limit,
            estimated: wal_bytes,
            seconds,
            needed,
        }),
        None if wal_bytes >= LEAST => found.push(WalProblem::MuchWalKept {
            estimated: wal_bytes,
            seconds,
        }),
        _ => {}
    }
    found.extend(timeout.map(|timeout| WalProblem::IdleSlotsExpire { timeout, seconds }));
    found
}

fn size(bytes: i64) -> String {
    match bytes {
        GIB.. => format!("{:.1} GiB", bytes as f64 / GIB as f64),
        _ => format!("{} MiB", bytes / (1024 * 1024)),
    }
}

fn duration(seconds: i64) -> String {
    match seconds {
        ..120 => format!("{seconds} seconds"),
        120..7_200 => format!("{} minutes", seconds / 60),
        _ => format!("{} hours", seconds / 3_600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LARGE: Estimate = Estimate {
        seconds: 10_000,
        wal_bytes: 30 * GIB,
    };

    #[test]
    fn a_limit_must_hold_twice_the_estimate() {
        let found = of_slots(Some(40 * GIB), None, LARGE);
        assert_eq!(
            found.iter().map(FindingKind::message).collect::<Vec<_>>(),
            [
                "max_slot_wal_keep_size of the source is 40.0 GiB: when a slot needs more WAL, the source gives it up, \
                 and the copy has to start over; during the copy, about 2 hours long, it may write 30.0 GiB"
            ]
        );
        assert_eq!(of_slots(Some(60 * GIB), None, LARGE), []);
    }

    #[test]
    fn without_a_limit_much_is_said() {
        assert!(matches!(
            of_slots(None, None, LARGE).as_slice(),
            [WalProblem::MuchWalKept { .. }]
        ));
    }

    #[test]
    fn a_timeout_is_told_whatever_it_is() {
        let said = of_slots(None, Some(86_400), LARGE)
            .last()
            .map(FindingKind::message);
        assert!(said.is_some_and(|said| said.contains("is 24 hours") && said.contains("(about 2 hours)")));
    }
}
