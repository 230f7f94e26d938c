//! The target's role may create databases and roles, and no more, as on hosted services: objects get their owners, rights
//! their grantors, and nothing of what pghaul's role was lent is left.

use crate::failures::Holder;
use crate::migration::{Migration, assert_nothing_is_left};
use pghaul_testkit::{Cluster, ClusterPair, Settings, compare, postgres, wait_until};
use serde_json::Value;
use std::collections::BTreeSet;
use std::time::Duration;

const SCHEMA: &str = r#"
    create schema app authorization owner_a;
    create table app.t (id integer primary key, what text);
    alter table app.t owner to owner_a;
    create table app.u (id serial primary key, t integer references app.t);
    alter table app.u owner to owner_b;
    create table app.odd (id integer primary key);
    alter table app.odd owner to "odd ' role";
    create table public.p (id integer primary key);
    alter table public.p owner to owner_b;
    create function app.f() returns integer language sql as 'select 1';
    alter function app.f() owner to owner_b;
    create view app.v as select * from app.t;
    alter view app.v owner to owner_b;
    create materialized view app.m as select 1 as one;
    alter materialized view app.m owner to owner_a;
    create type app.mood as enum ('calm');
    alter type app.mood owner to owner_b;
    grant usage on schema app to grantor;
    grant select on app.t to grantor with grant option;
    set role owner_a; grant select on app.t to owner_b;
    set role grantor; grant select on app.t to reader;
    reset role;
    alter default privileges for role owner_a in schema app grant select on tables to reader;
    select lo_from_bytea(n, ('content ' || n)::bytea) from generate_series(7001, 7004) n;
    alter large object 7001 owner to owner_a;
    alter large object 7002 owner to owner_b;
    grant select on large object 7001 to grantor with grant option;
    revoke all on large object 7002 from owner_b;
    grant update, select on large object 7002 to owner_b;
    comment on large object 7002 is 'of owner_b';
    alter large object 7003 owner to "odd ' role";
    alter large object 7004 owner to owner_a;
    set role grantor; grant select on large object 7001 to reader; reset role;
    insert into app.t select n, 'row' from generate_series(1, 3000) n;
    insert into app.u (t) select n from generate_series(1, 500) n;
    insert into app.odd values (1)"#;

/// What a session of the bootstrap superuser has made for itself. Its schema stays when it ends.
const OF_A_SESSION: &str = "
    create temporary table seen (id integer primary key, price money);
    create type pg_temp.mood as enum ('calm');
    create function pg_temp.sealed() returns integer language sql leakproof as 'select 1';
    create function pg_temp.next(integer) returns integer language internal strict as 'int4inc';
    create operator class pg_temp.plain for type integer using btree as operator 1 <;
    grant select on seen to reader";

/// Servers with a database `shop` of several owners, and a role `mover` on each side that is no superuser on the target.
fn world(source: u32, target: u32, method: &str) -> (ClusterPair, Migration) {
    let pair = ClusterPair::start(Settings::new().major(source), Settings::new().major(target));
    let roles = r#"create role owner_a; create role owner_b; create role "odd ' role"; create role reader; create role grantor;
                   set password_encryption = 'scram-sha-256'; create role mover superuser login password 'm';
                   create database shop owner owner_b; revoke connect on database shop from public"#;
    for statement in roles.split(';') {
        pair.source.psql("postgres", statement);
    }
    pair.source.psql("shop", SCHEMA);
    pair.target.psql(
        "postgres",
        "create role mover login createdb createrole password 'm'",
    );
    if target >= 16 {
        pair.target
            .psql("postgres", "grant pg_create_subscription to mover");
    }
    let [source, target] =
        [&pair.source, &pair.target].map(|cluster| cluster.conninfo_as("mover", "m", "postgres"));
    let pg_dump = postgres::client_from("pg_dump", 18);
    let migration = Migration::between(&source, &target)
        .options([
            "--database",
            "shop",
            "--method",
            method,
            "--target-free-space",
            "1TB",
        ])
        .env("PGHAUL_PG_DUMP", pg_dump.to_str().expect("a path in UTF-8"));
    (pair, migration)
}

/// Panics with all differences, but for the owner of the schema `public`: before PostgreSQL 15 it is the bootstrap superuser, and
/// newer targets keep their own.
#[track_caller]
fn assert_same(pair: &ClusterPair) {
    let options = compare::Options {
        ignored: vec!["SCHEMA public".to_owned()],
        ..compare::Options::default()
    };
    let found = compare::databases((&pair.source, "shop"), (&pair.target, "shop"), &options);
    assert!(found.is_empty(), "{found:#?}");
}

/// The roles that the target's role can act as, but for itself and what it was before.
fn lent(target: &Cluster) -> String {
    let can_act = match target.major() {
        16.. => "m.set_option or m.inherit_option",
        _ => "true",
    };
    target.psql(
        "postgres",
        &format!(
            "select string_agg(m.roleid::regrole::text, ', ') from pg_auth_members m
              where m.member = 'mover'::regrole and m.roleid > 16000 and ({can_act})"
        ),
    )
}

