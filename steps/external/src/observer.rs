//! A program that receives the events of a run. It can't stop or delay anything.

use crate::connection::Passwords;
use crate::definition::ObserverDefinition;
use crate::program::{group::Group, lines};
use crate::protocol::{Sent, VERSION};
use pghaul_step::postgres::child;
use serde::Serialize;
use serde_json::Value;
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use tokio::io::AsyncWriteExt as _;
use tokio::process::ChildStdin;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// So many events wait for a program that does not read; those that come then are dropped.
const WAITING: usize = 4096;

/// An event, as observers receive it.
#[derive(Debug, Clone, Serialize)]
pub struct Notice {
    /// `event`
    #[serde(rename = "type")]
    message: &'static str,
    /// The kind, as the journal names it.
    pub kind: String,
    /// The migration's name.
    pub migration: String,
    /// The database, where it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
    /// The step, where it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// The item, where it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub item: Option<String>,
    /// A sentence.
    pub text: String,
    /// The payload, as the journal holds it.
    pub payload: Value,
}

impl Notice {
    /// An event of this kind.
    pub fn new(kind: &str, migration: &str, text: String) -> Self {
        Self {
            message: "event",
            kind: kind.to_owned(),
            migration: migration.to_owned(),
            database: None,
            step: None,
            item: None,
            text,
            payload: Value::Null,
        }
    }
}

/// The observers of a run, while it lasts.
#[derive(Debug, Default)]
pub struct Observing(Mutex<Vec<Observer>>);

#[derive(Debug)]
struct Observer {
    name: String,
    kinds: Vec<String>,
    sender: Sender<Vec<u8>>,
    dropped: AtomicU64,
    task: JoinHandle<()>,
}

impl Observing {
    /// Starts the programs. One that can't be started is logged, and nothing else.
    pub fn start(definitions: &[ObserverDefinition]) -> Self {
        Self(Mutex::new(
            definitions.iter().filter_map(Observer::start).collect(),
        ))
    }

    /// Sends an event to every program that wants its kind. It never waits.
    pub fn notify(&self, notice: &Notice) {
        let Ok(mut line) = serde_json::to_vec(notice) else {
            return;
        };
        line.push(b'\n');
        let wants = |observer: &&Observer| observer.kinds.is_empty() || observer.kinds.contains(&notice.kind);
        let observers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for observer in observers.iter().filter(wants) {
            if observer.sender.try_send(line.clone()).is_err() {
                observer.dropped.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Lets every program end: its standard input is closed, and it has its time.
    pub async fn finish(&self) {
        let observers = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        for Observer {
            name,
            sender,
            dropped,
            task,
            ..
        } in observers
        {
            drop(sender);
            let _ = task.await;
            match dropped.into_inner() {
                0 => {}
                dropped => tracing::warn!(
                    "observer {name} did not receive {dropped} events: it did not read them, or had ended"
                ),
            }
        }
    }
}

impl Observer {
    fn start(definition: &ObserverDefinition) -> Option<Self> {
        let name = definition.name.clone();
        let words = &definition.command.0;
        let mut command = tokio::process::Command::new(words.first().map_or("", String::as_str));
        // It receives events, and needs no connection.
        child::without_our_variables(command.as_std_mut());
        command
            .args(words.iter().skip(1))
            .envs(&definition.environment)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .process_group(0);
        child::die_with_parent(&mut command);
        let mut child = match command.spawn() {
            Ok(child) => child,
            Err(error) => {
                tracing::warn!(%error, "observer {name} can't be started");
                return None;
            }
        };
        let (stdin, stderr) = (child.stdin.take()?, child.stderr.take()?);
        tokio::spawn(lines::log(
            stderr,
            format!("observer {name}"),
            Passwords::default(),
        ));
        let (sender, receiver) = channel(WAITING);
        let limit = definition.timeout.0;
        let what = name.clone();
        let task = tokio::spawn(async move {
            let mut group = Group::new(child);
            // One that never reads must not keep the end of the run waiting for longer than its time.
            let mut ended = write(stdin, receiver, limit).await;
            if ended {
                ended = group.ended_within(limit).await.is_some();
            }
            if !ended {
                tracing::warn!("observer {what} did not end in time and is terminated");
                group.terminate(crate::program::GRACE).await;
            }
        });
        Some(Self {
            name,
            kinds: definition.kinds.clone(),
            sender,
            dropped: AtomicU64::new(0),
            task,
        })
    }
}

/// Writes the events as they come. Returns whether the program took them.
async fn write(mut stdin: ChildStdin, mut receiver: Receiver<Vec<u8>>, limit: std::time::Duration) -> bool {
    let hello = Sent::Hello {
        protocol: VERSION,
        pghaul: env!("CARGO_PKG_VERSION"),
    };
    let mut line = serde_json::to_vec(&hello).unwrap_or_default();
    line.push(b'\n');
    let mut next = Some(line);
    while let Some(line) = next {
        match timeout(limit, stdin.write_all(&line)).await {
            Ok(Ok(())) => {}
            // It has closed its standard input: it wants no more.
            Ok(Err(_)) => return true,
            Err(_) => return false,
        }
        next = receiver.recv().await;
    }
    true
}
