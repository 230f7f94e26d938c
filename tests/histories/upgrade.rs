//! An earlier program begins on real servers, today's continues: to equal databases, with nothing left behind.
//!
//! A journal can't be carried to servers that were made anew, as it knows the identifiers of its own. So the earlier
//! program itself is needed, which takes minutes to build: `PGHAUL_OLD_BIN` names it, and `earlier.sh` builds it. Without it
//! nothing is tried here.

use crate::state::{Bench, SHOP, STATES, Stage, todays_program};
use pghaul_testkit::{compare, leftovers};
use std::path::PathBuf;

/// What the applications do meanwhile.
const CHANGES: &str = "
    insert into customer (name) values ('during the upgrade');
    update invoice set filling = 'changed' where id = 7;
    delete from shipment where id = 3;
    select nextval('ticket') from generate_series(1, 5);
";

fn earlier_program() -> Option<PathBuf> {
    let program = std::env::var_os("PGHAUL_OLD_BIN").filter(|program| !program.is_empty());
    if program.is_none() {
        println!("skipped: PGHAUL_OLD_BIN names no earlier program (tests/histories/earlier.sh builds one)");
    }
    program.map(PathBuf::from)
}

/// Where the earlier program has stopped in this state, today's takes over.
fn continued<'a>(bench: &'a Bench, state: &str) -> Stage<'a> {
    let (_, lead_to) = STATES.iter().find(|(name, _)| *name == state).expect("a state");
    println!("{state}");
    lead_to(bench).with_program(&todays_program())
}

/// Everything is on the target, and nothing of pghaul on either side.
fn is_moved(bench: &Bench) {
    let pair = &bench.pair;
    // What the views were computed from has changed; `remove` has refreshed those of the target.
    pair.source.psql(SHOP, "refresh materialized view names");
    compare::same(&pair.source, &pair.target, SHOP);
    assert_eq!(leftovers(&pair.source), [""; 0]);
    assert_eq!(leftovers(&pair.target), [""; 0]);
}

#[test]
fn a_replication_continues_from_every_state() {
    let Some(program) = earlier_program() else { return };
    let bench = Bench::new(&program);
    for (state, options) in [
        ("syncing-by-snapshot", &["--incomplete"][..]),
        ("syncing-by-server", &["--incomplete"]),
        ("replicating-before-rows", &[]),
        ("replicating-by-snapshot", &[]),
        ("replicating-by-server", &[]),
        ("replicating-second-generation", &[]),
        ("schema", &[]),
        ("restarting-data", &[]),
    ] {
        let stage = continued(&bench, state).source(CHANGES);
        stage.status_is(if state.starts_with("syncing") {
            "syncing"
        } else {
            ""
        });
        let stage = stage.complete(&[]).complete(&[]);
        stage.status_is("syncing");
        stage.removed(options);
        is_moved(&bench);
    }
}

#[test]
fn a_dump_continues() {
    let Some(program) = earlier_program() else { return };
    let bench = Bench::new(&program);
    let stage = continued(&bench, "dumping").complete(&[]);
    stage.status_is("done");
    stage.removed(&[]);
    is_moved(&bench);
    // What made it fall back was taken from the role after its privileges were read.
    let stage = continued(&bench, "fallen-back").removed(&[]);
    stage.target("revoke create on database shop from mover");
    is_moved(&bench);
}

#[test]
fn a_removal_continues() {
    let Some(program) = earlier_program() else { return };
    let bench = Bench::new(&program);
    let stage = continued(&bench, "removing").removed(&[]);
    stage.status_is("removed");
    is_moved(&bench);
}
