//! `run --restart-data`: what can't go on is copied again by the same migration, and nothing else is.

use crate::failures::{await_copy, drop_slot};
use crate::migration::{Migration, assert_nothing_is_left};
use pghaul_testkit::{ClusterPair, Load, Settings, compare, wait_until};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(90);

/// Partitions, a reference to them, a trigger that must not fire, a table without a key.
const ROWS: &str = "
    create table book (id int primary key, title text);
    insert into book select n, 'book ' || n from generate_series(1, 500) n;
    create table sale (id int, year int, book int references book, primary key (id, year)) partition by list (year);
    create table sale_1 partition of sale for values in (1);
    create table sale_2 partition of sale for values in (2);
    insert into sale select n, 1 + n % 2, n from generate_series(1, 300) n;
    create table note (id int primary key, sale int, year int, text text, foreign key (sale, year) references sale (id, year));
    create table log as select n from generate_series(1, 100) n;
    create table emptied (what text primary key);
    create function tell() returns trigger language plpgsql as
        $$ begin insert into emptied values (tg_table_name); return null; end $$;
    create trigger tell after truncate on book execute function tell();
    create materialized view titles as select count(*) from book;
";

/// Writes enough that a slot that may keep 2 MB is lost.
const NOISE: &str = "
    create table noise as select repeat(md5(n::text), 100) from generate_series(1, 20000) n;
    drop table noise; select pg_switch_wal(); checkpoint;
";

fn in_step() -> (ClusterPair, Migration) {
    let small = Settings::new()
        .major(15)
        .set("max_slot_wal_keep_size", "2MB")
        .set("min_wal_size", "32MB");
    let pair = ClusterPair::start(small, Settings::new().major(15));
    pair.source.create_database("shop");
    pair.source.psql("shop", ROWS);
    let migration = Migration::of(&pair.source, &pair.target, "shop").options(["--method", "replication"]);
    migration.run().succeeded();
    (pair, migration)
}

/// Stops the target until the source has given the slot up.
fn lose_the_slot(pair: &ClusterPair) {
    pair.target.stop(pghaul_testkit::Stop::Fast);
    wait_until("the slot is lost", PATIENCE, || {
        for statement in NOISE.split(';').map(str::trim).filter(|s| !s.is_empty()) {
            pair.source.psql("postgres", statement);
        }
        pair.source
            .psql("postgres", "select wal_status from pg_replication_slots")
            == "lost"
    });
    pair.target.start_again();
}

#[test]
fn a_lost_slot_is_named_and_the_data_is_copied_again_only_when_asked_for() {
    let (pair, migration) = in_step();
    let healthy = migration
        .with_options("run")
        .args(["--restart-data", "shop"])
        .run()
        .failed_with(2);
    assert!(healthy.stderr.contains("nothing is wrong"), "{healthy}");
    lose_the_slot(&pair);
    pair.source.psql("shop", "insert into book values (1000, 'late')");
    for _ in 0..2 {
        let outcome = migration.run().failed_with(10);
        assert!(outcome.stderr.contains("error[slot-lost]"), "{outcome}");
        assert!(outcome.stderr.contains("--restart-data"), "{outcome}");
    }
    let doctor = migration.command(&["doctor"]).run().failed_with(12);
    assert!(doctor.stdout.contains("has lost WAL"), "{doctor}");

    let load = Load::with_script(
        &pair.source,
        "shop",
        "update book set title = title || '.' where id = 1 + (random() * 400)::int;",
    );
    let restart = migration.with_options("run").args(["--restart-data", "shop"]);
    restart.run().succeeded();
    assert_eq!(load.stop().errors, 0, "the source's application saw an error");
    migration.run().succeeded();
    for cluster in [&pair.source, &pair.target] {
        cluster.psql("shop", "refresh materialized view titles");
    }
    compare::same(&pair.source, &pair.target, "shop");
    let kinds: Vec<_> = migration
        .events()
        .into_iter()
        .map(|e| e["kind"].clone())
        .collect();
    assert!(kinds.contains(&"discard_started".into()) && kinds.contains(&"data_discarded".into()));
    migration.command(&["remove", "--force"]).run().succeeded();
    assert_nothing_is_left(&pair.source, &pair.target);
}

#[test]
fn a_restart_that_is_killed_anywhere_goes_on_with_a_plain_run() {
    let (pair, migration) = in_step();
    lose_the_slot(&pair);
    migration.run().failed_with(10);
    let restart = migration.with_options("run").args(["--restart-data", "shop"]);
    // Each run goes a little further than the one before; the first plain run goes to the end.
    let mut killed = 0;
    for position in (6..90).step_by(13) {
        let run = if killed == 0 {
            restart.clone()
        } else {
            migration.with_options("run")
        };
        let outcome = run.env("PGHAUL_CRASH_AT", position.to_string()).run();
        if outcome.status.code().is_some() {
            break;
        }
        killed += 1;
        if position == 32 {
            // In the middle, somebody gives up and thinks better of it.
            migration.remove().failed_with(8);
        }
    }
    assert!(killed > 3, "only {killed} runs were killed");
    migration.run().succeeded();
    migration.run().succeeded();
    compare::same(&pair.source, &pair.target, "shop");
    migration.command(&["remove", "--force"]).run().succeeded();
    assert_nothing_is_left(&pair.source, &pair.target);
}

