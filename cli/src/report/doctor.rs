//! What `doctor` found.

use super::columns::{Align, lines};
use super::failure;
use super::quantity::bytes;
use crate::style::{BOLD, DIM, ERROR, GOOD, paint};
use pghaul_core::{MigrationId, Side, escaped};
use pghaul_engine::doctor::{Remain, Trouble, Unseen, What};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// A migration of the journal.
#[derive(Debug, Clone)]
pub(crate) struct Whose {
    pub(crate) name: String,
    /// `open`, `removed` or `unreadable`.
    pub(crate) standing: &'static str,
}

/// Everything that was found, with what is wrong with it.
#[derive(Debug, Clone)]
pub(crate) struct Diagnosis {
    pub(crate) remains: Vec<(Remain, Vec<Trouble>)>,
    pub(crate) unseen: Vec<Unseen>,
    /// The migrations of the journal.
    pub(crate) whose: BTreeMap<MigrationId, Whose>,
}

impl Diagnosis {
    /// What belongs to one migration.
    pub(crate) fn only(&self, migration: &MigrationId) -> Self {
        let mut own = self.clone();
        own.remains
            .retain(|(r, _)| r.migration.as_ref() == Some(migration));
        own.whose.retain(|id, _| id == migration);
        own
    }

    /// The migrations that no journal here can remove.
    fn without_journal(&self) -> BTreeSet<&MigrationId> {
        let is_left = |troubles: &[Trouble]| {
            let mut troubles = troubles.iter();
            troubles.any(|trouble| matches!(trouble, Trouble::Orphaned | Trouble::Unknown))
        };
        let left = self.remains.iter().filter(|(_, troubles)| is_left(troubles));
        left.filter_map(|(remain, _)| remain.migration.as_ref()).collect()
    }

    /// Whether something is wrong.
    pub(crate) fn is_ailing(&self) -> bool {
        self.remains.iter().any(|(_, troubles)| !troubles.is_empty())
    }
}

/// Each server with a line for everything on it.
pub(crate) fn text(diagnosis: &Diagnosis) -> String {
    let mut text = String::new();
    for side in [Side::Source, Side::Target] {
        let here = diagnosis.remains.iter().filter(|(r, _)| r.side == side);
        let rows: Vec<Vec<String>> = here.map(|(r, t)| row(diagnosis, r, t)).collect();
        if !rows.is_empty() {
            text.push_str(&format!("{}\n", paint(BOLD, format_args!("on the {side}"))));
            text.push_str(&lines(&[Align::Left; 4], &rows));
            text.push('\n');
        }
    }
    for unseen in &diagnosis.unseen {
        text.push_str(&format!(
            "{} of the {} could not be looked at: {}\n",
            escaped(&unseen.what.to_string()),
            unseen.side,
            failure::line(&unseen.failure)
        ));
    }
    if !diagnosis.whose.is_empty() {
        text.push_str(&format!("{}\n", paint(BOLD, "in the journal")));
        for (id, whose) in &diagnosis.whose {
            text.push_str(&format!(
                "  {} ({id}): {}\n",
                escaped(&whose.name),
                whose.standing
            ));
        }
        text.push('\n');
    }
    for id in diagnosis.without_journal() {
        text.push_str(&format!(
            "migration {id}: pghaul remove with the journal that it began with ends it; where that is lost or says that it has ended: \
             `pghaul doctor --drop {id}`, which drops no data\n\n"
        ));
    }
    let ailing = diagnosis.remains.iter().filter(|(_, t)| !t.is_empty()).count();
    text.push_str(&match (diagnosis.remains.len(), ailing) {
        (0, _) => "nothing of pghaul was found\n".to_owned(),
        (all, 0) => format!("{all} found, {}\n", paint(GOOD, "nothing is wrong")),
        (all, ailing) => format!(
            "{all} found, {}\n",
            paint(ERROR, format_args!("{ailing} need attention"))
        ),
    });
    text
}

