//! The comparison finds each kind of difference, and none where there is none.

use crate::pair;
use pghaul_testkit::compare::{self, Options};
use pghaul_testkit::{Cluster, ClusterPair, Settings, fixtures, identifier, postgres};
use std::process::{Command, Stdio};

/// Copies a database with the servers' own tools.
fn copy(pair: &ClusterPair, database: &str) {
    let dump_major = pair.source.major().max(pair.target.major());
    let mut dump = Command::new(postgres::client_from("pg_dump", dump_major))
        .args(["--create", "--dbname", &pair.source.conninfo_socket(database)])
        .stdout(Stdio::piped())
        .spawn()
        .expect("start pg_dump");
    let restored = Command::new(postgres::client_from("psql", dump_major))
        .args([
            "-X",
            "-q",
            "-o",
            "/dev/null",
            "--dbname",
            &pair.target.conninfo_socket("postgres"),
        ])
        .stdin(dump.stdout.take().expect("the dump"))
        .status()
        .expect("run psql");
    assert!(dump.wait().expect("wait for pg_dump").success() && restored.success());
}

fn subjects(pair: &ClusterPair, database: &str) -> Vec<String> {
    let found = compare::databases(
        (&pair.source, database),
        (&pair.target, database),
        &Options::default(),
    );
    found.into_iter().map(|difference| difference.subject).collect()
}

#[test]
fn each_change_of_the_shop_is_found() {
    let pair = pair();
    let database = pair.fresh_database("compared");
    fixtures::shop(&pair.source, &database);
    copy(pair, &database);
    compare::same(&pair.source, &pair.target, &database);

    let changes = [
        (
            "update customer set since = since + '1us' where id = 7",
            "rows of public.customer",
        ),
        ("delete from item where \"order\" = 3", "rows of public.item"),
        (
            "insert into note select customer, at - '1s'::interval, null from note limit 1",
            "rows of public.note",
        ),
        (
            "select nextval('product_id_seq')",
            "state of sequence public.product_id_seq",
        ),
        ("drop index order_customer_idx", "INDEX public.order_customer_idx"),
        (
            "alter table payment drop constraint payment_order_fkey",
            "FK CONSTRAINT public.payment payment_order_fkey",
        ),
        ("create view other as select 1 as one", "VIEW public.other"),
        (
            "alter table product alter column name drop not null",
            "TABLE public.product",
        ),
        ("select lo_create(4711)", "large objects"),
    ];
    let mut expected: Vec<&str> = Vec::new();
    for (change, subject) in changes {
        pair.target.psql(&database, change);
        expected.push(subject);
        expected.sort_unstable();
        assert_eq!(subjects(pair, &database), expected, "after {change}");
    }
}

#[test]
fn values_that_look_alike_differ() {
    let pair = pair();
    let database = pair.fresh_database("alike");
    pair.source.psql(
        &database,
        "create table empty (id integer, text text); insert into empty values (1, '');
         create table twice (id integer); insert into twice values (1), (1), (2), (2);
         create table floating (f float8); insert into floating values (0.1), ('-0');
         create table bare (); insert into bare default values;
         create materialized view filled as select 1 as one",
    );
    copy(pair, &database);
    compare::same(&pair.source, &pair.target, &database);
    pair.target.psql(
        &database,
        "update empty set text = null;
         delete from twice; insert into twice values (1), (2), (2), (2);
         update floating set f = 0.1::float8 + 1e-17::float8 + 0.00000000000000002 where f > 0; update floating set f = 0 where f = 0;
         insert into bare default values;
         refresh materialized view filled with no data",
    );
    let expected =
        ["bare", "empty", "filled", "floating", "twice"].map(|table| format!("rows of public.{table}"));
    assert_eq!(subjects(pair, &database), expected);
}

#[test]
fn the_hostile_cluster_is_made_and_copied_and_every_change_found() {
    let pair = ClusterPair::start(Settings::new(), Settings::new());
    fixtures::hostile(&pair.source);
    let roles = include_str!("../../fixtures/hostile_roles.sql");
    assert!(!compare::roles(&pair.source, &pair.target).is_empty());
    pair.target.psql("postgres", roles);
    let passwords: Vec<_> = compare::roles(&pair.source, &pair.target)
        .into_iter()
        .map(|difference| difference.subject)
        .collect();
    assert_eq!(
        passwords,
        [format!("role {}", fixtures::HOSTILE_ROLE)],
        "its password has another salt"
    );

    for database in fixtures::HOSTILE_DATABASES {
        assert_eq!(pair.source.psql(database, "select current_database()"), *database);
        copy(&pair, database);
        compare::same(&pair.source, &pair.target, database);
    }
    let database = fixtures::HOSTILE_FULL;
    let schema = identifier("Odd \"Schema\" 🐘");
    pair.target.psql(
        database,
        &format!(
            r#"alter table {schema}.parent disable trigger "always";
               comment on schema {schema} is 'other';
               revoke select on {schema}.parent from "select";
               insert into {schema}."no columns" default values;
               delete from only {schema}."part 2025" where id = 1;
               select setval('{schema}."not called"', 42);
               alter database "my-shop" set "hostile.database" = 'other'"#
        ),
    );
    pair.target.psql("postgres", r#"alter role "select" inherit"#);
    let expected = [
        r#"ACL Odd "Schema" 🐘.TABLE parent"#,
        r#"COMMENT SCHEMA "Odd ""Schema"" 🐘""#,
        "DATABASE PROPERTIES my-shop",
        r#"TRIGGER Odd "Schema" 🐘.parent always"#,
        r#"rows of "Odd ""Schema"" 🐘"."no columns""#,
        r#"rows of "Odd ""Schema"" 🐘"."part 2025""#,
        r#"state of sequence "Odd ""Schema"" 🐘"."not called""#,
    ];
    let found = subjects(&pair, database);
    for subject in expected {
        assert!(
            found.iter().any(|found| found.contains(subject)),
            "{subject} is missing in {found:#?}"
        );
    }
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    assert!(
        compare::roles(&pair.source, &pair.target)
            .iter()
            .any(|role| role.subject == "role select")
    );
}

#[test]
fn the_oldest_and_the_newest_version_compare_equal() {
    let pair = ClusterPair::start(Settings::new().major(10), Settings::new().major(18));
    pair.source.create_database("old");
    fixtures::hostile_contents(&pair.source, "old");
    pair.target
        .psql("postgres", include_str!("../../fixtures/hostile_roles.sql"));
    copy(&pair, "old");
    let found = compare::databases((&pair.source, "old"), (&pair.target, "old"), &Options::default());
    let report: String = found.iter().map(ToString::to_string).collect();
    assert_eq!(report, "");
}

#[test]
fn a_database_that_is_not_there_is_told() {
    let pair = pair();
    let missing = std::panic::catch_unwind(|| compare::same(&pair.source, &pair.target, "nowhere"));
    assert!(missing.is_err());
}

/// All of it again on one cluster of its own, for a comparison of two databases of different names.
#[test]
fn two_databases_of_one_cluster_compare() {
    let cluster = Cluster::start("both", Settings::new());
    cluster.create_database("a");
    fixtures::shop(&cluster, "a");
    cluster.psql("postgres", "create database b template a");
    let found = compare::databases((&cluster, "a"), (&cluster, "b"), &Options::default());
    assert_eq!(found, []);
}
