//! How tables are cut into units of work: pure.
//!
//! A unit is copied by one worker in one transaction. Small tables go together, since a transaction costs more
//! than their rows; large ones are cut into ranges of `ctid`, so that no worker is left alone with one at the
//! end. The largest units come first.

use crate::tables::Table;

/// Tables up to this size go together.
const SMALL: u64 = 1 << 20;

/// So many bytes of small tables make a unit.
const TOGETHER: u64 = 8 << 20;

/// So many small tables make a unit, where there are enough for every worker.
const MOST_TOGETHER: usize = 200;

/// As few small tables are one unit: a second transaction would take longer than their rows.
const FEW: usize = 8;

/// A part is not smaller.
const LEAST_PART: u64 = 128 << 20;

/// A part is not much larger: a broken connection costs no more than one.
const MOST_PART: u64 = 8 << 30;

/// Parts that each worker gets of a table that is all the work there is.
const PARTS_PER_WORKER: u64 = 4;

/// PostgreSQL 14 is the first that reads a range of `ctid` without reading the whole table.
const READS_RANGES: u32 = 140_000;

/// A range of a table's blocks; without an end, all that follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// The first block.
    pub begin: u64,
    /// The block behind the last one.
    pub end: Option<u64>,
}

/// A unit of work. Tables are named by their place in the list that was cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unit {
    /// Whole tables.
    Whole(Vec<usize>),
    /// One of several parts of a table.
    Part {
        /// The table.
        table: usize,
        /// The number of the part, from 1.
        part: u32,
        /// How many parts the table has.
        parts: u32,
        /// Its blocks.
        range: Range,
    },
}

/// What cutting depends on besides the tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cutting {
    /// How many workers there are.
    pub workers: usize,
    /// The source's `server_version_num`.
    pub source_version: u32,
}

/// Cuts tables into units, the largest first. `alone` tells which tables must be copied each by itself and whole.
pub fn cut(tables: &[Table], alone: impl Fn(usize) -> bool, cutting: Cutting) -> Vec<Unit> {
    let workers = cutting.workers.max(1) as u64;
    let total: u64 = tables.iter().map(|t| t.bytes).sum();
    let size_of_part = (total / (workers * PARTS_PER_WORKER)).clamp(LEAST_PART, MOST_PART);
    let mut units: Vec<(u64, Unit)> = Vec::new();
    let mut small = Vec::new();
    for (place, table) in tables.iter().enumerate() {
        if alone(place) {
            units.push((table.bytes, Unit::Whole(vec![place])));
        } else if table.bytes <= SMALL {
            small.push(place);
        } else {
            units.extend(parts_of(place, table, size_of_part, cutting));
        }
    }
    units.extend(together(tables, &small, cutting.workers));
    units.sort_by_key(|(bytes, _)| std::cmp::Reverse(*bytes));
    units.into_iter().map(|(_, unit)| unit).collect()
}

fn parts_of(place: usize, table: &Table, size: u64, cutting: Cutting) -> Vec<(u64, Unit)> {
    let wanted = table.bytes.div_ceil(size);
    // Older servers read the whole table for each part: no more of them than work at the same time.
    let most = match cutting.source_version {
        READS_RANGES.. => u64::from(u32::MAX),
        _ => cutting.workers.clamp(1, 4) as u64,
    };
    let parts = wanted.min(most).min(table.blocks.max(1));
    // One worker gains nothing by parts but shorter ones to repeat.
    if parts <= 1 || cutting.workers <= 1 && table.bytes <= MOST_PART {
        return vec![(table.bytes, Unit::Whole(vec![place]))];
    }
    let first_block = |part: u64| table.blocks * part / parts;
    (0..parts)
        .map(|part| {
            let range = Range {
                begin: first_block(part),
                end: (part + 1 < parts).then(|| first_block(part + 1)),
            };
            let unit = Unit::Part {
                table: place,
                part: u32::try_from(part + 1).unwrap_or(u32::MAX),
                parts: u32::try_from(parts).unwrap_or(u32::MAX),
                range,
            };
            (table.bytes / parts, unit)
        })
        .collect()
}

