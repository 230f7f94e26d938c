//! `check` restores the schema into a throwaway database: what the target refuses is found before any row moves, and nothing is
//! left of it, whatever happens.

use crate::migration::Migration;
use pghaul_testkit::{Cluster, ClusterPair, Kind, Outcome, Settings, shared_pair, wait_until};
use std::time::Duration;

const CHECK_FAILED: i32 = 3;

/// What the check finds, as `severity kind object`.
fn found(outcome: &Outcome) -> Vec<String> {
    let answer: serde_json::Value =
        serde_json::from_str(&outcome.stdout).unwrap_or_else(|error| panic!("{error}\n{outcome}"));
    let findings = answer["check"]["findings"].as_array().expect("findings");
    let of_it = findings.iter().filter(|finding| finding["check"] == "rehearsal");
    of_it
        .map(|finding| {
            let text = |value: &serde_json::Value| value.as_str().unwrap_or("-").to_owned();
            let object = text(&finding["subject"]["object"]["object"]);
            format!(
                "{} {} {object}",
                text(&finding["severity"]),
                text(&finding["kind"])
            )
        })
        .collect()
}

fn check(migration: &Migration) -> Outcome {
    migration.with_options("check").args(["--json"]).run()
}

/// The databases of rehearsals.
fn rehearsals(cluster: &Cluster) -> Vec<String> {
    let sql = "select datname from pg_database where datname ~ '^pghaul_rehearsal'";
    cluster.rows("postgres", sql).concat()
}

/// Everything of a cluster that a rehearsal could have changed outside of its database.
fn shared_objects(cluster: &Cluster) -> String {
    let sql = "select (select json_agg(d.datname || coalesce(d.datacl::text, '') order by 1) from pg_database d), \
               (select json_agg(rolname order by 1) from pg_roles), \
               (select json_agg(s.setdatabase::text || s.setconfig::text) from pg_db_role_setting s), \
               (select json_agg(d.description order by 1) from pg_shdescription d), \
               (select json_agg(subname) from pg_subscription), (select json_agg(slot_name) from pg_replication_slots)";
    cluster.psql("postgres", sql)
}

