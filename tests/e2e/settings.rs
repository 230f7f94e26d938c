//! Settings of databases and roles: what they must not change, and what they must.

use crate::migration::{Migration, assert_nothing_of_it_is_left};
use pghaul_testkit::{ClusterPair, Kind, Settings, compare, postgres, shared_pair, wait_until};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(60);

/// Waits until a query on the target answers as expected.
#[track_caller]
fn arrives(pair: &ClusterPair, database: &str, query: &str, expected: &str) {
    let what = format!("{query} is {expected}");
    wait_until(&what, LIMIT, || pair.target.psql(database, query) == expected);
}

/// With a pg_dump that reads every source here.
fn migration_of(pair: &ClusterPair, database: &str) -> Migration {
    let pg_dump = postgres::client_from("pg_dump", pair.source.major());
    Migration::of(&pair.source, &pair.target, database)
        .env("PGHAUL_PG_DUMP", pg_dump.to_str().expect("a path in UTF-8"))
}

/// The settings of a database and of roles in it.
fn settings(cluster: &pghaul_testkit::Cluster, database: &str) -> String {
    let sql = "select coalesce(r.rolname::text, ''), s.setconfig from pg_db_role_setting s left join pg_roles r on r.oid = s.setrole
               where s.setdatabase = (select oid from pg_database where datname = current_database()) order by 1";
    cluster.psql(database, sql)
}

/// Settings under which a worker would read other values, or never get to its end.
#[test]
fn workers_read_and_write_whatever_the_database_has_set() {
    let pair = shared_pair(Kind::Versions(17, 18));
    let database = pair.fresh_database("worker_settings");
    pair.source.psql(
        &database,
        "create table t (id int primary key, a text[], x xml, i interval, d timestamptz, f float8, b bytea);
         insert into t values (1, array['a', null], '<a/><b/>', '-1 day 02:03', '2026-02-03 04:05:06+09', 0.1::float8 + 0.2, '\\xff00')",
    );
    for setting in [
        "array_nulls = off",
        "xmloption = document",
        "intervalstyle = sql_standard",
        "datestyle = 'SQL, DMY'",
        "bytea_output = escape",
        "extra_float_digits = 0",
        "lock_timeout = '500ms'",
        "transaction_timeout = '20s'",
        "statement_timeout = '20s'",
        "default_transaction_isolation = serializable",
        "default_transaction_read_only = on",
    ] {
        let alter = format!("alter database {database} set {setting}");
        pair.source.psql("postgres", &alter);
    }
    let own = format!("alter role postgres in database {database} set lock_timeout = '200ms'");
    pair.source.psql("postgres", &own);
    let migration = migration_of(pair, &database);
    migration.with_options("run").run().succeeded();
    let of_workers = "select unnest(setconfig) from pg_db_role_setting s join pg_roles r on r.oid = s.setrole
                      where r.rolname = 'postgres' and s.setdatabase = (select oid from pg_database where datname = current_database())";
    let of_workers = pair.target.psql(&database, of_workers);
    for needed in [
        "array_nulls=on",
        "xmloption=content",
        "lock_timeout=0",
        "transaction_timeout=0",
        "default_transaction_read_only=off",
    ] {
        assert!(
            of_workers.lines().any(|line| line == needed),
            "{needed}: {of_workers}"
        );
    }
    pair.source.psql(
        &database,
        "set transaction_timeout = 0; set statement_timeout = 0; set default_transaction_read_only = off;
         insert into t select 2, array['a', null], xmlparse(content '<c/><d/>'), '-2 days 03:04', '2026-03-02 04:05:06+09', 0.1::float8 + 0.7, '\\x00ff';
         insert into t (id) select g from generate_series(3, 2000) g",
    );
    arrives(pair, &database, "select count(*) from t", "2000");
    migration.remove().succeeded();
    compare::same(&pair.source, &pair.target, &database);
    assert_eq!(
        settings(&pair.target, &database),
        settings(&pair.source, &database)
    );
    assert_nothing_of_it_is_left(&migration, pair, &database);
}

const VIEWS: &str = "
    create table sale (id int primary key, day text, tenant text, at timestamptz,
        mark bytea default E'\\\\x015c'::bytea, path text default E'c:\\\\temp');
    insert into sale values (1, '02/03/2026', 'a', '2026-01-01 20:00+00'), (2, '04/05/2026', 'b', '2026-01-01 20:00+00');
    create function month_of(text) returns numeric language sql immutable as $$ select extract(month from $1::date)::numeric $$;
    create index on sale (month_of(day));
    alter table sale add constraint february check (id <> 1 or month_of(day) = 3);
    create function sales() returns bigint language sql stable as $$ select count(*) from sale $$;
    create materialized view by_month as select month_of(day) as month, (at at time zone current_setting('TimeZone'))::date as d,
        interval '1 day 2 hours'::text as i from sale;
    create materialized view of_tenant as select id from sale where tenant = current_setting('app.tenant');
    create materialized view counted as select sales()";

