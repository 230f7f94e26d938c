//! What pg_dump writes in one order and the target needs in another.

use crate::migration::Migration;
use pghaul_testkit::{ClusterPair, Kind, Settings, compare, postgres, shared_pair};

/// Runs a database through one method, to the end.
fn moved(pair: &ClusterPair, database: &str, method: &str) -> Migration {
    let pg_dump = postgres::client_from("pg_dump", pair.source.major());
    let migration = Migration::of(&pair.source, &pair.target, database)
        .options(["--method", method])
        .env("PGHAUL_PG_DUMP", pg_dump.to_str().expect("a path in UTF-8"));
    migration.run().succeeded();
    migration
}

/// Both sides answer the same.
#[track_caller]
fn same_answer(pair: &ClusterPair, database: &str, query: &str) {
    let [source, target] = [&pair.source, &pair.target].map(|cluster| cluster.psql(database, query));
    assert_eq!(target, source, "{query}");
}

const ACCESS_METHODS: &str = "
    create access method heap2 type table handler heap_tableam_handler;
    create table a (i int primary key);
    create table b (i int primary key) using heap2;
    create table c (i int primary key);
    create materialized view m using heap2 as select * from a;
    create materialized view n as select * from a;
    create table p (i int) partition by list (i) using heap2;
    create table p1 partition of p for values in (1);
    create table p2 partition of p for values in (2) using heap";

#[test]
fn a_table_keeps_its_own_access_method() {
    let pair = shared_pair(Kind::Versions(18, 18));
    let database = pair.fresh_database("access_methods");
    pair.source.psql(&database, ACCESS_METHODS);
    moved(pair, &database, "dump");
    let methods = "select c.relname, a.amname from pg_class c left join pg_am a on a.oid = c.relam
                   where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'm', 'p') order by 1";
    same_answer(pair, &database, methods);
    // A later partition takes it over.
    let later = "create table p3 partition of p for values in (3)";
    pair.target.psql(&database, later);
    let method = "select amname from pg_class c join pg_am a on a.oid = c.relam where relname = 'p3'";
    assert_eq!(pair.target.psql(&database, method), "heap2");
}

/// Constraints with the names that version 18 gives to NOT NULL.
const NAMES_OF_NOT_NULL: &str = "
    create table channel (
        id integer primary key, kind text not null, note text not null, code integer not null, span int4range not null,
        constraint channel_kind_not_null check (kind <> ''),
        constraint channel_code_not_null unique (code),
        constraint channel_span_not_null exclude using gist (span with &&)
    );
    insert into channel values (1, 'public', '', 7, '[1,2]');
    alter table channel add constraint channel_note_not_null check (note <> '') not valid;
    create table \"Sub channel\" (id integer not null, channel integer not null,
        constraint \"Sub channel_id_not_null\" primary key (id),
        constraint \"Sub channel_channel_not_null\" foreign key (channel) references channel);
    create table parent (a integer not null);
    create table child (b integer not null, constraint parent_a_not_null unique (a)) inherits (parent);
    create table p (i integer not null) partition by list (i);
    create table p1 partition of p (constraint p_i_not_null unique (i)) for values in (1);
    create domain c as integer not null constraint c_not_null check (value > 0);
    create domain d as integer not null;
    alter domain d add constraint d_not_null check (value > 5) not valid";

#[test]
fn constraints_keep_names_that_the_target_would_give_to_not_null() {
    let pair = shared_pair(Kind::Versions(13, 18));
    for method in ["dump", "replication"] {
        let database = pair.fresh_database(&format!("not_null_{method}"));
        pair.source.psql(&database, NAMES_OF_NOT_NULL);
        moved(pair, &database, method);
        let constraints = "select conrelid::regclass::text, conname, contype, convalidated from pg_constraint
                           where contype <> 'n' and connamespace = 'public'::regnamespace order by 1, 2";
        same_answer(pair, &database, constraints);
    }
}

