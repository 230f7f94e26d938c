//! What of a database is moved: patterns, closed over dependencies, frozen, and honoured by everything that looks later.

use crate::migration::Migration;
use pghaul_core::selection::{Pattern, Rule};
use pghaul_testkit::{ClusterPair, Kind, compare, postgres, shared_pair};
use serde_json::Value;
use std::collections::BTreeSet;

const SCHEMA: &str = "
    create schema app; create schema audit; create schema types; create schema \"Odd\";
    create extension pg_trgm schema audit; create extension citext;
    create type types.state as enum ('open', 'shut');
    create table app.customers (id int primary key, name citext);
    create table audit.actors (id int primary key);
    create unlogged table audit.log (id int, what text);
    create function app.vat(numeric) returns numeric language sql as 'select $1 * 1.2';
    create function app.touch() returns trigger language plpgsql as 'begin return new; end';
    create function app.last() returns setof audit.log language sql as 'select * from audit.log';
    create sequence app.numbers;
    create table app.orders (id serial primary key, number int default nextval('app.numbers'), state types.state,
        customer int references app.customers, actor int constraint by_actor references audit.actors);
    create index orders_state on app.orders (state);
    create index orders_fuzzy on app.orders using gin ((number::text) audit.gin_trgm_ops);
    create trigger touched before update on app.orders for each row execute procedure app.touch();
    comment on constraint by_actor on app.orders is 'who';
    create view app.open_orders as select id, app.vat(number) from app.orders where state = 'open';
    create view app.seen as select o.id from app.orders o join audit.log l on l.id = o.id;
    create view app.seen_twice as select * from app.seen;
    create materialized view app.per_state as select state, count(*) from app.orders group by state;
    create table app.tree (id int primary key) partition by range (id);
    create table app.tree_1 partition of app.tree for values from (0) to (100);
    create table app.points (tree int references app.tree);
    create table public.scratch_1 (id int); create table public.\"Scratch_2\" (id int);
    create table public.loose (id int primary key);
    create function app.watch() returns event_trigger language plpgsql as 'begin end';
    create event trigger watcher on ddl_command_end execute procedure app.watch();
";

const ROWS: &str = "
    insert into app.customers values (1, 'Ada'); insert into audit.actors values (1);
    insert into audit.log select n, 'x' from generate_series(1, 10) n;
    insert into app.orders (state, customer, actor) select 'open', 1, 1 from generate_series(1, 100);
    insert into app.tree select generate_series(0, 99); insert into app.points values (1);
    insert into public.scratch_1 values (1); insert into public.loose values (1);
    refresh materialized view app.per_state;
    select lo_create(0)";

fn fill(pair: &ClusterPair, label: &str) -> String {
    let database = pair.fresh_database(label);
    pair.source.psql(&database, SCHEMA);
    pair.source.psql(&database, ROWS);
    database
}

/// The subjects that differ, of a comparison of everything.
fn different(pair: &ClusterPair, database: &str) -> Vec<String> {
    let options = compare::Options::default();
    let found = compare::databases((&pair.source, database), (&pair.target, database), &options);
    found.into_iter().map(|difference| difference.subject).collect()
}

fn value(pair: &ClusterPair, database: &str, query: &str) -> String {
    pair.target.rows(database, query)[0][0].clone()
}

const LEFT_OUT: &[&str] = &[
    "event trigger watcher",
    "function app.last()",
    "index app.orders_fuzzy",
    "schema audit",
    "table constraint by_actor on app.orders",
    "table constraint points_tree_fkey on app.points",
    "table public.scratch_1",
    "view app.seen",
    "view app.seen_twice",
];

