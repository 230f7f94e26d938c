//! A server process: started as a user that may run it, stopped by its own number only.

use super::LocalError;
use crate::child::without_our_variables;
use rustix::process::{Pid, Signal, kill_process};
use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Whom to run PostgreSQL as, when we are root.
#[derive(Debug, Clone, Copy)]
pub(super) struct RunAs {
    pub(super) uid: u32,
    pub(super) gid: u32,
}

impl RunAs {
    /// Nobody else, unless we are root.
    pub(super) fn needed() -> Result<Option<Self>, LocalError> {
        if !nix::unistd::geteuid().is_root() {
            return Ok(None);
        }
        let known = ["postgres", "nobody"]
            .iter()
            .find_map(|name| nix::unistd::User::from_name(name).ok()?);
        let user = known
            .filter(|user| !user.uid.is_root())
            .ok_or(LocalError::NoUser)?;
        Ok(Some(Self {
            uid: user.uid.as_raw(),
            gid: user.gid.as_raw(),
        }))
    }

    /// Gives a path to that user.
    pub(super) fn own(run_as: Option<Self>, path: &Path) -> Result<(), LocalError> {
        let Some(user) = run_as else { return Ok(()) };
        std::os::unix::fs::chown(path, Some(user.uid), Some(user.gid)).map_err(|source| LocalError::File {
            operation: "change the owner of",
            path: path.to_owned(),
            source,
        })
    }
}

/// A command that runs as the user, in a directory that the user can be in, free of pghaul's own `PG*` variables.
pub(super) fn command(program: &Path, run_as: Option<RunAs>, directory: &Path) -> Command {
    let mut command = Command::new(program);
    without_our_variables(&mut command);
    command
        .current_dir(directory)
        .stdin(Stdio::null())
        .env("LC_MESSAGES", "C");
    if let Some(user) = run_as {
        command.uid(user.uid).gid(user.gid);
    }
    command
}

/// Runs a program to its end.
pub(super) fn run(command: &mut Command) -> Result<Output, LocalError> {
    let program = PathBuf::from(command.get_program());
    let output = command.output().map_err(|source| LocalError::Run {
        program: program.clone(),
        source,
    })?;
    if output.status.success() {
        return Ok(output);
    }
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    Err(LocalError::Failed {
        program,
        output: tail(&text),
    })
}

/// The last lines of a text.
pub(super) fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines
        .get(lines.len().saturating_sub(12)..)
        .unwrap_or_default()
        .join("\n")
}

/// A running `postgres`.
#[derive(Debug)]
pub(super) struct Postmaster {
    child: Child,
    /// The thread that started it: the kernel's death signal is tied to the thread, not to the process.
    keeper: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Postmaster {
    /// Starts `postgres` on a data directory; its output goes to a file.
    pub(super) fn start(
        program: &Path,
        run_as: Option<RunAs>,
        data: &Path,
        log: &Path,
    ) -> Result<Self, LocalError> {
        let mut command = match Path::new("/usr/bin/setpriv") {
            setpriv if setpriv.is_file() => {
                let mut command = command(setpriv, run_as, data);
                command.args(["--pdeathsig", "INT", "--"]).arg(program);
                command
            }
            _ => command(program, run_as, data),
        };
        let file = |source| LocalError::File {
            operation: "write",
            path: log.to_owned(),
            source,
        };
        let output = File::options()
            .create(true)
            .append(true)
            .open(log)
            .map_err(file)?;
        command
            .arg("-D")
            .arg(data)
            .stdout(output.try_clone().map_err(file)?)
            .stderr(output);
        // A group of its own: Ctrl-C in the terminal is for us, and we stop the server.
        command.process_group(0);
        let (answer, started) = channel();
        let (end, ended) = channel::<()>();
        let thread = std::thread::spawn(move || {
            if answer.send(command.spawn()).is_ok() {
                let _until_dropped = ended.recv();
            }
        });
        let run = |source| LocalError::Run {
            program: program.to_owned(),
            source,
        };
        let child = started
            .recv()
            .map_err(|gone| run(std::io::Error::other(gone)))?
            .map_err(run)?;
        Ok(Self {
            child,
            keeper: Some((end, thread)),
        })
    }

    /// Waits until it accepts connections; `false` when it ended instead or takes too long.
    pub(super) fn wait_until_ready(&mut self, data: &Path) -> bool {
        let deadline = Instant::now() + Duration::from_secs(60);
        while Instant::now() < deadline && matches!(self.child.try_wait(), Ok(None)) {
            // The eighth line is the state, see miscadmin.h of PostgreSQL.
            let file = std::fs::read_to_string(data.join("postmaster.pid")).unwrap_or_default();
            let mut lines = file.lines();
            let ours = lines.next().and_then(|pid| pid.trim().parse().ok()) == Some(self.child.id());
            if ours && lines.nth(6).is_some_and(|state| state.trim() == "ready") {
                return true;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        false
    }

    /// Sends a signal to this very process.
    pub(super) fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        if let Some(pid) = pid {
            let _gone_already = kill_process(pid, signal);
        }
    }

    /// Stops it and waits; insists when it takes too long.
    pub(super) fn stop(mut self, signal: Signal) {
        for signal in [signal, Signal::QUIT, Signal::KILL] {
            self.signal(signal);
            let deadline = Instant::now() + Duration::from_secs(30);
            while Instant::now() < deadline {
                if !matches!(self.child.try_wait(), Ok(None)) {
                    return;
                }
                std::thread::sleep(Duration::from_millis(10));
            }
        }
    }
}

impl Drop for Postmaster {
    fn drop(&mut self) {
        if let Some((end, thread)) = self.keeper.take() {
            drop(end);
            let _ended = thread.join();
        }
    }
}
