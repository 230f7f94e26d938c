//! Logical replication without anybody's help: the target's subscription copies all tables itself.

use super::super::process::pipe;
use super::super::servers::{DATABASE, Servers, patiently};
use super::Moving;

const NAME: &str = "bench_native";

pub(super) fn native(moving: &Moving<'_, '_>) {
    let (source, target) = (moving.servers.source(), moving.servers.target());
    target.create_database(DATABASE);
    let mut dump = moving.client("pg_dump");
    dump.args(["--schema-only", "-d", &moving.source()]);
    pipe(dump, moving.psql(&moving.target()));
    source.psql(DATABASE, &format!("create publication {NAME} for all tables"));
    let conninfo = moving.source().replace('\'', "''");
    target.psql(
        DATABASE,
        &format!("create subscription {NAME} connection '{conninfo}' publication {NAME}"),
    );
    // The server waits; a client that asks again and again would take time from the copy.
    patiently(target, DATABASE, include_str!("all_ready.sql"));
}

pub(super) fn drop_native(servers: &Servers) {
    let (source, target) = (servers.source(), servers.target());
    // Its slot on the source goes with it.
    patiently(target, DATABASE, &format!("drop subscription {NAME}"));
    source.psql(DATABASE, &format!("drop publication {NAME}"));
}
