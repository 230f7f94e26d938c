//! The migrations of a journal, one a line.

use super::columns::{Align, lines};
use crate::style::{BOLD, DIM, ERROR, of_phase, paint};
use crate::view::View;
use pghaul_core::event::Runner;
use pghaul_core::{Failure, escaped};
use pghaul_store::MigrationEntry;
use serde_json::{Value, json};

/// A migration, and what its events say.
pub(crate) struct Summary {
    pub(crate) entry: MigrationEntry,
    pub(crate) state: Result<State, Failure>,
}

/// What its events say.
pub(crate) struct State {
    pub(crate) view: View,
    pub(crate) acted: bool,
    pub(crate) ended: bool,
    pub(crate) runner: Option<Runner>,
    pub(crate) last_event_at: String,
}

impl State {
    /// One word, and whether it is still to be worked on.
    fn word(&self) -> String {
        match (self.ended, self.acted) {
            (true, false) => "closed".to_owned(),
            (true, true) => "removed".to_owned(),
            (false, _) => self.view.status.to_string(),
        }
    }
}

/// A table, the oldest first.
pub(crate) fn text(all: &[Summary]) -> String {
    if all.is_empty() {
        return "the journal holds no migration\n".to_owned();
    }
    let title = |text: &str| paint(DIM, text);
    let mut rows = vec![
        ["name", "id", "state", "created", "last event", "source", "target"]
            .map(title)
            .to_vec(),
    ];
    rows.extend(all.iter().map(row));
    let mut text = lines(&[Align::Left; 7], &rows);
    for Summary { entry, state } in all {
        if let Err(failure) = state {
            let (name, failure) = (escaped(&entry.name), failure.to_string());
            text.push_str(&format!("{name}: {}\n", escaped(&failure)));
        }
    }
    if all
        .iter()
        .any(|one| one.state.as_ref().is_ok_and(|state| !state.ended && !state.acted))
    {
        text.push_str(
            "\none that never began to act on a server is ended by `pghaul migrations close NAME`\n",
        );
    }
    text
}

fn row(Summary { entry, state }: &Summary) -> Vec<String> {
    let mut row = vec![
        paint(BOLD, escaped(&entry.name)),
        escaped(entry.id.as_str()).into_owned(),
    ];
    match state {
        Ok(state) => row.extend([
            paint(of_phase(state.view.status), state.word()),
            escaped(&entry.created_at).into_owned(),
            escaped(&state.last_event_at).into_owned(),
            escaped(&state.view.source).into_owned(),
            escaped(&state.view.target).into_owned(),
        ]),
        Err(_) => row.extend([
            paint(ERROR, "unreadable"),
            escaped(&entry.created_at).into_owned(),
            String::new(),
            String::new(),
            String::new(),
        ]),
    }
    row
}

/// The same for programs.
pub(crate) fn json(all: &[Summary]) -> Value {
    let one = |Summary { entry, state }: &Summary| {
        let state = state.as_ref();
        json!({
            "id": entry.id,
            "name": entry.name,
            "created_at": entry.created_at,
            "state": state.map_or_else(|_| "unreadable".to_owned(), State::word),
            "open": state.map_or(true, |state| !state.ended),
            "acted": state.map(|state| state.acted).ok(),
            "source": state.map(|state| state.view.source.clone()).ok(),
            "target": state.map(|state| state.view.target.clone()).ok(),
            "databases": state.map(|state| state.view.databases.len()).ok(),
            "last_event_at": state.map(|state| state.last_event_at.clone()).ok(),
            "last_runner": state.map(|state| state.runner.clone()).ok(),
            "head": state.map(|state| state.view.head.to_string()).ok(),
            "failure": state.err(),
        })
    };
    json!({ "migrations": all.iter().map(one).collect::<Vec<_>>() })
}
