//! A cluster of which one database can be replicated and the other can't.

use crate::kills::killed_until_done;
use crate::migration::{Migration, assert_nothing_is_left};
use pghaul_testkit::{Cluster, ClusterPair, Settings, compare, wait_until};
use serde_json::{Value, json};
use std::time::Duration;

const KILLS: u32 = 10;

/// What a move takes without kills on a fast machine.
const EXPECTED: Duration = Duration::from_millis(1200);

const MOVER: &str = "mover";
const PASSWORD: &str = "moves things";

/// The role that migrates may replicate, and owns all of `has_aiven_extras`. It may read `defaultdb`, nothing more.
fn fill(source: &Cluster) {
    source.psql(
        "postgres",
        &format!(
            "create role {MOVER} login replication password '{PASSWORD}';
             create database defaultdb;
             create database has_aiven_extras owner {MOVER}"
        ),
    );
    source.psql(
        "defaultdb",
        &format!(
            "create table visit (id bigserial primary key, page text not null);
             insert into visit (page) select 'page ' || i from generate_series(1, 1000) i;
             create view pages as select distinct page from visit;
             grant select on all tables in schema public to {MOVER};
             grant select on all sequences in schema public to {MOVER}"
        ),
    );
    source.psql(
        "has_aiven_extras",
        &format!(
            "grant create on schema public to {MOVER};
             set role {MOVER};
             create table customer (id serial primary key, name text not null);
             create table invoice (
                 id bigint generated always as identity primary key,
                 customer integer not null references customer,
                 amount numeric(10, 2) not null
             );
             create sequence numbers increment 10;
             insert into customer (name) select 'customer ' || i from generate_series(1, 200) i;
             insert into invoice (customer, amount) select i, i * 1.5 from generate_series(1, 200) i;
             select nextval('numbers') from generate_series(1, 5)"
        ),
    );
}

/// The part of an answer that users of hosted migrations know.
fn known(status: &Value) -> Value {
    let only = |object: &Value, names: &[&str]| -> Value {
        names
            .iter()
            .map(|name| ((*name).to_owned(), object[*name].clone()))
            .collect()
    };
    let detail = status["migration_detail"].as_array().expect("a list");
    let detail: Vec<Value> = detail
        .iter()
        .map(|one| only(one, &["dbname", "error", "method", "status"]))
        .collect();
    let mut migration = only(status, &["error", "method", "status"]);
    migration["migration_detail"] = detail.into();
    json!({ "migration": migration })
}

fn expected(status: &str, defaultdb: &str, has_aiven_extras: &str) -> Value {
    json!({ "migration": {
        "error": null,
        "method": "",
        "status": status,
        "migration_detail": [
            { "dbname": "defaultdb", "error": null, "method": "pg_dump", "status": defaultdb },
            { "dbname": "has_aiven_extras", "error": null, "method": "replication", "status": has_aiven_extras },
        ],
    } })
}

#[test]
fn each_database_is_moved_as_it_can_be() {
    moves_each(|migration| drop(migration.run().succeeded()));
}

#[test]
fn each_database_is_moved_as_it_can_be_by_a_program_that_is_killed() {
    moves_each(|migration| drop(killed_until_done(&migration.with_options("run"), EXPECTED, KILLS)));
}

fn moves_each(run: impl Fn(&Migration)) {
    let ClusterPair { source, target } = &ClusterPair::start(Settings::new(), Settings::new());
    fill(source);
    let migration = Migration::between(
        &source.conninfo_as(MOVER, PASSWORD, "defaultdb"),
        &target.conninfo("postgres"),
    );
    run(&migration);
    assert_eq!(known(&migration.status()), expected("done", "done", "syncing"));
    let reasons = migration.status_of("defaultdb")["reasons"].to_string();
    assert!(
        reasons.contains("CREATE privilege on database defaultdb"),
        "{reasons}"
    );

    source.psql(
        "has_aiven_extras",
        "begin;
         insert into customer (name) values ('the last one');
         insert into invoice (customer, amount) select id, 99.99 from customer;
         delete from invoice where amount = 1.5;
         update customer set name = upper(name) where id = 7;
         select nextval('numbers') from generate_series(1, 7);
         commit",
    );
    let arrived = "select count(*) from invoice where amount = 99.99";
    wait_until(
        "the changes arrive at the target",
        Duration::from_secs(30),
        || target.psql("has_aiven_extras", arrived) == "201",
    );

    // From here on nothing writes to the source.
    migration.remove().succeeded();
    assert_eq!(
        known(&migration.status()),
        expected("removed", "removed", "removed")
    );
    assert_nothing_is_left(source, target);
    compare::same(source, target, "defaultdb");
    compare::same(source, target, "has_aiven_extras");
    assert_eq!(
        target.psql("has_aiven_extras", "select nextval('numbers')"),
        "121"
    );
    // A sequence that is behind its table would collide here.
    target.psql(
        "has_aiven_extras",
        "insert into customer (name) values ('new'); insert into invoice (customer, amount) values (1, 1)",
    );
    target.psql("defaultdb", "insert into visit (page) values ('new')");
}
