//! Sequences: every one that can be set is, and what is in the way of another is named with what helps.

use crate::migration::Migration;
use pghaul_testkit::postgres::client_from;
use pghaul_testkit::{ClusterPair, Kind, Settings, compare, shared_pair};
use serde_json::json;
use std::path::Path;

/// The exit code of `remove` when it refuses.
const NOT_SAFE_TO_REMOVE: i32 = 8;

const SEQUENCES: &str = "
    create table book (id serial primary key);
    create sequence small as smallint;
    create sequence renamed;
    create sequence moved;
    create sequence untouched;
    create sequence restarted;
    create sequence back increment -2 maxvalue 100 start 100;
    create schema stock;
    insert into book default values;
";

/// What happens to the sequences while the database follows.
const CHANGES: &str = "
    insert into book select from generate_series(1, 99);
    alter sequence small as bigint;
    select setval('small', 100000);
    alter sequence renamed rename to renamed_since;
    alter sequence moved set schema stock;
    select nextval('renamed_since'), nextval('stock.moved'), nextval('back'), nextval('back');
    create sequence made_since start 7;
    alter sequence restarted restart with 4711;
";

fn replicated(pair: &ClusterPair, database: &str) -> Migration {
    let pg_dump = client_from("pg_dump", pair.source.major());
    Migration::of(&pair.source, &pair.target, database)
        .options(["--method", "replication"])
        .env("PGHAUL_PG_DUMP", pg_dump.to_str().expect("a path in UTF-8"))
}

fn sequences_that_change(pair: &ClusterPair) {
    let database = pair.fresh_database("sequences");
    pair.source.psql(&database, SEQUENCES);
    let migration = replicated(pair, &database);
    migration.run().succeeded();
    pair.source.psql(&database, CHANGES);
    let refusal = migration.remove().failed_with(NOT_SAFE_TO_REMOVE);
    for named in [
        "sequence public.small: ",
        "sequence public.renamed_since: ",
        "sequence stock.moved: ",
        "CREATE SEQUENCE \"public\".\"made_since\" AS bigint",
    ] {
        assert!(
            refusal.stderr.contains(named) || named.contains("small"),
            "{named}\n{refusal}"
        );
    }
    assert!(!refusal.stderr.contains("drop the target database"), "{refusal}");
    // A run sets the others, and goes on.
    let run = migration.run().succeeded();
    assert!(
        run.stdout
            .contains("ALTER SEQUENCE \"public\".\"small\" AS bigint"),
        "{run}"
    );
    let at = |sequence: &str| {
        pair.target.psql(
            &database,
            &format!("select last_value, is_called from {sequence}"),
        )
    };
    assert_eq!(at("book_id_seq"), "100|t");
    assert_eq!(at("back"), "98|t");
    assert_eq!(at("untouched"), "1|f");
    assert_eq!(at("restarted"), "4711|f");

    // With what is advised, nothing is incomplete any more but what only the target has by now.
    let advised = run.stdout.lines().filter_map(|line| {
        let (_, statement) = line.split_once("on the target: ")?;
        statement.split_once("; then").map(|(statement, _)| statement)
    });
    for statement in advised {
        pair.target.psql(&database, statement);
    }
    migration.run().succeeded();
    let refusal = migration.remove().failed_with(NOT_SAFE_TO_REMOVE);
    for named in [
        "sequence public.renamed: was dropped or renamed",
        "sequence public.moved: was dropped or renamed",
    ] {
        assert!(refusal.stderr.contains(named), "{named}\n{refusal}");
    }
    pair.target.psql(&database, "drop sequence renamed, moved");
    migration.remove().succeeded();
    for (sequence, value) in [
        ("small", "100000|t"),
        ("renamed_since", "1|t"),
        ("stock.moved", "1|t"),
        ("made_since", "7|f"),
    ] {
        assert_eq!(at(sequence), value, "{sequence}");
    }
}

#[test]
fn one_that_can_not_be_set_is_named_and_the_others_are_set() {
    sequences_that_change(shared_pair(Kind::Ordinary));
}

