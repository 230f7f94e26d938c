//! Every (state, event) pair of both machines, against tables written out by hand, and the documented diagrams.

#[cfg(test)]
mod support;

use pghaul_core::event::{DatabaseEventKind, StepEventKind};
use pghaul_core::machine::{StepState, mermaid, step_mermaid};
use pghaul_core::{DatabaseState, Method};
use strum::IntoEnumIterator;
use support::*;

/// State before, kind of event, state after. Every pair that is not here is refused. A failed database is tested
/// apart: it behaves the same wherever it failed.
const DATABASE: &str = "
    pending                  checking_started     checking
    pending                  removal_started      removing

    checking                 checking_started     checking
    checking                 checked              checking
    checking                 planned              checking(replication)
    checking                 failed               failed in checking
    checking                 removal_started      removing

    checking(replication)    checking_started     checking
    checking(replication)    checked              checking
    checking(replication)    schema_started       schema(replication)
    checking(replication)    failed               failed in checking(replication)
    checking(replication)    removal_started      removing

    checking(dump)           checking_started     checking
    checking(dump)           checked              checking
    checking(dump)           schema_started       schema(dump)
    checking(dump)           failed               failed in checking(dump)
    checking(dump)           removal_started      removing

    schema(replication)      replicating_started  replicating
    schema(replication)      failed               failed in schema(replication)
    schema(replication)      removal_started      removing

    schema(dump)             dumping_started      dumping
    schema(dump)             failed               failed in schema(dump)
    schema(dump)             removal_started      removing

    replicating              copy_began           replicating(copying)
    replicating              fell_back            dumping
    replicating              syncing_proven       syncing
    replicating              wal_limit_reached    replicating
    replicating              discard_started      discarding(replication)
    replicating              failed               failed in replicating
    replicating              removal_started      removing

    replicating(copying)     syncing_proven       syncing
    replicating(copying)     wal_limit_reached    replicating(copying)
    replicating(copying)     discard_started      discarding(replication)
    replicating(copying)     failed               failed in replicating(copying)
    replicating(copying)     removal_started      removing

    dumping                  done_proven          done
    done                     done_proven          done
    dumping                  failed               failed in dumping
    dumping                  removal_started      removing

    syncing                  syncing_proven       syncing
    syncing                  wal_limit_reached    syncing
    syncing                  discard_started      discarding(replication)
    syncing                  failed               failed in syncing
    syncing                  removal_started      removing

    discarding(replication)  discard_started      discarding(replication)
    discarding(replication)  data_discarded       replicating
    discarding(replication)  failed               failed in discarding(replication)
    discarding(replication)  removal_started      removing

    discarding(dump)         discard_started      discarding(dump)
    discarding(dump)         data_discarded       dumping
    discarding(dump)         failed               failed in discarding(dump)
    discarding(dump)         removal_started      removing

    done                     discard_started      discarding(dump)
    done                     removal_started      removing

    removing                 removal_started      removing
    removing                 removed              removed
    removing                 failed               failed in removing
";

/// The same for a step.
const STEP: &str = "
    idle      step_started   running
    running   step_started   running
    running   step_recorded  running
    running   item_finished  running
    running   step_finished  finished
    running   step_failed    failed
    running   step_undone    undone
    finished  step_started   running
    finished  step_undone    undone
    failed    step_started   running
    failed    step_undone    undone
    undone    step_started   running
";

/// A state as the tables above write it.
fn label(state: &DatabaseState) -> String {
    match state {
        DatabaseState::Checking {
            planned: Some(method),
        } => format!("checking({method})"),
        DatabaseState::Schema { method } => format!("schema({method})"),
        DatabaseState::Replicating { copy_began: true } => "replicating(copying)".to_owned(),
        DatabaseState::Discarding { method } => format!("discarding({method})"),
        DatabaseState::Failed { during } => format!("failed in {}", label(during)),
        other => other.phase().to_string(),
    }
}

/// The state after, by the table.
fn expected(table: &str, before: &str, event: &str) -> Option<String> {
    let mut found = table.lines().filter_map(|line| {
        let (from, rest) = line.trim().split_once(' ')?;
        let (kind, to) = rest.trim().split_once(' ')?;
        (from == before && kind == event).then(|| to.trim().to_owned())
    });
    let first = found.next();
    assert_eq!(found.next(), None, "{before} {event} stands twice in the table");
    first
}

fn rows(table: &str) -> usize {
    table.lines().filter(|line| !line.trim().is_empty()).count()
}

