//! Definitions that change on either side while the rows are kept up to date.

mod changes;
mod rows;

use crate::migration::Migration;
use changes::{Answer, DEFINITIONS};
use pghaul_testkit::{ClusterPair, Settings};
use serde_json::Value;

const SCHEMA: &str = "
    create role app login password 'old';
    create type mood as enum ('ok');
    create domain positive as int check (value > 0);
    create table orders (id int primary key, total numeric, n positive);
    create table codes (id int primary key, code varchar(5));
    create table tree (id int primary key) partition by range (id);
    create table leaf partition of tree for values from (0) to (100);
    create table emptied partition of tree for values from (-100) to (0);
    insert into tree values (-1);
    create index orders_total on orders (total);
    create function vat(numeric) returns numeric language sql immutable as 'select $1';
    create function touch() returns trigger language plpgsql as 'begin return new; end';
    create function ev() returns event_trigger language plpgsql as 'begin end';
    create trigger touched before update on orders for each row execute procedure touch();
    create view paid as select id from orders;
    create materialized view totals as select sum(total) from orders;
    create sequence numbers;
    create policy everyone on orders using (true);
    create rule nothing as on insert to paid do instead nothing;
    create extension pg_trgm;
    insert into orders values (1, 1, 1)";

/// What happens every day and is no change.
const HARMLESS: &str = "
    insert into orders values (2, 2, 2);
    update orders set total = 3;
    select nextval('numbers');
    create temporary table passing (id int);
    create temporary view glance as select 1;
    refresh materialized view totals;
    grant select on orders to public;
    revoke select on orders from public;
    analyze";

#[test]
fn every_definition_that_changes_is_named_by_status_and_remove() {
    for (source, target) in [(15, 15), (11, 18)] {
        let pair = ClusterPair::start(Settings::new().major(source), Settings::new().major(target));
        let database = pair.fresh_database("drift");
        pair.source.psql(&database, SCHEMA);
        let migration = Migration::of(&pair.source, &pair.target, &database);
        migration.run().succeeded();
        pair.source.psql(&database, HARMLESS);
        pair.source.psql(&database, "vacuum full orders; reindex table orders; cluster orders using orders_pkey; alter table orders set without cluster");
        assert_eq!(
            named(&migration),
            [""; 0],
            "{source} to {target}: nothing has changed"
        );
        let both = "create materialized view counted as select 1 as n; grant select on counted to app";
        for side in [&pair.source, &pair.target] {
            side.psql(&database, both);
        }
        assert_eq!(
            named(&migration),
            [""; 0],
            "{source} to {target}: both sides have made it alike"
        );

        for (change, ..) in DEFINITIONS {
            pair.source.psql(&database, &change.replace("{db}", &database));
        }
        let found = named(&migration);
        for (change, object, _) in DEFINITIONS {
            let object = object.replace("{db}", &database);
            assert!(
                found.iter().any(|line| line.starts_with(&object)),
                "{source} to {target}: {change}: nothing names {object}: {found:#?}"
            );
        }
        let refused = migration.remove().failed_with(8);
        assert!(refused.stderr.contains("function public.more()"), "{refused}");
        // A run has nothing to repair here, and goes on.
        pair.source.psql(&database, "drop sequence later");
        migration.run().succeeded();
        migration.command(&["remove", "--incomplete"]).run().succeeded();
    }
}

#[test]
fn what_is_done_on_both_sides_is_settled() {
    let pair = ClusterPair::start(Settings::new(), Settings::new());
    let database = pair.fresh_database("settled");
    pair.source.psql(&database, SCHEMA);
    let migration = Migration::of(&pair.source, &pair.target, &database);
    migration.run().succeeded();
    let change = "create function more() returns int language sql as 'select 1';
                  alter table orders add constraint sane check (total < 1000);
                  grant select on orders to app;
                  create role late;
                  alter view paid rename to unpaid";
    pair.source.psql(&database, change);
    assert_eq!(named(&migration).len(), 8, "{:#?}", named(&migration));
    pair.target.psql(&database, change);
    assert_eq!(named(&migration), [""; 0]);

    // A partition that is made meanwhile is replicated with its tree.
    let leaf = "create table leaf2 partition of tree for values from (100) to (200)";
    pair.source.psql(&database, leaf);
    pair.source.psql(&database, "insert into tree values (150)");
    let failed = migration.status_of(&database);
    assert_eq!(failed["failure"]["code"], "plan-changed", "{failed}");
    pair.target.psql(&database, leaf);
    migration.run().succeeded();
    assert_eq!(pair.target.psql(&database, "select * from leaf2"), "150");
    let found = named(&migration);
    assert!(
        found.len() == 1
            && found
                .iter()
                .all(|line| line.starts_with("partition public.leaf2: ")),
        "{found:#?}"
    );
    for side in [&pair.source, &pair.target] {
        side.psql(&database, "drop table leaf2");
    }
    assert_eq!(named(&migration), [""; 0]);

    // A longer type needs no other values.
    for side in [&pair.target, &pair.source] {
        side.psql(&database, "alter table codes alter code type varchar(9)");
    }
    let retyped = named(&migration);
    assert!(
        retyped.len() == 1
            && retyped
                .iter()
                .all(|line| line.contains("another type in column code")),
        "{retyped:#?}"
    );

    // What has put the rows into another file, and whether the same statement altered the column, no catalog tells.
    pair.source.psql(
        &database,
        "alter table orders alter n type positive using n * 2; alter table orders alter n set not null;
         alter table orders add extra int default 5; vacuum full orders",
    );
    pair.target.psql(
        &database,
        "alter table orders alter n set not null; alter table orders add extra int default 5",
    );
    let in_doubt = named(&migration);
    let tables = ["codes", "orders"].map(|table| format!("rows of table public.{table}: "));
    assert!(
        in_doubt.len() == 2
            && in_doubt
                .iter()
                .zip(&tables)
                .all(|(line, table)| line.starts_with(table)),
        "{in_doubt:#?}"
    );
    // Each side has put the partition into another file, and not by the same statement.
    pair.source.psql(
        &database,
        "truncate emptied; insert into tree values (-2); analyze emptied",
    );
    pair.target.psql(&database, "vacuum full emptied");
    let in_doubt = named(&migration);
    assert!(
        in_doubt
            .iter()
            .any(|line| line.starts_with("rows of table public.emptied: ")),
        "{in_doubt:#?}"
    );
    migration.remove().failed_with(8);
    let accepting = ["remove", "--accept-incomplete", "rows of table *"];
    migration.command(&accepting).run().succeeded();
}

