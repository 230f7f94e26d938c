//! What the tests of the state machines share: one sample of every event, and documents that tests keep current.

#![allow(
    dead_code,
    reason = "each test binary uses its own part, so that no expectation fits all"
)]

use pghaul_core::event::{DatabaseEventKind, StepEventKind};
use pghaul_core::{
    Code, DatabaseEvent, DatabasePlan, DatabaseState, Failure, Finding, Method, StepEvent, StepName,
};
use serde_json::Value;
use std::path::Path;

pub(crate) fn failure() -> Box<Failure> {
    Box::new(Failure::new(Code::ServerError, "the server said no").with_hint("ask it again"))
}

pub(crate) fn plan(method: Method, forced: bool) -> Box<DatabasePlan> {
    // Through JSON, so that a field with a default that is added to the plan does not break this.
    let plan = serde_json::json!({
        "database": "shop", "number": 1, "method": method, "forced": forced, "reasons": [],
        "steps": ["schema"], "tables": [],
    });
    Box::new(serde_json::from_value(plan).unwrap())
}

/// An event of a kind; the plan is for a method that may fall back.
pub(crate) fn database_event(kind: DatabaseEventKind, method: Method) -> DatabaseEvent {
    use DatabaseEventKind as K;
    match kind {
        K::CheckingStarted => DatabaseEvent::CheckingStarted,
        K::Checked => DatabaseEvent::Checked {
            findings: Vec::<Finding>::new(),
        },
        K::Planned => DatabaseEvent::Planned {
            plan: plan(method, false).into(),
        },
        K::SchemaStarted => DatabaseEvent::SchemaStarted,
        K::ReplicatingStarted => DatabaseEvent::ReplicatingStarted,
        K::DumpingStarted => DatabaseEvent::DumpingStarted,
        K::CopyBegan => DatabaseEvent::CopyBegan,
        K::FellBack => DatabaseEvent::FellBack { failure: failure() },
        K::SyncingProven => DatabaseEvent::SyncingProven {
            proof: Default::default(),
        },
        K::DoneProven => DatabaseEvent::DoneProven {
            proof: Default::default(),
        },
        K::WalLimitReached => DatabaseEvent::WalLimitReached {
            retained_bytes: 2,
            limit_bytes: 1,
        },
        K::DiscardStarted => DatabaseEvent::DiscardStarted {
            failure: Some(failure()),
            reason: None,
        },
        K::DataDiscarded => DatabaseEvent::DataDiscarded,
        K::Failed => DatabaseEvent::Failed { failure: failure() },
        K::Resumed => DatabaseEvent::Resumed,
        K::RemovalStarted => DatabaseEvent::RemovalStarted {
            forced: false,
            despite: None,
            left: Vec::new(),
            connected: None,
            by: None,
            accepted: Vec::new(),
            reason: None,
            overrides: Vec::new(),
        },
        K::Removed => DatabaseEvent::Removed,
    }
}

pub(crate) fn step_event(kind: StepEventKind, item: &str) -> StepEvent {
    use StepEventKind as K;
    match kind {
        K::StepStarted => StepEvent::StepStarted,
        K::StepRecorded => StepEvent::StepRecorded {
            version: 1,
            facts: Value::from(item).into(),
        },
        K::ItemFinished => StepEvent::ItemFinished {
            item: item.to_owned(),
            outcome: Value::from(1).into(),
            version: 1,
        },
        K::StepFinished => StepEvent::StepFinished {
            output: Value::from(item).into(),
            version: 1,
            found: false,
        },
        K::StepFailed => StepEvent::StepFailed { failure: failure() },
        K::StepUndone => StepEvent::StepUndone,
    }
}

/// Every state of a database that behaves in its own way, without the failed ones.
pub(crate) fn working_states() -> Vec<DatabaseState> {
    use DatabaseState as S;
    vec![
        S::Pending,
        S::Checking { planned: None },
        S::Checking {
            planned: Some(Method::Replication),
        },
        S::Checking {
            planned: Some(Method::Dump),
        },
        S::Schema {
            method: Method::Replication,
        },
        S::Schema { method: Method::Dump },
        S::Replicating { copy_began: false },
        S::Replicating { copy_began: true },
        S::Dumping,
        S::Syncing,
        S::Discarding {
            method: Method::Replication,
        },
        S::Discarding { method: Method::Dump },
        S::Done,
        S::Removing,
        S::Removed,
    ]
}

pub(crate) fn step_name() -> StepName {
    StepName::new("schema")
}

/// Fails when the text between two markers of a document is not the expected one; with `UPDATE_DOCS=1` in the
/// environment it is written there instead.
pub(crate) fn document(path: &str, part: &str, expected: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    let text = std::fs::read_to_string(&path).unwrap_or_default();
    let (begin, end) = (
        format!("<!-- generated: {part} -->\n"),
        format!("<!-- end: {part} -->"),
    );
    let (head, rest) = text.split_once(&begin).expect("the document has the marker");
    let (found, tail) = rest.split_once(&end).expect("the document has the marker's end");
    if found == expected {
        return;
    }
    assert!(
        std::env::var_os("UPDATE_DOCS").is_some(),
        "{part} in {} is stale: run the tests with UPDATE_DOCS=1",
        path.display()
    );
    std::fs::write(&path, format!("{head}{begin}{expected}{end}{tail}")).unwrap();
}
