//! `remove` does not leave a target behind that lacks something, unless it is told to.

use crate::migration::{Migration, assert_nothing_of_it_is_left};
use pghaul_testkit::compare::{Options, databases};
use pghaul_testkit::{Kind, fixtures, shared_pair};

/// The exit code of `remove` when it refuses.
const NOT_SAFE_TO_REMOVE: i32 = 8;

#[test]
fn what_is_incomplete_is_listed_and_removed_only_with_force() {
    let pair = shared_pair(Kind::Ordinary);
    let (source, target) = (&pair.source, &pair.target);
    let database = pair.fresh_database("refuses");
    fixtures::shop(source, &database);
    source.psql(
        &database,
        "create table visit (customer bigint references customer, page text);
         insert into visit select i, 'page ' || i from generate_series(1, 100) i",
    );
    let migration = Migration::of(source, target, &database);
    migration.run().succeeded();

    let refusal = migration.remove().failed_with(NOT_SAFE_TO_REMOVE);
    for listed in ["table public.visit", "foreign key visit_customer_fkey", "--force"] {
        assert!(
            refusal.stderr.contains(listed),
            "{listed:?} is missing\n{refusal}"
        );
    }
    // It refuses as a whole: everything still follows.
    assert_eq!(migration.status_of(&database)["status"], "syncing");
    source.psql(
        &database,
        "insert into customer (email) values ('late@example.org')",
    );
    migration.run().succeeded();
    assert_eq!(
        target.psql(
            &database,
            "select count(*) from customer where email like 'late@%'"
        ),
        "1"
    );

    migration.command(&["remove", "--force"]).run().succeeded();
    assert_eq!(migration.status()["status"], "removed");
    assert_nothing_of_it_is_left(&migration, pair, &database);
    let differences = databases((source, &database), (target, &database), &Options::default());
    let subjects: Vec<&str> = differences.iter().map(|one| one.subject.as_str()).collect();
    // All rows are there; only the foreign key that was held back is not.
    assert_eq!(subjects.len(), 1, "{differences:#?}");
    assert!(subjects[0].contains("visit_customer_fkey"), "{differences:#?}");
}
