use super::Bars;
use crate::drawing::{Size, columns};
use crate::progress::Aim;
use pghaul_core::event::Proof;
use pghaul_core::{DatabaseEvent, DatabaseName, Event, Migration, MigrationEvent};
use pghaul_step::Progress;
use std::time::{Duration, Instant};

/// A run of so many databases, named d1 and so on.
fn selected(number: usize) -> (Bars, Vec<DatabaseName>) {
    let mut bars = Bars::new(&Migration::default(), Aim::Move);
    let databases: Vec<DatabaseName> = (1..=number).map(|n| DatabaseName::new(format!("d{n}"))).collect();
    bars.journaled(&Event::Migration(MigrationEvent::DatabasesSelected {
        selection: Box::default(),
        databases: databases.clone(),
    }));
    (bars, databases)
}

fn happens(bars: &mut Bars, database: &DatabaseName, event: DatabaseEvent) {
    bars.journaled(&Event::Database(database.clone(), event));
}

fn copy(mebibytes: u64, tables: u64) -> Progress {
    Progress::Copy {
        bytes: mebibytes << 20,
        total_bytes: 1000 << 20,
        tables,
        total_tables: 9,
        workers: 4,
    }
}

fn indexes(done: u64) -> Progress {
    let (what, total) = ("indexes and constraints", 20);
    Progress::Count { what, done, total }
}

fn shown(bars: &mut Bars, (width, height): (usize, usize), now: Instant) -> Vec<String> {
    let lines = bars.lines(Size { width, height }, now);
    let lines = lines
        .iter()
        .map(|line| anstream::adapter::strip_str(line).to_string());
    lines
        .map(|line| line.chars().filter(|c| !"⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏".contains(*c)).collect())
        .collect()
}

/// Two databases of forty copy, for 20 seconds, at 10 MiB/s each.
fn copying() -> (Bars, Vec<DatabaseName>, Instant) {
    let (mut bars, databases) = selected(40);
    let start = Instant::now();
    for database in &databases {
        bars.measured(database, 1000 << 20);
    }
    for database in databases.iter().take(2) {
        happens(&mut bars, database, DatabaseEvent::ReplicatingStarted);
    }
    for second in 0..=20 {
        for database in databases.iter().take(2) {
            let now = start + Duration::from_secs(second);
            bars.progress(Some(database), &copy(10 * second, 1), now);
        }
    }
    (bars, databases, start + Duration::from_secs(20))
}

#[test]
fn a_line_of_all_databases_and_one_of_each_at_work() {
    let (mut bars, databases, now) = copying();
    bars.progress(Some(&databases[1]), &indexes(3), now);
    insta::assert_snapshot!(shown(&mut bars, (160, 24), now).join("\n"), @r"
    0 of 40 databases  2 of 18 tables  400.0 MiB of about 39.1 GiB  19.3 MiB/s  about 34 min left to copy  3 of 20 indexes and constraints
    d1  replicating  20 %  200.0 MiB of about 1000.0 MiB  1 of 9 tables  10.0 MiB/s by 4 workers
    d2  replicating  20 %  200.0 MiB of about 1000.0 MiB  1 of 9 tables  10.0 MiB/s by 4 workers  indexes and constraints: 3 of 20
    ");
    insta::assert_snapshot!(shown(&mut bars, (80, 24), now).join("\n"), @r"
    0 of 40 databases  400.0 MiB of about 39.1 GiB  about 34 min left to copy
    d1  replicating  20 %  200.0 MiB of about 1000.0 MiB  1 of 9 tables
    d2  replicating  20 %  200.0 MiB of about 1000.0 MiB  1 of 9 tables
    ");
    insta::assert_snapshot!(shown(&mut bars, (40, 24), now).join("\n"), @r"
    0 of 40 databases  19.3 MiB/s
    d1  replicating  20 %  1 of 9 tables
    d2  replicating  20 %  1 of 9 tables
    ");
}

/// When all rows are there, the line goes on with what is built then.
#[test]
fn indexes_are_counted_when_the_rows_are_there() {
    let (mut bars, databases) = selected(1);
    let (shop, start) = (&databases[0], Instant::now());
    happens(&mut bars, shop, DatabaseEvent::ReplicatingStarted);
    for second in 0..=10 {
        let now = start + Duration::from_secs(second);
        bars.progress(Some(shop), &copy(99 * second, second.min(8)), now);
    }
    let now = start + Duration::from_secs(11);
    let almost = shown(&mut bars, (120, 24), now).join("\n");
    assert!(
        almost.contains("99 %") && almost.contains("left to copy"),
        "{almost}"
    );
    bars.progress(Some(shop), &copy(1100, 9), now);
    bars.progress(Some(shop), &indexes(3), now);
    insta::assert_snapshot!(shown(&mut bars, (120, 24), now).join("\n"), @r"
    0 of 1 database  9 of 9 tables  1.1 GiB copied  3 of 20 indexes and constraints
    d1  replicating  indexes and constraints: 3 of 20
    ");
    happens(
        &mut bars,
        shop,
        DatabaseEvent::SyncingProven {
            proof: Proof::default(),
        },
    );
    insta::assert_snapshot!(shown(&mut bars, (120, 24), now).join("\n"), @"1 of 1 database  9 of 9 tables  1.1 GiB copied");
}

/// Whatever the size of the terminal, nothing is wider or higher than it.
#[test]
fn lines_fit_into_any_terminal() {
    let (mut bars, databases, now) = copying();
    for database in &databases {
        happens(&mut bars, database, DatabaseEvent::SchemaStarted);
    }
    let long = DatabaseName::new("数据库".repeat(20));
    bars.progress(Some(&long), &copy(1, 1), now);
    for width in (1..100).step_by(3) {
        for height in (1..60).step_by(4) {
            let lines = bars.lines(Size { width, height }, now);
            assert!(lines.len() < height.max(2), "{width}x{height}: {lines:?}");
            for line in lines {
                assert!(columns(&line) < width.max(2), "{width}x{height}: {line:?}");
            }
        }
    }
    let lines = shown(&mut bars, (80, 6), now);
    assert_eq!(lines.len(), 5);
    assert_eq!(lines[4], "and 38 more at work: 37 schema");
}

#[test]
fn a_remaining_time_needs_the_size_of_every_database() {
    let (mut bars, databases) = selected(2);
    let start = Instant::now();
    let now = start + Duration::from_secs(20);
    for second in 0..=20 {
        let now = start + Duration::from_secs(second);
        bars.progress(Some(&databases[0]), &copy(10 * second, 1), now);
    }
    let unknown = shown(&mut bars, (120, 24), now).join("\n");
    assert!(
        !unknown.contains("left to copy"),
        "the second may be of any size: {unknown}"
    );
    bars.measured(&databases[1], 1000 << 20);
    let known = shown(&mut bars, (120, 24), now).join("\n");
    assert!(known.contains("about 3 min left to copy"), "{known}");
    // An estimate that was too low knows nothing.
    bars.progress(Some(&databases[0]), &copy(1001, 1), now);
    assert!(
        !shown(&mut bars, (120, 24), now)
            .join("\n")
            .contains("left to copy")
    );
}
