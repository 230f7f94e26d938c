//! A program that speaks the protocol, as a process with limits: of time, of what it writes, of how it ends.

pub(crate) mod group;
pub(crate) mod lines;

use crate::connection::{Passwords, ServiceFile};
use crate::definition::Command;
use crate::protocol::{Answer, Presence, Request, Sent, VERSION};
use group::Group;
use lines::Lines;
use pghaul_step::postgres::child;
use pghaul_step::{Code, Failure, alike, escaped};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::pin::pin;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;
use tokio::process::ChildStdin;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::time::{Instant, timeout, timeout_at};

/// How much of a program's standard output one request may take, without messages of progress: it goes into the journal.
pub(crate) const MOST_BYTES: usize = 1 << 20;

/// How long a program may go on after `done`, and after SIGTERM.
pub(crate) const GRACE: Duration = Duration::from_secs(3);

/// A program, and how it is run.
pub(crate) struct Program<'a> {
    /// `step vacuum`, for errors and the log.
    pub(crate) what: String,
    pub(crate) command: &'a Command,
    pub(crate) environment: &'a BTreeMap<String, String>,
    pub(crate) time: Duration,
}

/// How a request ended.
#[derive(Debug, Default)]
pub(crate) struct Done {
    pub(crate) state: Option<Presence>,
    pub(crate) message: Option<String>,
    pub(crate) output: Value,
}

/// Takes the messages of a program before its `done`.
pub(crate) trait Listener: Send {
    /// Takes one. returns whether the program receives `recorded`.
    fn hear(&mut self, answer: Answer) -> impl Future<Output = Result<bool, Failure>> + Send;
}

