//! Sequences: every one that can be set is, and what is in the way of another is named with what helps.

use crate::migration::Migration;
use pghaul_testkit::postgres::client_from;
use pghaul_testkit::{ClusterPair, Kind, Settings, shared_pair};
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

fn sequences_that_change(pair: &ClusterPair) {
    let database = pair.fresh_database("sequences");
    pair.source.psql(&database, SEQUENCES);
    let pg_dump = client_from("pg_dump", pair.source.major());
    let migration = Migration::of(&pair.source, &pair.target, &database)
        .options(["--method", "replication"])
        .env("PGHAUL_PG_DUMP", pg_dump.to_str().expect("a path in UTF-8"));
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

/// Adds an extension to an installation, whose only object is a sequence that it marks as configuration.
fn has_extension(pair: &ClusterPair) -> bool {
    let directory = pair.source.psql(
        "postgres",
        "select setting || '/extension' from pg_config where name = 'SHAREDIR'",
    );
    let write = |name: &str, text: &str| std::fs::write(Path::new(&directory).join(name), text);
    write("pghaul_ticket.control", "default_version = '1.0'\n").is_ok()
        && write(
            "pghaul_ticket--1.0.sql",
            "create sequence ticket_number; select pg_extension_config_dump('ticket_number', '');",
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
            "create table t (id int primary key); create extension pghaul_ticket; select setval('ticket_number', 4711)",
        );
        let migration = Migration::of(&pair.source, &pair.target, &database).options(["--method", method]);
        migration.run().succeeded();
        migration.remove().succeeded();
        assert_eq!(
            pair.target
                .psql(&database, "select last_value from ticket_number"),
            "4711",
            "{method}"
        );
    }
}
