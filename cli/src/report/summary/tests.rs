use super::{json, text};
use crate::account::{Account, Bar, Database, DatabaseTimes, Pause, Run, Summary, Table};
use crate::moment::{Moment, Span};
use crate::view::{DatabaseView, Times, View};
use pghaul_core::event::{Created, Endpoint, Incomplete};
use pghaul_core::journal::Head;
use pghaul_core::machine::DatabaseRecord;
use pghaul_core::{DatabaseName, DatabaseState, Migration, MigrationId, Seq};
use std::time::Duration;
use time::OffsetDateTime;

fn at(second: u64) -> Option<Moment> {
    Some(Moment(OffsetDateTime::UNIX_EPOCH + Duration::from_secs(second)))
}

fn span(from: u64, to: u64) -> Span {
    Span {
        from: at(from),
        to: at(to),
    }
}

fn run(from: u64, to: u64) -> Run {
    Run {
        epoch: "1".to_owned(),
        command: "run".to_owned(),
        who: String::new(),
        version: String::new(),
        command_line: String::new(),
        reason: None,
        span: span(from, to),
        ending: None,
    }
}

fn view(name: &str) -> DatabaseView {
    let mut migration = Migration::default();
    let record = DatabaseRecord {
        state: DatabaseState::Syncing,
        ..DatabaseRecord::default()
    };
    migration.databases.insert(DatabaseName::from(name), record);
    let view = View::of_journal(
        &MigrationId::new("a"),
        &migration,
        Head {
            seq: Seq(0),
            hash: String::new(),
        },
        &Times::new(),
    );
    view.databases.into_iter().next().unwrap()
}

/// A database that is checked for a second, and copied from a second on: one large table and a small one.
fn database(name: &str, from: u64, to: u64) -> Database {
    let bar = |name: &str, from, to| Bar {
        name: name.to_owned(),
        spans: vec![span(from, to)],
        failed: false,
    };
    let table = |name: &str, span, rows, bytes, together| Table {
        name: name.to_owned(),
        by_workers: false,
        span,
        rows: Some(rows),
        bytes,
        together,
    };
    let tables = vec![
        table("public.orders", span(from, to), 1_200_000, 600 << 20, None),
        table("public.notes", span(from, from + 2), 10, 4000, Some(9)),
    ];
    let left = |by_removal| Incomplete {
        object: "table public.notes".to_owned(),
        why: "deferred".to_owned(),
        by_removal,
        ..Incomplete::default()
    };
    Database {
        view: view(name),
        times: DatabaseTimes {
            phases: vec![
                bar("checking", 0, 1),
                bar("replicating", from, to),
                bar("syncing", to, 1000),
            ],
            tables,
            left: vec![left(true), left(false)],
            ..DatabaseTimes::default()
        },
    }
}

fn account(runs: Vec<Run>, databases: Vec<Database>) -> Account {
    let endpoint = || Endpoint {
        conninfo: String::new(),
        system_identifier: "7".to_owned(),
        version: 150_018,
    };
    let pause = |second, what: &str, times, seconds| Pause {
        at: at(second),
        database: Some(DatabaseName::from("shop")),
        what: what.to_owned(),
        times,
        took: Duration::from_secs(seconds),
    };
    Account {
        id: "a".to_owned(),
        created: Created {
            name: "shops".to_owned(),
            source: endpoint(),
            target: endpoint(),
            pghaul: "0".to_owned(),
        },
        state: "syncing".to_owned(),
        head: "1:0".to_owned(),
        events: 1,
        span: span(0, 1000),
        runs,
        decisions: Vec::new(),
        troubles: Vec::new(),
        retries: vec![
            pause(20, "copy of public.orders", 1, 1),
            pause(30, "copy of public.orders", 3, 4),
            pause(2000, "copy of a later run", 1, 1),
        ],
        waits: vec![pause(40, "transaction 7 of process 1", 1, 12)],
        findings: Vec::new(),
        steps: Vec::new(),
        databases,
    }
}

fn shown(summary: &Summary) -> String {
    anstream::adapter::strip_str(&text(summary).join("\n")).to_string()
}

#[test]
fn a_run_is_summarized_in_few_lines() {
    let account = account(vec![run(0, 62)], vec![database("shop", 2, 62)]);
    let summary = Summary::of(&account).unwrap();
    insta::assert_snapshot!(shown(&summary), @r"
    summary
      took        1 min 2 s: checking 1.0 s, replicating 1 min 0 s
      copied      2 tables, 1 200 010 rows, 600.0 MiB, 10.0 MiB/s
      slowest     shop public.orders  1 min 0 s  600.0 MiB  10.0 MiB/s
                  shop public.notes       2.0 s    3.9 KiB              with 8 other tables
      retries     4, 5.0 s in all: copy of public.orders in shop (4)
      waits       1, 12 s in all: transaction 7 of process 1 in shop
      incomplete  1 object in 1 database, listed below
    ");
    let json = json(&summary);
    assert_eq!(json["phases"][1]["took_ms"], 60_000, "{json:#}");
    assert_eq!(json["slowest_tables"][0]["table"], "public.orders", "{json:#}");
}

/// Side by side, phases overlap: each counts the time in which at least one database was in it.
#[test]
fn of_forty_databases_only_the_slowest_tables_are_named() {
    let databases = (0..40)
        .map(|n| database(&format!("d{n}"), 2 + n, 62 + n))
        .collect();
    // An earlier run was killed; what it did is not this run's.
    let account = account(vec![run(0, 70), run(80, 101)], databases);
    let summary = Summary::of(&account).unwrap();
    let shown = shown(&summary);
    assert!(shown.starts_with("summary of run 2\n"), "{shown}");
    assert!(
        shown.contains("took        21 s: replicating 21 s\n"),
        "one phase, no longer than the run: {shown}"
    );
    assert_eq!(summary.tables, 22, "those that were finished in this run");
    assert_eq!(summary.slowest.len(), 5);
    assert!(
        shown.contains("incomplete  40 objects in 40 databases"),
        "{shown}"
    );
    assert!(!shown.contains("retries"), "those were the first run's: {shown}");
}