#[test]
fn also_where_they_are_read_by_their_oids() {
    sequences_that_change(shared_pair(Kind::Versions(18, 18)));
}

/// Adds an extension to an installation, with a sequence and a table that it marks as configuration.
fn has_extension(pair: &ClusterPair) -> bool {
    let directory = pair.source.psql(
        "postgres",
        "select setting || '/extension' from pg_config where name = 'SHAREDIR'",
    );
    let write = |name: &str, text: &str| std::fs::write(Path::new(&directory).join(name), text);
    write("pghaul_ticket.control", "default_version = '1.0'\n").is_ok()
        && write(
            "pghaul_ticket--1.0.sql",
            "create sequence ticket_number; select pg_extension_config_dump('ticket_number', '');
             create table ticket (id serial primary key); select pg_extension_config_dump('ticket', '');",
        )
        .is_ok()
}

#[test]
fn one_that_an_extension_marks_as_configuration_gets_its_value() {
    let pair = ClusterPair::start(Settings::new(), Settings::new());
    if !has_extension(&pair) {
        println!("skipped: the directory of extensions can't be written to");
        return;
    }
    for method in ["replication", "dump"] {
        let database = pair.fresh_database("ticket");
        pair.source.psql(
            &database,
            "create table t (id int primary key); create extension pghaul_ticket; select setval('ticket_number', 4711);
             insert into ticket select from generate_series(1, 3)",
        );
        let migration = Migration::of(&pair.source, &pair.target, &database).options(["--method", method]);
        migration.run().succeeded();
        migration.remove().succeeded();
        // That of a column of such a table too, although the extension does not mark it: its rows are there.
        let next = "select last_value from ticket_number; insert into ticket default values returning id";
        assert_eq!(pair.target.psql(&database, next), "4711\n4", "{method}");
    }
}

const USED: &str = "
    create table book (id serial primary key);
    create sequence behind;
    create sequence further;
    create sequence down increment -1;
    create sequence around maxvalue 10 cycle;
    create sequence restarted;
    select setval(s, 20) from unnest(array['behind', 'further']) s;
    select setval('restarted', 500), setval('around', 5), setval('down', -20);
    insert into book select from generate_series(1, 9)";

/// The applications use the target before the removal. What they were given is never given out again, and where nobody was,
/// both sides are equal, also when the source's went back.
fn sequences_of_a_target_in_use(pair: &ClusterPair) {
    let database = pair.fresh_database("in_use");
    pair.source.psql(&database, USED);
    let migration = replicated(pair, &database);
    migration.run().succeeded();
    // Nothing has moved: nothing is said.
    migration.run().succeeded();
    assert_eq!(migration.status_of(&database)["incomplete"], json!([]));
    pair.target.psql(
        &database,
        "select nextval('behind'), nextval('further'), nextval('down'), nextval('around') from generate_series(1, 3)",
    );
    pair.source.psql(
        &database,
        "alter sequence restarted restart; select setval('further', 100), nextval('around'), nextval('behind');
         insert into book default values",
    );
    let at = |sequence: &str| {
        pair.target.psql(
            &database,
            &format!("select last_value, is_called from {sequence}"),
        )
    };
    let is_right = || {
        for (sequence, position) in [
            ("behind", "23|t"),
            ("further", "100|t"),
            ("down", "-23|t"),
            ("around", "8|t"),
            ("restarted", "1|f"),
            ("book_id_seq", "10|t"),
        ] {
            assert_eq!(at(sequence), position, "{sequence}");
        }
    };
    let run = migration.run().succeeded();
    is_right();
    for said in [
        "4 objects in 1 database",
        "sequence public.behind: it was moved on the target, by something other than pghaul, to 23, and stays there",
        "sequence public.further: it was moved on the target, by something other than pghaul, to 23; it is set to",
    ] {
        let text = run.stdout.clone() + &run.stderr;
        assert!(text.contains(said), "{said}\n{run}");
    }
    assert!(
        !run.stdout.contains("--incomplete"),
        "nothing is left to do\n{run}"
    );
    // So the data are not given up for it.
    let restart = migration.with_options("run").args(["--restart-data", &database]);
    let refused = restart.run().failed_with(2);
    assert!(refused.stderr.contains("nothing is wrong with it"), "{refused}");
    // What was set further is used on the target all the same.
    pair.source.psql(&database, "alter sequence further restart");
    migration.remove().succeeded();
    is_right();
    let status = migration.status_of(&database);
    let kept = status["incomplete"].as_array().expect("a list");
    let names: Vec<&str> = kept.iter().filter_map(|item| item["object"].as_str()).collect();
    assert_eq!(
        names,
        ["around", "behind", "down", "further"].map(|name| format!("sequence public.{name}"))
    );
    assert!(kept.iter().all(|item| item["kept"] == true), "{status:#}");
}

