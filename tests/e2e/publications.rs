//! Whatever happens to the tables of a database that is followed: where rows may differ, `syncing` is not claimed, and no
//! removal ends well.

use crate::migration::Migration;
use pghaul_testkit::{Cluster, ClusterPair, Kind, Settings, compare, shared_pair};
use std::collections::BTreeSet;

/// The exit code of `remove` when it refuses.
const NOT_SAFE_TO_REMOVE: i32 = 8;
/// The exit code of `status` where a database failed.
const FAILED: i32 = 9;

/// A thing that happens to a table: on which side, by which statements, and the code that names it.
struct Change {
    table: &'static str,
    of: &'static str,
    side: Side,
    statements: &'static str,
    code: &'static str,
}

#[derive(Clone, Copy, PartialEq)]
enum Side {
    Source,
    Target,
}
use Side::{Source, Target};

const PLAIN: &str = "create table TABLE (id int primary key, v numeric(10,2));
    insert into TABLE select i, i from generate_series(1, 20) i;";
const TREE: &str = "create table TABLE (k int, id int, v text, primary key (k, id)) partition by list (k);
    create table TABLE_1 partition of TABLE for values in (1);
    create table TABLE_2 partition of TABLE for values in (2);
    insert into TABLE select 1 + i % 2, i, 'x' from generate_series(1, 20) i;";
const DEEP: &str = "create table TABLE (k int, id int, primary key (k, id)) partition by list (k);
    create table TABLE_sub partition of TABLE for values in (1, 2) partition by list (k);
    create table TABLE_1 partition of TABLE_sub for values in (1);
    create table TABLE_2 partition of TABLE_sub for values in (2);
    insert into TABLE select 1 + i % 2, i from generate_series(1, 20) i;";

/// A change of a table that is published by itself.
const fn plain(table: &'static str, side: Side, statements: &'static str, code: &'static str) -> Change {
    let of = PLAIN;
    Change {
        table,
        of,
        side,
        statements,
        code,
    }
}

/// A change of a tree that is published as its root.
const fn tree(table: &'static str, of: &'static str, statements: &'static str, code: &'static str) -> Change {
    Change {
        table,
        of,
        side: Source,
        statements,
        code,
    }
}

/// What happens on any version.
const CHANGES: &[Change] = &[
    plain(
        "moved",
        Source,
        "create schema archive; alter table moved set schema archive",
        "table-renamed",
    ),
    plain(
        "renamed",
        Source,
        "alter table renamed rename to other_name",
        "table-renamed",
    ),
    plain(
        "recreated",
        Source,
        "drop table recreated; create table recreated (id int primary key, v numeric(10,2))",
        "table-recreated",
    ),
    plain("dropped", Source, "drop table dropped", "table-dropped"),
    plain(
        "typed",
        Source,
        "alter table typed alter v type numeric(10,4)",
        "column-changed",
    ),
    plain(
        "typed_there",
        Target,
        "alter table typed_there alter v type numeric(10,4)",
        "column-changed",
    ),
    plain(
        "computed",
        Source,
        "alter table computed alter v type numeric(10,2) using v * 100",
        "table-rewritten",
    ),
    plain(
        "computed_there",
        Target,
        "alter table computed_there alter v type numeric(10,2) using v * 100",
        "table-rewritten",
    ),
    plain(
        "computed_and_more",
        Source,
        "alter table computed_and_more alter v type numeric(10,2) using v * 100, alter v set not null",
        "table-rewritten",
    ),
    plain(
        "computed_and_more_there",
        Target,
        "alter table computed_and_more_there alter v type numeric(10,2) using v * 100, alter v set statistics 7",
        "table-rewritten",
    ),
    plain(
        "replaced",
        Source,
        "alter table replaced drop column v; alter table replaced add column v numeric(10,2)",
        "column-changed",
    ),
    plain(
        "taken_out",
        Source,
        "PUBLICATION drop table taken_out",
        "publication-changed",
    ),
    plain(
        "put_back",
        Source,
        "PUBLICATION drop table put_back; PUBLICATION add table only put_back",
        "publication-changed",
    ),
    plain(
        "renamed_there",
        Target,
        "alter table renamed_there rename to other_name_there",
        "table-renamed",
    ),
    plain(
        "recreated_there",
        Target,
        "drop table recreated_there; create table recreated_there (id int primary key, v numeric(10,2))",
        "table-recreated",
    ),
];