impl Program<'_> {
    /// Sends a request to a new process, and hears it to its end.
    ///
    /// # Errors
    /// [`Code::ToolFailed`] where the program fails, breaks the protocol or exceeds a limit; it has ended then. What the
    /// listener returns.
    pub(crate) async fn ask(
        &self,
        sent: &Sent<'_>,
        request: &Request,
        files: &ServiceFile,
        listener: &mut impl Listener,
    ) -> Result<Done, Failure> {
        let mut command = self.start(sent.name(), request, files);
        let mut child = command.spawn().map_err(|error| self.not_started(&error))?;
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let mut group = Group::new(child);
        let (Some(stdin), Some(stdout), Some(stderr)) = (stdin, stdout, stderr) else {
            return Err(Failure::bug("a process without pipes"));
        };
        let ended = Arc::new(AtomicBool::new(false));
        let log = tokio::spawn(lines::log(stderr, self.what.clone(), files.passwords().clone()));
        let mut conversation = Conversation {
            program: self,
            passwords: files.passwords(),
            lines: Lines::new(stdout),
            stdin: Some(writer(stdin)),
            greeted: false,
            left: MOST_BYTES,
            ended: Arc::clone(&ended),
        };
        let hello = Sent::Hello {
            protocol: VERSION,
            pghaul: env!("CARGO_PKG_VERSION"),
        };
        conversation.send(&hello)?;
        conversation.send(sent)?;
        let deadline = Instant::now() + self.time;
        let heard = {
            let mut hearing = pin!(conversation.hear(listener));
            tokio::select! {
                heard = timeout_at(deadline, &mut hearing) => heard.unwrap_or_else(|_| Err(self.too_slow())),
                // What it has left in the background may hold the pipe open, and does not speak for it.
                _ = group.exited() => {
                    ended.store(true, Ordering::Relaxed);
                    timeout_at(deadline, hearing).await.unwrap_or_else(|_| Err(self.too_slow()))
                }
            }
        };
        drop(conversation);
        let status = match &heard {
            Ok(_) => group.ended_within(GRACE).await,
            Err(_) => None,
        };
        if status.is_none() {
            group.terminate(GRACE).await;
        }
        let last_lines = timeout(GRACE, log).await.ok().and_then(Result::ok);
        let last_lines = last_lines.unwrap_or_default();
        let silent = last_lines.is_empty() && matches!(heard, Ok(None));
        let judged = heard.and_then(|done| self.judge(status, done));
        judged.map_err(|failure| {
            let failure = last_lines.into_iter().fold(failure, Failure::with_cause);
            match silent {
                true => failure
                    .with_cause("it wrote nothing to its standard error")
                    .with_hint("its last message must be \"done\", or \"error\" with a sentence; docs/reference/protocol.md has the rules"),
                false => failure,
            }
        })
    }

    fn not_started(&self, error: &std::io::Error) -> Failure {
        let program = self.command.0.first().map_or("", String::as_str);
        let hint = match error.kind() {
            ErrorKind::PermissionDenied => format!("chmod +x {program}"),
            _ => "see that the file exists, and that its first line names an interpreter that exists, without a carriage return at its end"
                .to_owned(),
        };
        self.failed("can't be started").with_cause(error).with_hint(hint)
    }

    fn start(&self, name: &str, request: &Request, files: &ServiceFile) -> tokio::process::Command {
        let words = &self.command.0;
        let mut command = tokio::process::Command::new(words.first().map_or("", String::as_str));
        child::without_our_variables(command.as_std_mut());
        command
            .args(words.iter().skip(1))
            .envs(self.environment)
            .env("PGSERVICEFILE", files.path())
            .env("PGHAUL_REQUEST", name)
            .env("PGHAUL_DATABASE", request.database.as_deref().unwrap_or_default())
            .env("PGHAUL_REASON", request.reason.as_deref().unwrap_or_default())
            .env("PGHAUL_AGAIN", request.again.unwrap_or_default())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        child::die_with_parent(&mut command);
        command
    }

    fn judge(&self, status: Option<ExitStatus>, done: Option<Done>) -> Result<Done, Failure> {
        match (done, status) {
            (Some(done), Some(status)) if status.success() => Ok(done),
            (Some(_), Some(status)) => Err(self.failed(&format!("wrote \"done\" and ended with {status}"))),
            (Some(_), None) => Err(self.failed("wrote \"done\" and did not end")),
            (None, Some(status)) => Err(self.failed(&format!("ended without \"done\", with {status}"))),
            (None, None) => Err(self.failed("closed its standard output without \"done\", and did not end")),
        }
    }

    fn failed(&self, how: &str) -> Failure {
        let program = self.command.0.first().map_or("", String::as_str);
        Failure::new(Code::ToolFailed, format!("{program} {how}"))
            .with_operation(format!("run the program of {}", self.what))
            .with_hint("`-v` shows what the program writes to its standard error; docs/reference/protocol.md has the rules")
    }

    fn too_slow(&self) -> Failure {
        let limit = humantime::format_duration(self.time);
        self.failed(&format!("takes longer than {limit}"))
            .with_hint("make it faster, or raise \"timeout\" in the configuration")
    }
}

/// The messages of one request.
struct Conversation<'a, 'p> {
    program: &'a Program<'p>,
    passwords: &'a Passwords,
    lines: Lines,
    stdin: Option<UnboundedSender<Vec<u8>>>,
    greeted: bool,
    /// How many bytes the program may still write.
    left: usize,
    /// Whether the program has exited: what its output still holds is read, and nothing is waited for.
    ended: Arc<AtomicBool>,
}

impl Conversation<'_, '_> {
    fn send(&self, sent: &Sent<'_>) -> Result<(), Failure> {
        let mut line =
            serde_json::to_vec(sent).map_err(|e| Failure::bug(format!("a message is no JSON: {e}")))?;
        line.push(b'\n');
        // A program need not read: then nobody takes it.
        let _ = self.stdin.as_ref().map(|stdin| stdin.send(line));
        Ok(())
    }

