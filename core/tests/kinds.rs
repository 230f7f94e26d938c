//! The documented table of event kinds, from the kinds themselves.

#[cfg(test)]
mod support;

use pghaul_core::event::{DatabaseEventKind, MigrationEventKind, NoteKind, StepEventKind, newest_version};
use std::fmt::Write as _;
use strum::IntoEnumIterator;

fn of_migration(kind: MigrationEventKind) -> (&'static str, &'static str) {
    use MigrationEventKind as K;
    match kind {
        K::MigrationCreated => (
            "`name`, `source`, `target`, `pghaul`",
            "the first event: names, servers, versions",
        ),
        K::RunnerStarted => (
            "`host`, `pid`, `user`, `epoch`, `command`, `pghaul`, `took_over`, `last_unended`, `invocation`",
            "a runner took the lock and raised the epoch",
        ),
        K::DatabasesSelected => (
            "`selection`, `databases`",
            "the databases are known and numbered from 1",
        ),
        K::CheckAccepted => (
            "`check`, `database`, `by`, `reason`",
            "the user accepts the errors of a check, for one database or all",
        ),
        K::ClusterChecked => ("`findings`", "the checks of the servers as a whole were made"),
        K::RunnerStopped => ("`ending`, `failure`", "a runner ended in order"),
    }
}

fn of_database(kind: DatabaseEventKind) -> (&'static str, &'static str) {
    use DatabaseEventKind as K;
    match kind {
        K::CheckingStarted => ("", "its checks begin"),
        K::Checked => ("`findings`", "its checks were made"),
        K::Planned => ("`plan`", "its plan is frozen"),
        K::SchemaStarted => ("", "its schema is being created"),
        K::ReplicatingStarted => ("", "the set-up of replication begins"),
        K::DumpingStarted => ("", "the one-time copy begins"),
        K::CopyBegan => (
            "",
            "the first row may have been copied: no falling back from here on",
        ),
        K::FellBack => (
            "`failure`",
            "replication was impossible and is undone; it is dumped instead",
        ),
        K::SyncingProven => (
            "`proof`",
            "the target was proven to hold and follow everything it should",
        ),
        K::DoneProven => ("`proof`", "the one-time copy was proven complete"),
        K::WalLimitReached => (
            "`retained_bytes`, `limit_bytes`",
            "the source keeps more WAL for its slot than it should; once a run",
        ),
        K::DiscardStarted => (
            "`failure`, `reason`",
            "the copied rows are given up, as the user asked, and taken away",
        ),
        K::DataDiscarded => (
            "",
            "they and the replication objects, if any, are gone; the copy begins anew",
        ),
        K::Failed => ("`failure`", "it can't go on"),
        K::Resumed => ("", "a runner goes on where it failed"),
        K::RemovalStarted => (
            "`forced`, `despite`, `left`, `connected`, `by`, `accepted`, `reason`, `overrides`",
            "the removal of pghaul's objects begins; `left` is what the target lacks",
        ),
        K::Removed => ("", "nothing of pghaul is left on either side"),
    }
}

fn of_step(kind: StepEventKind) -> (&'static str, &'static str) {
    use StepEventKind as K;
    match kind {
        K::StepStarted => ("", "it is about to act; repeats when a run was killed in between"),
        K::StepRecorded => (
            "`version`, `facts`",
            "it notes what it must know again after a crash",
        ),
        K::ItemFinished => (
            "`item`, `outcome`, `version`",
            "an item, such as a table, is complete and durable on the target",
        ),
        K::StepFinished => (
            "`output`, `version`, `found`",
            "it has done what it promises, or was found done",
        ),
        K::StepFailed => (
            "`failure`",
            "it failed, and what it began is undone or proven absent",
        ),
        K::StepUndone => (
            "",
            "its effects were taken back; in a removal only what is ours: rows, schema and sequences stay",
        ),
    }
}

fn of_note(kind: NoteKind) -> (&'static str, &'static str) {
    use NoteKind as K;
    match kind {
        K::TablesStarted => (
            "`tables`, `by`",
            "the copy of a table begins, or of several in one transaction; `by` is `pghaul` or `target-workers`",
        ),
        K::Retried => (
            "`what`, `failure`, `tries`, `pause_ms`, `left_out`",
            "something failed and is done again after a pause",
        ),
        K::Waited => (
            "`what`, `waited_ms`, `left_out`",
            "a wait of more than a second has ended",
        ),
    }
}

fn rows<K: IntoEnumIterator + Copy + Into<&'static str>>(
    table: &mut String,
    about: &str,
    explain: impl Fn(K) -> (&'static str, &'static str),
) {
    for kind in K::iter() {
        let name: &str = kind.into();
        let (payload, meaning) = explain(kind);
        let _ = writeln!(
            table,
            "| `{name}` | {about} | {} | {payload} | {meaning} |",
            newest_version(name)
        );
    }
}

#[test]
fn the_documented_kinds_of_events_are_current() {
    let mut table =
        String::from("| kind | about | newest version | payload | meaning |\n|---|---|---|---|---|\n");
    rows(&mut table, "the migration", of_migration);
    rows(&mut table, "a database", of_database);
    rows(&mut table, "a step", of_step);
    rows(&mut table, "any of these", of_note);
    support::document("docs/reference/journal.md", "kinds of events", &table);
}
