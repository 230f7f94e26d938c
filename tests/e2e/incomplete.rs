//! What the rows or the target do not admit is left out, listed, tried again, and accepted by name.

use crate::migration::{Migration, assert_nothing_of_it_is_left};
use pghaul_testkit::{Cluster, ClusterPair, Kind, compare, shared_pair, wait_until};
use std::time::Duration;

/// An orphan, a duplicate, an entry too long for its index: with what depends on them.
const BROKEN: &str = "
    create table customer (id integer primary key);
    create table invoice (id integer primary key, customer integer references customer);
    comment on constraint invoice_customer_fkey on invoice is 'why';
    insert into customer values (1); insert into invoice values (1, 1);
    create table u (id int primary key, mail text, long text);
    create unique index u_mail on u (mail);
    comment on index u_mail is 'one each';
    create index u_long on u (left(long, 10));
    insert into u select i, 'm' || i, repeat('x', 10) from generate_series(1, 3) i;
    set session_replication_role = replica;
    insert into invoice values (2, 99);
    update pg_index set indisready = false, indislive = false where indexrelid = 'u_mail'::regclass;
    insert into u values (4, 'm1', '');
    update pg_index set indisready = true, indislive = true where indexrelid = 'u_mail'::regclass";

const FIXED: &str = "delete from invoice where id = 2; delete from u where id = 4";

fn listed(migration: &Migration, database: &str) -> Vec<String> {
    let status = migration.status_of(database);
    let incomplete = status["incomplete"].as_array().expect("a list");
    let names = incomplete.iter().filter(|one| one["refused"] == true);
    names
        .map(|one| one["object"].as_str().expect("a name").to_owned())
        .collect()
}

const KEY: &str = "foreign key invoice_customer_fkey of table public.invoice";
const INDEX: &str = "index public.u_mail";
const COMMENT: &str = "comment on INDEX u_mail in schema public";

fn broken(pair: &ClusterPair, name: &str, method: &str) -> (Migration, String) {
    let database = pair.fresh_database(name);
    pair.source.psql(&database, BROKEN);
    let migration = Migration::of(&pair.source, &pair.target, &database).options(["--method", method]);
    (migration, database)
}

fn rows(cluster: &Cluster, database: &str) -> String {
    cluster.psql(
        database,
        "select (select count(*) from invoice), (select count(*) from u)",
    )
}

#[test]
fn fixing_the_source_of_a_replicated_database_and_running_again_continues() {
    let pair = shared_pair(Kind::Ordinary);
    let (migration, database) = broken(pair, "fixed", "replication");
    let run = migration.run().succeeded();
    assert!(run.stdout.contains("invoice_customer_fkey"), "{run}");
    assert_eq!(rows(&pair.target, &database), "2|4", "every row is there");
    assert_eq!(listed(&migration, &database), [INDEX, COMMENT, KEY]);
    // The query shows the row.
    let status = migration.status_of(&database);
    let of_key = |one: &&serde_json::Value| one["object"] == KEY;
    let key = status["incomplete"]
        .as_array()
        .unwrap()
        .iter()
        .find(of_key)
        .unwrap();
    let query = key["sql"].as_str().expect("a query");
    assert_eq!(pair.source.psql(&database, query), "2|99");
    assert!(
        !status.to_string().contains("(99)"),
        "no value of a row: {status:#}"
    );

    let refused = migration.remove();
    assert!(refused.stderr.contains(INDEX), "{refused}");
    pair.source.psql(&database, FIXED);
    migration.run().succeeded();
    assert_eq!(listed(&migration, &database), [""; 0]);
    compare::same(&pair.source, &pair.target, &database);
    migration.remove().succeeded();
    assert_nothing_of_it_is_left(&migration, pair, &database);
}