#[test]
fn what_is_excluded_stays_and_all_else_arrives_by_both_methods() {
    let pair = shared_pair(Kind::Ordinary);
    for method in ["replication", "dump"] {
        let database = fill(pair, "selected");
        let migration = Migration::of(&pair.source, &pair.target, &database).options([
            "--method",
            method,
            "--exclude-schema",
            "audit",
            "--exclude-table",
            "public.Scratch*",
            "--schema-only-table",
            "app.tree",
            "--exclude-event-trigger",
            "watcher",
        ]);
        let plan = migration.with_options("plan").arg("--json").run().succeeded();
        let plan: Value = serde_json::from_str(&plan.stdout).unwrap();
        let planned = &plan["plan"]["databases"][0];
        let left_out: Vec<&str> = planned["left_out"]
            .as_array()
            .unwrap()
            .iter()
            .map(|listed| listed["object"].as_str().unwrap())
            .collect();
        let mut expected = LEFT_OUT.to_vec();
        expected.push("extension pg_trgm");
        expected.sort_unstable();
        assert_eq!(left_out, expected, "{planned:#}");
        migration.run().succeeded();
        let found = different(pair, &database);
        let allowed = [
            "audit",
            "seen",
            "by_actor",
            "scratch_1",
            "points_tree_fkey",
            "watcher",
            "last",
            "orders_fuzzy",
            "pg_trgm",
            "rows of app.tree",
        ];
        let unexpected: Vec<&String> = found
            .iter()
            .filter(|subject| !allowed.iter().any(|text| subject.contains(text)))
            .collect();
        assert!(unexpected.is_empty(), "{method}: {unexpected:#?}");
        assert_eq!(value(pair, &database, "select count(*) from app.tree"), "0");

        // What is left out goes its own ways; what is selected does not.
        pair.source.psql(
            &database,
            "alter table audit.log add column more int; drop view app.seen_twice; create table audit.later (id int primary key);
             create table public.scratch_3 (id int); drop event trigger watcher; insert into app.tree values (-1 + 1) on conflict do nothing",
        );
        let status = migration.status_of(&database);
        let is_at_its_end = ["syncing", "done"].contains(&status["status"].as_str().unwrap());
        assert!(is_at_its_end, "{method}: {status:#}");
        let listed = status["incomplete"].to_string();
        for text in ["audit", "seen", "scratch", "watcher", "app.tree"] {
            assert!(!listed.contains(text), "{method}: {text}: {listed}");
        }
        if method == "replication" {
            pair.source.psql(
                &database,
                "alter view app.open_orders rename to still_open; create table app.late (id int primary key)",
            );
            let status = migration.status_of(&database);
            let listed = status["incomplete"].to_string();
            assert!(listed.contains("open_orders"), "{listed}");
            assert!(
                status["error"].to_string().contains("app.late is new"),
                "{status:#}"
            );
            pair.source.psql(
                &database,
                "drop table app.late; alter view app.still_open rename to open_orders",
            );
            let refused = migration
                .command(&["run", "--exclude-table", "app.*"])
                .run()
                .failed_with(2);
            assert!(refused.stderr.contains("--exclude-table differs"), "{refused}");
        }
        migration.command(&["run"]).run().succeeded();
        migration.command(&["remove", "--incomplete"]).run().succeeded();
    }
}

#[test]
fn what_is_named_brings_what_it_needs() {
    let pair = shared_pair(Kind::Ordinary);
    let database = fill(pair, "named");
    let migration = Migration::of(&pair.source, &pair.target, &database).options([
        "--table",
        "app.open_orders",
        "--table",
        "app.tree_1",
        "--schema",
        "\"Odd\"",
    ]);
    let plan = migration.with_options("plan").run().succeeded();
    for text in [
        "7 tables not selected",
        "table app.orders comes along: rule \"_RETURN\" on app.open_orders needs it",
        "table constraint by_actor on app.orders is left out: it needs table audit.actors",
    ] {
        assert!(plan.stdout.contains(text), "{text}\n{plan}");
    }
    migration.run().succeeded();
    let names = "select string_agg(oid::regclass::text, ' ' order by oid::regclass::text collate \"C\") from pg_class
                  where oid >= 16384 and relkind in ('r', 'p', 'v', 'm', 'S') and relnamespace::regnamespace::text <> 'pghaul'";
    assert_eq!(
        value(pair, &database, names),
        "app.numbers app.open_orders app.orders app.orders_id_seq app.tree app.tree_1"
    );
    assert_eq!(value(pair, &database, "select count(*) from app.orders"), "100");
    assert_eq!(value(pair, &database, "select count(*) from app.tree"), "100");
    migration.remove();
}

