//! Failures that several packages report: the same trouble has one code, one sentence and one hint.
//!
//! A hint never destroys more than the trouble did. In this order: run again; one statement; `--restart-data`; remove and begin
//! anew. None of these says to drop a target database: it may be in use already.

use crate::catalog::TableName;
use crate::failure::{Code, Failure, Side};
use crate::id::DatabaseName;
use crate::shell::shell_word;

/// The command, to be typed as it is, that makes a replicated database whole again whose schema on the target is intact.
pub fn restart_data(database: &DatabaseName) -> String {
    format!("pghaul run --restart-data {}", shell_word(database.as_str()))
}

/// The same with what it does.
pub fn copied_anew(database: &DatabaseName) -> String {
    format!(
        "`{}` discards what was copied of this database and copies it again",
        restart_data(database)
    )
}

fn replicated_anew(database: &DatabaseName, code: Code, side: Side, message: String, first: &str) -> Failure {
    Failure::new(code, message)
        .with_side(side)
        .with_hint(format!("{first}; then {}", copied_anew(database)))
}

/// A replication slot on the source is gone.
pub fn slot_gone(database: &DatabaseName, slot: &str) -> Failure {
    let message = format!("the replication slot {slot} is gone");
    let first = "find out who drops slots on the source";
    replicated_anew(database, Code::SlotLost, Side::Source, message, first)
}

/// A replication slot on the source is there, but WAL that it needs was removed.
pub fn slot_lost_wal(database: &DatabaseName, slot: &str) -> Failure {
    let message = format!("the replication slot {slot} has lost WAL that was still needed");
    let first = "raise max_slot_wal_keep_size on the source";
    replicated_anew(database, Code::SlotLost, Side::Source, message, first)
}

/// A replication slot was dropped, and created again under its name: it has what was committed since.
pub fn slot_created_again(database: &DatabaseName, slot: &str) -> Failure {
    let message = format!(
        "the replication slot {slot} was dropped and created again: what was committed between, the target lacks"
    );
    let first = "find out who creates slots on the source";
    replicated_anew(database, Code::SlotLost, Side::Source, message, first)
}

/// Changes were read from a slot before the subscription existed.
pub fn slot_consumed(database: &DatabaseName, slot: &str) -> Failure {
    let message = format!("changes were read from the replication slot {slot}, and the target lacks them");
    let first = "find out who reads slots on the source";
    replicated_anew(database, Code::StateLost, Side::Source, message, first)
}

/// A publication, a subscription or what belongs to one is gone or was altered.
pub fn replication_changed(database: &DatabaseName, side: Side, message: impl Into<String>) -> Failure {
    let first = "find out who changes what pghaul has made";
    replicated_anew(database, Code::StateLost, side, message.into(), first)
}

/// A table that was complete on the target is not: the server was taken back in time, or the table was emptied.
pub fn copy_forgotten(database: &DatabaseName, table: &TableName) -> Failure {
    let message = format!("the target has lost table {table}, which was complete");
    let first = "find out whether the target was restored from a backup";
    replicated_anew(database, Code::StateLost, Side::Target, message, first)
}

/// A planned table is missing on the target. `replicated`: the database, where it can be copied again.
pub fn target_table_gone(table: &TableName, replicated: Option<&DatabaseName>) -> Failure {
    let message = format!("table {table} is gone from the target");
    let failure = Failure::new(Code::StateLost, message).with_side(Side::Target);
    if let Some(database) = replicated {
        return failure.with_hint(format!(
            "rename it back, or create it as pg_dump --schema-only shows it; then {}",
            copied_anew(database)
        ));
    }
    // A dump has no way to copy a single table again.
    failure.with_hint(format!(
        "rename it back, and run again; where its rows are gone, {BEGIN_ANEW}"
    ))
}

/// What always helps, and loses nothing: what is on the target stays there under another name.
pub const BEGIN_ANEW: &str =
    "`pghaul remove --force`, rename the target database, and begin a new migration with `pghaul run`";

/// A column of a planned table is on the source and not on the target. `replicated`: the database, where its table can
/// be copied again.
pub fn target_column_gone(table: &TableName, column: &str, replicated: Option<&DatabaseName>) -> Failure {
    let message = format!("column {column} of table {table} is on the source and not on the target");
    let again = match replicated {
        Some(database) => format!(
            "where the target had it and its values are gone, add it, then {}",
            copied_anew(database)
        ),
        None => format!("where its values are gone, {BEGIN_ANEW}"),
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
        .with_hint(new_table())
}

/// What to do about a table that the source has since the plan: nobody knows whether it is needed.
pub fn new_table() -> String {
    format!("to move it as well: {BEGIN_ANEW}; where nobody needs it, drop it on the source, and run again")
}

/// The schema of the source has changed since the plan.
pub fn source_changed(message: impl Into<String>) -> Failure {
    Failure::new(Code::PlanChanged, message)
        .with_side(Side::Source)
        .with_hint(format!(
            "the schema of the source must not change during a migration: undo the change, and run again; or {BEGIN_ANEW}"
        ))
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
        "where a newer copy of this journal has completed or removed the migration, nothing is left to do: use that copy; otherwise `pghaul remove --force` takes away what pghaul has left on both servers; rows and tables stay",
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
        let database = DatabaseName::new("it's My \"DB\"");
        let all = [
            slot_gone(&database, "s"),
            slot_lost_wal(&database, "s"),
            slot_created_again(&database, "s"),
            slot_consumed(&database, "s"),
            replication_changed(&database, Side::Target, "x"),
            copy_forgotten(&database, &table),
            target_table_gone(&table, Some(&database)),
            target_table_gone(&table, None),
            target_column_gone(&table, "c", Some(&database)),
            target_column_gone(&table, "c", None),
            source_table_new(&table),
            owner_row_gone(),
            owner_row_of_another(),
            snapshot_lost("x"),
        ];
        for failure in all {
            let hint = failure.hint.expect("every one says what to do");
            assert!(!hint.contains("drop the target"), "{hint}");
            assert!(!hint.starts_with("drop"), "{hint}");
            let typed = r#"--restart-data 'it'\''s My "DB"'`"#;
            assert!(!hint.contains("--restart-data") || hint.contains(typed), "{hint}");
        }
        assert!(
            !owner_row_gone()
                .hint
                .unwrap_or_default()
                .contains("--restart-data")
        );
    }
}