#[test]
fn the_removal_tries_again_and_takes_names() {
    let pair = shared_pair(Kind::Ordinary);
    let (migration, database) = broken(pair, "accepted", "replication");
    migration.run().succeeded();
    let unknown = migration
        .command(&["remove", "--accept-incomplete", "index u_mail"])
        .run();
    assert!(unknown.stderr.contains(INDEX), "{unknown}");
    let some = migration.command(&["remove", "--accept-incomplete", KEY]).run();
    let because = |object: &str| some.stderr.contains(&format!("because: {database}: {object}"));
    assert!(because(INDEX) && !because(KEY), "{some}");
    pair.source.psql(&database, "delete from u where id = 4");
    migration
        .command(&["remove", "--accept-incomplete", KEY])
        .run()
        .succeeded();
    let there = "select indisvalid from pg_index where indexrelid = 'u_mail'::regclass";
    assert_eq!(pair.target.psql(&database, there), "t");
    let key = "select convalidated from pg_constraint where contype = 'f'";
    assert_eq!(pair.target.psql(&database, key), "f");
    assert_nothing_of_it_is_left(&migration, pair, &database);
}

#[test]
fn what_a_dump_lacks_is_completed_when_the_target_is_fixed() {
    let pair = shared_pair(Kind::Ordinary);
    let (migration, database) = broken(pair, "dumped", "dump");
    migration.run().succeeded();
    assert_eq!(listed(&migration, &database), [INDEX, COMMENT, KEY]);
    migration.run().succeeded();
    assert_eq!(listed(&migration, &database), [INDEX, COMMENT, KEY]);
    for side in [&pair.source, &pair.target] {
        side.psql(&database, FIXED);
    }
    migration.run().succeeded();
    assert_eq!(listed(&migration, &database), [""; 0]);
    compare::same(&pair.source, &pair.target, &database);
    // What was deleted on the source was deleted on the target as well, which pghaul can't know.
    let remove = migration.command(&["remove", "--applications-still-write"]);
    remove.run().succeeded();
    assert_nothing_of_it_is_left(&migration, pair, &database);
}

/// A materialized view that fails, one that reads it, and one that reads another through a function; a partition on a server
/// that can't be reached.
#[test]
fn views_and_statistics_that_the_target_can_not_make_end_no_run() {
    let pair = shared_pair(Kind::Ordinary);
    for method in ["dump", "replication"] {
        let database = pair.fresh_database(&format!("unreachable_{method}"));
        pair.source.psql(
            &database,
            "create extension postgres_fdw;
             create server far foreign data wrapper postgres_fdw options (host '127.0.0.1', port '1');
             create user mapping for public server far options (user 'u');
             create table p (i int, t text) partition by list (i);
             create table p1 partition of p for values in (1);
             create foreign table p2 partition of p for values in (2) server far;
             insert into p values (1, 'x');
             create table t (i int primary key);
             insert into t values (1);
             create function divided() returns int language sql as 'select 1 / (max(i) - 1) from public.t';
             create materialized view \"of z\" as select 1 as i;
             create function of_z() returns int language sql as 'select i from public.\"of z\"';
             create materialized view a as select public.of_z();
             update t set i = 2;
             create materialized view m as select public.divided();
             create materialized view n as select * from m;
             create materialized view empty as select 1 with no data;
             update t set i = 1",
        );
        let migration = Migration::of(&pair.source, &pair.target, &database).options(["--method", method]);
        migration.run().succeeded();
        assert_eq!(
            listed(&migration, &database),
            [
                "statistics of table public.p",
                "materialized view public.m",
                "materialized view public.n"
            ]
        );
        let populated = "select relname, relispopulated from pg_class where relkind = 'm' order by 1";
        assert_eq!(
            pair.target.psql(&database, populated),
            "a|t\nempty|f\nm|f\nn|f\nof z|t"
        );
        for side in [&pair.source, &pair.target] {
            if method == "dump" || std::ptr::eq(side, &pair.source) {
                side.psql(&database, "update t set i = 2");
            }
        }
        wait_until("the row arrives", Duration::from_secs(30), || {
            pair.target.psql(&database, "select i from t") == "2"
        });
        migration.run().succeeded();
        assert_eq!(listed(&migration, &database), ["statistics of table public.p"]);
        assert_eq!(
            pair.target.psql(&database, populated),
            "a|t\nempty|f\nm|t\nn|t\nof z|t"
        );
    }
}

