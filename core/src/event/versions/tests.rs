use super::{NotedBy, PAYLOADS, StepUpcaster, StepVersions, is_known, newest_version};
use crate::event::{Event, StepEvent, UnknownRecord};
use crate::id::StepName;
use serde_json::{Value, json};

fn read(kind: &str, version: u32, payload: &str) -> Result<StepEvent, UnknownRecord> {
    let event = Event::from_text(None, Some(StepName::new("roles")), kind, version, payload)?;
    match event {
        Event::ClusterStep(_, event) => Ok(event),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_table_names_kinds_that_exist() {
    for (kind, _) in PAYLOADS {
        assert!(is_known(kind), "{kind}");
    }
}

/// What the first release wrote is read as what this one writes.
#[test]
fn what_was_noted_before_it_had_a_version_has_the_first() {
    let finished = read("step_finished", 1, r#"{"output":{"a":1},"found":true}"#).unwrap();
    let same = StepEvent::StepFinished {
        output: json!({"a": 1}).into(),
        version: 1,
        found: true,
    };
    assert_eq!(finished, same);
    let item = read("item_finished", 1, r#"{"item":"t","outcome":7}"#).unwrap();
    let same = StepEvent::ItemFinished {
        item: "t".to_owned(),
        outcome: json!(7).into(),
        version: 1,
    };
    assert_eq!(item, same);
    // The same text as the newest version lacks what that one promises.
    let lacking = read("item_finished", 2, r#"{"item":"t","outcome":7}"#).unwrap_err();
    assert!(lacking.to_string().contains("version"), "{lacking}");
    assert!(read("step_finished", 1, "7").is_err(), "an upcaster refuses too");
}

#[test]
fn a_newer_version_is_refused_by_kind_and_version() {
    for kind in ["item_finished", "step_started"] {
        let newest = newest_version(kind);
        let newer = read(kind, newest + 1, "null").unwrap_err();
        let expected = UnknownRecord::Version {
            kind: kind.to_owned(),
            version: newest + 1,
            known: newest,
        };
        assert_eq!(newer, expected);
    }
    for version in [1, 2] {
        let unknown = read("step_dreamt", version, "null").unwrap_err();
        assert!(matches!(unknown, UnknownRecord::Kind { .. }), "{unknown}");
    }
    assert!(matches!(
        read("step_started", 0, "null"),
        Err(UnknownRecord::Payload { .. })
    ));
}

/// Version 2 renamed a field of the output, version 3 made a number of an item's text.
const SLOTS: &[StepUpcaster] = &[
    |noted, mut value| {
        if noted == NotedBy::Output {
            let fields = value.as_object_mut().ok_or("no object")?;
            let name = fields.remove("slot").ok_or("no slot")?;
            fields.insert("name".to_owned(), name);
        }
        Ok(value)
    },
    |noted, value| match (noted, &value) {
        (NotedBy::Item, Value::String(text)) => text.parse().map_err(|_| format!("{text:?} is no number")),
        _ => Ok(value),
    },
];

fn versions() -> StepVersions {
    StepVersions::default().with(StepName::new("slot"), SLOTS)
}

fn output(step: &str, version: u32, output: Value) -> Event {
    let event = StepEvent::StepFinished {
        output: output.into(),
        version,
        found: false,
    };
    Event::ClusterStep(StepName::new(step), event)
}

fn item(version: u32, outcome: Value) -> Event {
    let event = StepEvent::ItemFinished {
        item: "t".to_owned(),
        outcome: outcome.into(),
        version,
    };
    Event::DatabaseStep("shop".into(), StepName::new("slot"), event)
}

#[test]
fn what_a_step_noted_goes_through_each_upcaster_that_it_lacks() {
    let versions = versions();
    let newest = output("slot", 3, json!({"name": "s"}));
    for (version, old) in [(1, json!({"slot": "s"})), (2, json!({"name": "s"}))] {
        assert_eq!(versions.upcast(output("slot", version, old)).unwrap(), newest);
    }
    assert_eq!(versions.upcast(item(1, json!("7"))).unwrap(), item(3, json!(7)));
    assert_eq!(versions.upcast(newest.clone()).unwrap(), newest);
    let refused = versions.upcast(item(2, json!("seven"))).unwrap_err().to_string();
    assert!(
        refused.contains("step slot") && refused.contains("version 2"),
        "{refused}"
    );
}

#[test]
fn what_this_program_does_not_know_stays_as_it_is() {
    let versions = versions();
    for event in [
        output("slot", 4, json!("newer")),
        output("mine", 1, json!("of another program")),
    ] {
        assert_eq!(versions.upcast(event.clone()).unwrap(), event);
    }
    assert_eq!(versions.newest(&StepName::new("slot")), Some(3));
    assert_eq!(versions.newest(&StepName::new("mine")), None);
}