/// Two tables that swap names are named both.
const SWAPPED: &str =
    "alter table A rename to aside; alter table B rename to A; alter table aside rename to B";

/// What happens to trees that are published as their roots.
const OF_ROOTS: &[Change] = &[
    tree(
        "detached",
        TREE,
        "alter table detached detach partition detached_1",
        "partition-detached",
    ),
    tree(
        "detached_deep",
        DEEP,
        "alter table detached_deep_sub detach partition detached_deep_1",
        "partition-detached",
    ),
    tree(
        "detached_and_back",
        TREE,
        "alter table detached_and_back detach partition detached_and_back_1;
        insert into detached_and_back_1 values (1, 99);
        alter table detached_and_back attach partition detached_and_back_1 for values in (1)",
        "partition-detached",
    ),
    tree("dropped_leaf", TREE, "drop table dropped_leaf_2", "table-dropped"),
    tree(
        "moved_leaf",
        TREE,
        "create schema leaves; alter table moved_leaf_2 set schema leaves",
        "table-renamed",
    ),
    tree("emptied_leaf", TREE, "truncate emptied_leaf_1", "table-rewritten"),
    tree(
        "not_logged",
        TREE,
        "alter table not_logged_1 set unlogged",
        "publication-changed",
    ),
];

/// Two columns that are added to both sides, by statements that compute their values.
const ADDED: &[(&str, &str)] = &[
    (
        "added_random",
        "alter table added_random add column r float8 default random()",
    ),
    (
        "added_now",
        "alter table added_now add column at timestamptz default clock_timestamp()",
    ),
];

fn subscribed(cluster: &Cluster, database: &str) -> String {
    let sql = "select pubname from pg_publication";
    cluster.psql(database, sql)
}

fn apply(pair: &ClusterPair, database: &str, change: &Change) {
    let cluster = if change.side == Source {
        &pair.source
    } else {
        &pair.target
    };
    let publication = format!("alter publication {}", subscribed(&pair.source, database));
    cluster.psql(database, &change.statements.replace("PUBLICATION", &publication));
}

/// Codes and messages of what `status` finds wrong.
fn problems(migration: &Migration, database: &str) -> Vec<(String, String)> {
    let status = migration.status_of(database);
    let problems = status["problems"].as_array().expect("a list of problems");
    let text =
        |problem: &serde_json::Value, field: &str| problem[field].as_str().unwrap_or_default().to_owned();
    problems
        .iter()
        .map(|problem| (text(problem, "code"), text(problem, "message")))
        .collect()
}

