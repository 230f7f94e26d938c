//! What it costs to read what a database with many tables holds.

use crate::cluster::{server, settings};
use pghaul_core::mapping::Mapping;
use pghaul_postgres::catalog::Detail;
use pghaul_postgres::local::{LocalCluster, find_binaries};
use pghaul_postgres::{ReadOnly, ReadWrite, Session, Source};
use std::time::Instant;

/// More than this for 20,000 tables, a key, a sequence, a foreign key and three columns each, is too much.
const MOST_SECONDS: f64 = 2.0;
const MOST_MIB: u64 = 100;

/// Tables from the one number to the other.
const TABLES: &str = "
    DO $$
    BEGIN
        FOR i IN FROM .. UNTIL - 1 LOOP
            EXECUTE format('CREATE TABLE public.t%s (id serial PRIMARY KEY, parent int REFERENCES public.t%s, name text NOT NULL)', i, i / 10 * 10);
            IF i % 500 = 499 THEN
                COMMIT;
            END IF;
        END LOOP;
    END $$";

/// Seconds of CPU of a process, in ticks of 10 ms.
fn cpu_seconds(pid: i32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields = stat.rsplit(')').next().unwrap().split_whitespace();
    let ticks: u32 = fields
        .skip(11)
        .take(2)
        .map(|field| field.parse::<u32>().unwrap())
        .sum();
    f64::from(ticks) / 100.0
}

/// Kilobytes of a line of this process's `status`.
fn kilobytes(line: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let found = status.lines().find_map(|one| one.strip_prefix(line)).unwrap();
    found.trim().strip_suffix(" kB").unwrap().parse().unwrap()
}

/// Reads twice, and prints the cost of the second time: seconds, and the MiB above what the process had before both.
async fn measured<T>(
    name: &str,
    session: &Session<Source, ReadOnly>,
    read: impl AsyncFn() -> T,
) -> (f64, u64) {
    // The peak begins anew. What the first time frees may stay with the process, so it counts.
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    let before = kilobytes("VmRSS:");
    drop(read().await);
    let pids = [i32::try_from(std::process::id()).unwrap(), session.backend_pid()];
    let (cpu, begun) = (pids.map(cpu_seconds), Instant::now());
    let found = read().await;
    let seconds = begun.elapsed().as_secs_f64();
    let mib = kilobytes("VmHWM:").saturating_sub(before) / 1024;
    drop(found);
    let used = pids.map(cpu_seconds);
    println!(
        "| {name} | {seconds:.2} | {:.2} | {:.2} | {mib} |",
        used[0] - cpu[0],
        used[1] - cpu[1]
    );
    (seconds, mib)
}

/// `PGHAUL_MOST_TABLES=50000 cargo test -p pghaul-postgres --test servers reading_many_tables -- --ignored --nocapture`
#[tokio::test]
#[ignore = "takes minutes: it measures"]
async fn reading_many_tables_costs_little() {
    let most = std::env::var("PGHAUL_MOST_TABLES").map_or(20_000, |most| most.parse().unwrap());
    let cluster =
        LocalCluster::create(&find_binaries()[0], &settings().with("shared_buffers", "256MB")).unwrap();
    let server = server(&cluster.conninfo("postgres"));
    println!("| read | s | own CPU s | the backend's | MiB |\n|---|---|---|---|---|");
    let mut there = 0;
    for tables in [5_000, 10_000, 20_000, 50_000]
        .into_iter()
        .filter(|tables| *tables <= most)
    {
        let writer = server.connect::<ReadWrite>("postgres").await.unwrap();
        let sql = TABLES
            .replace("FROM", &there.to_string())
            .replace("UNTIL", &tables.to_string());
        writer.doing("make tables").batch(&sql).await.unwrap();
        writer.doing("analyze").batch("VACUUM ANALYZE").await.unwrap();
        there = tables;
        let session = server.connect::<ReadOnly>("postgres").await.unwrap();
        let mapping = Mapping::default();
        let sizes = || async { session.catalog(Detail::Sizes).await.unwrap() };
        let name = format!("catalog with sizes of {tables} tables");
        let (seconds, mib) = measured(&name, &session, sizes).await;
        let definitions = || async { session.definitions(&mapping).await.unwrap() };
        measured(&format!("definitions of {tables} tables"), &session, definitions).await;
        if tables == 20_000 {
            assert!(mib < MOST_MIB && seconds < MOST_SECONDS, "{mib} MiB, {seconds} s");
        }
    }
}
