//! What no sequence of events can bring about, and that reading a journal back gives the state that was live.

#![expect(clippy::unwrap_used, reason = "functions that tests share")]

#[cfg(test)]
mod support;

use pghaul_core::event::{
    Created, DatabaseEventKind, Ending, Endpoint, MigrationEventKind, Record, Runner, StepEventKind,
};
use pghaul_core::machine::{DatabaseRecord, Migration, StepState};
use pghaul_core::{
    DatabaseEvent, DatabaseName, DatabaseState, Epoch, Event, Method, MigrationEvent, Phase, StepEvent,
    StepName,
};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use strum::IntoEnumIterator;
use support::*;

fn migration_event(kind: MigrationEventKind, epoch: u32) -> MigrationEvent {
    let end = || Endpoint {
        conninfo: "host=a".to_owned(),
        system_identifier: "1".to_owned(),
        version: 150_000,
    };
    match kind {
        MigrationEventKind::MigrationCreated => MigrationEvent::MigrationCreated(Created {
            name: "app".to_owned(),
            source: end(),
            target: end(),
            pghaul: "0.1.0".to_owned(),
        }),
        MigrationEventKind::RunnerStarted => MigrationEvent::RunnerStarted(Runner {
            host: "here".to_owned(),
            pid: 1,
            user: "me".to_owned(),
            epoch: Epoch(epoch),
            command: "run".to_owned(),
            ..Runner::default()
        }),
        MigrationEventKind::DatabasesSelected => MigrationEvent::DatabasesSelected {
            selection: Box::default(),
            databases: vec!["shop".into(), "blog".into()],
        },
        MigrationEventKind::CheckAccepted => MigrationEvent::CheckAccepted {
            check: "extensions".into(),
            database: Some("shop".into()),
            by: "me@here".to_owned(),
            reason: None,
        },
        MigrationEventKind::ClusterChecked => MigrationEvent::ClusterChecked { findings: Vec::new() },
        MigrationEventKind::RunnerStopped => MigrationEvent::RunnerStopped {
            ending: Ending::Failed,
            failure: Some(failure()),
        },
    }
}

fn one_of<T: Clone + std::fmt::Debug + 'static>(
    values: impl IntoIterator<Item = T>,
) -> impl Strategy<Value = T> {
    proptest::sample::select(values.into_iter().collect::<Vec<_>>())
}

/// Any event, possible or not.
fn any_event() -> impl Strategy<Value = Event> {
    let database = || one_of(["shop", "blog", "none"]).prop_map(DatabaseName::from);
    let step = || one_of(["schema", "copy"]).prop_map(StepName::from);
    let method = one_of([Method::Replication, Method::Dump]);
    let own =
        (one_of(MigrationEventKind::iter()), 0_u32..4).prop_map(|(kind, epoch)| migration_event(kind, epoch));
    let inner =
        (one_of(DatabaseEventKind::iter()), method, any::<bool>()).prop_map(|(kind, method, forced)| {
            match database_event(kind, method) {
                DatabaseEvent::Planned { .. } => DatabaseEvent::Planned {
                    plan: plan(method, forced).into(),
                },
                other => other,
            }
        });
    let acting = || {
        (one_of(StepEventKind::iter()), one_of(["a", "b"])).prop_map(|(kind, item)| step_event(kind, item))
    };
    prop_oneof![
        1 => own.prop_map(Event::Migration),
        8 => (database(), inner).prop_map(|(database, event)| Event::Database(database, event)),
        2 => (step(), acting()).prop_map(|(step, event)| Event::ClusterStep(step, event)),
        4 => (database(), step(), acting()).prop_map(|(d, s, event)| Event::DatabaseStep(d, s, event)),
    ]
}

/// A migration with its databases, then many events. Most of those about databases are possible where they stand, so
/// that histories get far; the others are anything.
fn any_history() -> impl Strategy<Value = Vec<Event>> {
    let raw = proptest::collection::vec((any_event(), any::<proptest::sample::Index>(), 0..4), 0..200);
    raw.prop_map(|raw| {
        let mut history: Vec<Event> = [
            migration_event(MigrationEventKind::MigrationCreated, 0),
            migration_event(MigrationEventKind::RunnerStarted, 1),
            migration_event(MigrationEventKind::DatabasesSelected, 0),
        ]
        .map(Event::Migration)
        .into();
        let mut migration = Migration::default();
        history.iter().for_each(|event| migration.apply(event).unwrap());
        for (any, index, choice) in raw {
            let possible = possible(&migration);
            let event = match choice {
                1..4 if !possible.is_empty() => index.get(&possible).clone(),
                _ => any,
            };
            let _ = migration.apply(&event);
            history.push(event);
        }
        history
    })
}

