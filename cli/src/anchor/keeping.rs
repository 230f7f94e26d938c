//! Where anchors are written.

use super::{Anchor, Signer};
use crate::args::AuditArgs;
use pghaul_core::{Code, Failure};
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

/// How long a command may take that reads an anchor.
const PATIENCE: Duration = Duration::from_secs(60);

/// Writes anchors where the user wants them.
pub(crate) struct Keeper {
    place: Place,
    signer: Option<Signer>,
}

enum Place {
    File(PathBuf),
    Command(String),
}

impl Keeper {
    /// What was asked for; `None` where no anchor is wanted. Asked before the work begins, so that a mistake is found then.
    ///
    /// # Errors
    /// Where the file can't be written or the key can't be used.
    pub(crate) fn of(args: &AuditArgs) -> Result<Option<Self>, Failure> {
        let Some(text) = &args.anchor else { return Ok(None) };
        let place = match text.strip_prefix('|') {
            Some(command) => Place::Command(command.to_owned()),
            None => Place::File(PathBuf::from(text)),
        };
        if let Place::File(path) = &place {
            open(path)?;
        }
        let signer = args.sign_with.as_deref().map(Signer::read).transpose()?;
        Ok(Some(Self { place, signer }))
    }

    /// Writes an anchor.
    ///
    /// # Errors
    /// Where it can't be signed or written.
    pub(crate) async fn keep(&self, anchor: Anchor) -> Result<(), Failure> {
        let anchor = match &self.signer {
            Some(signer) => signer.sign(anchor)?,
            None => anchor,
        };
        let line = serde_json::to_string(&anchor).map_err(|error| {
            Failure::new(Code::Bug, "an anchor can't be written as JSON").with_cause(error)
        })?;
        let line = format!("{line}\n");
        match &self.place {
            Place::File(path) => append(path, &line),
            Place::Command(command) => tokio::time::timeout(PATIENCE, give(command, &line))
                .await
                .unwrap_or_else(|_| {
                    Err(not_taken(format!(
                        "it has not ended after {} s",
                        PATIENCE.as_secs()
                    )))
                }),
        }
    }
}

fn append(path: &Path, line: &str) -> Result<(), Failure> {
    let mut file = open(path)?;
    // A full disk may have cut the last line: this one must not become a part of it.
    let begins = if ends_with_a_line(path) { "" } else { "\n" };
    file.write_all(format!("{begins}{line}").as_bytes())
        .and_then(|()| file.sync_all())
        .map_err(|error| not_written(path, error))
}

/// Also where that can't be told, as of a pipe.
fn ends_with_a_line(path: &Path) -> bool {
    let last = || -> std::io::Result<u8> {
        let mut file = File::open(path)?;
        let mut last = [b'\n'];
        if file.metadata()?.len() > 0 {
            file.seek(SeekFrom::End(-1))?;
            file.read_exact(&mut last)?;
        }
        Ok(u8::from_be_bytes(last))
    };
    !std::fs::metadata(path).is_ok_and(|found| found.is_file()) || last().is_ok_and(|last| last == b'\n')
}

/// Opened for appending, private to the user where it is new.
fn open(path: &Path) -> Result<File, Failure> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut options = OpenOptions::new();
    let opened = options.append(true).create(true).mode(0o600).open(path);
    opened.map_err(|error| not_written(path, error))
}

fn not_written(path: &Path, error: std::io::Error) -> Failure {
    Failure::new(
        Code::OutOfResources,
        format!("the anchor can't be written to {}", path.display()),
    )
    .with_cause(error)
    .with_hint("name a file that can be written with --anchor; the same command writes the anchor again")
}

async fn give(command: &str, line: &str) -> Result<(), Failure> {
    let mut child = Command::new("/bin/sh")
        .args(["-c", command])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| not_taken(error.to_string()))?;
    if let Some(mut input) = child.stdin.take() {
        // A command that does not read ends with its own status.
        let _ = input.write_all(line.as_bytes()).await;
    }
    let status = child.wait().await.map_err(|error| not_taken(error.to_string()))?;
    if status.success() {
        return Ok(());
    }
    Err(not_taken(status.to_string()))
}

/// The command may hold secrets: it is not shown.
fn not_taken(why: String) -> Failure {
    Failure::new(
        Code::ToolFailed,
        "the command of --anchor has not taken the anchor",
    )
    .with_cause(why)
    .with_hint("make the command work; the same command of pghaul gives it the anchor again")
}

#[cfg(test)]
mod tests {
    use super::append;

    #[test]
    fn a_line_that_was_cut_takes_no_other_with_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("anchors");
        append(&path, "one\n").unwrap();
        append(&path, "two, cu").unwrap();
        append(&path, "three\n").unwrap();
        assert_eq!(std::fs::read_to_string(path).unwrap(), "one\ntwo, cu\nthree\n");
    }
}
