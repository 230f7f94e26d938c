//! Progress on a terminal: a bar for each database that is being worked on.

use super::{ends, row};
use crate::printer::Printer;
use crate::report::legible;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use pghaul_core::{DatabaseEvent, DatabaseName, Event, Migration, MigrationEvent};
use pghaul_step::Progress;
use std::collections::BTreeMap;
use std::time::Duration;

const TICK: Duration = Duration::from_millis(120);
/// The least important comes last: what does not fit into the line is cut off.
const COPY: &str = "{prefix} {spinner} {percent:>3}%  {binary_bytes} of {binary_total_bytes}  {binary_bytes_per_sec}  {eta} left  {wide_msg}";
const WORK: &str = "{prefix} {spinner} {wide_msg}";

/// The bars of all databases at work.
pub(super) struct Bars {
    all: MultiProgress,
    colors: bool,
    width: usize,
    rows: BTreeMap<Option<DatabaseName>, Row>,
    /// Where the databases are that were begun by an earlier run.
    phases: BTreeMap<DatabaseName, String>,
}

struct Row {
    bar: ProgressBar,
    phase: String,
    copies: bool,
}

impl Bars {
    pub(super) fn new(printer: &Printer, migration: &Migration) -> Self {
        let names: Vec<DatabaseName> = migration.databases.keys().map(legible::database).collect();
        let width = widest(names.iter());
        Self {
            all: printer.bars().clone(),
            colors: printer.colors_stderr(),
            width,
            rows: BTreeMap::new(),
            phases: migration
                .databases
                .iter()
                .map(|(name, d)| (legible::database(name), d.state.work().phase().to_string()))
                .collect(),
        }
    }

    pub(super) fn progress(&mut self, database: Option<&DatabaseName>, progress: Progress) {
        let (copy_style, work_style) = (self.style(COPY), self.style(WORK));
        let row = self.row(database);
        match &progress {
            Progress::Copy {
                bytes,
                total_bytes,
                tables,
                total_tables,
                workers,
            } => {
                row.bar.set_length((*total_bytes).max(*bytes));
                if !row.copies {
                    row.bar.set_style(copy_style);
                    row.bar.set_position(*bytes);
                    row.bar.reset_eta();
                    row.copies = true;
                }
                row.bar.set_position(*bytes);
                row.bar.set_message(format!(
                    "{} tables {tables}/{total_tables} by {workers}",
                    row.phase
                ));
            }
            other => {
                if row.copies {
                    row.bar.set_style(work_style);
                    row.copies = false;
                }
                row.bar
                    .set_message(format!("{} · {}", row.phase, row::words(other)));
            }
        }
    }

    pub(super) fn journaled(&mut self, event: &Event) {
        match event {
            Event::Migration(MigrationEvent::DatabasesSelected { databases, .. }) => {
                self.width = widest(databases.iter());
            }
            Event::Database(database, event) => {
                if let Some(phase) = phase(event) {
                    let row = self.row(Some(database));
                    row.phase = phase.to_owned();
                    row.bar.set_message(phase);
                } else if ends(event)
                    && let Some(row) = self.rows.remove(&Some(database.clone()))
                {
                    row.bar.finish_and_clear();
                }
            }
            Event::Migration(_) | Event::ClusterStep(..) | Event::DatabaseStep(..) | Event::Note(..) => {}
        }
        // Cluster steps come before any database's schema.
        if matches!(event, Event::Database(_, DatabaseEvent::SchemaStarted))
            && let Some(row) = self.rows.remove(&None)
        {
            row.bar.finish_and_clear();
        }
    }

    /// Takes all bars away.
    pub(super) fn clear(&mut self) {
        for row in std::mem::take(&mut self.rows).into_values() {
            row.bar.finish_and_clear();
        }
    }

    fn row(&mut self, database: Option<&DatabaseName>) -> &mut Row {
        let (style, width, all) = (self.style(WORK), self.width, &self.all);
        let phase = database.and_then(|name| self.phases.get(name).cloned());
        self.rows.entry(database.cloned()).or_insert_with(|| {
            let name = database.map_or("all databases", DatabaseName::as_str);
            let bar = all.add(
                ProgressBar::new(0)
                    .with_style(style)
                    .with_prefix(format!("{name:<width$}")),
            );
            bar.enable_steady_tick(TICK);
            Row {
                bar,
                phase: phase.unwrap_or_default(),
                copies: false,
            }
        })
    }

    fn style(&self, template: &str) -> ProgressStyle {
        let template = match self.colors {
            true => template.replace("{prefix}", "{prefix:.bold}"),
            false => template.to_owned(),
        };
        ProgressStyle::with_template(&template)
            .unwrap_or_else(|_| ProgressStyle::default_bar())
            .tick_chars("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏ ")
    }
}

/// The phase that begins with an event.
fn phase(event: &DatabaseEvent) -> Option<&'static str> {
    match event {
        DatabaseEvent::CheckingStarted => Some("checking"),
        DatabaseEvent::SchemaStarted => Some("schema"),
        DatabaseEvent::ReplicatingStarted | DatabaseEvent::DataDiscarded => Some("replicating"),
        DatabaseEvent::DiscardStarted { .. } => Some("discarding"),
        DatabaseEvent::DumpingStarted | DatabaseEvent::FellBack { .. } => Some("dumping"),
        DatabaseEvent::RemovalStarted { .. } => Some("removing"),
        DatabaseEvent::Checked { .. }
        | DatabaseEvent::Planned { .. }
        | DatabaseEvent::CopyBegan
        | DatabaseEvent::WalLimitReached { .. }
        | DatabaseEvent::SyncingProven { .. }
        | DatabaseEvent::DoneProven { .. }
        | DatabaseEvent::Failed { .. }
        | DatabaseEvent::Resumed
        | DatabaseEvent::Removed => None,
    }
}

fn widest<'a>(names: impl Iterator<Item = &'a DatabaseName>) -> usize {
    names
        .map(|name| name.as_str().chars().count())
        .max()
        .unwrap_or(0)
        .min(40)
}
