//! Definitions that change on either side while the rows are kept up to date.

use crate::migration::Migration;
use pghaul_testkit::{ClusterPair, Settings};
use serde_json::Value;

const SCHEMA: &str = "
    create role app login password 'old';
    create type mood as enum ('ok');
    create domain positive as int check (value > 0);
    create table orders (id int primary key, total numeric, n positive);
    create table tree (id int primary key) partition by range (id);
    create table leaf partition of tree for values from (0) to (100);
    create index orders_total on orders (total);
    create function vat(numeric) returns numeric language sql immutable as 'select $1';
    create function touch() returns trigger language plpgsql as 'begin return new; end';
    create trigger touched before update on orders for each row execute procedure touch();
    create view paid as select id from orders;
    create materialized view totals as select sum(total) from orders;
    create sequence numbers;
    create policy everyone on orders using (true);
    create rule nothing as on insert to paid do instead nothing;
    create extension pg_trgm;
    insert into orders values (1, 1, 1)";

/// A change on the source, and what names it.
const CHANGES: &[(&str, &str)] = &[
    ("alter role app password 'new'", "role app"),
    ("create role late", "role late"),
    ("grant late to app", "role app"),
    (
        "alter role app set work_mem = '8MB'",
        "setting work_mem of role app",
    ),
    (
        "alter database {db} set work_mem = '64MB'",
        "setting work_mem in database {db}",
    ),
    ("grant connect on database {db} to app", "database {db}"),
    ("comment on database {db} is 'shop'", "database {db}"),
    ("create schema more", "schema more"),
    (
        "create function more() returns int language sql as 'select 1'",
        "function public.more()",
    ),
    (
        "create or replace function vat(numeric) returns numeric language sql immutable as 'select $1 * 2'",
        "function public.vat(numeric)",
    ),
    ("alter type mood add value 'bad'", "type public.mood"),
    (
        "alter domain positive add check (value < 100)",
        "domain constraint positive_check1 on public.positive",
    ),
    ("create index orders_n on orders (n)", "index public.orders_n"),
    ("drop index orders_total", "index public.orders_total"),
    (
        "alter table orders add constraint sane check (total < 1000)",
        "table constraint sane on public.orders",
    ),
    (
        "alter table orders alter total set default 0",
        "table public.orders",
    ),
    (
        "alter table orders disable trigger touched",
        "trigger touched on public.orders",
    ),
    (
        "alter table orders enable row level security",
        "table public.orders",
    ),
    (
        "alter policy everyone on orders using (id > 0)",
        "policy everyone on public.orders",
    ),
    (
        "create or replace view paid as select id from orders where id > 0",
        "view public.paid",
    ),
    ("alter view paid rename to unpaid", "view public.unpaid"),
    ("drop materialized view totals", "materialized view public.totals"),
    ("alter sequence numbers increment 5", "sequence public.numbers"),
    ("create sequence later", "sequence public.later"),
    ("grant select on orders to app", "table public.orders"),
    ("grant update (total) on orders to app", "table public.orders"),
    ("comment on column orders.total is 'net'", "table public.orders"),
    (
        "create statistics orders_s on id, total from orders",
        "statistics object public.orders_s",
    ),
    ("create extension citext", "extension citext"),
    ("drop extension pg_trgm", "extension pg_trgm"),
    ("create publication others for table orders", "publication others"),
    (
        "create text search configuration words (copy = english)",
        "text search configuration public.words",
    ),
    (
        "create aggregate total(int) (sfunc = int4pl, stype = int)",
        "aggregate public.total(integer)",
    ),
    ("create collation c2 from \"C\"", "collation public.c2"),
    (
        "create operator === (leftarg = int, rightarg = int, procedure = int4eq)",
        "operator public.===(integer,integer)",
    ),
    (
        "create cast (int as mood) with inout",
        "cast (integer AS public.mood)",
    ),
    ("create type pair as (a int, b int)", "composite type public.pair"),
    (
        "alter default privileges grant select on tables to app",
        "default acl",
    ),
    (
        "create event trigger watch on ddl_command_start execute procedure ev()",
        "event trigger watch",
    ),
];

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
    for (source, target) in [(15, 15), (13, 18)] {
        let pair = ClusterPair::start(Settings::new().major(source), Settings::new().major(target));
        let database = pair.fresh_database("drift");
        pair.source.psql(&database, SCHEMA);
        pair.source.psql(
            &database,
            "create function ev() returns event_trigger language plpgsql as 'begin end'",
        );
        let migration = Migration::of(&pair.source, &pair.target, &database);
        migration.run().succeeded();
        pair.source.psql(&database, HARMLESS);
        pair.source.psql(&database, "vacuum full orders; reindex table orders; cluster orders using orders_pkey; alter table orders set without cluster");
        assert_eq!(
            named(&migration),
            [""; 0],
            "{source} to {target}: nothing has changed"
        );

        for (change, _) in CHANGES {
            pair.source.psql(&database, &change.replace("{db}", &database));
        }
        let found = named(&migration);
        for (change, object) in CHANGES {
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
    migration.remove().succeeded();
}

#[test]
fn the_target_is_watched_too() {
    let pair = ClusterPair::start(Settings::new(), Settings::new());
    let database = pair.fresh_database("target");
    pair.source.psql(&database, SCHEMA);
    let migration = Migration::of(&pair.source, &pair.target, &database);
    migration.run().succeeded();
    pair.target.psql(&database, "create index more on orders (n)");
    assert_eq!(named(&migration), [""; 0], "a target may have more");
    pair.target.psql(
        &database,
        "drop index orders_total; alter table orders disable trigger touched; drop view paid",
    );
    let objects = [
        "index public.orders_total",
        "trigger touched on public.orders",
        "view public.paid",
    ];
    let found = named(&migration);
    for object in objects {
        assert!(
            found
                .iter()
                .any(|line| line.starts_with(object) && line.contains("on the target")),
            "{object}: {found:#?}"
        );
    }
    migration.remove().failed_with(8);
}

#[test]
fn what_makes_rows_differ_is_an_error() {
    let changes = [
        "alter table orders alter n type bigint",
        "drop table leaf",
        "alter table tree detach partition leaf",
        "alter table orders rename total to sum",
    ];
    let pair = ClusterPair::start(Settings::new(), Settings::new());
    for (number, change) in changes.iter().enumerate() {
        let database = pair.fresh_database("rows");
        pair.source.psql(
            &database,
            SCHEMA
                .split_once("login password 'old';")
                .map_or("", |(_, rest)| rest),
        );
        let migration = Migration::of(&pair.source, &pair.target, &database);
        migration.run().succeeded();
        pair.source.psql(&database, change);
        let status = migration.command(&["status", "--json"]).run();
        let json: Value = serde_json::from_str(&status.stdout).expect("JSON");
        assert_eq!(
            json["migration"]["status"], "failed",
            "{number}: {change}: {status}"
        );
        migration.remove().failed_with(8);
    }
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
