//! What is read from files that others may have written: it is what was written, or an error that says why not.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "functions that tests share"
)]

#[cfg(test)]
mod support;

use pghaul_core::event::{DatabaseEventKind, StepEventKind};
use pghaul_core::journal::Head;
use pghaul_core::{DatabaseName, Event, Method, Seq, StepName};
use proptest::prelude::*;
use strum::IntoEnumIterator as _;

/// Events with payloads of every shape.
fn events() -> Vec<Event> {
    let of_database = DatabaseEventKind::iter().map(|kind| {
        let event = support::database_event(kind, Method::Replication);
        Event::Database(DatabaseName::new("shop"), event)
    });
    let of_steps = StepEventKind::iter().map(|kind| {
        let event = support::step_event(kind, "item");
        Event::ClusterStep(StepName::new("roles"), event)
    });
    of_database.chain(of_steps).collect()
}

/// A payload that was edited: some bytes of a sound one replaced, cut or doubled.
fn edited() -> impl Strategy<Value = (Event, String)> {
    let edits = prop::collection::vec((any::<prop::sample::Index>(), any::<char>(), 0..3_u8), 1..4);
    (prop::sample::select(events()), edits).prop_map(|(event, edits)| {
        let record = event.to_record().expect("it can be written");
        let mut payload: Vec<char> = record.payload.to_string().chars().collect();
        for (place, replacement, edit) in edits {
            if payload.is_empty() {
                break;
            }
            let place = place.index(payload.len());
            match edit {
                0 => payload[place] = replacement,
                1 => payload.truncate(place),
                _ => payload.extend_from_within(place..),
            }
        }
        (event, payload.into_iter().collect())
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) })]

    #[test]
    fn an_edited_payload_is_read_as_its_kind_or_refused((event, payload) in edited()) {
        let record = event.to_record().expect("it can be written");
        match Event::from_text(record.database, record.step, &record.kind, record.version, &payload) {
            Ok(read) => prop_assert_eq!(read.to_record().expect("it can be written").kind, record.kind),
            Err(refused) => prop_assert!(refused.to_string().contains(&record.kind), "{}", refused),
        }
    }

    #[test]
    fn any_columns_are_an_event_or_refused(
        database in prop::option::of(".{0,8}"),
        step in prop::option::of(".{0,8}"),
        kind in "[a-z_]{0,20}|.{0,8}",
        version: u32,
        payload in "null|\\{\\}|\\[*|.{0,40}",
    ) {
        let (database, step) = (database.map(DatabaseName::new), step.map(StepName::new));
        if let Err(refused) = Event::from_text(database, step, &kind, version, &payload) {
            prop_assert!(!refused.to_string().is_empty());
        }
    }

    #[test]
    fn a_head_is_read_as_it_is_written_and_nothing_else_is(seq in 1..=u64::MAX, hash in "[0-9a-f]{64}", other in ".{0,80}") {
        let head = Head { seq: Seq(seq), hash };
        prop_assert_eq!(head.to_string().parse::<Head>().ok(), Some(head));
        if let Ok(read) = other.parse::<Head>() {
            prop_assert_eq!(read.hash.len(), 64);
        }
    }
}
