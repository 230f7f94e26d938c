use super::{markdown, page};
use crate::account::{Account, Bar, Database, DatabaseTimes, Table};
use crate::moment::{Moment, Span};
use crate::view::DatabaseView;
use pghaul_core::event::{Created, Endpoint};
use pghaul_core::{DatabaseName, Phase};
use std::time::{Duration, Instant};
use time::OffsetDateTime;

const HOSTILE: &str = "<script>alert(1)</script>\"'&amp;|`x`";

fn span(from: u64, to: u64) -> Span {
    let at = |seconds| Some(Moment(OffsetDateTime::UNIX_EPOCH + Duration::from_secs(seconds)));
    Span {
        from: at(from),
        to: at(to),
    }
}

fn account(tables: u64) -> Account {
    let endpoint = || Endpoint {
        conninfo: format!("host=old dbname={HOSTILE}"),
        system_identifier: "7".to_owned(),
        version: 150_018,
    };
    let table = |number: u64| Table {
        name: format!("\"public\".\"{HOSTILE}{number}\""),
        by_workers: number.is_multiple_of(7),
        span: span(number, number + 1 + number % 60),
        rows: Some(number),
        bytes: number * 1000,
        together: None,
    };
    let view = DatabaseView {
        name: DatabaseName::from(HOSTILE),
        target: DatabaseName::from(HOSTILE),
        number: 1,
        phase: Phase::Syncing,
        during: None,
        method: None,
        error: None,
        problems: Vec::new(),
        reasons: vec![HOSTILE.to_owned()],
        tables: Some(tables),
        rows: None,
        incomplete: Vec::new(),
        written: Vec::new(),
        copied_at: None,
        lag_bytes: None,
        lag: None,
        lag_seconds: None,
        retained_bytes: None,
        keep_size_bytes: None,
        as_of: None,
        checked: false,
        unchecked: None,
    };
    let phase = Bar {
        name: "replicating".to_owned(),
        spans: vec![span(0, tables + 60)],
        failed: false,
    };
    Account {
        id: "a".to_owned(),
        created: Created {
            name: HOSTILE.to_owned(),
            source: endpoint(),
            target: endpoint(),
            pghaul: "0.2.0".to_owned(),
        },
        state: "syncing".to_owned(),
        head: "1:0".to_owned(),
        events: 1,
        span: span(0, tables + 60),
        runs: Vec::new(),
        decisions: Vec::new(),
        troubles: Vec::new(),
        retries: Vec::new(),
        waits: Vec::new(),
        findings: Vec::new(),
        steps: Vec::new(),
        databases: vec![Database {
            view,
            times: DatabaseTimes {
                phases: vec![phase],
                tables: (0..tables).map(table).collect(),
                ..DatabaseTimes::default()
            },
        }],
    }
}

#[test]
fn names_full_of_markup_stay_names() {
    let html = page(&account(3), "0.2.0");
    assert!(!html.contains("<script"), "{html}");
    assert!(html.contains("&lt;script&gt;alert(1)"), "{html}");
    let text = markdown(&account(3), "0.2.0");
    assert!(text.contains("\n- \\<script\\>alert(1)"), "{text}");
    assert!(text.contains("| `` \"public\".\"<script>"), "{text}");
}

#[test]
fn twenty_thousand_tables_fit_into_a_file_that_opens() {
    let account = account(20_000);
    let began = Instant::now();
    let html = page(&account, "0.2.0");
    assert!(html.len() < 10_000_000, "{} bytes", html.len());
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    assert_eq!(
        html.matches("<tr>").count() as u64,
        20_000 + 2 + 1 + 1,
        "every table has its row"
    );
    assert!(markdown(&account, "0.2.0").len() < 20_000);
}
