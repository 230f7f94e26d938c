//! Processes that run to their end, and what they cost.

use pghaul_testkit::CpuTime;
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

/// How often a running process is looked at for its memory.
const INTERVAL: Duration = Duration::from_millis(20);

const LOG: &str = "log";

/// What one process has used.
#[derive(Debug, Clone, Copy)]
pub(super) struct Usage {
    /// Seconds of CPU, user and system, of the process alone.
    pub(super) own_cpu: f64,
    /// The same of all processes that it has started and waited for, such as `pg_dump`.
    pub(super) children_cpu: f64,
    /// Bytes of memory that were resident at the most, without its children.
    pub(super) peak_rss: u64,
}

/// Sends what the command complains of to a file, for [`end`] to show.
pub(super) fn log_to(command: &mut Command, directory: &Path) {
    let log = File::options()
        .create(true)
        .append(true)
        .open(directory.join(LOG));
    let log = log.expect("open the log");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
}

/// Runs a command.
pub(super) fn run(mut command: Command) {
    let child = command
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    end(child, &command);
}

/// Runs two commands, the output of the one being the input of the other.
pub(super) fn pipe(mut from: Command, mut to: Command) {
    let mut writer = from
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{from:?}: {error}"));
    let reader = to.stdin(writer.stdout.take().expect("its output")).spawn();
    let reader = reader.unwrap_or_else(|error| panic!("{to:?}: {error}"));
    // This process must not hold the pipe open for reading when the reader fails.
    to.stdin(Stdio::null());
    end(reader, &to);
    end(writer, &from);
}

/// Runs a command and tells what it alone has used.
pub(super) fn watched(mut command: Command) -> Usage {
    let mut child = command
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let pid = child.id();
    let id = Pid::from_child(&child);
    let (ended, end_of_it) = channel::<()>();
    let sampler = std::thread::spawn(move || {
        let mut peak = 0;
        while let Err(RecvTimeoutError::Timeout) = end_of_it.recv_timeout(INTERVAL) {
            peak = peak.max(peak_rss(pid));
        }
        peak
    });
    // It stays in the table of processes with its figures until the second wait.
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    waitid(WaitId::Pid(id), options).expect("wait for a child");
    let cpu = CpuTime::of(pid).expect("a child that was not waited for");
    drop(ended);
    let peak_rss = sampler.join().expect("the sampler ends");
    let status = child.wait().expect("wait for a child");
    assert!(status.success(), "{command:?}: {status}\n{}", log_of(&command));
    Usage {
        own_cpu: cpu.own,
        children_cpu: cpu.children,
        peak_rss,
    }
}

/// Waits for a process.
///
/// # Panics
/// With its log when it has failed.
pub(super) fn end(mut child: Child, command: &Command) {
    let status = child.wait().expect("wait for a child");
    assert!(status.success(), "{command:?}: {status}\n{}", log_of(command));
}

pub(super) fn log_of(command: &Command) -> String {
    let log = command.get_current_dir().map(|directory| directory.join(LOG));
    log.and_then(|log| std::fs::read_to_string(log).ok())
        .unwrap_or_default()
}

/// The most memory that the process has had until now; the kernel keeps count.
fn peak_rss(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = peak.and_then(|peak| peak.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kib.unwrap_or_default() * 1024
}
