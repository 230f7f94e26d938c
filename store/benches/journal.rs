//! What the journal costs: durable appends per second, and reading a million events back.
//!
//! `cargo bench -p pghaul-store`. The file lies under `target/tmp`, so on a real disk with real fsync.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use pghaul_core::event::{Created, Endpoint, Runner};
use pghaul_core::{
    DatabaseEvent, DatabaseName, Epoch, Event, Journal, MigrationEvent, MigrationId, StepEvent, StepName,
};
use pghaul_store::{JournalFile, Writer};
use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

type Outcome<T> = Result<T, Box<dyn Error>>;

const EVENTS: u64 = 1_000_000;
const DATABASES: u64 = 20;
const MEASURED: Duration = Duration::from_secs(5);

fn main() -> Outcome<()> {
    let scratch = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let file = JournalFile::create(scratch.path().join("journal"))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .build()?;
    for tasks in [1, 8, 64] {
        runtime.block_on(appends(&file, tasks))?;
    }
    let id = MigrationId::new("million0");
    runtime.block_on(fill(&file, &id))?;
    read(&file, &id)
}

/// Appends one event at a time from a number of tasks, each waiting until its event is durable.
async fn appends(file: &JournalFile, tasks: u64) -> Outcome<()> {
    let writer = Arc::new(begin(file, &MigrationId::new(format!("tasks{tasks:03}"))).await?);
    let start = Instant::now();
    let commits = writer.commits();
    let running: Vec<_> = (1..=tasks)
        .map(|task| {
            let writer = Arc::clone(&writer);
            tokio::spawn(async move {
                let mut count = 0_u64;
                while start.elapsed() < MEASURED {
                    writer
                        .append(vec![item(task % DATABASES + 1, task * 1_000_000 + count)])
                        .await?;
                    count += 1;
                }
                Ok::<_, pghaul_core::JournalError>(count)
            })
        })
        .collect();
    let mut count = 0;
    for task in running {
        count += task.await??;
    }
    let seconds = start.elapsed().as_secs_f64();
    let commits = writer.commits() - commits;
    println!(
        "append, {tasks:>2} tasks   {:>8.0} events/s   {:>6.0} commits/s   {:>6.0} µs each",
        count as f64 / seconds,
        commits as f64 / seconds,
        seconds * 1e6 * tasks as f64 / count as f64,
    );
    Ok(())
}

async fn fill(file: &JournalFile, id: &MigrationId) -> Outcome<()> {
    let writer = begin(file, id).await?;
    let start = Instant::now();
    let mut written = writer.head().seq.0;
    while written < EVENTS {
        let until = EVENTS.min(written + 1000);
        let events = (written..until).map(|n| item(n % DATABASES + 1, n)).collect();
        written = writer.append(events).await?.0;
    }
    let seconds = start.elapsed().as_secs_f64();
    println!("append, by 1000    {:>8.0} events/s", EVENTS as f64 / seconds);
    Ok(())
}

fn read(file: &JournalFile, id: &MigrationId) -> Outcome<()> {
    let open = file.read_migration(id)?;
    println!(
        "file               {:>8.0} bytes/event",
        std::fs::metadata(file.path())?.len() as f64 / EVENTS as f64
    );
    timed("history (iterate)", || {
        Ok(open.events().filter(Result::is_ok).count() as u64)
    })?;
    timed("load, fold, verify", || Ok(open.load()?.head.seq.0))?;
    timed("journal verify", || Ok(open.verify()?.seq.0))
}

fn timed(what: &str, read: impl FnOnce() -> Outcome<u64>) -> Outcome<()> {
    // Resets the peak that the kernel remembers.
    std::fs::write("/proc/self/clear_refs", "5")?;
    let before = memory("VmRSS")?;
    let start = Instant::now();
    assert_eq!(read()?, EVENTS);
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "{what:<18} {:>8.0} events/s   {seconds:>6.2} s for {EVENTS}   {:>4} MiB at most",
        EVENTS as f64 / seconds,
        memory("VmHWM")?.saturating_sub(before) / 1024,
    );
    Ok(())
}

fn memory(field: &str) -> Outcome<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status
        .lines()
        .find(|line| line.starts_with(field))
        .unwrap_or_default();
    Ok(line.split_whitespace().nth(1).unwrap_or_default().parse()?)
}

fn database(number: u64) -> DatabaseName {
    DatabaseName::new(format!("database{number}"))
}

fn copy() -> StepName {
    StepName::new("dump")
}

/// What the journal holds most of: a finished table.
fn item(number: u64, table: u64) -> Event {
    let outcome = serde_json::json!({ "rows": table * 7, "bytes": table * 1013, "filenode": table });
    let finished = StepEvent::ItemFinished {
        item: format!("table {table}"),
        outcome: outcome.into(),
        version: 1,
    };
    Event::DatabaseStep(database(number), copy(), finished)
}

/// A migration whose databases are all being dumped.
async fn begin(file: &JournalFile, id: &MigrationId) -> Outcome<Writer> {
    let end = |host: &str| Endpoint {
        conninfo: format!("host={host} port=5432 user=postgres"),
        system_identifier: "7300000000000000001".to_owned(),
        version: 150_020,
    };
    let created = Created {
        name: id.to_string(),
        source: end("old"),
        target: end("new"),
        pghaul: "0.1.0".to_owned(),
    };
    file.begin(id, created)?;
    let runner = Runner {
        host: "here".to_owned(),
        pid: 1,
        user: "bench".to_owned(),
        epoch: Epoch(1),
        command: "run".to_owned(),
        ..Runner::default()
    };
    let databases = (1..=DATABASES).map(database).collect();
    let mut events = vec![
        Event::Migration(MigrationEvent::RunnerStarted(runner)),
        Event::Migration(MigrationEvent::DatabasesSelected {
            selection: Box::default(),
            databases,
        }),
    ];
    for number in 1..=DATABASES {
        let plan = serde_json::from_value(serde_json::json!({
            "database": database(number), "number": number, "method": "dump", "forced": false,
            "reasons": [], "steps": [copy()], "tables": [],
        }))?;
        for event in [
            DatabaseEvent::CheckingStarted,
            DatabaseEvent::Checked { findings: Vec::new() },
            DatabaseEvent::Planned { plan },
            DatabaseEvent::SchemaStarted,
            DatabaseEvent::DumpingStarted,
        ] {
            events.push(Event::Database(database(number), event));
        }
        events.push(Event::DatabaseStep(
            database(number),
            copy(),
            StepEvent::StepStarted,
        ));
    }
    let writer = file.write_migration(id)?;
    writer.append(events).await?;
    Ok(writer)
}
