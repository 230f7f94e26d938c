//! Target databases that are not ours to write to.

use super::{completes, database, error, inventory, servers};
use crate::migration::Migration;
use pghaul_testkit::{ClusterPair, Settings, compare, identifier};

const CHECK_FAILED: i32 = 3;

#[test]
fn a_target_that_is_not_empty_is_refused_before_anything_is_created() {
    let pair = ClusterPair::start(Settings::new(), Settings::new());
    let (full, other) = (database(&pair, "full"), database(&pair, "other"));
    pair.source.psql("postgres", "create role newcomer");
    pair.target.create_database(&full);
    pair.target.psql(
        &full,
        "create table theirs (id int); insert into theirs values (7)",
    );
    let before = (inventory(&pair.target, &full), inventory(&pair.target, &other));
    let migration = Migration::of(&pair.source, &pair.target, &full).options(["--database", &other]);
    let outcome = migration.run();
    let text = error(&outcome, CHECK_FAILED, "check-failed");
    assert!(text.contains(&full) && text.contains("theirs"), "{outcome}");
    assert_eq!(
        (inventory(&pair.target, &full), inventory(&pair.target, &other)),
        before,
        "something was created"
    );
    assert_eq!(pair.target.psql(&full, "select id from theirs"), "7");

    pair.target
        .psql("postgres", &format!("drop database {}", identifier(&full)));
    completes(&migration, &pair, &full);
    compare::same(&pair.source, &pair.target, &other);
    assert!(inventory(&pair.target, &full).contains("role newcomer"));
}

#[test]
fn a_target_of_another_migration_is_refused() {
    let pair = servers();
    for method in ["replication", "dump"] {
        let name = database(pair, "taken");
        let first = Migration::of(&pair.source, &pair.target, &name).options(["--method", method]);
        first.run().succeeded();
        let before = (inventory(&pair.source, &name), inventory(&pair.target, &name));

        // The journal is on another machine, or lost: nothing is adopted.
        let second = Migration::of(&pair.source, &pair.target, &name).options(["--method", method]);
        let outcome = second.run();
        let text = error(&outcome, CHECK_FAILED, "check-failed");
        let expected = if method == "dump" {
            "is not empty"
        } else {
            "belongs to the migration"
        };
        assert!(text.contains(expected) && text.contains(&name), "{outcome}");
        assert_eq!(
            (inventory(&pair.source, &name), inventory(&pair.target, &name)),
            before
        );

        completes(&first, pair, &name);
    }
}
