//! The built binary, run as a user would run it but away from the user's own files and variables.

use crate::built::built;
use crate::cpu::CpuTime;
use crate::postgres;
use crate::scratch;
use crate::server::{process_id, signal};
use crate::wait::reached_within;
use rustix::process::Signal;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long a run may take unless a test says otherwise.
const TIME_LIMIT: Duration = Duration::from_secs(120);

/// Variables of the test's environment that the binary sees too; coverage needs the second.
const INHERITED: &[&str] = &["LLVM_PROFILE_FILE"];

/// The user's `PATH`, and before it the client programs themselves: Debian's wrappers, which have their names, take as long
/// to say their version as a small migration takes.
fn path() -> &'static OsStr {
    static PATH: OnceLock<OsString> = OnceLock::new();
    PATH.get_or_init(|| {
        let own = std::env::var_os("PATH").unwrap_or_default();
        let programs = postgres::newest_programs();
        let directories = programs.into_iter().chain(std::env::split_paths(&own));
        std::env::join_paths(directories).expect("no directory has a colon in its name")
    })
}

/// One way to call the binary. Its home is a directory of its own, which [`Pghaul::again`] keeps, so that the
/// next run finds the journal of the one before.
#[derive(Debug, Clone)]
pub struct Pghaul {
    program: Option<PathBuf>,
    host: Option<String>,
    home: PathBuf,
    arguments: Vec<OsString>,
    variables: Vec<(OsString, OsString)>,
    time_limit: Duration,
}

impl Pghaul {
    /// A call without arguments in a new home.
    pub fn new() -> Self {
        let home = scratch::directory("home");
        Self {
            program: None,
            host: None,
            home,
            arguments: Vec::new(),
            variables: Vec::new(),
            time_limit: TIME_LIMIT,
        }
    }

    /// A call in the same home with the same variables, without arguments.
    pub fn again(&self) -> Self {
        Self {
            arguments: Vec::new(),
            ..self.clone()
        }
    }

    /// Runs another program in place of the binary, such as one with additional steps.
    pub fn program(mut self, program: impl Into<PathBuf>) -> Self {
        self.program = Some(program.into());
        self
    }

    /// Runs it on a machine of this name, as far as it can tell: see [`can_change_host`].
    pub fn on_host(mut self, name: &str) -> Self {
        self.host = Some(name.to_owned());
        self
    }

    /// The home: `$HOME`; state is in `state` in it.
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// One more argument.
    pub fn arg(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// More arguments.
    pub fn args<A: Into<OsString>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Sets an environment variable.
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.variables.push((name.into(), value.into()));
        self
    }

    /// How long the run may take before it is killed and the test fails.
    pub fn time_limit(mut self, limit: Duration) -> Self {
        self.time_limit = limit;
        self
    }

    /// Runs it to its end.
    ///
    /// # Panics
    /// With the output when the time limit has passed.
    pub fn run(self) -> Outcome {
        self.spawn().wait_to_end()
    }

    /// Starts it.
    pub fn spawn(self) -> Running {
        let mut child = self.command().spawn().expect("start pghaul");
        let stdout = Captured::of(child.stdout.take().expect("its stdout"));
        let stderr = Captured::of(child.stderr.take().expect("its stderr"));
        Running {
            child,
            stdout,
            stderr,
            deadline: Instant::now() + self.time_limit,
        }
    }

    /// The call for who wants to start it and watch the process; the time limit does not hold for it.
    pub fn command(&self) -> Command {
        let program = self.program.as_deref().unwrap_or_else(|| binary());
        let mut command = match &self.host {
            None => Command::new(program),
            Some(host) => {
                let mut command = Command::new("unshare");
                let script = "hostname \"$0\" && exec \"$@\"";
                command.args(["--uts", "sh", "-c", script, host]).arg(program);
                command
            }
        };
        command.env_clear().current_dir(&self.home);
        command.envs(
            INHERITED
                .iter()
                .filter_map(|name| Some((name, std::env::var_os(name)?))),
        );
        let fixed: [(&str, &OsStr); 4] = [
            ("LC_ALL", OsStr::new("C.UTF-8")),
            ("NO_COLOR", OsStr::new("1")),
            ("COLUMNS", OsStr::new("100")),
            ("HOME", self.home.as_os_str()),
        ];
        command.envs(fixed).env("PATH", path());
        let in_home = [
            ("XDG_STATE_HOME", "state"),
            ("XDG_CONFIG_HOME", "config"),
            ("XDG_CACHE_HOME", "cache"),
            ("XDG_DATA_HOME", "data"),
            ("PGPASSFILE", ".pgpass"),
            ("PGSERVICEFILE", ".pg_service.conf"),
            ("PGSYSCONFDIR", "etc"),
        ];
        command.envs(in_home.map(|(name, path)| (name, self.home.join(path))));
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }
}

impl Default for Pghaul {
    fn default() -> Self {
        Self::new()
    }
}

/// Whether [`Pghaul::on_host`] works here: it needs a right that root has.
pub fn can_change_host() -> bool {
    Command::new("unshare")
        .args(["--uts", "hostname", "elsewhere"])
        .output()
        .is_ok_and(|output| output.status.success())
}

/// What a run has left.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// How it ended.
    pub status: ExitStatus,
    /// The answer.
    pub stdout: String,
    /// All else.
    pub stderr: String,
}