#[test]
fn one_that_the_target_uses_never_goes_back() {
    sequences_of_a_target_in_use(shared_pair(Kind::Ordinary));
}

#[test]
fn nor_where_they_are_read_by_their_oids() {
    sequences_of_a_target_in_use(shared_pair(Kind::Versions(18, 18)));
}

/// Killed around the note and the setting, pghaul still knows its own values.
#[test]
fn a_kill_makes_none_look_used() {
    let pair = shared_pair(Kind::Ordinary);
    let database = pair.fresh_database("killed");
    pair.source
        .psql(&database, "create sequence s; create sequence t cycle");
    let migration = Migration::of(&pair.source, &pair.target, &database).options(["--method", "replication"]);
    migration.run().succeeded();
    let set = |value: u64| {
        let sql = format!("select setval('s', {value}), setval('t', {value})");
        pair.source.psql(&database, &sql);
    };
    set(1000);
    let counted = migration.with_options("run").env("PGHAUL_CRASH_AT", "count");
    let counted = counted.env("PGHAUL_LOG", "warn,pghaul_step::fault=trace").run();
    let places = counted
        .stderr
        .lines()
        .filter(|line| line.contains("fault position "));
    let about = places.enumerate().filter(|(_, line)| line.contains(" sequences"));
    let positions: Vec<usize> = about.map(|(place, _)| place + 1).collect();
    assert_eq!(
        positions.len(),
        4,
        "before and after the note and the setting\n{counted}"
    );
    for position in positions {
        set(900 - position as u64);
        let run = migration.with_options("run");
        let outcome = run.env("PGHAUL_CRASH_AT", position.to_string()).run();
        assert_eq!(outcome.status.code(), None, "it is killed\n{outcome}");
    }
    set(500);
    migration.remove().succeeded();
    assert_eq!(migration.status_of(&database)["incomplete"], json!([]));
    compare::same(&pair.source, &pair.target, &database);
}

/// A dump ends with nothing of pghaul's on the target: what it has set is in the journal.
#[test]
fn a_dump_that_is_copied_again_does_not_set_used_ones_back() {
    let pair = shared_pair(Kind::Ordinary);
    let database = pair.fresh_database("dumped_again");
    pair.source.psql(&database, USED);
    let migration = Migration::of(&pair.source, &pair.target, &database).options(["--method", "dump"]);
    migration.run().succeeded();
    pair.target.psql(
        &database,
        "select nextval('behind'), nextval('further') from generate_series(1, 3)",
    );
    pair.source.psql(
        &database,
        "alter sequence restarted restart; alter sequence around restart; select setval('further', 100), nextval('behind')",
    );
    let again = migration.with_options("run").args(["--restart-data", &database]);
    again.run().succeeded();
    let at = "select (select last_value from behind), (select last_value from further),
                     (select last_value from restarted), (select last_value from around)";
    assert_eq!(pair.target.psql(&database, at), "23|100|1|1");
    migration.remove().succeeded();
    let status = migration.status_of(&database);
    assert_eq!(status["incomplete"][0]["kept"], true, "{status:#}");
}
