//! One server process: its files, its start and its end.

use crate::cpu::CpuTime;
use crate::postgres::Installation;
use crate::wait::reached_within;
use rustix::process::{Pid, Signal, kill_process};
use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const START: Duration = Duration::from_secs(60);
const STOP: Duration = Duration::from_secs(60);

/// How a server is made to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// Transactions are rolled back, then the server shuts down cleanly.
    Fast,
    /// The server quits at once and recovers when it is started again.
    Immediate,
    /// The machine loses its power, as far as the server can tell: no process of it gets to do anything.
    Kill,
}

/// The unprivileged user that runs servers when the tests run as root, which PostgreSQL refuses.
#[derive(Debug, Clone, Copy)]
struct User {
    uid: u32,
    gid: u32,
}

/// The files and the process of one server.
#[derive(Debug)]
pub(crate) struct Server {
    installation: Installation,
    /// Holds the data directory, the log and the socket.
    directory: PathBuf,
    user: Option<User>,
    process: Option<Child>,
}

impl Server {
    /// A server without a data directory yet, in `directory`.
    pub(crate) fn new(installation: Installation, directory: PathBuf) -> Self {
        hand_to_servers(&directory);
        Self {
            installation,
            directory,
            user: user_of_servers(),
            process: None,
        }
    }

    pub(crate) fn installation(&self) -> &Installation {
        &self.installation
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.directory.join("log")
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.process
            .as_mut()
            .is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    /// Seconds of CPU of all its processes, also of those that have ended.
    pub(crate) fn cpu_seconds(&self) -> f64 {
        let Some(postmaster) = self.process.as_ref().map(Child::id) else {
            return 0.0;
        };
        let alive = children(postmaster).into_iter().filter_map(|pid| {
            let pid = u32::try_from(pid.as_raw_nonzero().get()).ok()?;
            CpuTime::of(pid)
        });
        let all = alive.chain(CpuTime::of(postmaster));
        all.map(CpuTime::total).sum()
    }

    /// Starts the server and waits until it accepts connections. Tells whether it does.
    pub(crate) fn start(&mut self) -> bool {
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.log())
            .expect("open the server's log");
        let child = self
            .command("postgres")
            .arg("-D")
            .arg(self.data())
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("duplicate the log"))
            .stderr(log)
            .process_group(0)
            .spawn()
            .expect("start postgres");
        let pid = child.id().to_string();
        self.process = Some(child);
        let pid_file = self.data().join("postmaster.pid");
        let ready = || {
            // The eighth line is the status; a file that a killed server left behind holds another process id.
            let text = std::fs::read_to_string(&pid_file).unwrap_or_default();
            let mut lines = text.lines();
            lines.next() == Some(pid.as_str()) && lines.nth(6).is_some_and(|status| status.trim() == "ready")
        };
        reached_within(START, &mut || ready() || !self.is_running());
        ready()
    }

    /// Ends the server and waits until all its processes are gone. Nothing happens when it does not run.
    pub(crate) fn stop(&mut self, how: Stop) {
        let Some(mut child) = self.process.take() else {
            return;
        };
        let pid = process_id(&child);
        match how {
            Stop::Fast => signal(pid, Signal::INT),
            Stop::Immediate => signal(pid, Signal::QUIT),
            Stop::Kill => {
                // Halted first, so that it neither starts another backend nor cleans up after the killed ones.
                signal(pid, Signal::STOP);
                children(child.id())
                    .into_iter()
                    .chain([pid])
                    .for_each(|pid| signal(pid, Signal::KILL));
            }
        }
        if !reached_within(STOP, &mut || !matches!(child.try_wait(), Ok(None))) {
            signal(pid, Signal::KILL);
            child.wait().expect("wait for postgres");
            panic!("the server did not stop ({how:?}); its log:\n{}", self.log_text());
        }
        self.await_backends();
    }

    /// Backends outlive their postmaster for a moment; the next one refuses to start meanwhile.
    fn await_backends(&self) {
        let data = self.data();
        let gone = reached_within(STOP, &mut || {
            !processes()
                .any(|pid| std::fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd == data))
        });
        assert!(gone, "processes still work in {}", data.display());
    }

    pub(crate) fn log_text(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(self.log()).unwrap_or_default()).into_owned()
    }

    /// Runs one of the installation's programs to its end.
    pub(crate) fn run(&self, program: &str, arguments: &[&str]) {
        let output = self
            .command(program)
            .args(arguments)
            .arg("--pgdata")
            .arg(self.data())
            .output();
        let output = output.unwrap_or_else(|error| panic!("run {program}: {error}"));
        assert!(
            output.status.success(),
            "{program}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.installation.bin.join(program));
        command
            .current_dir(&self.directory)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("LC_ALL", "C.UTF-8");
        if let Some(User { uid, gid }) = self.user {
            command.uid(uid).gid(gid);
        }
        command
    }
}

pub(crate) fn process_id(child: &Child) -> Pid {
    Pid::from_raw(i32::try_from(child.id()).expect("process ids fit")).expect("process ids are not zero")
}

/// A process that is gone already is what was wanted.
pub(crate) fn signal(pid: Pid, signal: Signal) {
    let _ = kill_process(pid, signal);
}

fn processes() -> impl Iterator<Item = u32> {
    let entries = std::fs::read_dir("/proc").expect("read /proc");
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

fn children(parent: u32) -> Vec<Pid> {
    let is_child = |pid: &u32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // The name in parentheses may hold spaces; after it come the state and the parent.
        let after_name = stat.rsplit(')').next().unwrap_or_default();
        after_name
            .split_whitespace()
            .nth(1)
            .is_some_and(|field| field == parent.to_string())
    };
    processes()
        .filter(is_child)
        .filter_map(|pid| Pid::from_raw(i32::try_from(pid).ok()?))
        .collect()
}

/// Makes the user that servers run as the owner of a directory.
pub(crate) fn hand_to_servers(directory: &Path) {
    if let Some(User { uid, gid }) = user_of_servers() {
        std::os::unix::fs::chown(directory, Some(uid), Some(gid)).expect("hand the directory over");
    }
}

/// Another one than ours only where ours is root.
fn user_of_servers() -> Option<User> {
    rustix::process::getuid().is_root().then(unprivileged)
}

fn unprivileged() -> User {
    let passwd = std::fs::read_to_string("/etc/passwd").expect("read /etc/passwd");
    let user = |name: &str| {
        let mut fields = passwd
            .lines()
            .map(|line| line.split(':'))
            .find_map(|mut fields| (fields.next() == Some(name)).then_some(fields))?;
        Some(User {
            uid: fields.nth(1)?.parse().ok()?,
            gid: fields.next()?.parse().ok()?,
        })
    };
    user("postgres")
        .or_else(|| user("nobody"))
        .expect("a user postgres or nobody to run servers as")
}