fn row(diagnosis: &Diagnosis, remain: &Remain, troubles: &[Trouble]) -> Vec<String> {
    let place = match (&remain.what, &remain.database) {
        (What::Session { pid, .. }, _) => format!(" (pid {pid})"),
        (_, Some(database)) => format!(" in {database}"),
        (_, None) => String::new(),
    };
    let told = facts(&remain.what).map(|told| escaped(&told).into_owned());
    let troubles: Vec<String> = troubles
        .iter()
        .map(|t| paint(ERROR, escaped(&sentence(t))))
        .collect();
    let all: Vec<String> = told.into_iter().chain(troubles).collect();
    vec![
        format!("  {}", remain.what.noun()),
        escaped(&format!("{}{place}", remain.name)).into_owned(),
        paint(DIM, escaped(&whose(diagnosis, remain))),
        all.join("; "),
    ]
}

fn whose(diagnosis: &Diagnosis, remain: &Remain) -> String {
    let id = match (&remain.migration, &remain.what) {
        (Some(id), _) => id,
        (None, What::RehearsalDatabase { .. }) => return "of a rehearsal".to_owned(),
        (None, _) => return "of an unknown migration".to_owned(),
    };
    match diagnosis.whose.get(id) {
        Some(whose) => format!("of {} ({id}, {})", whose.name, whose.standing),
        None => format!("of migration {id}"),
    }
}

fn facts(what: &What) -> Option<String> {
    match what {
        What::Slot(slot) => {
            let retained = slot
                .retained_bytes
                .map(|n| format!("keeps {} of WAL", bytes(n)))?;
            let limit = slot.limit_bytes.map(|n| format!(" of at most {}", bytes(n)));
            let lag = slot.lag_bytes.map(|n| format!(", {} behind", bytes(n)));
            Some([Some(retained), limit, lag].into_iter().flatten().collect())
        }
        What::Schema { epoch, head } => {
            let seq = head.split(':').next().unwrap_or_default();
            Some(format!("epoch {epoch}, event {seq}"))
        }
        _ => None,
    }
}

fn sentence(trouble: &Trouble) -> String {
    match trouble {
        Trouble::Orphaned => "its migration is removed".to_owned(),
        Trouble::Unknown => "its migration is not in this journal".to_owned(),
        Trouble::Alone { missing } => format!("its {missing} is gone"),
        Trouble::Lost => "has lost WAL that was needed: its subscription can't go on".to_owned(),
        Trouble::NearLimit { .. } => "is near the limit, max_slot_wal_keep_size".to_owned(),
        Trouble::Inactive => "nobody reads it: the WAL it keeps grows".to_owned(),
        Trouble::Disabled => "is disabled".to_owned(),
        Trouble::Abandoned => "its check was killed: its owner or a superuser can drop it".to_owned(),
        Trouble::NotWorking => "has no worker just now: see the target's log".to_owned(),
    }
}

/// The same for programs.
pub(crate) fn json(diagnosis: &Diagnosis) -> Value {
    let remains = diagnosis.remains.iter().map(|(remain, troubles)| {
        let mut value = json!(remain);
        let known = remain.migration.as_ref().and_then(|id| diagnosis.whose.get(id));
        if let Some(object) = value.as_object_mut() {
            object.insert("migration_name".to_owned(), json!(known.map(|w| &w.name)));
            let standing = known.map_or("unknown", |w| w.standing);
            object.insert("standing".to_owned(), json!(standing));
            object.insert("troubles".to_owned(), json!(troubles));
        }
        value
    });
    let journal = diagnosis
        .whose
        .iter()
        .map(|(id, whose)| json!({ "id": id, "name": whose.name, "standing": whose.standing }));
    json!({ "journal": journal.collect::<Vec<_>>(), "found": remains.collect::<Vec<_>>(), "unseen": diagnosis.unseen })
}
