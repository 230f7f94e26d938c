//! Materialized views, which replication does not carry.

use crate::migration::{Migration, assert_nothing_of_it_is_left};
use pghaul_testkit::{Kind, compare, shared_pair};
use serde_json::Value;

const SCHEMA: &str = "
    create table sale (id int primary key, amount int);
    insert into sale select i, i from generate_series(1, 100) i;
    create materialized view total as select sum(amount) from sale;
    create materialized view doubled as select sum * 2 as twice from total;
    create materialized view empty as select 1 with no data";

#[test]
fn what_they_show_is_that_of_the_removal() {
    let pair = shared_pair(Kind::Ordinary);
    let (source, target) = (&pair.source, &pair.target);
    let database = pair.fresh_database("matviews");
    source.psql(&database, SCHEMA);
    let migration = Migration::of(source, target, &database);
    migration.run().succeeded();
    compare::same(source, target, &database);

    let change = "insert into sale values (101, 1000);
                  refresh materialized view total; refresh materialized view doubled";
    source.psql(&database, change);
    // Another run does not take the time that a refresh takes.
    migration.run().succeeded();
    assert_eq!(target.psql(&database, "select * from doubled"), "10100");
    assert_eq!(refreshes(&migration), 1);

    // What is made on the source later is not on the target.
    source.psql(&database, "create materialized view later as select 1");
    migration.command(&["remove", "--incomplete"]).run().succeeded();
    assert_eq!(refreshes(&migration), 2);
    source.psql(&database, "drop materialized view later");
    compare::same(source, target, &database);
    assert_nothing_of_it_is_left(&migration, pair, &database);
}

#[test]
fn a_forced_removal_sets_the_sequences_although_a_view_can_not_be_refreshed() {
    let pair = shared_pair(Kind::Ordinary);
    let (source, target) = (&pair.source, &pair.target);
    let database = pair.fresh_database("matviews");
    source.psql(&database, SCHEMA);
    source.psql(
        &database,
        "create sequence number; create materialized view ratio as select 1 / min(amount) from sale",
    );
    let migration = Migration::of(source, target, &database);
    migration.run().succeeded();
    source.psql(
        &database,
        "insert into sale values (0, 0); select setval('number', 4711)",
    );
    let refused = migration.remove();
    assert!(refused.stderr.contains("division by zero"), "{refused}");
    migration.run().succeeded();
    migration.command(&["remove", "--force"]).run().succeeded();
    assert_eq!(target.psql(&database, "select last_value from number"), "4711");
    assert_nothing_of_it_is_left(&migration, pair, &database);
}

/// How often the step has finished.
fn refreshes(migration: &Migration) -> usize {
    let events = migration.events();
    let finished = |event: &&Value| event["step"] == "matviews" && event["kind"] == "step_finished";
    events.iter().filter(finished).count()
}
