//! One migration under load, of which forty runs are killed.

use crate::kills::killed_and_looked_at;
use crate::migration::{Migration, assert_nothing_is_left};
use pghaul_testkit::{ClusterPair, Load, Settings, compare};
use std::time::Duration;

const KILLS: u32 = 40;

/// What the move takes without kills on a fast machine.
const EXPECTED: Duration = Duration::from_millis(1500);

/// Slots of pghaul's that may be there at any time: one is abandoned before the next is made, but not yet dropped.
const SLOTS: usize = 2;

/// A dozen tables with keys, of different sizes.
const TABLES: &str = "
    do $$ begin
        for t in 1 .. 12 loop
            execute format('create table t%s (id int primary key, n int not null default 0, filler text)', t);
            execute format('insert into t%s select n, 0, repeat(md5(n::text), 4) from generate_series(1, %s) n', t, t * 400);
            execute format('create index on t%s (n)', t);
        end loop;
    end $$";

const CHANGES: &str = "
    \\set x random(1, 400)
    begin;
    update t1 set n = n + 1 where id = :x;
    update t12 set n = n - 1, filler = filler || 'x' where id = :x;
    end;
    insert into t3 values (:x + 100000) on conflict (id) do update set n = t3.n + 1;
    delete from t3 where id = :x + 100000 and n > 2;
    update t7 set id = -id where id in (:x, -:x);
";

#[test]
fn forty_kills() {
    let pair = ClusterPair::start(Settings::new(), Settings::new());
    let database = pair.fresh_database("forty");
    pair.source.psql(&database, TABLES);
    let load = Load::with_script_at(&pair.source, &database, CHANGES, 100);
    let migration = Migration::of(&pair.source, &pair.target, &database).options(["--method", "replication"]);
    let run = migration.with_options("run");
    killed_and_looked_at(&run, EXPECTED, KILLS, || {
        let slots = "select slot_name from pg_replication_slots where slot_name like 'pghaul%'";
        let slots = pair.source.rows("postgres", slots);
        assert!(
            slots.len() <= SLOTS,
            "more slots than one and its successor: {slots:?}"
        );
    });
    let report = load.stop();
    assert_eq!(report.errors, 0, "the application noticed: {}", report.messages);
    println!("{KILLS} kills, {} transactions meanwhile", report.transactions);
    migration.run().succeeded();
    the_journal_shows_each_kill(&migration);
    compare::same(&pair.source, &pair.target, &database);
    migration.remove().succeeded();
    compare::same(&pair.source, &pair.target, &database);
    assert_nothing_is_left(&pair.source, &pair.target);
}

/// A run that is killed can't write that: the next one does.
fn the_journal_shows_each_kill(migration: &Migration) {
    let (mut working, mut kills) = (false, 0);
    for event in migration.events() {
        match event["kind"].as_str() {
            Some("runner_started") => {
                assert_eq!(event["payload"]["last_unended"] == true, working, "{event:#}");
                kills += u32::from(working);
                working = true;
            }
            Some("runner_stopped") => working = false,
            _ => {}
        }
    }
    assert!((1..=KILLS).contains(&kills), "{kills} kills");
}