/// Materialized views show what they show on the source, where nothing but settings decides.
#[test]
fn expressions_run_under_the_settings_that_they_have_at_home() {
    // Its roles would be drift for the tests beside it.
    let pair = &ClusterPair::start(Settings::new(), Settings::new());
    for method in ["dump", "replication"] {
        let database = pair.fresh_database("home");
        let role = format!("reporter_{database}");
        for setting in [
            "datestyle = 'iso, dmy'",
            "intervalstyle = iso_8601",
            "timezone = 'Asia/Tokyo'",
            "bytea_output = escape",
            "standard_conforming_strings = off",
            "app.tenant = 'a'",
        ] {
            let alter = format!("alter database {database} set {setting}");
            pair.source.psql("postgres", &alter);
        }
        pair.source.psql(&database, VIEWS);
        pair.source.psql(
            &database,
            &format!(
                "create role {role}; grant select on sale to {role}; alter role {role} in database {database} set app.tenant = 'b';
                 alter materialized view of_tenant owner to {role}; set app.tenant = 'b'; refresh materialized view of_tenant;
                 alter table sale enable row level security; create policy own on sale to {role} using (tenant = current_setting('app.tenant'))"
            ),
        );
        let migration = migration_of(pair, &database).options(["--method", method]);
        migration.run().succeeded();
        for view in ["by_month", "of_tenant", "counted"] {
            let query = format!("select * from {view} order by 1");
            let (there, here) = (
                pair.source.psql(&database, &query),
                pair.target.psql(&database, &query),
            );
            assert_eq!(here, there, "{view} by {method}");
        }
        if method == "dump" {
            compare::same(&pair.source, &pair.target, &database);
        }
        // While changes are replicated, checks that call functions of users are held back.
        migration.remove().succeeded();
        compare::same(&pair.source, &pair.target, &database);
        assert_nothing_of_it_is_left(&migration, pair, &database);
    }
}

/// One that reads another through a function waits for it; one that can't be refreshed is listed, and stops nothing.
#[test]
fn a_view_that_can_not_be_refreshed_is_listed() {
    let pair = shared_pair(Kind::Ordinary);
    for method in ["dump", "replication"] {
        let database = pair.fresh_database("listed");
        pair.source.psql(
            &database,
            "create table sale (id int primary key, amount int); insert into sale values (1, 5);
             create materialized view z_base as select max(amount) as top from sale;
             create function top() returns int language sql stable set search_path = public as 'select top from z_base';
             create materialized view a_report as select top() as top;
             create materialized view base as select sum(amount) as total from sale;
             create materialized view report as select total * 2 as doubled from base;
             refresh materialized view base with no data",
        );
        let migration = migration_of(pair, &database).options(["--method", method]);
        migration.run().succeeded();
        assert_eq!(
            pair.target.psql(&database, "select * from a_report"),
            "5",
            "{method}"
        );
        let status = migration.status_of(&database);
        let incomplete = status["incomplete"].as_array().unwrap();
        assert_eq!(incomplete.len(), 1, "{status:#}");
        assert!(
            incomplete[0]["object"].as_str().unwrap().contains("report"),
            "{status:#}"
        );
        assert!(
            incomplete[0]["why"]
                .as_str()
                .unwrap()
                .contains("has not been populated"),
            "{status:#}"
        );
        migration.remove().failed_with(8);
        migration.command(&["remove", "--incomplete"]).run().succeeded();
        assert_nothing_of_it_is_left(&migration, pair, &database);
    }
}

/// Owners who may not do what replication does, from PostgreSQL 16 on.
#[test]
fn a_subscription_acts_as_pghaul_where_owners_can_not() {
    let pair = &ClusterPair::start(Settings::new().major(17), Settings::new().major(18));
    let database = pair.fresh_database("owners");
    let (app, other) = (format!("app_{database}"), format!("other_{database}"));
    pair.source.psql(
        &database,
        &format!(
            "create role {app}; create role {other};
             create table forced (id int primary key, x text); insert into forced values (1, 'a'); alter table forced owner to {app};
             alter table forced enable row level security; alter table forced force row level security;
             create policy own on forced using (x = current_setting('app.tenant', true));
             create table p (id int primary key, x text) partition by range (id); create table p1 partition of p for values from (0) to (9);
             alter table p owner to {app}; alter table p1 owner to {other}; insert into p values (1, 'a');
             create table revoked (id int primary key, x text); insert into revoked values (1, 'a'); alter table revoked owner to {app};
             revoke update on revoked from {app};
             create function f(text) returns bool language sql immutable as 'select true'; revoke execute on function f(text) from public;
             create table checked (id int primary key, x text check (f(x))); insert into checked values (1, 'a'); alter table checked owner to {app}"
        ),
    );
    let migration = migration_of(pair, &database);
    let plan = migration.with_options("check").run();
    assert!(
        plan.stdout.contains("apply-rights") && plan.stdout.contains("run_as_owner"),
        "{plan}"
    );
    migration.run().succeeded();
    for table in ["forced", "p", "revoked", "checked"] {
        pair.source
            .psql(&database, &format!("update {table} set x = 'b'"));
        arrives(pair, &database, &format!("select x from {table}"), "b");
    }
    migration.remove().succeeded();
    compare::same(&pair.source, &pair.target, &database);

    // Where the owners can, they do.
    let database = pair.fresh_database("owners");
    pair.source.psql(&database, "create table t (id int primary key)");
    let migration = migration_of(pair, &database);
    migration.run().succeeded();
    let sql = "select subrunasowner from pg_subscription where subdbid = (select oid from pg_database where datname = current_database())";
    assert_eq!(pair.target.psql(&database, sql), "f");
    migration.remove().succeeded();
}

