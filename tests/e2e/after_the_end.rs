//! When a migration is over, what was left incomplete stays known, and what is on the target is no obstacle.

use crate::migration::Migration;
use pghaul_testkit::{Kind, compare, shared_pair};

#[test]
fn a_finished_migration_is_not_begun_again_over_what_is_in_use() {
    let pair = shared_pair(Kind::Ordinary);
    let database = pair.fresh_database("finished");
    pair.source.psql(
        &database,
        "create table book (id int primary key); create table log (line text); insert into book values (1)",
    );
    let migration = Migration::of(&pair.source, &pair.target, &database).options(["--method", "replication"]);
    migration.run().succeeded();
    let remove = ["remove", "--accept-incomplete", "table public.log"];
    migration.command(&remove).run().succeeded();
    let incomplete = || migration.status_of(&database)["incomplete"].to_string();
    assert!(incomplete().contains("public.log"), "{}", incomplete());
    let status = migration.command(&["status"]).run().succeeded();
    assert!(
        status.stdout.contains("left incomplete when it was removed"),
        "{status}"
    );

    pair.target.psql(&database, "insert into book values (2)");
    let again = migration.run().succeeded();
    assert!(
        again.stdout.contains("is removed: there is nothing to do"),
        "{again}"
    );
    assert!(again.stderr.contains("--name"), "{again}");
    let named = migration
        .with_options("run")
        .args(["--name", "once-more"])
        .run()
        .failed_with(3);
    for outcome in [&again, &named] {
        assert!(!outcome.stderr.contains("DROP DATABASE"), "{outcome}");
        assert!(!outcome.stdout.contains("DROP DATABASE"), "{outcome}");
    }
    assert_eq!(pair.target.psql(&database, "select count(*) from book"), "2");

    // Without the database on the target, it is a migration like any other.
    migration
        .command(&["remove", "--name", "once-more", "--force"])
        .run()
        .succeeded();
    pair.target.psql("postgres", &format!("drop database {database}"));
    migration.run().succeeded();
    compare::same(&pair.source, &pair.target, &database);
    migration.command(&["remove", "--force"]).run().succeeded();
}
