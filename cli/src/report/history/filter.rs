//! Which events of a journal are shown.

use super::weight::{Weight, weight};
use crate::args::HistoryArgs;
use crate::moment::{Moment, Place};
use pghaul_core::event::Note;
use pghaul_core::{Envelope, Event, StepEvent};

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
