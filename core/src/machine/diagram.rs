//! The documented diagram, written by the machine itself.

use super::DatabaseState;
use crate::event::{DatabaseEvent, DatabaseEventKind};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// The Mermaid diagram of the database machine, from every given state and event.
pub fn mermaid(states: &[DatabaseState], events: &[DatabaseEvent]) -> String {
    let mut arrows: BTreeMap<(usize, usize), Vec<&'static str>> = BTreeMap::new();
    let place = |state: &DatabaseState| states.iter().position(|s| s.phase() == state.phase());
    for state in states {
        for event in events {
            let Some(next) = state.apply(event) else { continue };
            if let (Some(from), Some(to)) = (place(state), place(&next)) {
                let label: &'static str = DatabaseEventKind::from(event).into();
                let labels = arrows.entry((from, to)).or_default();
                if !labels.contains(&label) {
                    labels.push(label);
                }
            }
        }
    }
    let mut text = String::from("stateDiagram-v2\n    [*] --> pending\n");
    for ((from, to), labels) in arrows {
        if let (Some(from), Some(to)) = (states.get(from), states.get(to)) {
            let _ = writeln!(text, "    {} --> {}: {}", from.phase(), to.phase(), labels.join(", "));
        }
    }
    text.push_str("    removed --> [*]\n");
    text
}