/// What the schema holds back for replication would be missing after a dump.
#[test]
fn data_that_were_given_up_are_not_dumped_when_replication_is_impossible_by_then() {
    const PASSWORD: &str = "moves things";
    let pair = ClusterPair::start(Settings::new(), Settings::new());
    pair.source.psql(
        "postgres",
        &format!("create role mover login replication password '{PASSWORD}'"),
    );
    pair.source.psql("postgres", "create database shop owner mover");
    pair.source.psql(
        "shop",
        "set role mover; create table book (id int primary key, title text);
         insert into book select n, 'book ' || n from generate_series(1, 500) n",
    );
    let source = pair.source.conninfo_as("mover", PASSWORD, "shop");
    let migration = Migration::between(&source, &pair.target.conninfo("postgres"));
    migration.run().succeeded();
    assert_eq!(migration.status_of("shop")["method"], "replication");
    let subscription = pair.target.psql("shop", "select subname from pg_subscription");
    drop_slot(&pair, "shop", &subscription);
    pair.source.psql("postgres", "alter role mover noreplication");
    let restart = migration.with_options("run").args(["--restart-data", "shop"]);
    let refused = restart.run().failed_with(9);
    assert!(
        refused.stderr.contains("error[replication-impossible]"),
        "{refused}"
    );
    let events = migration.events();
    let any = |kind: &str| events.iter().any(|event| event["kind"] == kind);
    assert!(any("data_discarded") && !any("fell_back"), "{refused}");

    pair.source.psql("postgres", "alter role mover replication");
    migration.run().succeeded();
    compare::same(&pair.source, &pair.target, "shop");
    migration.remove().succeeded();
    assert_nothing_is_left(&pair.source, &pair.target);
}

/// A foreign key of the first copy that was not validated yet has to wait until both of its tables are copied again.
#[test]
fn a_foreign_key_without_a_look_at_its_rows_survives_a_restart() {
    let pair = ClusterPair::start(Settings::new(), Settings::new());
    pair.source.create_database("shop");
    pair.source.psql(
        "shop",
        "create table book (id int primary key, filler text);
         insert into book select n, repeat('x', 100) from generate_series(1, 150000) n;
         create table sale (id int primary key, what int references book);
         insert into sale select n, 1 + n % 150000 from generate_series(1, 1200000) n",
    );
    let migration = Migration::of(&pair.source, &pair.target, "shop").options(["--method", "replication"]);
    let unvalidated = || {
        let sql = "select count(*) from pg_constraint where contype = 'f' and not convalidated";
        pair.target.try_psql("shop", sql).unwrap_or_default()
    };
    let run = migration.with_options("run").spawn();
    wait_until("the foreign key is there", PATIENCE, || unvalidated() == "1");
    run.kill9();
    assert_eq!(unvalidated(), "1", "it was validated before the kill");

    let restart = migration.with_options("run").args(["--restart-data", "shop"]);
    let run = restart.args(["--jobs", "1", "--rate-limit", "8MB"]).spawn();
    await_copy(&pair.target, "shop", "book");
    run.kill9();
    let copied = "select (select count(*) > 0 from sale), (select count(*) = 0 from book)";
    assert_eq!(pair.target.psql("shop", copied), "t|t", "one is complete");
    migration.run().succeeded();
    assert_eq!(unvalidated(), "0");
    migration.run().succeeded();
    compare::same(&pair.source, &pair.target, "shop");
    migration.remove().succeeded();
    assert_nothing_is_left(&pair.source, &pair.target);
}

#[test]
fn what_was_never_copied_or_is_dumped_is_not_restarted() {
    let pair = ClusterPair::start(Settings::new(), Settings::new());
    pair.source.create_database("shop");
    pair.source.psql("shop", "create table book (id int primary key)");
    let migration = Migration::of(&pair.source, &pair.target, "shop").options(["--method", "dump"]);
    let died = migration.with_options("run").env("PGHAUL_CRASH_AT", "40").run();
    assert!(died.status.code().is_none(), "it did not die\n{died}");
    for database in ["shop", "sh"] {
        let run = migration.with_options("run").args(["--restart-data", database]);
        let outcome = run.run().failed_with(2);
        assert!(outcome.stderr.contains("can't be restarted"), "{outcome}");
    }
    migration.run().succeeded();
    compare::same(&pair.source, &pair.target, "shop");
}
