//! What users see of a migration as a whole, derived from its databases.

use crate::machine::{Migration, Phase};
use crate::plan::Method;

/// The rank of a phase: the overall status is the least advanced database's.
fn rank(phase: Phase) -> u8 {
    match phase {
        Phase::Failed => 0,
        Phase::Pending => 1,
        Phase::Checking => 2,
        Phase::Schema => 3,
        Phase::Replicating | Phase::Dumping => 4,
        Phase::Syncing => 5,
        Phase::Done => 6,
        Phase::Removing => 7,
        Phase::Removed => 8,
    }
}

/// The status of the migration: failed when one database failed, else the least advanced; when all are at
/// their end, `syncing` if all are, else `done`. Without any database it is pending.
pub fn overall(phases: &[Phase]) -> Phase {
    let at_end = |p: &Phase| matches!(p, Phase::Syncing | Phase::Done);
    if !phases.is_empty() && phases.iter().all(at_end) {
        return if phases.iter().all(|p| *p == Phase::Syncing) {
            Phase::Syncing
        } else {
            Phase::Done
        };
    }
    phases
        .iter()
        .copied()
        .min_by_key(|p| rank(*p))
        .unwrap_or(Phase::Pending)
}

/// The method as `status --json` names it.
pub fn method_label(method: Method) -> &'static str {
    match method {
        Method::Replication => "replication",
        Method::Dump => "pg_dump",
    }
}

/// The method of the migration: its databases' where they agree, else empty.
pub fn overall_method(migration: &Migration) -> &'static str {
    let mut methods = migration.databases.values().map(|d| d.method());
    match methods.next() {
        Some(Some(first)) if methods.all(|m| m == Some(first)) => method_label(first),
        _ => "",
    }
}
