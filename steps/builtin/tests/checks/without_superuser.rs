//! The checks `owners` and `superuser-objects`: what a role may not do that is no superuser.

use crate::{Bench, kinds};
use pghaul_core::Finding;
use pghaul_testkit::{ClusterPair, Settings};

/// A role `mover` with CREATEDB and CREATEROLE on the target; a database `app` of several owners on the source.
fn as_mover(source: u32, target: u32) -> (ClusterPair, Bench) {
    let pair = ClusterPair::start(Settings::new().major(source), Settings::new().major(target));
    pair.target.psql(
        "postgres",
        "create role mover login createdb createrole password 'm'",
    );
    pair.source
        .psql("postgres", "create role ours; create role theirs");
    pair.source.psql("postgres", "create database app owner ours");
    pair.source.psql(
        "app",
        "create schema s authorization ours; create table s.t (i int primary key); alter table s.t owner to ours;
         create table s.u (i serial primary key); alter table s.u owner to theirs",
    );
    let target = pair.target.conninfo_as("mover", "m", "postgres");
    let bench = Bench::of(&pair.source.conninfo("postgres"), &target, &["app"]);
    (pair, bench)
}

fn objects(finding: &Finding) -> Vec<&str> {
    let objects = finding
        .facts
        .get("objects")
        .and_then(|objects| objects.as_array());
    objects
        .unwrap()
        .iter()
        .map(|object| object.as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn owners_that_the_target_has_already() {
    let (pair, bench) = as_mover(16, 16);
    assert_eq!(
        bench.database("owners", "app").await,
        [],
        "roles that will be created are in reach"
    );
    pair.source
        .psql("app", "create extension hstore; create extension citext");
    assert_eq!(bench.database("owners", "app").await, [], "as they were created");
    pair.source
        .psql("app", "revoke execute on function akeys(hstore) from public");
    let findings = bench.database("owners", "app").await;
    assert_eq!(kinds(&findings), ["extension-rights-fixed"]);
    assert_eq!(objects(&findings[0]), ["function public.akeys(public.hstore)"]);
    pair.source.psql("app", "drop extension hstore");
    pair.target.psql("postgres", "create role theirs");
    let findings = bench.database("owners", "app").await;
    assert_eq!(kinds(&findings), ["owner-out-of-reach"]);
    assert_eq!(objects(&findings[0]), ["sequence s.u_i_seq", "table s.u"]);
    let hint = findings[0].hint.as_ref().unwrap();
    let (grant, _) = hint
        .strip_prefix("as an administrator of the target: ")
        .unwrap()
        .split_once(" or ")
        .unwrap();
    pair.target.psql("postgres", grant);
    assert_eq!(bench.database("owners", "app").await, [], "the hint was right");

    pair.target.psql("postgres", "create role ours superuser");
    let findings = bench.database("owners", "app").await;
    assert_eq!(
        kinds(&findings),
        ["database-owner-out-of-reach", "owner-out-of-reach"]
    );
    assert_eq!(findings[1].facts["superuser"], true);
    let of_database = findings[0].hint.as_ref().unwrap();
    assert!(
        of_database.ends_with("ALTER DATABASE app OWNER TO ours;"),
        "{of_database}"
    );
    let of_objects = findings[1].hint.as_ref().unwrap();
    assert!(
        of_objects.starts_with("connect to the target as a superuser"),
        "{of_objects}"
    );
    assert!(
        of_objects.contains(" --map-role=ours=mover; or give them"),
        "{of_objects}"
    );
    assert_eq!(objects(&findings[1]), ["table s.t", "schema s"]);
    pair.source.psql(
        "app",
        "create role granting; grant usage on schema s to granting; grant select on s.u to granting with grant option;
         set role granting; grant select on s.u to ours",
    );
    pair.target.psql("postgres", "create role granting");
    let findings = bench.database("owners", "app").await;
    let last = findings.last().unwrap();
    assert_eq!(
        (last.kind.as_str(), objects(last)),
        ("grantor-out-of-reach", vec!["table s.u"])
    );
}

#[tokio::test]
async fn owners_before_version_16() {
    let (pair, bench) = as_mover(14, 14);
    pair.target.psql("postgres", "create role theirs");
    assert_eq!(
        bench.database("owners", "app").await,
        [],
        "CREATEROLE reaches every ordinary role"
    );
    pair.source
        .psql("app", "revoke create on schema public from public");
    let findings = bench.database("owners", "app").await;
    assert_eq!(kinds(&findings), ["public-rights-fixed"]);
    assert_eq!(
        findings[0].facts["source"],
        serde_json::json!(["USAGE to PUBLIC"])
    );
    pair.source.psql("app", "drop schema public");
    assert_eq!(kinds(&bench.database("owners", "app").await), ["public-stays"]);
    pair.target.psql("postgres", "alter role mover noinherit");
    let findings = bench.database("owners", "app").await;
    assert_eq!(kinds(&findings), ["role-does-not-inherit", "public-stays"]);
}

#[tokio::test]
async fn objects_that_need_a_superuser() {
    let (pair, bench) = as_mover(16, 16);
    assert_eq!(bench.database("superuser-objects", "app").await, []);
    pair.source.psql(
        "app",
        "create function s.f() returns event_trigger language plpgsql as 'begin end';
         create event trigger e on ddl_command_end execute function s.f();
         create publication everything for all tables; create publication of_schema for tables in schema s;
         create operator family s.o using btree;
         create function s.sealed() returns int language sql leakproof as 'select 1';
         create access method heap2 type table handler heap_tableam_handler;
         create foreign data wrapper w;
         create function s.quiet() returns int language sql set session_replication_role = 'replica' as 'select 1';
         create function s.ordinary() returns int language sql set work_mem = '1MB' as 'select 1'",
    );
    pair.source.psql(
        "postgres",
        "alter database app set log_statement = 'all'; alter database app set work_mem = '1MB'",
    );
    let findings = bench.database("superuser-objects", "app").await;
    assert_eq!(
        kinds(&findings),
        [
            "objects-not-permitted",
            "database-setting-not-permitted",
            "setting-not-permitted"
        ]
    );
    assert_eq!(
        objects(&findings[0]),
        [
            "access method heap2",
            "event trigger e",
            "foreign-data wrapper w",
            "function s.sealed()",
            "operator family s.o for access method btree",
            "publication everything",
            "publication of_schema",
        ]
    );
    assert_eq!(objects(&findings[2]), ["function s.quiet()"]);
    pair.target.psql(
        "postgres",
        "grant set on parameter session_replication_role to mover; grant set on parameter log_statement to mover",
    );
    assert_eq!(
        kinds(&bench.database("superuser-objects", "app").await),
        ["objects-not-permitted"]
    );
    pair.target.psql("postgres", "alter role mover superuser");
    assert_eq!(bench.database("superuser-objects", "app").await, []);
}
