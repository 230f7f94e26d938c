use super::{next_steps, text};
use crate::exit_code::ExitCode;
use crate::progress::published::{Published, Work};
use crate::report::json;
use crate::view::{DatabaseView, LastRun, View, Worker};
use pghaul_core::event::{Incomplete, Runner};
use pghaul_core::journal::Head;
use pghaul_core::{Code, DatabaseName, Epoch, Failure, Method, MigrationId, Phase, Seq, Side};
use pghaul_step::{Proof, Standing};
use pghaul_store::Holder;
use std::collections::BTreeMap;

const NOW: &str = "2026-11-22T17:10:00.000Z";

fn database(number: u32, name: &str, phase: Phase, method: Method) -> DatabaseView {
    DatabaseView {
        name: DatabaseName::from(name),
        target: DatabaseName::from(name),
        number,
        phase,
        during: None,
        method: Some(method),
        error: None,
        problems: Vec::new(),
        reasons: Vec::new(),
        tables: Some(8),
        rows: Some(1_200_034),
        written: Vec::new(),
        incomplete: Vec::new(),
        copied_at: (phase == Phase::Done).then(|| "0/15D6A28".to_owned()),
        lag_bytes: None,
        lag: None,
        lag_seconds: None,
        retained_bytes: None,
        keep_size_bytes: None,
        as_of: Some("2026-11-22T17:00:00.000Z".to_owned()),
        checked: false,
        unchecked: None,
    }
}

fn view() -> View {
    let reasons = vec!["max_replication_slots of the source is 1".to_owned()];
    View {
        id: MigrationId::new("k3v9x2ab"),
        name: "brave-otter".to_owned(),
        source: "host=old user=mover".to_owned(),
        target: "host=new user=mover".to_owned(),
        status: Phase::Done,
        databases: vec![
            database(1, "shop", Phase::Syncing, Method::Replication),
            DatabaseView {
                reasons,
                ..database(2, "stats", Phase::Done, Method::Dump)
            },
        ],
        incomplete: Vec::new(),
        head: Head {
            seq: Seq(41),
            hash: "9f3a".to_owned(),
        },
        as_of: None,
        last_run: None,
        worker: None,
        older_copy: None,
    }
}

fn looked(standing: Result<Standing, Failure>) -> View {
    view().with_standings(BTreeMap::from([(DatabaseName::from("shop"), standing)]), NOW)
}

fn plain(view: &View) -> String {
    anstream::adapter::strip_str(&text(view)).to_string()
}

#[test]
fn a_proven_migration() {
    let object = "table public.audit".to_owned();
    let incomplete = vec![Incomplete {
        object,
        why: "not replicated".to_owned(),
        ..Incomplete::default()
    }];
    let proof = Proof {
        tables: 8,
        incomplete,
        ..Proof::default()
    };
    let found = Standing {
        proof,
        lag_bytes: Some(0),
        retained_bytes: Some(56),
        ..Standing::default()
    };
    let view = looked(Ok(found));
    insta::assert_snapshot!(plain(&view));
    insta::assert_snapshot!(anstream::adapter::strip_str(&next_steps(&view, &view.name)).to_string());
    insta::assert_snapshot!(format!("{:#}", json::status(&view)));
    assert_eq!(view.exit_code(), ExitCode::Success);
}

#[test]
fn broken_replication_is_a_failure_whatever_the_journal_says() {
    let problem = Failure::new(Code::ApplyFailed, "the subscription is disabled")
        .with_side(Side::Target)
        .with_hint("see the target's log");
    let view = looked(Ok(Standing {
        problems: vec![problem],
        ..Standing::default()
    }));
    assert_eq!(
        (view.status, view.exit_code()),
        (Phase::Failed, ExitCode::MigrationFailed)
    );
    insta::assert_snapshot!(plain(&view));
    let lost = looked(Err(Failure::new(Code::SlotLost, "the slot is gone")));
    assert_eq!(lost.status, Phase::Failed);
}