/// Credentials that are made for an hour: nobody knows their names beforehand.
#[test]
fn roles_that_come_and_go_are_accepted_by_a_pattern() {
    let pair = ClusterPair::start(Settings::new(), Settings::new());
    let database = pair.fresh_database("credentials");
    pair.source.psql(
        &database,
        "create table t (id int primary key); create table log (line text); create role app; create role \"v-1\" login in role app",
    );
    let migration = Migration::of(&pair.source, &pair.target, &database).options(["--method", "replication"]);
    migration.run().succeeded();
    pair.source.psql(
        &database,
        "drop role \"v-1\"; create role \"v-2\" login in role app; create role other;
         insert into log values ('late'); grant select on log to other",
    );
    let refused = migration.remove().failed_with(8);
    for role in ["role \"v-1\"", "role \"v-2\"", "role other"] {
        assert!(refused.stderr.contains(role), "{role}\n{refused}");
    }
    let accepting = |pattern| {
        migration
            .command(&["remove", "--accept-incomplete", pattern])
            .run()
    };
    let refused = accepting("role \"v-*\"").failed_with(8);
    assert!(
        !refused.stderr.contains("v-1") && refused.stderr.contains("role other"),
        "{refused}"
    );
    pair.target.psql(&database, "create role other");
    // The privileges are accepted by this name, and not the rows, which the removal copies.
    let both = ["role \"v-*\"", "table public.log"].map(|object| ["--accept-incomplete", object]);
    let remove = [&["remove"], both.concat().as_slice()].concat();
    migration.command(&remove).run().succeeded();
    assert_eq!(pair.target.psql(&database, "select * from log"), "late");
    let left = named(&migration);
    assert!(
        left.iter().any(|line| line.starts_with("role \"v-2\"")),
        "{left:#?}"
    );
}

#[test]
fn the_target_is_compared_too() {
    let pair = ClusterPair::start(Settings::new(), Settings::new());
    let database = pair.fresh_database("target");
    pair.source.psql(&database, SCHEMA);
    let migration = Migration::of(&pair.source, &pair.target, &database);
    migration.run().succeeded();
    let of_target = |change: &str| change.replace("{db}", &database);
    for (change, ..) in DEFINITIONS {
        pair.target.psql(&database, &of_target(change));
    }
    let found = named(&migration);
    for (change, object, answer) in DEFINITIONS {
        let object = of_target(object);
        let line = found.iter().find(|line| line.starts_with(&object));
        let listed = line.is_some_and(|line| line.contains("on the target"));
        assert_eq!(
            listed,
            *answer == Answer::Listed,
            "{change}: {object}: {found:#?}"
        );
    }
    migration.remove().failed_with(8);
}

/// What `status` lists as incomplete, `object: why`.
fn named(migration: &Migration) -> Vec<String> {
    let status = migration.command(&["status", "--json"]).run();
    let json: Value = serde_json::from_str(&status.stdout).expect("JSON");
    let migration = &json["migration"];
    let details = migration["migration_detail"].as_array().into_iter().flatten();
    let mut lists: Vec<&Value> = details.map(|detail| &detail["incomplete"]).collect();
    lists.push(&migration["incomplete"]);
    let items = lists.into_iter().filter_map(Value::as_array).flatten();
    items
        .map(|item| {
            format!(
                "{}: {}",
                item["object"].as_str().unwrap_or_default(),
                item["why"].as_str().unwrap_or_default()
            )
        })
        .collect()
}
