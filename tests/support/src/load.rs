//! A write load that goes on until it is stopped.

use crate::cluster::Cluster;
use crate::psql::client;
use crate::scratch;
use crate::server::{process_id, signal};
use crate::wait::wait_until;
use regex::Regex;
use rustix::process::Signal;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// How often a run that ended by itself is noticed.
const INTERVAL: Duration = Duration::from_millis(20);

/// pgbench writing into a database. When a run breaks off, for example because the server is restarted, that is
/// counted and another begins. Dropped, it stops.
#[derive(Debug)]
pub struct Load {
    stop: Option<Sender<()>>,
    supervisor: Option<JoinHandle<LoadReport>>,
}

/// What a load has done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LoadReport {
    /// Transactions that were committed.
    pub transactions: u64,
    /// Statements and connections that failed.
    pub errors: u64,
    /// What pgbench said about them.
    pub messages: String,
}

impl Load {
    /// Runs pgbench's own transactions on what [`crate::fill`] made, with two clients.
    pub fn start(cluster: &Cluster, database: &str) -> Self {
        Self::run(cluster, database, &["--builtin=tpcb-like"])
    }

    /// Runs a pgbench script of one's own over and over, with two clients.
    pub fn with_script(cluster: &Cluster, database: &str, script: &str) -> Self {
        let file = scratch::directory("load").join("script.sql");
        std::fs::write(&file, script).expect("write the script");
        Self::run(
            cluster,
            database,
            &["--file", file.to_str().expect("the path is UTF-8")],
        )
    }

    /// The same with so many transactions a second at most: what the target can follow on any machine.
    pub fn with_script_at(cluster: &Cluster, database: &str, script: &str, per_second: u32) -> Self {
        let file = scratch::directory("load").join("script.sql");
        std::fs::write(&file, script).expect("write the script");
        let file = file.to_str().expect("the path is UTF-8").to_owned();
        Self::run(
            cluster,
            database,
            &["--file", &file, "--rate", &per_second.to_string()],
        )
    }

    /// Stops and tells what was done. Every transaction that began has ended.
    pub fn stop(mut self) -> LoadReport {
        self.end().expect("the load runs until now")
    }

    fn run(cluster: &Cluster, database: &str, script: &[&str]) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(1);
        let name = format!(
            "load-{}-{}",
            std::process::id(),
            NUMBER.fetch_add(1, Ordering::Relaxed)
        );
        let runs = Runs {
            directory: cluster.socket_dir().to_owned(),
            script: script.iter().map(|argument| (*argument).to_owned()).collect(),
            broken_off: Arc::default(),
            conninfo: format!("{} application_name='{name}'", cluster.conninfo_socket(database)),
        };
        let broken_off = Arc::clone(&runs.broken_off);
        let (stop, stopped) = channel();
        let supervisor = std::thread::spawn(move || runs.until(&stopped));
        let load = Self {
            stop: Some(stop),
            supervisor: Some(supervisor),
        };
        let works = at_work(&name);
        // A script that fails at once may never be seen at work.
        wait_until("the load runs", Duration::from_secs(30), || {
            broken_off.load(Ordering::Relaxed) || cluster.try_psql(database, &works).as_deref() == Ok("t")
        });
        load
    }

    fn end(&mut self) -> Option<LoadReport> {
        drop(self.stop.take());
        Some(self.supervisor.take()?.join().expect("the load's thread ended"))
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.end();
    }
}

/// Whether both clients of this name have begun to work, which it waits half a second for: a session for each look would
/// cost more than the work.
fn at_work(name: &str) -> String {
    let works = format!(
        "(select count(*) >= 2 from pg_stat_activity where application_name = '{name}' and query <> '')"
    );
    format!(
        "do $$ begin
             for look in 1 .. 25 loop
                 exit when {works};
                 perform pg_sleep(0.02);
                 perform pg_stat_clear_snapshot();
             end loop;
         end $$;
         select {works};"
    )
}

/// One run of pgbench after the other.
struct Runs {
    directory: PathBuf,
    script: Vec<String>,
    conninfo: String,
    /// Whether a run has ended by itself.
    broken_off: Arc<AtomicBool>,
}

impl Runs {
    fn until(&self, stopped: &Receiver<()>) -> LoadReport {
        let mut report = LoadReport::default();
        loop {
            let mut child = self.command().spawn().expect("start pgbench");
            let stop = loop {
                match stopped.recv_timeout(INTERVAL) {
                    Err(RecvTimeoutError::Timeout) if matches!(child.try_wait(), Ok(None)) => {}
                    Err(RecvTimeoutError::Timeout) => break false,
                    Ok(()) | Err(RecvTimeoutError::Disconnected) => break true,
                }
            };
            if stop {
                ring(&child);
            }
            let output = child.wait_with_output().expect("wait for pgbench");
            report.add(&output, stop);
            if stop {
                return report;
            }
            self.broken_off.store(true, Ordering::Relaxed);
        }
    }

    fn command(&self) -> Command {
        let mut command = client("pgbench");
        command
            .args(["--client=2", "--no-vacuum", "--time=86400", "--verbose-errors"])
            .args(&self.script)
            .arg(&self.conninfo)
            .current_dir(&self.directory)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }
}

/// pgbench measures its time with an alarm. When the alarm comes early it ends as it would at the end of its time:
/// transactions are finished, then counted.
fn ring(child: &Child) {
    signal(process_id(child), Signal::ALARM);
}

impl LoadReport {
    fn add(&mut self, output: &Output, stopped: bool) {
        let stdout = String::from_utf8_lossy(&output.stdout);
        let stderr = String::from_utf8_lossy(&output.stderr);
        self.transactions += number(&stdout, r"number of transactions actually processed: (\d+)");
        let failed = number(&stdout, r"number of failed transactions: (\d+)");
        self.errors += failed;
        let aborted = stderr
            .lines()
            .filter(|line| line.contains("aborted") || line.contains("error:"))
            .count();
        let aborted = u64::try_from(aborted).expect("fits");
        self.errors += aborted;
        if failed + aborted > 0 || !stopped {
            self.messages.push_str(&stderr);
        }
        if aborted == 0 && !stopped {
            self.errors += 1;
        }
    }
}

fn number(text: &str, pattern: &str) -> u64 {
    let found = Regex::new(pattern).expect("a valid pattern").captures(text);
    found
        .and_then(|captures| captures.get(1)?.as_str().parse().ok())
        .unwrap_or(0)
}