    /// Until `done` or `error`; `None` where the output ends before.
    async fn hear(&mut self, listener: &mut impl Listener) -> Result<Option<Done>, Failure> {
        loop {
            let line = match timeout(GRACE, self.lines.next()).await {
                Ok(line) => line.map_err(|problem| self.program.failed(&problem))?,
                Err(_) if self.ended.load(Ordering::Relaxed) => None,
                Err(_) => continue,
            };
            let Some(line) = line else {
                return Ok(None);
            };
            if line.trim_ascii().is_empty() {
                continue;
            }
            match self.parse(&line)? {
                Answer::Done {
                    state,
                    message,
                    output,
                } => {
                    return Ok(Some(Done {
                        state,
                        message,
                        output,
                    }));
                }
                Answer::Error { message, hint } => {
                    let failure = self.program.failed(&format!("reports: {}", bounded(&message)));
                    return Err(match hint {
                        Some(hint) => failure.with_hint(bounded(&hint)),
                        None => failure,
                    });
                }
                Answer::Hello { .. } => {}
                Answer::Unknown => self.refuse_misspelled(&line)?,
                answer => {
                    if listener.hear(answer).await? {
                        self.send(&Sent::Recorded)?;
                    }
                }
            }
        }
    }

    /// A message of another type may be of a later version; one that is almost of a known type would be lost in silence.
    fn refuse_misspelled(&self, line: &[u8]) -> Result<(), Failure> {
        let message: Value = serde_json::from_slice(line).unwrap_or_default();
        let given = message.get("type").and_then(Value::as_str).unwrap_or_default();
        let Some(meant) = alike(given, TYPES.iter().copied()) else {
            return Ok(());
        };
        let given = bounded(given);
        let how = format!("wrote a message of the type {given:?}; did you mean {meant:?}?");
        Err(self.program.failed(&how))
    }

    fn parse(&mut self, line: &[u8]) -> Result<Answer, Failure> {
        let message = serde_json::from_slice(line).and_then(|mut message: Value| {
            self.passwords.hide_in_message(&mut message);
            serde_json::from_value(message)
        });
        let answer: Answer = message.map_err(|error| {
            let line = self.passwords.hidden_in(&String::from_utf8_lossy(line));
            let excerpt = escaped(&line).chars().take(60).collect::<String>();
            let failure = self
                .program
                .failed(&format!("wrote a line that is no message: {excerpt:?}"));
            match line.trim_start().starts_with('{') {
                true => failure.with_cause(error),
                false => failure.with_hint(
                    "its standard output is for messages alone: write everything else to its standard error, in a shell with `>&2`",
                ),
            }
        })?;
        if !matches!(answer, Answer::Progress { .. }) {
            let too_much = || {
                self.program
                    .failed(&format!("writes more than {MOST_BYTES} bytes"))
            };
            self.left = self.left.checked_sub(line.len()).ok_or_else(too_much)?;
        }
        match (&answer, self.greeted) {
            (Answer::Hello { protocol: VERSION }, _) => self.greeted = true,
            (Answer::Hello { protocol }, _) => {
                let message = format!("speaks version {protocol} of the protocol; pghaul speaks {VERSION}");
                return Err(self.program.failed(&message));
            }
            (_, true) => {}
            (_, false) => return Err(self.program.failed("did not begin with \"hello\"")),
        }
        Ok(answer)
    }
}

/// The types of messages that a program writes.
const TYPES: &[&str] = &["hello", "finding", "progress", "fact", "item", "done", "error"];

/// Writes what is sent, apart from what is read: a program that does not read must not keep anybody waiting. The pipe is closed
/// when nobody sends any more.
fn writer(mut stdin: ChildStdin) -> UnboundedSender<Vec<u8>> {
    let (sender, mut receiver) = unbounded_channel::<Vec<u8>>();
    tokio::spawn(async move {
        while let Some(line) = receiver.recv().await {
            if stdin.write_all(&line).await.is_err() {
                break;
            }
        }
    });
    sender
}

/// A text of a program, as it is shown and journaled.
pub(crate) fn bounded(text: &str) -> String {
    const LONGEST: usize = 1000;
    let text = escaped(text);
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.into_owned(),
    }
}

#[cfg(test)]
mod tests;