impl Outcome {
    /// Itself, when it ended well.
    ///
    /// # Panics
    /// With the output when it did not.
    #[track_caller]
    pub fn succeeded(self) -> Self {
        assert!(self.status.success(), "pghaul failed\n{self}");
        self
    }

    /// Itself, when it ended with this exit code.
    ///
    /// # Panics
    /// With the output when it did not.
    #[track_caller]
    pub fn failed_with(self, code: i32) -> Self {
        assert_eq!(self.status.code(), Some(code), "pghaul ended differently\n{self}");
        self
    }
}

/// Exit status, stdout and stderr together, as snapshots hold them; pass it to [`crate::redact`] first.
impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{}\n----- stdout -----\n{}----- stderr -----\n{}",
            self.status, self.stdout, self.stderr
        )
    }
}

/// A run that goes on. Dropped, it is killed.
#[derive(Debug)]
pub struct Running {
    child: Child,
    stdout: Captured,
    stderr: Captured,
    deadline: Instant,
}

impl Running {
    /// Kills it as a crash would (SIGKILL) and waits until it is gone.
    pub fn kill9(mut self) -> Outcome {
        self.child.kill().expect("kill pghaul");
        self.wait_to_end()
    }

    /// The number of its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Asks it to stop, like Ctrl-C.
    pub fn interrupt(&self) {
        signal(process_id(&self.child), Signal::INT);
    }

    /// Asks it to stop, as a machine does that shuts down.
    pub fn terminate(&self) {
        signal(process_id(&self.child), Signal::TERM);
    }

    /// Asks it to stop, as a terminal does that is closed.
    pub fn hang_up(&self) {
        signal(process_id(&self.child), Signal::HUP);
    }

    /// Holds it where it is: its connections and locks stay, as those of a machine that is not heard of any more.
    pub fn suspend(&self) {
        signal(process_id(&self.child), Signal::STOP);
    }

    /// Lets it go on.
    pub fn go_on(&self) {
        signal(process_id(&self.child), Signal::CONT);
    }

    /// The most memory in bytes that it has had until now, while it runs.
    pub fn peak_memory(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        let kilobytes: u64 = peak.trim().strip_suffix(" kB")?.parse().ok()?;
        Some(1024 * kilobytes)
    }

    /// The CPU time that it has used until now, while it runs.
    pub fn cpu(&self) -> Option<CpuTime> {
        CpuTime::of(self.child.id())
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// With the output when it takes longer than `timeout`.
    pub fn wait(mut self, timeout: Duration) -> Outcome {
        self.deadline = Instant::now() + timeout;
        self.wait_to_end()
    }

    /// Waits until a line of stdout or stderr holds `text` and returns that line.
    ///
    /// # Panics
    /// With the output when the process ends or its time limit passes first.
    pub fn wait_for_line(&mut self, text: &str) -> String {
        let mut found = None;
        let time_left = self.deadline.saturating_duration_since(Instant::now());
        reached_within(time_left, &mut || {
            // Asked before the lines are read: whatever it wrote last is there once it has ended.
            let running = self.is_running();
            if !running {
                self.stdout.finish();
                self.stderr.finish();
            }
            found = self
                .stdout
                .line_with(text)
                .or_else(|| self.stderr.line_with(text));
            found.is_some() || !running
        });
        found.unwrap_or_else(|| panic!("pghaul never wrote {text:?}\n{}", self.output()))
    }

    fn wait_to_end(mut self) -> Outcome {
        let time_left = self.deadline.saturating_duration_since(Instant::now());
        let ended = reached_within(time_left, &mut || !self.is_running());
        if !ended {
            self.child.kill().expect("kill pghaul");
        }
        let status = self.child.wait().expect("wait for pghaul");
        self.stdout.finish();
        self.stderr.finish();
        assert!(ended, "pghaul took too long and was killed\n{}", self.output());
        Outcome {
            status,
            stdout: self.stdout.text(),
            stderr: self.stderr.text(),
        }
    }

    fn output(&self) -> String {
        format!(
            "----- stdout -----\n{}----- stderr -----\n{}",
            self.stdout.text(),
            self.stderr.text()
        )
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a stream has brought so far, read beside the test so that the process never waits for it.
#[derive(Debug)]
struct Captured {
    text: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
}

impl Captured {
    fn of(stream: impl Read + Send + 'static) -> Self {
        let text = Arc::new(Mutex::new(Vec::new()));
        let shared = Arc::clone(&text);
        let reader = std::thread::spawn(move || {
            let mut stream = BufReader::new(stream);
            let mut line = Vec::new();
            while matches!(stream.read_until(b'\n', &mut line), Ok(1..)) {
                shared
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .append(&mut line);
            }
        });
        Self {
            text,
            reader: Some(reader),
        }
    }

    /// Waits for the stream's end. A child of the process that lives on would hold it open: not for ever.
    fn finish(&mut self) {
        if let Some(reader) = self.reader.take() {
            reached_within(Duration::from_secs(5), &mut || reader.is_finished());
        }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.text.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }

    fn line_with(&self, text: &str) -> Option<String> {
        self.text()
            .lines()
            .find(|line| line.contains(text))
            .map(str::to_owned)
    }
}

/// The binary: `PGHAUL_BIN`, or what cargo builds, optimized where this crate is. Cargo decides whether there is
/// anything to build.
fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| std::env::var_os("PGHAUL_BIN").map_or_else(|| built("pghaul"), PathBuf::from))
}
