//! Progress on a terminal: a line for all databases together, and one for each that is being worked on.

use super::line::{fitted, of_work};
use super::overall::{Aim, Overall};
use super::phase;
use super::work::{Now, Work};
use crate::drawing::{Size, columns, cut};
use crate::report::legible;
use crate::report::quantity::count;
use crate::style::{BOLD, paint};
use pghaul_core::{DatabaseEvent, DatabaseName, Event, Migration};
use pghaul_step::Progress;
use std::collections::BTreeMap;
use std::time::Instant;

/// What turns while something is done.
const SPINNER: [&str; 10] = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];

/// A longer name is cut where it leaves no room for the rest.
const NAME: usize = 24;

/// In a narrower terminal, only all databases together have a line.
const NARROW: usize = 20;

/// The lines of a run.
pub(super) struct Bars {
    now: Now,
    overall: Overall,
    phases: BTreeMap<DatabaseName, String>,
    turns: usize,
}

impl Bars {
    pub(super) fn new(migration: &Migration, aim: Aim) -> Self {
        let databases = migration.databases.iter();
        Self {
            now: Now::default(),
            overall: Overall::new(migration, aim),
            phases: databases
                .map(|(name, d)| (legible::database(name), d.state.work().phase().to_string()))
                .collect(),
            turns: 0,
        }
    }

    pub(super) fn measured(&mut self, database: &DatabaseName, bytes: u64) {
        self.overall.measured(database, bytes);
    }

    pub(super) fn progress(&mut self, database: Option<&DatabaseName>, progress: &Progress, now: Instant) {
        self.now.take(database, progress, now);
        self.overall.progress(database, progress, now);
    }

    pub(super) fn journaled(&mut self, event: &Event) {
        self.now.journaled(event);
        self.overall.journaled(event);
        if let Event::Database(database, event) = event {
            if let Some(phase) = phase(event) {
                self.phases.insert(database.clone(), phase.to_owned());
                let databases = &mut self.now.published.databases;
                *databases.entry(database.clone()).or_default() = Work::default();
            }
            // Steps of the cluster come before the schema of any database.
            if *event == DatabaseEvent::SchemaStarted {
                self.now.published.cluster = None;
            }
        }
    }

    /// The lines as they are now, in a terminal of this size: never more, and each narrower than it.
    pub(super) fn lines(&mut self, size: Size, now: Instant) -> Vec<String> {
        self.turns += 1;
        let width = size.width.saturating_sub(1);
        let most = size.height.saturating_sub(1).max(1);
        let overall = self.overall.parts(now);
        let cluster = self.now.published.cluster.as_ref().map(|work| (None, work));
        let databases = self.now.published.databases.iter();
        let rows: Vec<(Option<&DatabaseName>, &Work)> = cluster
            .into_iter()
            .chain(databases.map(|(name, work)| (Some(name), work)))
            .collect();
        let mut lines = Vec::new();
        if !overall.is_empty() {
            lines.push(paint(BOLD, fitted(&overall, width)));
        }
        if width < NARROW {
            return lines;
        }
        let room = most.saturating_sub(lines.len());
        let shown = match rows.len() {
            all if all <= room => all,
            _ => room.saturating_sub(1),
        };
        let names = rows.iter().take(shown).map(|(name, _)| columns(named(*name)));
        let column = names.max().unwrap_or(0).min(NAME).min(width / 3);
        lines.extend(rows.iter().take(shown).map(|row| self.row(*row, column, width)));
        if shown < rows.len() && room > 0 {
            lines.push(self.others(rows.get(shown..).unwrap_or_default(), width));
        }
        lines
    }

    fn row(&self, (name, work): (Option<&DatabaseName>, &Work), column: usize, width: usize) -> String {
        let phase = name
            .and_then(|name| self.phases.get(name))
            .map_or("", String::as_str);
        let name = cut(named(name), column);
        let space = " ".repeat(column.saturating_sub(columns(&name)));
        let spinner = SPINNER.get(self.turns % SPINNER.len()).copied().unwrap_or(" ");
        let rest = width.saturating_sub(column + 4);
        let parts = of_work(phase, work);
        let line = format!("{}{space} {spinner} {}", paint(BOLD, name), fitted(&parts, rest));
        line.trim_end().to_owned()
    }

    /// What has no line of its own: `and 12 more at work: 9 replicating, 3 schema`.
    fn others(&self, rows: &[(Option<&DatabaseName>, &Work)], width: usize) -> String {
        let mut phases: BTreeMap<&str, u64> = BTreeMap::new();
        for phase in rows.iter().filter_map(|(name, _)| self.phases.get((*name)?)) {
            *phases.entry(phase).or_default() += 1;
        }
        let phase = |(phase, number): (&&str, &u64)| format!("{} {phase}", count(*number));
        let phases: Vec<String> = phases.iter().map(phase).collect();
        let text = format!(
            "and {} more at work: {}",
            count(rows.len() as u64),
            phases.join(", ")
        );
        cut(&text, width)
    }
}

fn named(name: Option<&DatabaseName>) -> &str {
    name.map_or("all databases", DatabaseName::as_str)
}

#[cfg(test)]
mod tests;
