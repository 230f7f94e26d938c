//! What is built on large tables: indexes side by side, keys that adopt theirs, statistics.

use crate::migration::{Migration, assert_nothing_of_it_is_left};
use pghaul_testkit::{Cluster, Kind, compare, postgres, shared_pair, wait_until};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(120);

/// Everything that a key can have, on a table that is large enough for its indexes to be built side by side.
const LARGE: &str = "
    create schema \"Large \"\"one\";
    set search_path = \"Large \"\"one\";
    create table \"t (x\" (
        id int, code int not null, \"n \"\") (\" int, word text, filling text, span int4range,
        primary key (id) with (fillfactor = 80) using index tablespace aside,
        constraint \"by (code\" unique (code) include (word) deferrable initially deferred,
        unique nulls not distinct (\"n \"\") (\", word),
        exclude using gist (span with &&)
    );
    alter table \"t (x\" alter filling set storage external;
    insert into \"t (x\" select n, n, n % 1000, 'word ' || n, repeat(md5(n::text), 40), int4range(n, n + 1)
                        from generate_series(1, 15000) n;
    create index clustered on \"t (x\" (word);
    alter table \"t (x\" cluster on clustered;
    create unique index identity on \"t (x\" (code, id) tablespace aside;
    alter table \"t (x\" alter code set not null, alter id set not null;
    alter table \"t (x\" replica identity using index identity;
    create index expression on \"t (x\" (lower(word)) where code > 5;
    create table small (id int primary key, t int references \"t (x\");
    insert into small select n, n from generate_series(1, 500) n;";

fn large(name: &str) -> (&'static pghaul_testkit::ClusterPair, String) {
    let pair = shared_pair(Kind::Ordinary);
    for cluster in [&pair.source, &pair.target] {
        // The other tests of this process have made it, or not.
        let _ = cluster.try_psql(
            "postgres",
            "set allow_in_place_tablespaces = on; create tablespace aside location ''",
        );
    }
    let name = pair.fresh_database(name);
    pair.source.psql(&name, LARGE);
    (pair, name)
}

#[test]
fn keys_are_what_they_were_by_both_methods() {
    for method in ["dump", "replication"] {
        let (pair, name) = large("large_keys");
        let migration = Migration::of(&pair.source, &pair.target, &name).options(["--method", method]);
        migration.run().succeeded();
        compare::same(&pair.source, &pair.target, &name);
        migration.remove().succeeded();
        assert_nothing_of_it_is_left(&migration, pair, &name);
    }
}

#[test]
fn an_index_that_was_built_before_a_kill_is_adopted_after_it() {
    let (pair, name) = large("large_killed");
    let migration =
        Migration::of(&pair.source, &pair.target, &name).options(["--method", "dump", "--jobs", "1"]);
    let built = "select count(*) from pghaul.effect where key like 'schema/index/%'";
    let run = migration.with_options("run").spawn();
    wait_until("an index is there before its key", PATIENCE, || {
        pair.target
            .try_psql(&name, built)
            .is_ok_and(|count| count.trim() != "0")
    });
    let killed = run.kill9();
    assert!(!killed.status.success(), "it was too quick\n{killed}");
    migration.run().succeeded();
    compare::same(&pair.source, &pair.target, &name);
}

/// Which columns have statistics, and of how many values.
const STATISTICS: &str = "
    select tablename || '.' || attname || ' ' || null_frac || ' ' || n_distinct || ' ' || coalesce(most_common_vals::text, '')
      from pg_stats where schemaname = 'public' order by 1";

fn analyzed(target: &Cluster, name: &str) -> String {
    let sql = "select string_agg(relname, ' ' order by relname) from pg_stat_user_tables where last_analyze is not null";
    // The server tells it a moment later.
    target.psql(name, "select pg_stat_force_next_flush()");
    target.psql(name, sql)
}

#[test]
fn statistics_are_those_of_the_source_where_the_target_can_take_them_over() {
    let pair = shared_pair(Kind::Versions(10, 18));
    let name = pair.fresh_database("statistics");
    let rows = "
        create table known (id int primary key, kind text);
        insert into known select n, 'kind ' || n % 7 from generate_series(1, 5000) n;
        create index on known (lower(kind));
        analyze known;
        create table unknown (id int primary key);
        insert into unknown select generate_series(1, 5000);
        create table double (a int, b int);
        insert into double select n, n from generate_series(1, 5000) n;
        create statistics of_double (dependencies) on a, b from double;
        analyze double;";
    pair.source.psql(&name, rows);
    let source = pair.source.psql(&name, STATISTICS);
    let pg_dump = postgres::client_from("pg_dump", 18);
    let migration = Migration::of(&pair.source, &pair.target, &name)
        .options(["--method", "dump"])
        .env("PGHAUL_PG_DUMP", pg_dump.to_str().expect("a path in UTF-8"));
    migration.run().succeeded();
    let target = pair.target.psql(&name, STATISTICS);
    let of_known = |all: &str| -> Vec<String> {
        let lines = all.lines().filter(|line| line.starts_with("known"));
        lines.map(str::to_owned).collect()
    };
    assert_eq!(of_known(&source).len(), 3, "{source}");
    assert_eq!(of_known(&source), of_known(&target));
    // pg_dump knows nothing of `unknown`, and not all of `double`.
    assert_eq!(analyzed(&pair.target, &name), "double unknown");
    assert!(
        target.contains("unknown.id") && target.contains("double.a"),
        "{target}"
    );
}