/// Makes the changes in a database that is up to date, and looks whether each is named and nothing else is claimed.
fn are_named(pair: &ClusterPair, database: &str, changes: &[&Change], options: [&str; 2]) {
    let source = &pair.source;
    for change in changes {
        source.psql(database, &change.of.replace("TABLE", change.table));
    }
    source.psql(
        database,
        &[
            "swap_a",
            "swap_b",
            "swap_c",
            "swap_d",
            "untouched",
            "packed",
            "busy",
        ]
        .map(|t| PLAIN.replace("TABLE", t))
        .concat(),
    );
    for (table, _) in ADDED {
        source.psql(database, &PLAIN.replace("TABLE", table));
    }
    let migration = Migration::of(source, &pair.target, database).options(options);
    migration.run().succeeded();
    // What changes no row changes no state. PostgreSQL 10 does not replicate TRUNCATE, which looks like VACUUM FULL.
    source.psql(
        database,
        "create index on busy (v); alter table busy alter v set default 7",
    );
    if source.major() > 10 {
        source.psql(
            database,
            "alter table packed alter v set default 7, alter v set not null; vacuum full packed;
             truncate untouched; insert into untouched values (1, 1); alter table untouched alter v set not null",
        );
    }
    migration.run().succeeded();
    assert_eq!(problems(&migration, database), []);

    for change in changes {
        apply(pair, database, change);
    }
    source.psql(database, &SWAPPED.replace('A', "swap_a").replace('B', "swap_b"));
    pair.target
        .psql(database, &SWAPPED.replace('A', "swap_c").replace('B', "swap_d"));
    for (_, statement) in ADDED {
        source.psql(database, statement);
        pair.target.psql(database, statement);
    }
    let expected = changes.iter().map(|change| (change.table, change.code));
    let swapped = ["swap_a", "swap_b", "swap_c", "swap_d"].map(|table| (table, "tables-exchanged"));
    let added = ADDED.iter().map(|(table, _)| (*table, "table-rewritten"));
    let found = problems(&migration, database);
    for (table, code) in expected.chain(swapped).chain(added) {
        let named =
            |(of, message): &(String, String)| of == code && message.contains(&format!("public.{table}"));
        assert!(found.iter().any(named), "{table}: no {code} in {found:#?}");
    }
    let known: BTreeSet<&str> = ["untouched", "packed", "busy"].into();
    for (code, message) in &found {
        assert!(
            !known.iter().any(|table| message.contains(table)),
            "{code}: {message}"
        );
        assert!(code != "state-lost", "{message}");
    }
    migration.command(&["status"]).run().failed_with(FAILED);
    let run = migration.run();
    assert_ne!(run.status.code(), Some(0), "{run}");
    migration.remove().failed_with(NOT_SAFE_TO_REMOVE);
    migration
        .command(&["remove", "--incomplete"])
        .run()
        .failed_with(NOT_SAFE_TO_REMOVE);
    migration.command(&["remove", "--force"]).run().succeeded();
}

#[test]
fn tables_that_are_no_longer_what_was_copied_are_named() {
    let pair = shared_pair(Kind::Ordinary);
    let changes: Vec<&Change> = CHANGES.iter().chain(OF_ROOTS).collect();
    let database = pair.fresh_database("drifts");
    are_named(pair, &database, &changes, ["--initial-copy", "snapshot"]);
    let few: Vec<&Change> = CHANGES.iter().step_by(3).chain(OF_ROOTS.first()).collect();
    let database = pair.fresh_database("drifts");
    are_named(pair, &database, &few, ["--initial-copy", "server"]);
}

#[test]
fn trees_that_are_published_by_their_leaves_are_compared_as_well() {
    let pair = shared_pair(Kind::Versions(10, 13));
    let leaves = "create table TABLE (k int, id int, v text) partition by list (k);
        create table TABLE_1 partition of TABLE (primary key (k, id)) for values in (1);
        create table TABLE_2 partition of TABLE (primary key (k, id)) for values in (2);
        insert into TABLE select 1 + i % 2, i, 'x' from generate_series(1, 20) i;";
    let of_leaves = [
        tree(
            "leaf_dropped",
            leaves,
            "drop table leaf_dropped_2",
            "table-dropped",
        ),
        tree(
            "leaf_moved",
            leaves,
            "create schema leaves; alter table leaf_moved_2 set schema leaves",
            "table-renamed",
        ),
        tree(
            "leaf_emptied",
            leaves,
            "truncate leaf_emptied_1",
            "table-rewritten",
        ),
    ];
    let changes: Vec<&Change> = CHANGES.iter().chain(&of_leaves).collect();
    let database = pair.fresh_database("drifts");
    are_named(pair, &database, &changes, ["--initial-copy", "snapshot"]);
}