#[test]
fn owners_and_grantors_are_those_of_the_source_by_dump() {
    let (pair, migration) = world(14, 15, "dump");
    let session = Holder::start(&pair.source, "shop", OF_A_SESSION);
    migration.with_options("check").run().failed_with(11);
    drop(session);
    migration.run().succeeded();
    assert_same(&pair);
    assert_eq!(lent(&pair.target), "", "what was lent was given back");
    // A database that is copied again needs it again. No trigger is to fire then.
    pair.target.psql(
        "postgres",
        "grant set on parameter session_replication_role to mover",
    );
    pair.source.psql("shop", "insert into app.odd values (2)");
    migration
        .with_options("run")
        .args(["--restart-data", "shop"])
        .run()
        .succeeded();
    assert_same(&pair);
    assert_eq!(lent(&pair.target), "");
    migration.remove().succeeded();
    assert_nothing_is_left(&pair.source, &pair.target);
}

#[test]
fn owners_and_grantors_are_those_of_the_source_by_replication_that_was_killed() {
    let (pair, migration) = world(14, 16, "replication");
    let running = migration.with_options("run").spawn();
    wait_until("roles are lent", Duration::from_secs(60), || {
        lent(&pair.target).contains("owner_b")
    });
    running.kill9();
    migration.run().succeeded();
    pair.source.psql(
        "shop",
        "insert into app.odd values (2); update app.t set what = 'changed' where id < 10",
    );
    wait_until("changes of all owners arrive", Duration::from_secs(60), || {
        let arrived = "select (select count(*) from app.odd) || ' ' || (select count(*) from app.t where what = 'changed')";
        pair.target.psql("shop", arrived) == "2 9"
    });
    migration.remove().succeeded();
    assert_same(&pair);
    assert_eq!(lent(&pair.target), "", "what was lent was given back");
    assert_nothing_is_left(&pair.source, &pair.target);
}

fn objects(list: &Value) -> BTreeSet<String> {
    let object = |item: &Value| item["object"].as_str().expect("a name").to_owned();
    list.as_array().expect("a list").iter().map(object).collect()
}

/// What the check `role-rehearsal` names.
fn foretold_of_roles(migration: &Migration) -> BTreeSet<String> {
    let check = migration.with_options("check").args(["--json"]).run();
    let answer: Value = serde_json::from_str(&check.stdout).expect("JSON");
    let findings = answer["check"]["findings"].as_array().expect("findings");
    let of_it = findings
        .iter()
        .filter(|finding| finding["check"] == "role-rehearsal");
    of_it
        .flat_map(|finding| objects(&finding["facts"]["refused"]))
        .collect()
}

#[test]
fn what_cannot_be_given_away_is_refused_or_accepted_and_listed() {
    let (pair, migration) = world(16, 16, "dump");
    pair.target.psql("postgres", "create role owner_b");
    pair.source.psql(
        "shop",
        "create function app.g() returns event_trigger language plpgsql as 'begin end';
         alter function app.g() owner to owner_a;
         create event trigger guard on ddl_command_end execute procedure app.g();
         create extension hstore; revoke execute on function akeys(hstore) from public;
         revoke usage on language plpgsql from public;
         grant set on parameter log_statement to reader; grant pg_monitor to reader; alter role reader set log_min_messages = 'error';
         alter role reader set work_mem = '5MB'; comment on role reader is 'reads'",
    );
    pair.target
        .psql("postgres", "grant set on parameter log_statement to mover");
    let foretold = foretold_of_roles(&migration);
    let check = migration.with_options("check").run().failed_with(3);
    for named in [
        "app.u",
        "app.v",
        "app.f()",
        "public.p",
        "event trigger guard",
        "akeys",
        "language plpgsql",
    ] {
        assert!(check.stdout.contains(named), "{named}: {check}");
    }
    let run = migration
        .with_options("run")
        .args(["--accept", "owners", "--accept", "superuser-objects"])
        .run()
        .succeeded();
    assert!(run.stdout.contains("owner of table app.u"), "{run}");
    // The server only warns of these.
    for kept in ["FUNCTION akeys", "LANGUAGE plpgsql"] {
        let is_listed = |line: &str| line.contains(kept) && line.contains("no privileges could be revoked");
        assert!(run.stdout.lines().any(is_listed), "{kept}: {run}");
    }
    let history = migration.command(&["history", "--json"]).run().succeeded();
    let granted = r#"no privileges were granted for \"log_statement\""#;
    assert!(history.stdout.contains(granted), "{history}");
    let status = migration.command(&["status", "--json"]).run().succeeded();
    let of_cluster =
        serde_json::from_str::<Value>(&status.stdout).expect("JSON")["migration"]["incomplete"].take();
    assert_eq!(objects(&of_cluster), foretold);
    let of_parameter = "privilege SET ON PARAMETER log_statement TO reader";
    assert_eq!(foretold.len(), 3, "{foretold:?}");
    assert!(foretold.contains(of_parameter), "{foretold:?}");
    assert!(run.stdout.contains(of_parameter), "{run}");
    let remove = migration.remove().failed_with(8);
    assert!(remove.stderr.contains(of_parameter), "{remove}");
    pair.target
        .psql("postgres", "grant set on parameter log_statement to reader");
    let status = migration.command(&["status"]).run();
    assert!(!status.stdout.contains(of_parameter), "{status}");
    let owners = "select string_agg(relname || ' ' || relowner::regrole, ', ' order by relname) from pg_class where relkind = 'r' and relnamespace in ('app'::regnamespace, 'public'::regnamespace)";
    assert_eq!(
        pair.target.psql("shop", owners),
        "odd \"odd ' role\", p mover, t owner_a, u mover"
    );
    assert_eq!(pair.target.psql("shop", "select count(*) from app.u"), "500");
    assert_eq!(lent(&pair.target), "");
}