#[test]
fn a_server_that_can_not_be_asked_leaves_the_journaled_state_and_says_so() {
    let refused = Failure::new(Code::ConnectionRefused, "Connection refused").with_side(Side::Target);
    let view = looked(Err(refused.clone()));
    assert_eq!(
        (view.status, view.exit_code()),
        (Phase::Done, ExitCode::Connection)
    );
    assert!(!view.databases[0].checked);
    assert_eq!(
        json::status(&view)["migration"]["migration_detail"][0]["checked"],
        false
    );
    let text = plain(&view);
    assert!(
        text.contains("not checked now\n  shop: as of 2026-11-22T17:00:00.000Z; target: Connection"),
        "{text}"
    );
    let view = self::view().unreachable(&refused);
    let unchecked: Vec<bool> = view.databases.iter().map(|d| d.unchecked.is_some()).collect();
    assert_eq!(unchecked, [true, true]);
    let copied = View {
        databases: view.databases.into_iter().skip(1).collect(),
        ..self::view()
    };
    assert_eq!(
        copied.exit_code(),
        ExitCode::Success,
        "a finished copy needs no server"
    );
}

#[test]
fn the_overall_method_is_empty_where_the_databases_differ() {
    assert_eq!(view().method(), "");
    let same = View {
        databases: view().databases.into_iter().take(1).collect(),
        ..view()
    };
    assert_eq!(same.method(), "replication");
}

#[test]
fn how_the_last_run_ended_is_said_to_who_asks() {
    let mut view = view();
    let failure = Failure::new(Code::CheckFailed, "1 finding stops the migration").with_hint("fix it");
    view.last_run = Some(LastRun::Failed(failure));
    let said = plain(&view);
    assert!(
        said.contains("the last run failed\n  1 finding stops the migration\n    hint: fix it\n"),
        "{said}"
    );
}

#[test]
fn who_works_and_at_what_is_said_instead_of_guessing() {
    let mut view = view();
    let runner = Runner {
        host: "h".to_owned(),
        pid: 7,
        user: "u".to_owned(),
        epoch: Epoch(1),
        command: "run".to_owned(),
        ..Runner::default()
    };
    let open = |here| {
        let runner = runner.clone();
        Some(LastRun::Open { runner, here })
    };
    view.last_run = open(true);
    assert!(plain(&view).contains(
        "the last run was killed\n  process 7 of u on host h has not ended in order; `pghaul run` continues\n"
    ));
    view.last_run = open(false);
    assert!(plain(&view).contains("which this host can't know"));
    let holder = Holder {
        pid: 7,
        host: "h".to_owned(),
        user: "u".to_owned(),
        since: NOW.to_owned(),
    };
    let work = Work {
        step: "copy".to_owned(),
        ..Work::default()
    };
    let progress = Published {
        databases: BTreeMap::from([(DatabaseName::from("shop"), work)]),
        ..Published::default()
    };
    view.worker = Some(Worker {
        holder: Some(holder),
        progress: Some(progress),
    });
    let said = plain(&view);
    assert!(
        said.contains(&format!(
            "at work\n  process 7 of u on host h, since {NOW}\n  shop: step copy\n"
        )),
        "{said}"
    );
    assert!(!said.contains("killed"));
}

#[test]
fn what_a_copy_lacks_is_said_with_the_way_to_get_it() {
    let written = Incomplete {
        object: "table public.t".to_owned(),
        why: "written on the source since 0/1: 3 rows".to_owned(),
        ..Incomplete::default()
    };
    let copied = pghaul_engine::standing::Copied {
        written: vec![written],
        lost: Vec::new(),
    };
    let of_stats = BTreeMap::from([(DatabaseName::from("stats"), Ok(copied))]);
    let said = plain(&view().with_copies(of_stats, NOW));
    assert!(
        said.contains("written on the source since it was copied\n  stats: table public.t: written on the source since 0/1: 3 rows\n    hint: `pghaul run --restart-data stats` copies it again\n"),
        "{said}"
    );
}