/// Small tables, as many together as fit, yet so that every worker gets some.
fn together(tables: &[Table], small: &[usize], workers: usize) -> Vec<(u64, Unit)> {
    let most = small.len().div_ceil(workers.max(1) * 4).clamp(FEW, MOST_TOGETHER);
    let mut units = Vec::new();
    let (mut batch, mut bytes) = (Vec::new(), 0);
    for place in small {
        let size = tables.get(*place).map_or(0, |t| t.bytes);
        if batch.len() == most || bytes + size > TOGETHER && !batch.is_empty() {
            units.push((bytes, Unit::Whole(std::mem::take(&mut batch))));
            bytes = 0;
        }
        batch.push(*place);
        bytes += size;
    }
    if !batch.is_empty() {
        units.push((bytes, Unit::Whole(batch)));
    }
    units
}

#[cfg(test)]
mod tests {
    use super::*;
    use pghaul_postgres::QualifiedName;
    use proptest::prelude::*;

    const MIB: u64 = 1 << 20;

    fn table(bytes: u64) -> Table {
        Table {
            oid: 1,
            name: QualifiedName::new("public", "t").unwrap(),
            columns: Vec::new(),
            bytes,
            blocks: bytes / 8192,
            file_node: 1,
            changes: 0,
        }
    }

    fn cutting(workers: usize, source_version: u32) -> Cutting {
        Cutting {
            workers,
            source_version,
        }
    }

    #[test]
    fn a_large_table_is_cut_and_its_last_part_is_open() {
        let units = cut(&[table(600 * MIB)], |_| false, cutting(2, 150_000));
        let ranges: Vec<_> = units
            .iter()
            .map(|unit| match unit {
                Unit::Part { range, .. } => (range.begin, range.end),
                Unit::Whole(_) => panic!("{units:?}"),
            })
            .collect();
        assert_eq!(
            ranges,
            [
                (0, Some(15360)),
                (15360, Some(30720)),
                (30720, Some(46080)),
                (46080, Some(61440)),
                (61440, None)
            ]
        );
    }

    #[test]
    fn old_servers_get_no_more_parts_than_workers_and_one_worker_gets_none() {
        assert_eq!(cut(&[table(6000 * MIB)], |_| false, cutting(2, 130_000)).len(), 2);
        assert_eq!(
            cut(&[table(600 * MIB)], |_| false, cutting(1, 180_000)),
            [Unit::Whole(vec![0])]
        );
    }

    #[test]
    fn small_tables_go_together_and_those_that_must_stay_alone_do_not() {
        let units = |number: usize, workers: usize| {
            let tables: Vec<_> = std::iter::repeat_with(|| table(8192)).take(number).collect();
            cut(&tables, |place| place == 4, cutting(workers, 150_000))
        };
        assert_eq!(
            units(9, 2),
            [Unit::Whole(vec![0, 1, 2, 3, 5, 6, 7, 8]), Unit::Whole(vec![4])]
        );
        assert_eq!(units(81, 2).len(), 1 + 8, "ten in each");
    }

    proptest! {
        #[test]
        fn every_table_is_in_exactly_one_unit_or_in_all_its_parts(
            sizes in prop::collection::vec(0u64..(20 << 30), 0..60),
            workers in 1usize..9,
            version in prop::sample::select(vec![100_000u32, 130_000, 140_000, 180_000]),
        ) {
            let tables: Vec<_> = sizes.iter().map(|s| table(*s)).collect();
            let units = cut(&tables, |place| place % 7 == 3, cutting(workers, version));
            let mut seen = vec![0u64; tables.len()];
            let mut covered = vec![0u64; tables.len()];
            for unit in &units {
                match unit {
                    Unit::Whole(places) => places.iter().for_each(|p| seen[*p] += 1_000_000),
                    Unit::Part { table, parts, range, .. } => {
                        seen[*table] += 1_000_000 / u64::from(*parts) + u64::from(1_000_000 % u64::from(*parts) != 0);
                        covered[*table] += range.end.unwrap_or(tables[*table].blocks) - range.begin;
                    }
                }
            }
            for (place, table) in tables.iter().enumerate() {
                prop_assert!(seen[place] >= 1_000_000 && seen[place] < 1_001_000, "{seen:?}");
                prop_assert!(covered[place] == 0 || covered[place] == table.blocks);
            }
        }
    }
}
