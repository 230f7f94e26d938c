//! Servers never outlive the test process, not even a killed one.

use crate::pair;
use pghaul_testkit::wait_until;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

/// Set for the process that is to be ended.
const HOLDER: &str = "PGHAUL_TESTKIT_HOLDER";
/// Before the path of a data directory in that process's output.
const MARK: &str = "holds ";

#[test]
fn servers_of_a_killed_process_end() {
    let mut holder = Holder::start("wait");
    holder.process.kill().expect("kill the holder");
    holder.process.wait().expect("wait for the holder");
    holder.assert_all_gone();
}

#[test]
fn servers_of_statics_end_with_the_process() {
    let mut holder = Holder::start("end");
    assert!(holder.process.wait().expect("wait for the holder").success());
    holder.assert_all_gone();
}

/// Not a test by itself: runs in the process that the tests above start and end.
#[test]
#[ignore = "the tests of this file start it"]
fn holder() {
    let Ok(what) = std::env::var(HOLDER) else { return };
    let pair = pair();
    for cluster in [&pair.source, &pair.target] {
        println!("{MARK}{}", cluster.data_dir().display());
    }
    if what == "wait" {
        // Far longer than the test that kills this process.
        std::thread::sleep(Duration::from_secs(120));
    }
}

struct Holder {
    process: Child,
    data: Vec<PathBuf>,
    /// The process fails when nobody reads what else it writes.
    _output: BufReader<ChildStdout>,
}

impl Holder {
    fn start(what: &str) -> Self {
        let mut process = Command::new(std::env::current_exe().expect("this test's binary"))
            .args(["--ignored", "--exact", "lifetime::holder", "--nocapture"])
            .env(HOLDER, what)
            .stdout(Stdio::piped())
            .spawn()
            .expect("start the holder");
        let mut output = BufReader::new(process.stdout.take().expect("its output"));
        let lines = output.by_ref().lines().map_while(Result::ok);
        let data: Vec<_> = lines
            .filter_map(|line| Some(line.split_once(MARK)?.1.into()))
            .take(2)
            .collect();
        assert_eq!(data.len(), 2, "the holder started its servers");
        Self {
            process,
            data,
            _output: output,
        }
    }

    fn assert_all_gone(&self) {
        for data in &self.data {
            wait_until("its servers are gone", Duration::from_secs(20), || {
                !data.exists() && works_in(data) == 0
            });
        }
    }
}

/// How many processes have their working directory there, removed or not.
fn works_in(directory: &Path) -> usize {
    let processes = std::fs::read_dir("/proc")
        .expect("read /proc")
        .filter_map(Result::ok);
    // The watchdog renames the directory that all of a process's clusters are in.
    let base = directory
        .ancestors()
        .nth(2)
        .and_then(Path::to_str)
        .expect("a path of text");
    let directories = processes.filter_map(|process| std::fs::read_link(process.path().join("cwd")).ok());
    directories
        .filter(|cwd| cwd.to_string_lossy().starts_with(base))
        .count()
}