/// The events that move a database on, and those that its steps may have.
fn possible(migration: &Migration) -> Vec<Event> {
    let mut possible = Vec::new();
    for (name, database) in &migration.databases {
        for method in [Method::Replication, Method::Dump] {
            for kind in DatabaseEventKind::iter().filter(|kind| *kind != DatabaseEventKind::RemovalStarted) {
                let event = database_event(kind, method);
                if database.state.apply(&event).is_none() {
                    continue;
                }
                possible.push(Event::Database(name.clone(), event));
                if kind == DatabaseEventKind::Planned {
                    let forced = DatabaseEvent::Planned {
                        plan: plan(method, true).into(),
                    };
                    possible.push(Event::Database(name.clone(), forced));
                }
            }
        }
        let step = database
            .steps
            .get(&step_name())
            .map_or(StepState::Idle, |step| step.state);
        for event in StepEventKind::iter().map(|kind| step_event(kind, "a")) {
            if step.apply(&event).is_some() {
                possible.push(Event::DatabaseStep(name.clone(), step_name(), event));
            }
        }
    }
    possible
}

#[test]
fn the_histories_reach_every_state() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut reached = std::collections::HashMap::new();
    for _ in 0..300 {
        let history = any_history().new_tree(&mut runner).unwrap().current();
        let mut migration = Migration::default();
        for event in &history {
            let _ = migration.apply(event);
            for database in migration.databases.values() {
                *reached.entry(database.state.phase()).or_insert(0) += 1;
            }
        }
    }
    for phase in Phase::iter() {
        assert!(
            reached.get(&phase).is_some_and(|times| *times > 100),
            "{phase}: {reached:?}"
        );
    }
}

/// What each event may do to one database.
fn database_holds(before: &DatabaseRecord, event: Option<&DatabaseEvent>, after: &DatabaseRecord) {
    let working = (before.state.work(), after.state.work());
    assert_eq!(before.number, after.number, "numbers never change");
    // Removed is final.
    if before.state == DatabaseState::Removed {
        assert_eq!(before, after);
    }
    // A failed database has a reason, and goes on exactly where it failed, or is removed.
    assert_eq!(after.state.phase() == Phase::Failed, after.failure.is_some());
    if let DatabaseState::Failed { during } = &before.state {
        assert!(
            [&before.state, during, &DatabaseState::Removing].contains(&&after.state),
            "{:?}",
            after.state
        );
    }
    // Failing loses nothing that is known.
    if matches!(event, Some(DatabaseEvent::Failed { .. })) {
        let healed = DatabaseRecord {
            state: before.state.clone(),
            failure: None,
            ..after.clone()
        };
        assert_eq!(&healed, before);
    }
    // The method in use fits the state, and changes only by falling back, before the copy, where not forced.
    match &working.1 {
        DatabaseState::Checking { planned } => assert_eq!(*planned, after.method()),
        DatabaseState::Schema { method } => assert_eq!(Some(*method), after.method()),
        DatabaseState::Discarding { method } => assert_eq!(Some(*method), after.method()),
        DatabaseState::Replicating { .. } | DatabaseState::Syncing => {
            assert_eq!(after.method(), Some(Method::Replication));
        }
        DatabaseState::Dumping | DatabaseState::Done => assert_eq!(after.method(), Some(Method::Dump)),
        _ => {}
    }
    if before.method() != after.method() && working.0.phase() != Phase::Checking {
        assert_eq!(working.0, &DatabaseState::Replicating { copy_began: false });
        assert_eq!(working.1, &DatabaseState::Dumping);
        assert!(after.fell_back.is_some() && after.plan.as_ref().is_some_and(|plan| !plan.forced));
    }
    // Safe states are proven.
    if matches!(after.state.phase(), Phase::Syncing | Phase::Done) {
        assert!(after.proof.is_some());
    }
    // A plan is never replaced once the schema is being created.
    if !matches!(working.0.phase(), Phase::Pending | Phase::Checking) {
        assert_eq!(before.plan, after.plan);
    }
    for (name, step) in &after.steps {
        assert!(step.starts > 0, "step {name} exists without a start");
        let unfinished = matches!(step.state, StepState::Idle | StepState::Undone);
        assert!(
            !unfinished || (step.items.is_empty() && step.output.is_none()),
            "{name} keeps what was undone"
        );
        assert_eq!(
            step.state == StepState::Failed,
            step.failure.is_some() && step.state != StepState::Undone
        );
    }
}

