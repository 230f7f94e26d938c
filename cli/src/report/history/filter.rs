//! Which events of a journal are shown.

use super::weight::{Weight, weight};
use crate::args::HistoryArgs;
use crate::moment::{Moment, Place};
use pghaul_core::event::Note;
use pghaul_core::{Envelope, Event, StepEvent};
use std::collections::BTreeSet;

/// Which events of a journal are shown.
pub(crate) struct Filter<'a>(&'a HistoryArgs);

impl<'a> Filter<'a> {
    pub(crate) fn new(args: &'a HistoryArgs) -> Self {
        Self(args)
    }

    /// Whether the journal is read up to this event only.
    pub(crate) fn is_behind(&self, envelope: &Envelope) -> bool {
        is_behind(self.0.at, envelope)
    }

    pub(crate) fn shows(&self, envelope: &Envelope) -> bool {
        let Self(args) = self;
        let event = &envelope.event;
        let names = |wanted: &[String], name: Option<&str>| {
            wanted.is_empty() || name.is_some_and(|name| wanted.iter().any(|wanted| wanted == name))
        };
        let at = Moment::of_event(&envelope.at);
        names(&args.database, event.database().map(|d| d.as_str()))
            && names(&args.step, event.step().map(|s| s.as_str()))
            && names(&args.kind, Some(event.kind()))
            && args.severity.is_none_or(|least: Weight| weight(event) >= least)
            && args.since.is_none_or(|since| at.is_some_and(|at| at >= since))
            && args.until.is_none_or(|until| at.is_some_and(|at| at <= until))
            && (args.table.is_empty() || is_about_table(event, &args.table))
    }
}

/// What a journal was found to hold: so that a misspelled name does not look as if nothing had happened.
#[derive(Default)]
pub(crate) struct Seen {
    databases: BTreeSet<String>,
    steps: BTreeSet<String>,
    shown: bool,
}

impl Seen {
    pub(crate) fn add(&mut self, envelope: &Envelope, shown: bool) {
        let add = |names: &mut BTreeSet<String>, name: Option<&str>| {
            if let Some(name) = name.filter(|name| !names.contains(*name)) {
                names.insert(name.to_owned());
            }
        };
        add(&mut self.databases, envelope.event.database().map(|d| d.as_str()));
        add(&mut self.steps, envelope.event.step().map(|s| s.as_str()));
        self.shown |= shown;
    }

    /// What is said beside the events: names that none of them is about, or that none was shown.
    pub(crate) fn notes(&self, args: &HistoryArgs) -> Vec<String> {
        let of = |what: &str, wanted: &[String], seen: &BTreeSet<String>| {
            let unknown = wanted.iter().filter(|name| !seen.contains(*name));
            let known: Vec<&str> = seen.iter().map(String::as_str).collect();
            let note = |name: &String| match known.as_slice() {
                [] => format!("no event is about {what} {name}, or any other"),
                known => format!(
                    "no event is about {what} {name}; there are events about {}",
                    known.join(", ")
                ),
            };
            unknown.map(note).collect::<Vec<_>>()
        };
        let mut notes = of("database", &args.database, &self.databases);
        notes.extend(of("step", &args.step, &self.steps));
        if notes.is_empty() && !self.shown {
            notes.push("no event fits".to_owned());
        }
        notes
    }
}

/// Whether an event comes after a place.
pub(crate) fn is_behind(place: Option<Place>, envelope: &Envelope) -> bool {
    match place {
        None => false,
        Some(Place::Seq(seq)) => envelope.seq.0 > seq,
        Some(Place::Time(moment)) => Moment::of_event(&envelope.at).is_some_and(|at| at > moment),
    }
}

fn is_about_table(event: &Event, wanted: &[String]) -> bool {
    let is_wanted = |table: &str| {
        let plain = table.replace('"', "");
        let name = plain.rsplit_once('.').map_or(plain.as_str(), |(_, name)| name);
        wanted.iter().any(|wanted| {
            let wanted = wanted.replace('"', "");
            wanted == plain || wanted == name
        })
    };
    match event {
        Event::Note(_, Note::TablesStarted { tables, .. }) => tables.iter().any(|table| is_wanted(table)),
        Event::Note(_, Note::Retried(retry)) => retry.what.split(' ').any(is_wanted),
        Event::Note(_, Note::Waited(wait)) => wait.what.split(' ').any(is_wanted),
        Event::ClusterStep(_, StepEvent::ItemFinished { item, outcome, .. })
        | Event::DatabaseStep(_, _, StepEvent::ItemFinished { item, outcome, .. }) => {
            let outcome = outcome.value();
            let table = outcome.get("table").and_then(serde_json::Value::as_str);
            is_wanted(table.unwrap_or(item))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::Seen;
    use crate::args::HistoryArgs;
    use pghaul_core::{DatabaseEvent, Envelope, Epoch, Event, MigrationId, Seq};

    #[test]
    fn a_name_that_no_event_is_about_does_not_look_like_a_quiet_one() {
        let event = Event::Database("shop".into(), DatabaseEvent::Resumed);
        let envelope = Envelope {
            migration: MigrationId::new("aaaaaaaa"),
            seq: Seq(1),
            epoch: Epoch(1),
            at: "2026-11-30T00:00:00.000Z".to_owned(),
            event,
        };
        let notes = |database: &[&str], shown| {
            let mut seen = Seen::default();
            seen.add(&envelope, shown);
            let database = database.iter().map(|name| (*name).to_owned()).collect();
            seen.notes(&HistoryArgs {
                database,
                ..HistoryArgs::default()
            })
        };
        assert_eq!(notes(&["shop"], true), [""; 0]);
        assert_eq!(notes(&["shop"], false), ["no event fits"]);
        assert_eq!(
            notes(&["shop", "shpo"], true),
            ["no event is about database shpo; there are events about shop"]
        );
    }
}