/// The kind's plan has the method replication, except that the dump's own row is tested as well.
#[test]
fn every_pair_of_the_database_machine_is_as_the_table_says() {
    let mut possible = 0;
    for state in working_states() {
        for kind in DatabaseEventKind::iter() {
            let name: &str = kind.into();
            let after = state
                .apply(&database_event(kind, Method::Replication))
                .map(|s| label(&s));
            assert_eq!(
                after,
                expected(DATABASE, &label(&state), name),
                "{} {name}",
                label(&state)
            );
            possible += usize::from(after.is_some());
        }
    }
    assert_eq!(
        possible,
        rows(DATABASE),
        "the table has a row for a state or an event that does not exist"
    );
    let dump = DatabaseState::Checking { planned: None }
        .apply(&database_event(DatabaseEventKind::Planned, Method::Dump));
    assert_eq!(
        dump,
        Some(DatabaseState::Checking {
            planned: Some(Method::Dump)
        })
    );
}

#[test]
fn a_failed_database_goes_on_exactly_where_it_failed_or_is_removed() {
    for during in working_states() {
        let failed = DatabaseState::Failed {
            during: Box::new(during.clone()),
        };
        for kind in DatabaseEventKind::iter() {
            let after = failed.apply(&database_event(kind, Method::Replication));
            let expected = match kind {
                DatabaseEventKind::Resumed => Some(during.clone()),
                DatabaseEventKind::RemovalStarted => Some(DatabaseState::Removing),
                _ => None,
            };
            assert_eq!(after, expected, "{kind:?}");
        }
    }
}

#[test]
fn every_pair_of_the_step_machine_is_as_the_table_says() {
    let mut possible = 0;
    for state in StepState::iter() {
        for kind in StepEventKind::iter() {
            let name: &str = kind.into();
            let after = state.apply(&step_event(kind, "item")).map(|s| s.to_string());
            assert_eq!(after, expected(STEP, &state.to_string(), name), "{state} {name}");
            possible += usize::from(after.is_some());
        }
    }
    assert_eq!(
        possible,
        rows(STEP),
        "the table has a row for a state or an event that does not exist"
    );
}

#[test]
fn the_documented_diagrams_are_current() {
    let mut states = working_states();
    // Only work that can fail is drawn as failing and going on.
    for during in working_states() {
        if during
            .apply(&database_event(DatabaseEventKind::Failed, Method::Dump))
            .is_some()
        {
            states.push(DatabaseState::Failed {
                during: Box::new(during),
            });
        }
    }
    let events: Vec<_> = DatabaseEventKind::iter()
        .map(|kind| database_event(kind, Method::Replication))
        .collect();
    let diagram = format!("```mermaid\n{}```\n", mermaid(&states, &events));
    document("docs/state-machine.md", "database machine", &diagram);
    document(
        "README.md",
        "overview of the database machine",
        &overview(&diagram),
    );

    let states: Vec<_> = StepState::iter().collect();
    let events: Vec<_> = StepEventKind::iter()
        .map(|kind| step_event(kind, "item"))
        .collect();
    let diagram = format!("```mermaid\n{}```\n", step_mermaid(&states, &events));
    document("docs/state-machine.md", "step machine", &diagram);
}

/// The same without failures, without removals from where nobody means to stop, and without what is plain from the states' names.
fn overview(diagram: &str) -> String {
    let mut text = String::new();
    for line in diagram.lines() {
        let (arrow, label) = line.split_once(": ").unwrap_or((line, ""));
        let Some((from, to)) = arrow.trim().split_once(" --> ") else {
            text.push_str(&format!("{line}\n"));
            continue;
        };
        let to_removing = to == "removing" && !["syncing", "done"].contains(&from);
        if from == to || [from, to].contains(&"failed") || to_removing {
            continue;
        }
        let plain = label.is_empty() || label.starts_with(to) || label == "removal_started";
        let label = if plain {
            String::new()
        } else {
            format!(": {label}")
        };
        text.push_str(&format!("{arrow}{label}\n"));
    }
    text
}

#[test]
fn a_note_is_legal_in_every_state_and_changes_none() {
    use pghaul_core::event::{Note, NoteSubject, Wait};
    use pghaul_core::{Event, Migration};
    let wait = || {
        Note::Waited(Wait {
            what: "a lock".to_owned(),
            waited_ms: 1500,
            left_out: 0,
        })
    };
    let subject = NoteSubject {
        database: Some("shop".into()),
        step: Some("copy".into()),
    };
    let note = Event::Note(subject, wait());
    let record = note.to_record().unwrap();
    assert_eq!((record.kind.as_str(), record.version), ("waited", 1));
    assert_eq!(Event::from_record(record).unwrap(), note);

    assert!(
        Migration::default().apply(&note).is_err(),
        "the first event creates the migration"
    );
    let migration = Migration {
        created: Some(pghaul_core::event::Created {
            name: "a".to_owned(),
            source: endpoint(),
            target: endpoint(),
            pghaul: "0".to_owned(),
        }),
        ..Migration::default()
    };
    let mut after = migration.clone();
    after.apply(&note).unwrap();
    assert_eq!(after, migration);
}

fn endpoint() -> pghaul_core::event::Endpoint {
    pghaul_core::event::Endpoint {
        conninfo: String::new(),
        system_identifier: "1".to_owned(),
        version: 150_000,
    }
}