/// Rows can't be followed without what identifies them.
#[test]
fn a_replica_identity_must_be_there() {
    let pair = shared_pair(Kind::Ordinary);
    let database = pair.fresh_database("identity");
    pair.source.psql(
        &database,
        "create table u (mail text not null); create unique index u_mail on u (mail);
         alter table u replica identity using index u_mail;
         insert into u values ('a');
         update pg_index set indisready = false, indislive = false where indexrelid = 'u_mail'::regclass;
         insert into u values ('a');
         update pg_index set indisready = true, indislive = true where indexrelid = 'u_mail'::regclass",
    );
    let options = ["--method", "replication"];
    let migration = Migration::of(&pair.source, &pair.target, &database).options(options);
    // Two rows are few enough for the rehearsal to see it.
    let rehearsed = migration.with_options("run").run();
    assert_eq!(rehearsed.status.code(), Some(3), "{rehearsed}");
    assert!(rehearsed.stderr.contains("u_mail"), "{rehearsed}");
    let refused = migration.run();
    assert!(!refused.status.success(), "{refused}");
    assert!(refused.stderr.contains("INDEX public.u_mail"), "{refused}");
}

/// Checks that are not immutable, that depend on settings of the database, that call functions which read other tables.
const CHECKS: &str = "
    create table voucher (id integer primary key, expires timestamptz,
        constraint in_time check (expires > now()), constraint has_id check (id > 0));
    comment on constraint in_time on voucher is 'once';
    insert into voucher values (1, now() + interval '1 millisecond'), (2, now() + interval '1 year');
    create domain recent as date check (value > date '2000-01-01' and value < current_date + 10000);
    create schema s1;
    create table s1.word (val text primary key);
    insert into s1.word values ('a');
    create function s1.known(text) returns boolean language sql immutable as
        $$ select exists (select from s1.word where val = $1) $$;
    create table parent (id int primary key, val text, constraint known check (s1.known(val)));
    create table child (day recent) inherits (parent);
    alter table child add primary key (id);
    insert into parent values (1, 'a');
    insert into child values (2, 'a', current_date);
    create table p (i int, val text check (s1.known(val))) partition by list (i);
    create table p1 partition of p (primary key (i)) for values in (1);
    insert into p values (1, 'a')";

#[test]
fn checks_that_rows_may_not_fulfil_any_more_come_after_the_rows() {
    let pair = shared_pair(Kind::Ordinary);
    for method in ["dump", "replication"] {
        let database = pair.fresh_database(&format!("checks_{method}"));
        pair.source.psql(&database, CHECKS);
        let migration = Migration::of(&pair.source, &pair.target, &database).options(["--method", method]);
        migration.run().succeeded();
        let constraints = |cluster: &Cluster| {
            cluster.psql(
                &database,
                "select conrelid::regclass::text, conname, convalidated, coninhcount, conislocal from pg_constraint
                 where contype = 'c' and connamespace::regnamespace::text in ('public', 's1') order by 1, 2",
            )
        };
        let in_time = "check constraint in_time of table public.voucher";
        if method == "replication" {
            assert!(!constraints(&pair.target).contains("in_time"));
            assert!(!constraints(&pair.target).contains("known"));
            // Nothing that is applied is checked.
            pair.source.psql(
                &database,
                "insert into s1.word values ('b'); insert into parent values (3, 'b'); delete from s1.word where val = 'b';
                 update parent set val = 'a' where id = 3",
            );
            let refused = migration.remove();
            assert!(refused.stderr.contains(in_time), "{refused}");
            migration
                .command(&["remove", "--accept-incomplete", in_time])
                .run()
                .succeeded();
        } else {
            assert_eq!(listed(&migration, &database), [in_time]);
        }
        let expected = constraints(&pair.source).replace("voucher|in_time|t", "voucher|in_time|f");
        assert_eq!(constraints(&pair.target), expected);
        let comment =
            "select obj_description(oid, 'pg_constraint') from pg_constraint where conname = 'in_time'";
        assert_eq!(pair.target.psql(&database, comment), "once");
        let rows = |cluster: &Cluster| {
            cluster.psql(
                &database,
                "select * from voucher; select * from parent; select * from p",
            )
        };
        assert_eq!(rows(&pair.target), rows(&pair.source));
    }
}
