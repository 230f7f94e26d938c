//! How long it takes to look at a large cluster. Not part of CI:
//! `cargo build --release && PGHAUL_BIN=$PWD/target/release/pghaul cargo test -p pghaul-tests --test e2e many_databases -- --ignored --nocapture`

use crate::migration::Migration;
use pghaul_testkit::{ClusterPair, Settings};
use std::time::Instant;

const DATABASES: usize = 200;
const TABLES_OF_EACH: usize = 100;

/// A database with tables of every common shape: keys, foreign keys, sequences, an index more.
const TABLES: &str = "
    do $$ begin
        for n in 1 .. TABLES loop
            execute format('create table t%s (id serial primary key, other int, name text not null default %L)', n, 'x');
            execute format('create index on t%s (name)', n);
            execute format('insert into t%s (other) select i from generate_series(1, 20) i', n);
            if n > 1 then
                execute format('alter table t%s add foreign key (other) references t%s', n, n - 1);
            end if;
        end loop;
    end $$";

#[test]
#[ignore = "takes minutes and gigabytes: it measures"]
fn a_cluster_of_two_hundred_databases() {
    let settings = || Settings::new().set("max_locks_per_transaction", "512");
    let source = settings()
        .set("max_replication_slots", "250")
        .set("max_wal_senders", "250");
    let target = settings()
        .set("max_replication_slots", "250")
        .set("max_logical_replication_workers", "250")
        .set("max_worker_processes", "260");
    let pair = ClusterPair::start(source, target);
    let began = Instant::now();
    pair.source.create_database("d1");
    pair.source
        .psql("d1", &TABLES.replace("TABLES", &TABLES_OF_EACH.to_string()));
    for number in 2..=DATABASES {
        pair.source
            .psql("postgres", &format!("create database d{number} template d1"));
    }
    println!(
        "{DATABASES} databases with {TABLES_OF_EACH} tables each made in {:.0} s",
        began.elapsed().as_secs_f64()
    );
    let migration = Migration::between(
        &pair.source.conninfo("postgres"),
        &pair.target.conninfo("postgres"),
    );
    for command in ["check", "check", "plan"] {
        let began = Instant::now();
        let outcome = migration.with_options(command).args(["--json"]).run().succeeded();
        println!("pghaul {command}: {:.2} s", began.elapsed().as_secs_f64());
        let answer: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
        assert_eq!(answer[command]["readiness"], "ready", "{outcome}");
        if command == "plan" {
            let databases = answer["plan"]["databases"].as_array().unwrap();
            let tables = databases.iter().map(|d| d["tables"].as_array().unwrap().len());
            assert_eq!(tables.sum::<usize>(), DATABASES * TABLES_OF_EACH);
        }
    }
}