/// Leaves that are published go on being replicated when they leave their tree.
#[test]
fn a_leaf_that_is_published_may_leave_its_tree() {
    let pair = shared_pair(Kind::Versions(10, 13));
    let database = pair.fresh_database("leaves");
    pair.source.psql(
        &database,
        "create table p (k int, id int) partition by list (k);
         create table p1 partition of p (primary key (k, id)) for values in (1);
         insert into p select 1, i from generate_series(1, 20) i",
    );
    let migration = Migration::of(&pair.source, &pair.target, &database);
    migration.run().succeeded();
    pair.source.psql(
        &database,
        "alter table p detach partition p1; insert into p1 values (1, 99)",
    );
    pair.target.psql(&database, "alter table p detach partition p1");
    migration.run().succeeded();
    assert_eq!(pair.target.psql(&database, "select count(*) from p1"), "21");
    migration.remove().succeeded();
}

#[test]
fn a_partition_that_is_being_detached_is_named_and_the_way_out_works() {
    let pair = ClusterPair::start(Settings::new(), Settings::new());
    pair.source.create_database("shop");
    pair.source.psql("shop", &TREE.replace("TABLE", "p"));
    let migration = Migration::of(&pair.source, &pair.target, "shop");
    migration.run().succeeded();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            pair.source.psql(
                "shop",
                "begin; lock table p in access share mode; select pg_sleep(4)",
            )
        });
        pghaul_testkit::wait_until("the lock is held", std::time::Duration::from_secs(10), || {
            let sql =
                "select count(*) from pg_locks where relation = 'p'::regclass and mode = 'AccessShareLock'";
            pair.source.psql("shop", sql) == "1"
        });
        let detach = "set statement_timeout = '500ms'; alter table p detach partition p1 concurrently";
        let error = pair
            .source
            .try_psql("shop", &detach.replace("p1", "p_1"))
            .unwrap_err();
        assert!(error.contains("statement timeout"), "{error}");
    });
    pair.source.psql("shop", "insert into p_1 values (1, 999)");
    let found = problems(&migration, "shop");
    assert_eq!(found[0].0, "partition-detached");
    migration.remove().failed_with(NOT_SAFE_TO_REMOVE);
    pair.source
        .psql("shop", "alter table p detach partition p_1 finalize");
    pair.source
        .psql("shop", "alter table p attach partition p_1 for values in (1)");
    assert_eq!(problems(&migration, "shop")[0].0, "partition-detached");
    migration
        .with_options("run")
        .args(["--restart-data", "shop"])
        .run()
        .succeeded();
    assert_eq!(
        pair.target.psql("shop", "select count(*) from p where id = 999"),
        "1"
    );
    // A partition that is dropped on both sides is nobody's loss.
    pair.source.psql("shop", "drop table p_2");
    assert_eq!(problems(&migration, "shop")[0].0, "table-dropped");
    pair.target.psql("shop", "drop table p_2");
    migration.run().succeeded();
    // DETACH … CONCURRENTLY has left a constraint on the source.
    migration.command(&["remove", "--incomplete"]).run().succeeded();
}

/// Changes were applied by the names that the tables had meanwhile; with their old names, nothing shows it.
#[test]
fn after_names_were_exchanged_the_rows_are_copied_again() {
    let pair = shared_pair(Kind::Ordinary);
    let database = pair.fresh_database("exchanged");
    let tables = "create table a (id int primary key); create table b (id int primary key)";
    pair.source.psql(&database, tables);
    let migration = Migration::of(&pair.source, &pair.target, &database);
    migration.run().succeeded();
    let exchange = SWAPPED.replace('A', "a").replace('B', "b");
    pair.source.psql(&database, &exchange);
    pair.source.psql(&database, "insert into a values (1)");
    migration.run().failed_with(FAILED);
    pair.source.psql(&database, &exchange);
    let refused = migration.run().failed_with(FAILED);
    assert!(refused.stderr.contains("tables-exchanged"), "{refused}");
    assert!(refused.stderr.contains("--restart-data"), "{refused}");
    migration.remove().failed_with(NOT_SAFE_TO_REMOVE);
    let restart = migration.with_options("run").args(["--restart-data", &database]);
    restart.run().succeeded();
    migration.remove().succeeded();
    compare::same(&pair.source, &pair.target, &database);
}