/// What an event did to the whole.
fn migration_holds(before: &Migration, event: &Event, after: &Migration) {
    let raised = matches!(event, Event::Migration(MigrationEvent::RunnerStarted(_)));
    assert_eq!(
        after.epoch.0,
        before.epoch.0 + u32::from(raised),
        "only a runner's start raises the epoch, by one"
    );
    assert_eq!(
        before.created.as_ref().or(after.created.as_ref()),
        after.created.as_ref()
    );
    for (name, now) in &after.databases {
        let Some(then) = before.databases.get(name) else {
            continue;
        };
        let own = match event {
            Event::Database(database, inner) if database == name => Some(inner),
            _ => None,
        };
        if event.database() != Some(name) {
            assert_eq!(then, now, "an event of another database changes nothing");
        }
        // Items are finished by steps that run, and only while their database is at work.
        if let Event::DatabaseStep(database, step, StepEvent::ItemFinished { .. }) = event
            && database == name
        {
            assert_eq!(then.steps.get(step).map(|s| s.state), Some(StepState::Running));
            assert!(!matches!(
                then.state.phase(),
                Phase::Pending
                    | Phase::Checking
                    | Phase::Done
                    | Phase::Failed
                    | Phase::Removing
                    | Phase::Removed
            ));
        }
        database_holds(then, own, now);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    #[test]
    fn the_invariants_hold_and_a_refused_event_changes_nothing(history in any_history()) {
        let mut migration = Migration::default();
        let mut copied = std::collections::BTreeSet::new();
        for event in &history {
            let before = migration.clone();
            if migration.apply(event).is_err() {
                prop_assert_eq!(&before, &migration);
                continue;
            }
            migration_holds(&before, event, &migration);
            if let Event::Database(name, DatabaseEvent::DumpingStarted | DatabaseEvent::FellBack { .. }) = event {
                copied.insert(name.clone());
            }
            for (name, database) in &migration.databases {
                prop_assert!(database.state.work() != &DatabaseState::Done || copied.contains(name));
            }
        }
    }

    #[test]
    fn reading_back_any_prefix_gives_the_state_that_was_live(history in any_history()) {
        let (mut live, mut read) = (Migration::default(), Migration::default());
        for event in &history {
            if live.apply(event).is_err() {
                continue;
            }
            let record = event.to_record().unwrap();
            let text = record.payload.to_string();
            let again = Event::from_record(Record { payload: serde_json::from_str(&text).unwrap(), ..record.clone() });
            prop_assert_eq!(again.as_ref(), Ok(event));
            let Record { database, step, kind, version, .. } = record;
            prop_assert_eq!(&Event::from_text(database, step, &kind, version, &text), &again);
            read.apply(&again.unwrap()).unwrap();
            prop_assert_eq!(&read, &live);
        }
    }
}

#[test]
fn what_can_not_be_read_is_named_for_what_it_is() {
    let read = |kind: &str, version, payload: &str| {
        Event::from_text(Some("shop".into()), None, kind, version, payload)
            .map_err(|e| e.to_string())
            .unwrap_err()
    };
    assert_eq!(
        read("teleported", 1, "null"),
        "unknown kind of event \"teleported\"; a newer pghaul wrote it"
    );
    assert_eq!(
        read("resumed", 2, "null"),
        "event \"resumed\" has version 2; this pghaul reads up to 1"
    );
    let code = read(
        "failed",
        1,
        r#"{"failure": {"code": "no-such-code", "message": ""}}"#,
    );
    assert!(
        code.starts_with("event \"failed\" has a payload that can't be read: unknown variant"),
        "{code}"
    );
    assert!(read("removal_started", 1, r#"{"forced": true} x"#).contains("trailing characters"));
    assert!(read("removal_started", 1, "{").contains("can't be read"));
}
