//! What a program writes, line by line and within limits.

use crate::connection::Passwords;
use pghaul_step::escaped;
use std::collections::VecDeque;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::{ChildStderr, ChildStdout};

/// The longest line of a message.
pub(crate) const LONGEST_LINE: usize = 64 << 10;

/// So many lines of standard error are logged, and so many bytes of each.
const LOGGED: usize = 1000;
const LONGEST_LOGGED: usize = 500;

/// So many of the last ones are kept for the error.
const KEPT: usize = 10;

/// The lines of standard output.
pub(crate) struct Lines {
    reader: BufReader<ChildStdout>,
    /// What was read of the next line.
    begun: Vec<u8>,
}

impl Lines {
    pub(crate) fn new(stdout: ChildStdout) -> Self {
        Self {
            reader: BufReader::new(stdout),
            begun: Vec::new(),
        }
    }

    /// The next line, without its end; `None` at the end of the output. It may be dropped and called again.
    ///
    /// # Errors
    /// What is wrong with it, as it stands after the program's name.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<u8>>, String> {
        match bounded_line(&mut self.reader, &mut self.begun, LONGEST_LINE).await {
            Ok(Some((_, true))) => Err(format!("wrote a line of more than {LONGEST_LINE} bytes")),
            Ok(line) => Ok(line.map(|(line, _)| line)),
            Err(error) => Err(format!("can't be read from: {error}")),
        }
    }
}

/// Logs standard error without the passwords, and returns its last lines. Whatever comes after the limit is read and dropped.
pub(crate) async fn log(stderr: ChildStderr, what: String, passwords: Passwords) -> Vec<String> {
    let mut reader = BufReader::new(stderr);
    let mut begun = Vec::new();
    let mut last = VecDeque::new();
    let mut logged = 0;
    while let Ok(Some((line, cut))) = bounded_line(&mut reader, &mut begun, LONGEST_LOGGED).await {
        let line = passwords.hidden_in(&String::from_utf8_lossy(&line));
        let line = escaped(&line).into_owned();
        logged += 1;
        if logged <= LOGGED {
            tracing::debug!(target: "pghaul_external", "{what}: {line}");
        }
        last.push_back(if cut { format!("{line}…") } else { line });
        if last.len() > KEPT {
            last.pop_front();
        }
        if cut && skip_line(&mut reader).await.is_err() {
            break;
        }
    }
    last.into()
}

/// A line of at most so many bytes, and whether it goes on.
async fn bounded_line<R: AsyncRead + Unpin>(
    reader: &mut BufReader<R>,
    line: &mut Vec<u8>,
    most: usize,
) -> std::io::Result<Option<(Vec<u8>, bool)>> {
    loop {
        let available = reader.fill_buf().await?;
        if available.is_empty() {
            return Ok((!line.is_empty()).then(|| (std::mem::take(line), false)));
        }
        let end = available.iter().position(|byte| *byte == b'\n');
        let taken = end.unwrap_or(available.len());
        let room = most - line.len();
        line.extend(available.iter().take(taken.min(room)));
        if taken > room {
            reader.consume(room);
            return Ok(Some((std::mem::take(line), true)));
        }
        reader.consume(taken + usize::from(end.is_some()));
        if end.is_some() {
            return Ok(Some((std::mem::take(line), false)));
        }
    }
}

async fn skip_line<R: AsyncRead + Unpin>(reader: &mut BufReader<R>) -> std::io::Result<()> {
    loop {
        let available = reader.fill_buf().await?;
        if available.is_empty() {
            return Ok(());
        }
        let end = available.iter().position(|byte| *byte == b'\n');
        let taken = end.map_or(available.len(), |end| end + 1);
        reader.consume(taken);
        if end.is_some() {
            return Ok(());
        }
    }
}
