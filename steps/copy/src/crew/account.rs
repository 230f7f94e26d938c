//! What the journal is told of the tables: when their copy begins, and what it came to.

use super::{Attempt, Crew};
use pghaul_contracts::CopiedTable;
use pghaul_copy::{Copied, Unit};
use pghaul_step::workers::held;
use pghaul_step::{CopiedBy, Failure};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// A finished table: its rows, where they are known, its bytes of COPY data, and how long it took.
struct Sums {
    rows: Option<u64>,
    bytes: u64,
    took: Duration,
}

impl Crew<'_> {
    /// Journals the tables that are complete now.
    pub(super) async fn finished(&self, attempt: &Attempt, sent: &[(usize, Copied)]) -> Result<(), Failure> {
        let together = u32::try_from(sent.len()).ok().filter(|tables| *tables > 1);
        let mut items = Vec::with_capacity(sent.len());
        for (place, copied) in sent {
            let Some(load) = self.loads.get(*place) else {
                continue;
            };
            let sums = match &attempt.unit {
                Unit::Whole(_) => Some(Sums {
                    rows: Some(copied.rows_written),
                    bytes: copied.bytes,
                    took: attempt.begun.elapsed(),
                }),
                Unit::Part { parts, .. } => self.add_part(*place, *parts, copied),
            };
            let Some(Sums { rows, bytes, took }) = sums else {
                continue;
            };
            let item = CopiedTable {
                table: load.table.name.to_string(),
                attempt: self.attempt,
                as_of: self.snapshot.position().to_string(),
                rows,
                bytes,
                took_ms: u64::try_from(took.as_millis()).ok(),
                together,
                mark: Some(self.snapshot.mark(&load.table)),
            };
            items.push((self.item(load.number), item));
        }
        self.ctx.items_finished(&items).await?;
        self.done.fetch_add(items.len() as u64, Ordering::Relaxed);
        self.show();
        Ok(())
    }

    /// Adds a part up; the sums of the whole table with its last part.
    fn add_part(&self, place: usize, parts: u32, copied: &Copied) -> Option<Sums> {
        let mut all = held(&self.parts);
        let sums = all.entry(place).or_default();
        sums.finished += 1;
        sums.rows = Some(sums.rows.unwrap_or(0) + copied.rows_written);
        sums.bytes += copied.bytes;
        let took = sums.begun.map(|begun| begun.elapsed()).unwrap_or_default();
        let (rows, bytes) = (sums.rows, sums.bytes);
        (sums.finished == parts).then_some(Sums { rows, bytes, took })
    }

    /// Notes that the copy of a unit begins; of a table in parts, with the first of them.
    pub(super) fn started(&self, unit: &Unit) {
        let tables = match unit {
            Unit::Whole(places) => places.iter().filter_map(|place| self.loads.get(*place)).collect(),
            Unit::Part { table, .. } => {
                let mut parts = held(&self.parts);
                let sums = parts.entry(*table).or_default();
                if sums
                    .begun
                    .replace(sums.begun.unwrap_or_else(Instant::now))
                    .is_some()
                {
                    return;
                }
                self.loads.get(*table).into_iter().collect::<Vec<_>>()
            }
        };
        let names = tables.iter().map(|load| load.table.name.to_string()).collect();
        self.ctx.notes().tables_started(names, CopiedBy::Pghaul);
    }

    /// A unit as it stands in a sentence: its table, or how many it has.
    pub(super) fn named(&self, unit: &Unit) -> String {
        let name = |place: &usize| self.loads.get(*place).map(|load| load.table.name.to_string());
        match unit {
            Unit::Part { table, .. } => format!("a part of {}", name(table).unwrap_or_default()),
            Unit::Whole(places) => match places.as_slice() {
                [only] => name(only).unwrap_or_default(),
                many => format!("{} tables", many.len()),
            },
        }
    }
}
