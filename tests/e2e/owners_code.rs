//! Functions of owners: when they run while a database is moved, on which server, and with whose rights.

use crate::migration::Migration;
use pghaul_testkit::{Cluster, ClusterPair, Settings};
use std::collections::BTreeSet;

const TABLES: [&str; 9] = [
    "defaulted",
    "generated",
    "checked",
    "of_domain",
    "indexed",
    "partitioned",
    "hidden",
    "ruled",
    "triggered",
];

/// What has run since the last look, each with the role whose rights it had: the functions log it.
fn ran(cluster: &Cluster, read: &mut usize) -> BTreeSet<String> {
    let log = cluster.log();
    let new = log.get(*read..).unwrap_or_default().to_owned();
    *read = log.len();
    let lines = new
        .lines()
        .filter_map(|line| Some(line.split_once("LOG:  ran: ")?.1.to_owned()));
    lines.collect()
}

/// One row more in each table, by the application.
fn add(source: &Cluster, row: u32) {
    let insert = |table: &&str| format!("insert into {table} (i) values ({row});");
    let rows: String = TABLES.iter().map(insert).collect();
    source.psql("d", &format!("set role app; {rows}"));
}

fn set(of: &[&str]) -> BTreeSet<String> {
    of.iter().map(|one| (*one).to_owned()).collect()
}

#[test]
fn code_of_owners_runs_with_these_rights_and_nowhere_on_the_source() {
    let ClusterPair { source, target } = &ClusterPair::start(Settings::new(), Settings::new().major(16));
    source.create_database("d");
    source.psql("d", include_str!("owners_code.sql"));
    add(source, 1);
    let migration = Migration::of(source, target, "d");
    let (mut of_source, mut of_target) = (0, 0);
    ran(source, &mut of_source);

    // What the check tries has the rights of nobody.
    migration.with_options("check").run();
    let tried = ran(target, &mut of_target);
    assert!(tried.contains("generated as pg_database_owner"), "{tried:?}");
    assert!(
        tried.iter().all(|one| one.ends_with(" as pg_database_owner")),
        "{tried:?}"
    );

    // Rows are copied, and what PostgreSQL builds for an owner is built with the owner's rights.
    let run = migration.with_options("run").args(["--no-rehearsal"]);
    let run = run.run().succeeded();
    assert!(
        format!("{}{}", run.stdout, run.stderr).contains("runs functions of other roles as superuser"),
        "{run}"
    );
    assert_eq!(ran(source, &mut of_source), set(&[]));
    let copied = [
        "exclusion as app",
        "generated as postgres",
        "index as app",
        "materialized view as app",
        "partition key as postgres",
        "predicate as app",
    ];
    assert_eq!(ran(target, &mut of_target), set(&copied));

    // Changes are applied with the rights of the tables' owners.
    add(source, 2);
    ran(source, &mut of_source);
    migration.run().succeeded();
    let applied = [
        "exclusion as app",
        "generated as app",
        "index as app",
        "predicate as app",
    ];
    assert_eq!(ran(target, &mut of_target), set(&applied));

    // The removal adds and validates the checks, and copies what was not replicated.
    migration.remove().succeeded();
    let removed = [
        "check as postgres",
        "domain as postgres",
        "partition key as postgres",
    ];
    let mut at_removal = ran(target, &mut of_target);
    at_removal.remove("materialized view as app");
    assert_eq!(at_removal, set(&removed));
    assert_eq!(ran(source, &mut of_source), set(&[]));
}

/// Waits, in the lock of a sequence, until pghaul waits for it; then a view has the sequence's name.
const SWAP: &str = "
    do $$ begin
        alter sequence counted increment 2;
        while not exists (select from pg_locks where relation = 'counted'::regclass and not granted) loop
            perform pg_sleep(0.02);
        end loop;
        alter sequence counted rename to other;
        create view counted as select public.ran('view', 1)::bigint as last_value, true as is_called;
    end $$";

#[test]
fn a_view_that_takes_the_name_of_a_sequence_is_not_read() {
    let ClusterPair { source, target } = &ClusterPair::start(Settings::new(), Settings::new());
    source.create_database("d");
    source.psql("d", include_str!("owners_code.sql"));
    source.psql("d", "set role app; create sequence counted");
    let mut of_source = 0;
    ran(source, &mut of_source);
    let swap = std::thread::scope(|scope| {
        let swap = scope.spawn(|| source.try_psql("d", &format!("set role app; {SWAP}")));
        let options = ["--method", "dump"];
        let migration = Migration::of(source, target, "d").options(options);
        let outcome = migration.run();
        assert!(!outcome.to_string().contains("error[bug]"), "{outcome}");
        swap.join().expect("the swap ended")
    });
    assert!(swap.is_ok(), "{swap:?}");
    // The swap itself has called operators.
    let ran = ran(source, &mut of_source);
    assert!(ran.iter().all(|one| one == "operator as app"), "{ran:?}");
}
