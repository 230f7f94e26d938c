//! Ctrl-C, SIGTERM and SIGHUP: the first one ends the work in order, a second Ctrl-C or SIGTERM at once.
//!
//! A terminal that is closed may send SIGHUP more than once, by the kernel and by the shell: that ends nothing half way through. A process
//! that `nohup` has started goes on.

use crate::exit_code::ExitCode;
use crate::printer::Printer;
use pghaul_core::{Code, Failure};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::sync::{Arc, OnceLock};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Less than any core file needs. With the limit 0 Linux still gives the memory to the program that `kernel.core_pattern` names; with
/// 1 it does neither.
const NO_CORE: u64 = 1;

/// Lets a crash, of this process or of one that it starts, leave no image of its memory: passwords are in it. Where that is refused,
/// it stays as it is.
pub(crate) fn leave_no_core() {
    let hard = getrlimit(Resource::Core).maximum;
    let none = Rlimit {
        current: Some(hard.map_or(NO_CORE, |hard| hard.min(NO_CORE))),
        maximum: hard,
    };
    if let Err(error) = setrlimit(Resource::Core, none) {
        tracing::debug!(%error, "the limit of core files could not be set");
    }
}

/// Watches for signals from its making on.
#[derive(Clone)]
pub(crate) struct Signals {
    cancel: CancellationToken,
    first: Arc<OnceLock<ExitCode>>,
}

/// The signals that are watched for.
struct Listened {
    interrupt: Signal,
    terminate: Signal,
    /// Absent where the process was started to survive it.
    hang_up: Option<Signal>,
}

impl Listened {
    /// The exit code that stands for the next signal; nothing where no more can come.
    async fn next(&mut self) -> Option<ExitCode> {
        let hang_up = async {
            match &mut self.hang_up {
                Some(signal) => signal.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            received = self.interrupt.recv() => received.map(|()| ExitCode::Interrupted),
            received = self.terminate.recv() => received.map(|()| ExitCode::Terminated),
            received = hang_up => received.map(|()| ExitCode::HungUp),
        }
    }
}

/// Whether SIGHUP is ignored, as `nohup` arranges it: the first bit of `SigIgn` in proc(5).
fn ignores_hang_up() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & 1 == 1)
}

impl Signals {
    /// Begins to watch. `notice` is shown at the first signal.
    ///
    /// # Errors
    /// When the operating system refuses.
    pub(crate) fn watch(printer: &Printer, notice: &'static str) -> Result<Self, Failure> {
        let listen = |kind| {
            signal(kind)
                .map_err(|e| Failure::new(Code::OutOfResources, "signals can't be watched").with_cause(e))
        };
        let listened = Listened {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hang_up: match ignores_hang_up() {
                true => None,
                false => Some(listen(SignalKind::hangup())?),
            },
        };
        let signals = Self {
            cancel: CancellationToken::new(),
            first: Arc::new(OnceLock::new()),
        };
        tokio::spawn(signals.clone().listen(listened, printer.clone(), notice));
        Ok(signals)
    }

    async fn listen(self, mut listened: Listened, printer: Printer, notice: &'static str) {
        while let Some(code) = listened.next().await {
            if self.first.set(code).is_ok() {
                // Cancelled first: a terminal that is gone may hold up whoever writes to it.
                self.cancel.cancel();
                if !notice.is_empty() {
                    printer.note(notice);
                }
            } else if code != ExitCode::HungUp {
                printer.leave();
                leave(code);
            }
        }
    }

    /// Cancelled by the first signal.
    pub(crate) fn token(&self) -> &CancellationToken {
        &self.cancel
    }

    /// The exit code of a failure: an interruption's depends on the signal.
    pub(crate) fn exit_code(&self, code: Code) -> ExitCode {
        match (ExitCode::from(code), self.first.get()) {
            (ExitCode::Interrupted, Some(first)) => *first,
            (other, _) => other,
        }
    }
}

/// Ends the process at once. The kernel ends pghaul's children, and the next runner what is left on the servers.
#[expect(clippy::exit, reason = "the user asked twice: nothing may be waited for")]
fn leave(code: ExitCode) -> ! {
    std::process::exit(i32::from(code.number()))
}