/// Of all kinds, with what must not run or reach anything outside of the rehearsal. Functions refuse to run as a superuser.
const RICH: &str = r#"
    create function harmless() returns bool language sql immutable as 'select true';
    create function low(t text) returns text language plpgsql immutable as $$ begin
        perform public.harmless(); return lower(t); end $$;
    create domain mail as text check (value ~ '@');
    create table person (id int generated always as identity primary key, mail mail, "o'dd \ name" text,
        low text generated always as (low(mail)) stored, born timestamptz, sum money, raw bytea, tags text[],
        check (harmless()));
    create index on person (low(mail));
    insert into person (mail, "o'dd \ name", born, sum, raw, tags)
        select 'M' || i || '@x', E'a\\b''c\td\n' || i, now(), 1.5, '\xdead', array['"', '\', null]
          from generate_series(1, 300) i;
    create table bill (id int, person int references person, day date, primary key (id, day)) partition by range (day);
    create table bill_1 partition of bill for values from ('2020-01-01') to ('2030-01-01');
    insert into bill select i, 301 - i, '2024-01-01' from generate_series(1, 300) i;
    create table late (id int primary key, person int references person);
    insert into late select i, 301 - i from generate_series(1, 300) i;
    create function fires() returns trigger language plpgsql as $$ begin raise exception 'fired'; end $$;
    create trigger fires before insert or truncate on bill_1 execute function fires();
    alter table bill_1 enable always trigger fires;
    create view grouped as select id, mail from person group by id;
    create materialized view of_key as select id, mail, count(*) as n from person group by id; create unique index on of_key (id);
    create materialized view counted as select count(*), harmless() from person;
    create function of_path() returns int language plpgsql as $$ begin return (select count(*) from person); end $$;
    create materialized view pathy as select of_path();
    create role NAME_role; create policy seen on late to NAME_role using (true); alter table late enable row level security;
    grant select on late to NAME_role; alter table late owner to NAME_role;
    create publication NAME_pub for all tables;
    alter database NAME set "app.tenant" = '7'; alter database NAME set search_path = public; comment on database NAME is 'shared';
    create or replace function harmless() returns bool language plpgsql immutable as $$ begin
        if (select rolsuper from pg_roles where rolname = current_user) then raise exception 'as a superuser'; end if;
        return true; end $$;
"#;

#[test]
fn a_schema_that_the_target_takes_is_rehearsed_without_a_word_or_a_trace() {
    let pair = ClusterPair::start(Settings::new(), Settings::new().set("log_statement", "all"));
    pair.source.create_database("rich");
    pair.source.psql("rich", &RICH.replace("NAME", "rich"));
    let migration = Migration::of(&pair.source, &pair.target, "rich");
    let before = [&pair.source, &pair.target].map(shared_objects);
    let outcome = check(&migration);
    assert_eq!(found(&outcome), [""; 0], "{outcome}");
    assert_eq!([&pair.source, &pair.target].map(shared_objects), before);
    let log = pair.target.log();
    assert!(
        log.contains("CREATE DATABASE \"pghaul_rehearsal_"),
        "nothing was rehearsed"
    );
    assert!(!log.contains("M17@x"), "a row is in the server's log");
}

/// Two libraries and a function that worked when they were used, and an expression that needs a search path.
fn break_schema(source: &Cluster, database: &str) {
    let directory = source.psql(
        "postgres",
        "select setting from pg_config where name = 'PKGLIBDIR'",
    );
    let library = pghaul_testkit::scratch_directory("library").join("gone.so");
    std::fs::copy(format!("{}/dict_snowball.so", directory.trim()), &library).expect("copy a library");
    source.psql(
        database,
        &format!(
            "create function legacy(internal) returns internal language c as '{}', 'dsnowball_init';
             comment on function legacy is 'old';
             create table lookup (k int primary key, v text); insert into lookup values (1, 'a');
             create function look(k int) returns text language plpgsql immutable as
                'begin return (select v from lookup where lookup.k = $1); end';
             create table t (id int primary key, k int, until timestamptz check (until > now()));
             insert into t values (1, 1, now() + interval '1 s');
             create index t_look on t (look(k));
             create function twice(i int) returns int language plpgsql immutable as 'begin return 2 * i; end';
             create table g (id int primary key, double int generated always as (twice(id)) stored);
             insert into g values (1);
             create function half(i int) returns int language plpgsql immutable as 'begin return twice(i) / 4; end';
             create table h (id int primary key, half int generated always as (half(id)) stored);
             insert into h values (1);
             create or replace function twice(i int) returns int language plpgsql immutable as
                'begin raise exception ''not any more''; end';
             create function one(i int) returns int language sql immutable as 'select i';
             create function also(i int) returns int language sql immutable as 'select one(i)';
             create table inlined (id int primary key, also int generated always as (also(id)) stored);
             create materialized view inverse as select 1 / (id - 1) as x from t where id > 1;
             insert into t values (2, 1, now() + interval '1 s'); select pg_sleep(1.1);
             create table fine (id int primary key); insert into fine select generate_series(1, 1000)",
            library.display()
        ),
    );
    source.psql(
        database,
        "refresh materialized view inverse; update t set id = 1 where false",
    );
    std::fs::remove_file(&library).expect("remove the library");
}

#[test]
fn what_the_target_refuses_is_found_before_any_row_moves() {
    let pair = shared_pair(Kind::Ordinary);
    let database = pair.fresh_database("refused");
    break_schema(&pair.source, &database);
    for method in ["replication", "dump"] {
        let migration = Migration::of(&pair.source, &pair.target, &database).options(["--method", method]);
        let outcome = check(&migration);
        // A dump builds it with the search_path of the database, up to PostgreSQL 16.
        let is_built = method == "dump" && pair.target.major() < 17;
        let index = (!is_built).then_some("warning object-refused index public.t_look");
        let expected = [
            Some("warning object-refused function public.legacy(internal)"),
            Some("error object-fails table public.inlined"),
            index,
            Some("warning rows-refused table public.g"),
            Some("error function-fails table public.h"),
            Some("warning check-violated check constraint t_until_check of table public.t"),
        ];
        let expected: Vec<&str> = expected.into_iter().flatten().collect();
        assert_eq!(found(&outcome), expected, "{outcome}");
        let words = outcome.stdout.contains("relation \\\"lookup\\\" does not exist");
        assert_eq!(words, !is_built, "{outcome}");
        assert!(outcome.stdout.contains("gone.so"), "{outcome}");
        assert!(outcome.stdout.contains("in_function"), "{outcome}");
        assert!(outcome.stdout.contains("not any more"), "{outcome}");
        let quiet = migration
            .with_options("check")
            .args(["--json", "--no-rehearsal"])
            .run();
        assert_eq!(found(&quiet), [""; 0]);
    }
    let sql = format!("select count(*) from pg_database where datname = '{database}'");
    assert_eq!(pair.target.psql("postgres", &sql), "0");
}

#[test]
fn what_only_a_rehearsal_lacks_stops_no_run() {
    let pair = ClusterPair::start(Settings::new(), Settings::new());
    let database = "lacking";
    pair.source.create_database(database);
    // One that another migration makes there right now is not moved.
    pair.source.create_database("pghaul_rehearsal_1_2_3");
    // Roles, also within types; the name of the database; the rights of a superuser; what a function raises by itself.
    let sql = r"
        create role NAME_app;
        create domain who as regrole; create type grant_of as (t text, who who); create domain acl as aclitem[];
        create table named (id int primary key, g grant_of[], acl acl);
        insert into named values (1, array[row('t', 'NAME_app')::grant_of], '{NAME_app=r/NAME_app}');
        create domain here as text check (value = current_database());
        create domain mine as text check (pg_has_role('NAME_app', 'NAME_app', value));
        create table within (id int primary key, here here[], mine mine[]);
        insert into within values (1, array[current_database()], array['member']);
        create function is_app(i int) returns bool language plpgsql immutable as
            'begin return pg_has_role(''NAME_app'', ''NAME_app'', ''member''); end';
        create table app (id int primary key, is_app bool generated always as (is_app(id)) stored);
        insert into app values (1);
        create function sized(i int) returns bigint language plpgsql immutable as
            'begin return 0 * pg_database_size(''NAME''); end';
        create table sized (id int primary key, size bigint generated always as (sized(id)) stored);
        insert into sized values (1);
        create function judged(i int) returns int language plpgsql immutable as 'begin
            if not (select rolsuper from pg_roles where rolname = current_user) then raise undefined_object; end if;
            return i; end';
        create table judged (id int primary key, i int generated always as (judged(id)) stored);
        insert into judged values (1);
        create function secret(i int) returns bigint language plpgsql immutable as
            'begin return (select count(*) from pg_authid where oid = i); end';
        create table indexed (id int primary key); insert into indexed values (1); create index on indexed (secret(id))";
    pair.source.psql(database, &sql.replace("NAME", database));
    let migration = Migration::between(
        &pair.source.conninfo("postgres"),
        &pair.target.conninfo("postgres"),
    )
    .options(["--method", "dump"]);
    let outcome = check(&migration);
    let expected = [
        "warning rows-refused table public.within",
        "warning rows-refused table public.judged",
        "note partly-rehearsed -",
        "note partly-rehearsed -",
        "note partly-rehearsed -",
    ];
    assert_eq!(found(&outcome), expected, "{outcome}");
    migration.with_options("run").run().succeeded();
    for table in ["named", "within", "app", "sized", "judged"] {
        let sql = format!("select t::text from {table} t");
        assert_eq!(pair.target.psql(database, &sql), pair.source.psql(database, &sql));
    }
    assert_eq!(rehearsals(&pair.target), [""; 0]);
}

#[test]
fn a_run_that_rehearses_stops_before_it_creates_anything() {
    let pair = shared_pair(Kind::Ordinary);
    let database = pair.fresh_database("rehearsed");
    // Valid when it was added; the catalog is changed behind its back.
    pair.source.psql(
        &database,
        "create table t (id int primary key, k int); insert into t values (1, 1), (2, 2);
         alter table t add constraint small check (k < 2) not valid;
         set allow_system_table_mods = on; update pg_constraint set convalidated = true where conname = 'small'",
    );
    // Rows that do not move are not tried.
    let without = Migration::of(&pair.source, &pair.target, &database).options(["--schema-only-table", "t"]);
    assert_eq!(found(&check(&without)), [""; 0]);
    let migration = Migration::of(&pair.source, &pair.target, &database).options(["--rehearse"]);
    let run = || migration.with_options("run").run();
    let outcome = run().failed_with(CHECK_FAILED);
    assert!(outcome.stderr.contains("table public.t"), "{outcome}");
    assert!(outcome.stderr.contains("violates check constraint"), "{outcome}");
    assert!(
        !outcome.to_string().contains("(2, 2)"),
        "no value of a row: {outcome}"
    );
    let sql = format!("select count(*) from pg_database where datname = '{database}'");
    assert_eq!(pair.target.psql("postgres", &sql), "0");

    pair.source.psql(&database, "delete from t where id = 2");
    run().succeeded();
    assert_eq!(pair.target.psql(&database, "select count(*) from t"), "1");
}

#[test]
fn a_rehearsal_that_ends_early_leaves_nothing_for_long() {
    let pair = ClusterPair::start(Settings::new(), Settings::new());
    pair.source.create_database("slow");
    pair.source.psql(
        "slow",
        "create table t (id int primary key); insert into t values (1);
         create function slow(i int) returns int language plpgsql immutable as 'begin return i; end';
         create index on t (slow(id));
         create or replace function slow(i int) returns int language plpgsql immutable as
            'begin perform pg_sleep(8); return i; end'",
    );
    let migration = Migration::of(&pair.source, &pair.target, "slow");
    let asleep = "select count(*) from pg_stat_activity where datname ~ '^pghaul_rehearsal' and wait_event = 'PgSleep'";
    let rehearses = || {
        wait_until("it rehearses", Duration::from_secs(60), || {
            pair.target.psql("postgres", asleep) == "1"
        });
    };
    let stopped = Migration::of(&pair.source, &pair.target, "slow");
    let running = stopped.with_options("run").spawn();
    rehearses();
    running.interrupt();
    let outcome = running.wait(Duration::from_secs(60));
    assert_eq!(rehearsals(&pair.target), [""; 0], "{outcome}");
    for command in ["check", "doctor", "run"] {
        let running = migration.with_options("check").spawn();
        rehearses();
        // One that is under way is left alone.
        let doctor = migration.command(&["doctor", "--json"]).run();
        assert!(
            doctor.stdout.contains("\"what\": \"rehearsal-database\""),
            "{doctor}"
        );
        assert_eq!(rehearsals(&pair.target).len(), 1);
        running.kill9();
        if command == "run" {
            let fast = "create or replace function slow(i int) returns int language plpgsql immutable as 'begin return i; end'";
            pair.source.psql("slow", fast);
        }
        let outcome = match command {
            "doctor" => migration.command(&["doctor"]).run().succeeded(),
            "check" => migration.with_options("check").args(["--no-rehearsal"]).run(),
            other => migration.with_options(other).run().succeeded(),
        };
        assert_eq!(rehearsals(&pair.target), [""; 0], "{command}: {outcome}");
    }
}

#[test]
fn without_the_right_to_create_databases_nothing_is_rehearsed() {
    let pair = ClusterPair::start(Settings::new(), Settings::new());
    pair.source.create_database("shop");
    pair.source.psql(
        "shop",
        "create table t (id int primary key); insert into t values (1)",
    );
    pair.target
        .psql("postgres", "create role limited login password 'any'");
    pair.target.psql("postgres", "create database shop owner limited");
    let target = pair.target.conninfo_as("limited", "any", "postgres");
    let migration =
        Migration::between(&pair.source.conninfo("postgres"), &target).options(["--database", "shop"]);
    let outcome = check(&migration);
    assert_eq!(found(&outcome), ["note not-rehearsed -"], "{outcome}");
    assert!(
        outcome.stdout.contains("role limited may not create databases"),
        "{outcome}"
    );

    // One that may is enough: everything belongs to it then.
    pair.target.psql("postgres", "alter role limited createdb");
    let outcome = check(&migration);
    assert_eq!(found(&outcome), [""; 0], "{outcome}");
    assert_eq!(rehearsals(&pair.target), [""; 0]);

    // Its sessions become a role to which they do not show when they began.
    pair.target.psql(
        "postgres",
        "create role worker createdb; grant worker to limited; alter role limited set role = 'worker'",
    );
    let outcome = check(&migration);
    assert_eq!(found(&outcome), [""; 0], "{outcome}");
    assert_eq!(rehearsals(&pair.target), [""; 0]);
}