#[test]
fn a_comment_on_a_held_back_foreign_key_is_held_back_with_it() {
    let pair = shared_pair(Kind::Ordinary);
    let database = pair.fresh_database("held_back");
    pair.source.psql(
        &database,
        "create table a (i int primary key);
         create table log (a int constraint log_a references a);
         comment on constraint log_a on log is 'why'",
    );
    let migration = moved(pair, &database, "replication");
    let status = migration.status_of(&database);
    let listed: Vec<&str> = status["incomplete"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|incomplete| incomplete["object"].as_str())
        .collect();
    assert!(
        listed.contains(&"foreign key log_a of table public.log"),
        "{status}"
    );
    assert!(
        listed.contains(&"comment on CONSTRAINT log_a ON log in schema public"),
        "{status}"
    );
    let by_dump = pair.fresh_database("not_held_back");
    pair.source.psql(
        &by_dump,
        "create table a (i int primary key);
         create table log (a int constraint log_a references a);
         comment on constraint log_a on log is 'why'",
    );
    moved(pair, &by_dump, "dump");
    compare::same(&pair.source, &pair.target, &by_dump);
}

/// A key of a partition whose index is attached to a plain unique index of the parent.
#[test]
fn an_index_is_attached_when_that_of_the_parent_is_there() {
    let pair = shared_pair(Kind::Ordinary);
    for method in ["dump", "replication"] {
        let database = pair.fresh_database(&format!("attached_{method}"));
        pair.source.psql(
            &database,
            "create table p (i int not null, t text) partition by list (i);
             create table p1 (i int not null, t text, constraint p1_key unique (i));
             insert into p1 values (1, 'a');
             create unique index p_unique on p (i);
             alter table p attach partition p1 for values in (1);
             comment on index p_unique is 'why'",
        );
        moved(pair, &database, method);
        same_answer(
            pair,
            &database,
            "select inhrelid::regclass, inhparent::regclass from pg_inherits order by 1",
        );
    }
}

/// A materialized view whose query groups by a primary key is created after that key; its index and statistics after it. Rights
/// of roles that are gone are nobody's, and keep no others out.
const AFTER_THE_KEY: &str = "
    create table t (id integer primary key, v text); insert into t values (1, 'a'), (2, 'b');
    create materialized view of_key as select id, v, count(*) as n from t group by id;
    create unique index on of_key (id);
    create materialized view over_of_key as select v, n from of_key; create index on over_of_key (v);
    create statistics of_views on v, n from over_of_key;
    create role DATABASE_gone; create role DATABASE_there;
    grant select, update (v) on t to DATABASE_gone, DATABASE_there;
    alter default privileges grant select on tables to DATABASE_gone, DATABASE_there;
    delete from pg_authid where rolname = 'DATABASE_gone'";

#[test]
fn nothing_is_listed_that_only_comes_later_or_is_nobodys() {
    let pair = ClusterPair::start(Settings::new(), Settings::new());
    for method in ["dump", "replication"] {
        let database = pair.fresh_database(&format!("after_{method}"));
        pair.source
            .psql(&database, &AFTER_THE_KEY.replace("DATABASE", &database));
        let migration = moved(&pair, &database, method);
        let status = migration.status_of(&database);
        let listed = status["incomplete"].as_array().map_or(0, Vec::len);
        assert_eq!(listed, 0, "{status}");
        let rights = format!(
            "select has_table_privilege('{database}_there', 't', 'select'), \
                    has_column_privilege('{database}_there', 't', 'v', 'update'), \
                    (select count(*) from pg_default_acl where defaclacl::text ~ '{database}_there'), \
                    (select n from over_of_key where v = 'b')"
        );
        same_answer(&pair, &database, &rights);
    }
}

/// As in a Rails application: 500 keys over 60 tables, whose names say nothing of their tables.
#[test]
fn foreign_keys_are_validated_side_by_side_without_a_deadlock() {
    let pair = shared_pair(Kind::Ordinary);
    let database = pair.fresh_database("many_keys");
    pair.source.psql(
        &database,
        "do $$ begin
             for t in 1..60 loop
                 execute format('create table t%s (id int primary key, %s)', t,
                     (select string_agg('c' || c || ' int', ', ') from generate_series(1, 9) c));
                 execute format('insert into t%s select x, %s from generate_series(1, 2000) x', t,
                     (select string_agg('x', ', ') from generate_series(1, 9)));
             end loop;
             for k in 0..499 loop
                 execute format('alter table t%s add constraint fk_rails_%s foreign key (c%s) references t%s',
                     1 + k % 60, substr(md5(k::text), 1, 10), 1 + k / 60, 1 + k * 7 % 60);
             end loop;
         end $$",
    );
    moved(pair, &database, "dump");
    let valid = "select count(*) from pg_constraint where contype = 'f' and convalidated";
    assert_eq!(pair.target.psql(&database, valid), "500");
    let deadlocks = format!("select deadlocks from pg_stat_database where datname = '{database}'");
    assert_eq!(pair.target.psql("postgres", &deadlocks), "0");
}

