//! Ctrl-C and SIGTERM: the first one ends the work in order, the second one at once.

use crate::exit_code::ExitCode;
use crate::printer::Printer;
use pghaul_core::{Code, Failure};
use std::sync::{Arc, OnceLock};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Watches for signals from its making on.
#[derive(Clone)]
pub(crate) struct Signals {
    cancel: CancellationToken,
    first: Arc<OnceLock<ExitCode>>,
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
        let (interrupt, terminate) = (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?);
        let signals = Self {
            cancel: CancellationToken::new(),
            first: Arc::new(OnceLock::new()),
        };
        tokio::spawn(
            signals
                .clone()
                .listen(interrupt, terminate, printer.clone(), notice),
        );
        Ok(signals)
    }

    async fn listen(
        self,
        mut interrupt: Signal,
        mut terminate: Signal,
        printer: Printer,
        notice: &'static str,
    ) {
        loop {
            let code = tokio::select! {
                received = interrupt.recv() => received.map(|()| ExitCode::Interrupted),
                received = terminate.recv() => received.map(|()| ExitCode::Terminated),
            };
            let Some(code) = code else { return };
            if self.first.set(code).is_err() {
                leave(code);
            }
            if !notice.is_empty() {
                printer.note(notice);
            }
            self.cancel.cancel();
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