#[test]
fn a_pattern_that_matches_nothing_is_refused_before_anything_is_made() {
    let pair = shared_pair(Kind::Ordinary);
    let database = fill(pair, "unmatched");
    for (option, pattern, code, message) in [
        ("--table", "app.order", 2, "app.orders"),
        ("--exclude-extension", "pg_trigram", 2, "pg_trgm"),
        (
            "--exclude-role",
            "nobody_there",
            2,
            "--exclude-role nobody_there matches nothing",
        ),
        (
            "--exclude-table",
            "app.tree_1",
            2,
            "the root of its partition tree",
        ),
        ("--table", "a.b.c.d", 2, "too many names"),
    ] {
        let migration = Migration::of(&pair.source, &pair.target, &database).options([option, pattern]);
        let refused = migration.run().failed_with(code);
        assert!(refused.stderr.contains(message), "{option} {pattern}\n{refused}");
        assert!(!migration.with_options("history").run().status.success());
    }
}

/// Each pattern matches the tables that pg_dump dumps for it, where the schema is given or is in the `search_path`.
#[test]
fn patterns_match_as_those_of_pg_dump() {
    let pair = shared_pair(Kind::Ordinary);
    let database = pair.fresh_database("patterns");
    pair.source.psql(
        &database,
        "create schema s; create schema \"S.x\"; create table s.orders (i int); create table s.\"Orders\" (i int);
         create table s.order_2 (i int); create table s.\"a*b\" (i int); create table s.\"a$b\" (i int);
         create table \"S.x\".\"say \"\"hi\"\"\" (i int); create table s.\"a[]\" (i int); create table s.a1 (i int)",
    );
    let tables = "select nspname, relname from pg_class join pg_namespace n on n.oid = relnamespace where relkind = 'r' and relname !~ '^(pg|sql)_'";
    let tables = pair.source.rows(&database, tables);
    for pattern in [
        "s.orders",
        "s.ORDERS",
        "s.\"Orders\"",
        "s.ord*",
        "s.order?",
        "s.order??",
        "s.\"a*b\"",
        "s.a*b",
        "s.a$b",
        "s.a[]",
        "s.a[0-9]",
        "\"S.x\".*",
        "\"S.x\".\"say \"\"hi\"\"\"",
        "*.orders",
        "s.(orders|a1)",
        "s.o.ders",
    ] {
        let read = Pattern::parse(Rule::Table, pattern);
        let matched: BTreeSet<String> = tables
            .iter()
            .filter(|row| {
                read.as_ref()
                    .is_ok_and(|pattern| pattern.matches(&row[0], &row[1]))
            })
            .map(|row| format!("{}.{}", row[0], row[1]))
            .collect();
        let program = postgres::client_from("pg_dump", pair.source.major());
        let output = std::process::Command::new(program)
            .args(["--schema-only", "--table", pattern, "--dbname"])
            .arg(pair.source.conninfo_socket(&database))
            .output()
            .unwrap();
        let dump = String::from_utf8_lossy(&output.stdout).into_owned();
        let dumped = dump.lines().filter_map(|line| line.strip_prefix("-- Name: "));
        let dumped = dumped.filter_map(|line| {
            let (name, rest) = line.split_once("; Type: TABLE; Schema: ")?;
            Some(format!("{}.{name}", rest.split_once(';')?.0))
        });
        assert_eq!(matched, dumped.collect::<BTreeSet<_>>(), "{pattern}");
    }
}
