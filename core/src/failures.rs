//! Failures that several packages report: the same trouble has one code, one sentence and one hint.
//!
//! A hint never destroys more than the trouble did. In this order: run again; one statement; `--restart-data`; remove and begin
//! anew. None of these says to drop a target database: it may be in use already.

use crate::catalog::TableName;
use crate::failure::{Code, Failure, Side};

/// What makes a replicated database whole again whose schema on the target is intact.
const RESTART_DATA: &str =
    "`pghaul run --restart-data DATABASE` discards what was copied to the target and copies it again";

fn replicated_anew(code: Code, side: Side, message: String, first: &str) -> Failure {
    Failure::new(code, message)
        .with_side(side)
        .with_hint(format!("{first}; then {RESTART_DATA}"))
}

/// A replication slot on the source is gone.
pub fn slot_gone(slot: &str) -> Failure {
    let message = format!("the replication slot {slot} is gone");
    let first = "find out who drops slots on the source";
    replicated_anew(Code::SlotLost, Side::Source, message, first)
}

/// A replication slot on the source is there, but WAL that it needs was removed.
pub fn slot_lost_wal(slot: &str) -> Failure {
    let message = format!("the replication slot {slot} has lost WAL that was still needed");
    let first = "raise max_slot_wal_keep_size on the source";
    replicated_anew(Code::SlotLost, Side::Source, message, first)
}

/// Changes were read from a slot before the subscription existed.
pub fn slot_consumed(slot: &str) -> Failure {
    let message = format!("changes were read from the replication slot {slot}, and the target lacks them");
    let first = "find out who reads slots on the source";
    replicated_anew(Code::StateLost, Side::Source, message, first)
}

/// A publication, a subscription or what belongs to one is gone or was altered.
pub fn replication_changed(side: Side, message: impl Into<String>) -> Failure {
    let first = "find out who changes what pghaul has made";
    replicated_anew(Code::StateLost, side, message.into(), first)
}

/// A table that was complete on the target is not: the server was taken back in time, or the table was emptied.
pub fn copy_forgotten(table: &TableName) -> Failure {
    let message = format!("the target has lost table {table}, which was complete");
    let first = "find out whether the target was restored from a backup";
    replicated_anew(Code::StateLost, Side::Target, message, first)
}

/// A planned table is missing on the target. `replicated`: whether it can be copied again.
pub fn target_table_gone(table: &TableName, replicated: bool) -> Failure {
    let message = format!("table {table} is gone from the target");
    let failure = Failure::new(Code::StateLost, message).with_side(Side::Target);
    if replicated {
        return failure.with_hint(format!(
            "rename it back, or create it as pg_dump --schema-only shows it; then {RESTART_DATA}"
        ));
    }
    failure.with_hint(format!("rename it back, and run again; {DUMP_ANEW}"))
}

/// A dump has no way to copy a single table again.
const DUMP_ANEW: &str = "where its rows are gone, remove this migration with --force, rename the target database, and begin a new migration";

/// A column of a planned table is on the source and not on the target. `replicated`: whether its table can be copied again.
pub fn target_column_gone(table: &TableName, column: &str, replicated: bool) -> Failure {
    let message = format!("column {column} of table {table} is on the source and not on the target");
    let again = if replicated {
        format!("where the target had it and its values are gone, add it, then {RESTART_DATA}")
    } else {
        DUMP_ANEW.to_owned()
    };
    Failure::new(Code::PlanChanged, message)
        .with_side(Side::Target)
        .with_hint(format!(
            "where it is new on the source, add it to the target's table too, and run again; {again}"
        ))
}

/// A table of the source is not in the plan.
pub fn source_table_new(table: &TableName) -> Failure {
    let message = format!("table {table} is new on the source since the plan, and is not moved");
    Failure::new(Code::PlanChanged, message)
        .with_side(Side::Source)
        .with_hint(
            "tables that are made during a migration are not moved: remove this migration and begin a new one; or drop the table where nobody needs it, and run again",
        )
}

/// The schema of the source has changed since the plan.
pub fn source_changed(message: impl Into<String>) -> Failure {
    Failure::new(Code::PlanChanged, message)
        .with_side(Side::Source)
        .with_hint(
            "the schema of the source must not change during a migration: undo the change and run again; or remove this migration and begin a new one",
        )
}

/// The target database has no schema `pghaul`: another copy of the journal has removed the migration, or a user has dropped
/// the schema. In the first case the target may be in use, so nothing is said that touches it.
pub fn owner_row_gone() -> Failure {
    Failure::new(
        Code::StateLost,
        "the target database has no schema pghaul any more",
    )
    .with_side(Side::Target)
    .with_hint(
        "where a newer copy of this journal has completed or removed the migration, nothing is left to do: use that copy; otherwise `pghaul remove --force` takes away what is left on the source, and leaves the target database as it is",
    )
}

/// The row in `pghaul.owner` names another epoch.
pub fn owner_row_of_another() -> Failure {
    Failure::new(
        Code::AlreadyRunning,
        "the target database does not belong to this runner any more",
    )
    .with_side(Side::Target)
    .with_hint("another runner has taken the migration over; let it finish, or stop it and run again")
}

/// The snapshot that tables were copied from has ended.
pub fn snapshot_lost(message: impl Into<String>) -> Failure {
    Failure::new(Code::SnapshotLost, message)
        .with_side(Side::Source)
        .with_hint("run again: what is complete stays where that is possible, the rest is copied anew")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_hint_touches_a_target_that_may_be_in_use() {
        let table = TableName::new("public", "t");
        let all = [
            slot_gone("s"),
            slot_lost_wal("s"),
            slot_consumed("s"),
            replication_changed(Side::Target, "x"),
            copy_forgotten(&table),
            target_table_gone(&table, true),
            target_table_gone(&table, false),
            target_column_gone(&table, "c", true),
            target_column_gone(&table, "c", false),
            source_table_new(&table),
            owner_row_gone(),
            owner_row_of_another(),
            snapshot_lost("x"),
        ];
        for failure in all {
            let hint = failure.hint.expect("every one says what to do");
            assert!(!hint.contains("drop the target"), "{hint}");
        }
        assert!(
            !owner_row_gone()
                .hint
                .unwrap_or_default()
                .contains("--restart-data")
        );
    }
}