const GUARDS: &str = "
    create table t (id int primary key); create table login_log (id bigint generated always as identity primary key, who text);
    create function guard() returns event_trigger language plpgsql as $$ begin raise exception 'no changes here'; end $$;
    create function note() returns event_trigger language plpgsql security definer set search_path = public as
        $$ begin insert into login_log (who) values (current_setting('application_name')); end $$;
    create event trigger guard on sql_drop execute function guard();
    create event trigger no_changes on ddl_command_end execute function guard();";

/// Event triggers of users fire for users' statements only.
#[test]
fn event_triggers_do_not_fire_for_pghaul() {
    for (kind, login) in [(Kind::Versions(17, 18), true), (Kind::Ordinary, false)] {
        let pair = shared_pair(kind);
        for method in ["dump", "replication"] {
            let database = pair.fresh_database("guarded");
            pair.source.psql(&database, GUARDS);
            if login {
                let always = "create event trigger greet on login execute function note(); alter event trigger greet enable always";
                pair.source
                    .psql(&database, &format!("set event_triggers = off; {always}"));
            }
            let migration = migration_of(pair, &database).options(["--method", method]);
            migration.run().succeeded();
            let logged = "select string_agg(who, ' ') from login_log where who ~ 'pghaul'";
            assert_eq!(pair.source.psql(&database, logged), "", "{method}");
            // Each login of the test's own sessions writes a row.
            let remove = ["remove", "--incomplete", "--applications-still-write"];
            migration.command(&remove).run().succeeded();
            assert_nothing_of_it_is_left(&migration, pair, &database);
        }
    }
}

/// Bytes that no UTF-8 stands for: in rows, comments and functions.
#[test]
fn bytes_arrive_as_they_are() {
    let pair = shared_pair(Kind::Ordinary);
    for (encoding, bytes) in [
        ("SQL_ASCII", "caf\\351\\377"),
        ("LATIN1", "\\344"),
        ("WIN1252", "\\201\\344"),
        ("EUC_JP", "\\217\\242\\241"),
    ] {
        for method in ["dump", "replication"] {
            let database = pair.fresh_database("bytes");
            pair.source.psql(
                "postgres",
                &format!("drop database {database}; create database {database} template template0 encoding '{encoding}' locale 'C'"),
            );
            let text = format!("convert_from('{bytes}'::bytea, '{encoding}')");
            pair.source.psql(
                &database,
                &format!(
                    "create table t (id int primary key, x text); insert into t select 1, {text}; create index on t (x);
                     create table key_of (id int primary key, constraint key_t foreign key (id) references t);
                     do $do$ begin execute 'comment on table t is ' || quote_literal({text});
                         execute 'create function f() returns text language sql as ' || quote_literal('select ' || quote_literal({text}));
                         execute 'alter table t add check (x <> ' || quote_literal({text} || 'x') || ')'; end $do$"
                ),
            );
            let migration = migration_of(pair, &database).options(["--method", method]);
            migration.run().succeeded();
            let same = |query: &str| {
                let there = pair.source.psql(&database, query);
                wait_until(query, LIMIT, || pair.target.psql(&database, query) == there);
                assert!(!there.is_empty());
            };
            for text in [
                "x from t",
                "obj_description('t'::regclass)",
                "prosrc from pg_proc where proname = 'f'",
                "pg_get_constraintdef(oid) from pg_constraint where conrelid = 't'::regclass and contype = 'c'",
            ] {
                let (what, from) = text.split_once(" from ").unwrap_or((text, "(values (1)) as one"));
                same(&format!(
                    "select encode(convert_to({what}, '{encoding}'), 'hex') from {from}"
                ));
            }
            if method == "replication" {
                pair.source
                    .psql(&database, &format!("insert into t select 2, {text} || '2'"));
                same(&format!(
                    "select string_agg(encode(convert_to(x, '{encoding}'), 'hex'), ',' order by id) from t"
                ));
            }
            migration.remove().succeeded();
            assert_nothing_of_it_is_left(&migration, pair, &database);
        }
    }
}
