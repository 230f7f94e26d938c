use super::{Frame, lines};
use crate::drawing::{Size, columns};
use crate::screen::Asked;
use crate::view::{Times, View};
use pghaul_core::event::Incomplete;
use pghaul_core::journal::Head;
use pghaul_core::machine::DatabaseRecord;
use pghaul_core::{Code, DatabaseName, DatabaseState, Failure, Migration, MigrationId, Seq};
use pghaul_engine::Lag;
use std::time::Duration;

/// So many databases that are syncing; the second lags and lacks something, the third does not work any more.
fn frame(number: u32) -> Frame {
    let mut migration = Migration::default();
    for number in 1..=number {
        let state = DatabaseState::Syncing;
        let record = DatabaseRecord {
            number,
            state,
            ..DatabaseRecord::default()
        };
        migration
            .databases
            .insert(DatabaseName::new(format!("shop{number}")), record);
    }
    let head = Head {
        seq: Seq(7),
        hash: String::new(),
    };
    let mut view = View::of_journal(&MigrationId::new("a"), &migration, head, &Times::new());
    view.name = "shops".to_owned();
    view.as_of = Some("2026-11-29T18:00:00.123Z".to_owned());
    for database in &mut view.databases {
        let lag = Lag {
            position: 50 << 20,
            confirmed: 50 << 20,
            restart: 34 << 20,
        };
        (database.lag, database.lag_seconds, database.tables) = (Some(lag), Some(0.0), Some(12));
        database.retained_bytes = Some(lag.retained());
    }
    if let Some(second) = view.databases.get_mut(1) {
        second.lag = second.lag.map(|lag| Lag {
            confirmed: 40 << 20,
            ..lag
        });
        second.lag_seconds = Some(75.0);
        second.incomplete = vec![Incomplete {
            object: "trigger audit on public.orders".to_owned(),
            why: "it is created at the cutover".to_owned(),
            ..Incomplete::default()
        }];
    }
    if let Some(third) = view.databases.get_mut(2) {
        third.phase = pghaul_core::Phase::Failed;
        third.problems = vec![Failure::new(Code::SlotLost, "the slot is gone")];
    }
    Frame {
        view: Some(view),
        every: Duration::from_secs(2),
        ..Frame::default()
    }
}

fn shown(frame: &mut Frame, width: usize, height: usize) -> String {
    let lines = lines(frame, Size { width, height });
    let plain = lines.iter().map(|line| {
        anstream::adapter::strip_str(line)
            .to_string()
            .trim_end()
            .to_owned()
    });
    plain.collect::<Vec<_>>().join("\n")
}

#[test]
fn databases_with_what_is_wrong_below_them() {
    insta::assert_snapshot!("live_80x14", shown(&mut frame(4), 80, 14));
    insta::assert_snapshot!("live_40x10", shown(&mut frame(4), 40, 10));
}

#[test]
fn it_scrolls_from_the_first_to_the_last_database_and_no_further() {
    let mut frame = frame(40);
    let first = shown(&mut frame, 80, 24);
    assert!(first.contains("shop1 ") && !first.contains("shop40"), "{first}");
    assert!(!frame.is_over(Asked::Pages(1)));
    let next = shown(&mut frame, 80, 24);
    assert!(!next.contains("shop1 ") && next.contains("shop20"), "{next}");
    for _ in 0..10 {
        frame.is_over(Asked::Pages(1));
        shown(&mut frame, 80, 24);
    }
    let last = shown(&mut frame, 80, 24);
    assert!(last.contains("shop40") && last.contains("of 42,"), "{last}");
    frame.is_over(Asked::Lines(-1));
    let before = shown(&mut frame, 80, 24);
    assert!(
        !before.contains("shop40") && before.contains("shop39"),
        "{before}"
    );
    frame.is_over(Asked::Begin);
    assert_eq!(shown(&mut frame, 80, 24), first);
    assert!(frame.is_over(Asked::End));
}

/// Whatever the size of the terminal, and however it changes.
#[test]
fn it_fits_into_any_terminal() {
    let mut frame = frame(40);
    frame.is_over(Asked::Bottom);
    for width in (1..120).step_by(7) {
        for height in (1..50).step_by(3) {
            let lines = lines(&mut frame, Size { width, height });
            assert!(lines.len() <= height, "{width}x{height}: {lines:?}");
            assert!(
                lines.iter().all(|line| columns(line) <= width),
                "{width}x{height}: {lines:?}"
            );
        }
    }
}
