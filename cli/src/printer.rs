//! The only place that writes to the terminal. stdout takes the answer, stderr everything else.
//!
//! Renderers make texts with ANSI styles; here they are taken out where nobody wants them. Other control characters never reach a
//! terminal, but for line breaks and tabs.

use crate::drawing::Drawing;
use crate::report::{failure, legible};
use crate::typed::Typed;
use pghaul_core::{Code, Failure};
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// When to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Writes; cheap to clone.
#[derive(Clone)]
pub(crate) struct Printer {
    color_stdout: bool,
    color_stderr: bool,
    quiet: bool,
    drawing: Drawing,
    draws: bool,
    closed: Arc<AtomicBool>,
    typed: Typed,
}

impl Printer {
    /// A printer for this process' terminal.
    pub(crate) fn new(color: Color, quiet: bool) -> Self {
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let plain = dumb || std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let wanted = |terminal: bool| match color {
            Color::Auto => terminal && !plain,
            Color::Always => true,
            Color::Never => false,
        };
        let draws = io::stderr().is_terminal() && !dumb && !quiet;
        Self {
            color_stdout: wanted(io::stdout().is_terminal()),
            color_stderr: wanted(io::stderr().is_terminal()),
            quiet,
            drawing: Drawing::default(),
            draws,
            closed: Arc::new(AtomicBool::new(false)),
            typed: Typed::default(),
        }
    }

    /// The same for texts whose commands are to be typed so.
    pub(crate) fn with_commands(mut self, typed: Typed) -> Self {
        self.typed = typed;
        self
    }

    /// Whether progress can be drawn.
    pub(crate) fn draws(&self) -> bool {
        self.draws
    }

    /// Whether stderr may be coloured.
    pub(crate) fn colors_stderr(&self) -> bool {
        self.color_stderr
    }

    /// Draws lines below everything that was written, in place of those that were drawn before.
    pub(crate) fn draw(&self, lines: Vec<String>) {
        let lines = lines.into_iter().map(|line| shown(&line, self.color_stderr));
        self.drawing.draw(lines.collect());
    }

    /// Takes what is drawn away before the process ends at once.
    pub(crate) fn leave(&self) {
        self.drawing.leave();
    }

    /// Whether stdout is a terminal, which can be drawn over.
    pub(crate) fn stdout_is_terminal() -> bool {
        io::stdout().is_terminal()
    }

    /// How many characters a line of the answer may have: the terminal's width, else what `COLUMNS` says, else 100.
    pub(crate) fn width() -> usize {
        let terminal = terminal_size::terminal_size_of(io::stdout()).map(|(width, _)| usize::from(width.0));
        let columns = || std::env::var("COLUMNS").ok()?.parse().ok();
        terminal
            .or_else(columns)
            .filter(|width| *width > 0)
            .unwrap_or(100)
    }

    /// Whether nobody reads stdout any more: the rest of the answer need not be made.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// A part of the answer, on stdout. A reader that has gone away is no error.
    ///
    /// # Errors
    /// When stdout can't be written, such as when its disk is full.
    pub(crate) fn answer(&self, text: &str) -> Result<(), Failure> {
        self.write(&shown(&self.typed.complete(text), self.color_stdout))
    }

    fn write(&self, text: &str) -> Result<(), Failure> {
        let written = self.drawing.suspend(|| {
            let mut out = io::stdout().lock();
            out.write_all(text.as_bytes()).and_then(|()| out.flush())
        });
        match written {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                self.closed.store(true, Ordering::Relaxed);
                Ok(())
            }
            Err(error) => Err(
                Failure::new(Code::OutOfResources, "standard output can't be written")
                    .with_cause(error)
                    .with_hint("make room where it goes to, then run the command again"),
            ),
        }
    }

    /// A whole screen of lines, over what is there.
    ///
    /// # Errors
    /// As [`answer`](Self::answer).
    pub(crate) fn frame(&self, lines: &[String]) -> Result<(), Failure> {
        let lines = lines
            .iter()
            .map(|line| shown(&self.typed.complete(line), self.color_stdout) + "\u{1b}[K");
        let text = lines.collect::<Vec<_>>().join("\r\n");
        self.write(&format!("\u{1b}[H{text}\u{1b}[J"))
    }

    /// An answer that is read by programs, as it is.
    ///
    /// # Errors
    /// As [`answer`](Self::answer).
    pub(crate) fn verbatim(&self, text: &str) -> Result<(), Failure> {
        self.write(text)
    }

    /// The answer as JSON, indented.
    ///
    /// # Errors
    /// As [`answer`](Self::answer).
    pub(crate) fn json(&self, value: &serde_json::Value) -> Result<(), Failure> {
        self.json_text(&format!("{value:#}\n"))
    }

    /// A part of an answer in JSON. Its commands get no options: these may hold quotation marks.
    ///
    /// # Errors
    /// As [`answer`](Self::answer).
    pub(crate) fn json_text(&self, text: &str) -> Result<(), Failure> {
        self.write(&shown(&self.typed.named(text), self.color_stdout))
    }

    /// A line for whoever watches, on stderr; not when `--quiet` is given.
    pub(crate) fn note(&self, line: &str) {
        if !self.quiet {
            self.to_stderr(&format!("{}\n", line.replace('\n', "\\n")));
        }
    }

    /// An error, on stderr.
    pub(crate) fn error(&self, failure: &Failure) {
        self.to_stderr(&failure::text(failure));
    }

    /// Text on stderr as it is. What can't be written there has nowhere else to go.
    pub(crate) fn to_stderr(&self, text: &str) {
        let text = shown(&self.typed.complete(text), self.color_stderr);
        self.drawing.suspend(|| {
            let _ = io::stderr().lock().write_all(text.as_bytes());
        });
    }
}

fn shown(text: &str, color: bool) -> String {
    let text = legible::printed(text);
    if color {
        text
    } else {
        anstream::adapter::strip_str(&text).to_string()
    }
}

/// Logs go to stderr too, between what is drawn.
impl<'a> tracing_subscriber::fmt::MakeWriter<'a> for Printer {
    type Writer = LogLine;

    fn make_writer(&'a self) -> LogLine {
        LogLine {
            printer: self.clone(),
            text: Vec::new(),
        }
    }
}

/// One line of the log, written as a whole when it is complete.
pub(crate) struct LogLine {
    printer: Printer,
    text: Vec<u8>,
}

impl Write for LogLine {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for LogLine {
    fn drop(&mut self) {
        self.printer.to_stderr(&String::from_utf8_lossy(&self.text));
    }
}
