//! The documented diagrams, written by the machines themselves.

use super::{DatabaseState, StepState};
use crate::event::{DatabaseEvent, DatabaseEventKind, StepEvent, StepEventKind};
use std::collections::BTreeMap;
use std::fmt::{Display, Write as _};

/// The Mermaid diagram of the database machine, from every given state and event.
pub fn mermaid(states: &[DatabaseState], events: &[DatabaseEvent]) -> String {
    let arrow = |state: &DatabaseState, event: &DatabaseEvent| {
        Some((state.apply(event)?.phase(), DatabaseEventKind::from(event).into()))
    };
    draw(states, DatabaseState::phase, events, arrow) + "    removed --> [*]\n"
}

/// The Mermaid diagram of the step machine, from every given state and event.
pub fn step_mermaid(states: &[StepState], events: &[StepEvent]) -> String {
    let arrow =
        |state: &StepState, event: &StepEvent| Some((state.apply(event)?, StepEventKind::from(event).into()));
    draw(states, |state| *state, events, arrow)
}

/// Draws an arrow from state to state for every possible event; the first state is where the machine begins.
fn draw<S, E, N: Display + PartialEq + Copy>(
    states: &[S],
    name: impl Fn(&S) -> N,
    events: &[E],
    arrow: impl Fn(&S, &E) -> Option<(N, &'static str)>,
) -> String {
    let place = |wanted: N| states.iter().position(|state| name(state) == wanted);
    let mut arrows: BTreeMap<_, (N, N, Vec<&'static str>)> = BTreeMap::new();
    for state in states {
        for event in events {
            let Some((to, label)) = arrow(state, event) else {
                continue;
            };
            let from = name(state);
            let labels = &mut arrows
                .entry((place(from), place(to)))
                .or_insert((from, to, Vec::new()))
                .2;
            if !labels.contains(&label) {
                labels.push(label);
            }
        }
    }
    let mut text = String::from("stateDiagram-v2\n");
    if let Some(first) = states.first() {
        let _ = writeln!(text, "    [*] --> {}", name(first));
    }
    for (from, to, labels) in arrows.into_values() {
        let _ = writeln!(text, "    {from} --> {to}: {}", labels.join(", "));
    }
    text
}