/// Expressions that compare without naming the operator, which is none of the server's own; domains that are held within other types.
const UNNAMED_OPERATORS: &str = "
    create schema ext; create extension citext schema ext; set search_path = public, ext;
    create table t (id int primary key, a citext, b citext, same boolean generated always as (a is not distinct from b) stored,
        check (a is distinct from 'x'::citext));
    insert into t values (1, 'A', 'a'), (2, 'b', 'c');
    create view v as select id, nullif(a, b), case a when 'B'::citext then 1 else 2 end from t;
    create view joined as select one.id from t one join (select a, 2 as two from t) two using (a);
    create materialized view m as select id, nullif(a, b) is null as same from t;
    create index on t (nullif(a, b)) where a is distinct from b;
    create function f() returns trigger language plpgsql as 'begin return new; end';
    create trigger tr before update on t for each row when (old.a is distinct from new.a) execute function f();
    create policy p on t using (a is distinct from 'hidden'::citext);
    create domain name as citext check (value is distinct from 'bad'::citext);
    create function is_fine(citext, citext) returns boolean language plpgsql immutable as 'begin return true; end';
    alter table t add constraint with_function check (public.is_fine(a, nullif(a, 'q'::citext)));
    create function is_positive(int) returns boolean language plpgsql immutable as 'begin return $1 > 0; end';
    create domain number as int constraint positive check (public.is_positive(value));
    comment on constraint positive on domain number is 'why';
    create table of_numbers (id int primary key, n number[], o name);
    insert into of_numbers values (1, '{1,2}', 'good')";

#[test]
fn what_names_no_operator_has_that_of_the_source() {
    let pair = shared_pair(Kind::Ordinary);
    for method in ["dump", "replication"] {
        let database = pair.fresh_database(&format!("operators_{method}"));
        pair.source.psql(&database, UNNAMED_OPERATORS);
        let migration = moved(pair, &database, method);
        migration.remove().succeeded();
        compare::same(&pair.source, &pair.target, &database);
    }
}

/// Keywords of PostgreSQL 16.
const KEYWORDS: &str = "
    create table t (id int primary key, system_user text check (system_user <> 'x'), json text);
    insert into t values (1, 'a', 'b');
    create function f(json json) returns json language sql immutable as 'select $1';
    create function g(system_user text) returns boolean language sql immutable as 'select $1 is not null';
    alter table t add constraint of_function check (g(system_user));
    comment on constraint of_function on t is 'why';
    create view v as select system_user, json from t where system_user = 'a';
    create index on t ((system_user || json)) where system_user <> ''";

#[test]
fn names_that_are_keywords_of_the_target_stay_names() {
    let pair = shared_pair(Kind::Versions(13, 18));
    let database = pair.fresh_database("keywords");
    pair.source.psql(&database, KEYWORDS);
    moved(pair, &database, "dump").remove().succeeded();
    for query in [
        "select \"system_user\", \"json\" from v",
        "select conname, convalidated, obj_description(oid) from pg_constraint
         where conrelid = 't'::regclass and contype <> 'n' order by 1",
        "select count(*) from pg_index where indrelid = 't'::regclass",
        "select f('1')",
    ] {
        same_answer(pair, &database, query);
    }
    let own = "select count(*) from pg_get_constraintdef((select oid from pg_constraint where conname = 't_system_user_check')) d
               where d like '%\"system_user\"%'";
    assert_eq!(
        pair.target.psql(&database, own),
        "1",
        "a column, not the session's user"
    );
}
