//! Rows of 200 MB pass through pghaul, which holds none of them whole.

use crate::migration::Migration;
use pghaul_testkit::{Kind, compare, shared_pair};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(180);

/// What pghaul holds at most, whatever passes, in bytes.
const BOUND: u64 = 64 << 20;

/// One such row, and small ones.
const ROWS: &str = "
    create table wide (id int primary key, filling bytea);
    alter table wide alter filling set storage external;
    insert into wide select 1, convert_to(repeat('0123456789', 20000000), 'UTF8');
    create table narrow (id int primary key, word text);
    insert into narrow select n, 'word ' || n from generate_series(1, 1000) n;
";

#[test]
fn of_a_dump_are_never_held_whole() {
    moved_in_bounds("dump");
}

#[test]
fn of_an_initial_copy_are_never_held_whole() {
    moved_in_bounds("replication");
}

fn moved_in_bounds(method: &str) {
    let pair = shared_pair(Kind::Ordinary);
    let name = pair.fresh_database("large rows");
    pair.source.psql(&name, ROWS);
    let migration =
        Migration::of(&pair.source, &pair.target, &name).options(["--method", method, "--jobs", "1"]);
    let mut run = migration.with_options("run").spawn();
    let mut peak = 0;
    while run.is_running() {
        // Once it has ended, nobody knows.
        peak = run.peak_memory().unwrap_or(peak);
        std::thread::sleep(Duration::from_millis(20));
    }
    run.wait(PATIENCE).succeeded();
    compare::same(&pair.source, &pair.target, &name);
    println!("{method}: {} MB at most", peak / 1_000_000);
    assert!(peak > BOUND / 100, "{peak} bytes are too few to be true");
    assert!(peak < BOUND, "{peak} bytes, which is more than {BOUND}");
    migration.command(&["remove", "--force"]).run().succeeded();
}
