//! Databases full of extensions, moved by both methods. Most need packages that `docs/reference/extensions.md` names, so the ordinary run
//! leaves them out: `cargo test -p pghaul-tests --test e2e extensions:: -- --ignored --nocapture`

use crate::migration::Migration;
use crate::zoo::settings;
use pghaul_testkit::compare::{self, Options};
use pghaul_testkit::{Cluster, ClusterPair, postgres};
use std::collections::BTreeSet;

const DATABASES: &[(&str, &str)] = &[
    (
        "geography",
        include_str!("../support/fixtures/extensions/geography.sql"),
    ),
    (
        "languages",
        include_str!("../support/fixtures/extensions/languages.sql"),
    ),
    (
        "oracle",
        include_str!("../support/fixtures/extensions/oracle.sql"),
    ),
    (
        "partition_manager",
        include_str!("../support/fixtures/extensions/partition_manager.sql"),
    ),
    (
        "periods",
        include_str!("../support/fixtures/extensions/periods.sql"),
    ),
    (
        "queues",
        include_str!("../support/fixtures/extensions/queues.sql"),
    ),
    ("tools", include_str!("../support/fixtures/extensions/tools.sql")),
    (
        "values",
        include_str!("../support/fixtures/extensions/values.sql"),
    ),
];

/// The extensions that a database creates.
fn created(sql: &str) -> BTreeSet<&str> {
    let names = sql
        .lines()
        .filter_map(|line| line.strip_prefix("create extension "));
    names
        .filter_map(|rest| rest.split([' ', ';']).next())
        .map(|name| name.trim_matches('"'))
        .collect()
}

/// Makes those databases whose extensions the server has. Returns their names.
fn fill(source: &Cluster) -> Vec<&'static str> {
    let available = source.psql("postgres", "select name from pg_available_extensions");
    let available: BTreeSet<&str> = available.lines().collect();
    let mut made = Vec::new();
    for (database, sql) in DATABASES {
        let missing: Vec<&str> = created(sql).difference(&available).copied().collect();
        if missing.is_empty() {
            source.create_database(database);
            source.psql(database, sql);
            made.push(*database);
        } else {
            println!("{database} is left out: the server has no {}", missing.join(", "));
        }
    }
    made
}

#[test]
#[ignore = "needs packages of extensions"]
fn what_they_hold_arrives_by_both_methods() {
    let major = postgres::ordinary().major;
    let settings = || settings(major).set("shared_preload_libraries", "pg_stat_statements");
    let mut pair = ClusterPair::start(settings(), settings());
    let databases = fill(&pair.source);
    let mut bad = Vec::new();
    for method in ["dump", "replication"] {
        if method == "replication" {
            pair.target = Cluster::start("target", settings());
        }
        let migration = Migration::between(
            &pair.source.conninfo("postgres"),
            &pair.target.conninfo("postgres"),
        )
        .options(["--method", method]);
        migration.with_options("run").run().succeeded();
        if method == "replication" {
            for database in &databases {
                let changes = include_str!("../support/fixtures/changes.sql");
                let written = pair.source.psql(database, changes);
                println!("{database}: {} tables written to", written.trim());
            }
        }
        migration.remove().succeeded();
        for database in &databases {
            let (there, here) = ((&pair.source, *database), (&pair.target, *database));
            let found = compare::databases(there, here, &Options::default());
            println!("{database} by {method}: {} differences", found.len());
            bad.extend(found.iter().map(|one| format!("{database} by {method}: {one}")));
        }
    }
    assert!(bad.is_empty(), "{}", bad.join("\n"));
}
