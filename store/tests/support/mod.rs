//! What the tests of the journal share: a file with a migration, and events for it.

#![allow(
    dead_code,
    reason = "each test binary uses its own part, so that no expectation fits all"
)]

use pghaul_core::event::{Created, Endpoint, Runner};
use pghaul_core::{
    DatabaseName, Envelope, Epoch, Event, Journal, Migration, MigrationEvent, MigrationId, StepEvent,
    StepName,
};
use pghaul_store::{JournalFile, Writer};
use std::path::PathBuf;
use std::process::Command;
use tempfile::TempDir;

/// A journal file in a directory of its own.
pub(crate) struct Scratch {
    pub(crate) directory: TempDir,
    pub(crate) file: JournalFile,
}

impl Scratch {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let file = JournalFile::create(directory.path().join("journal")).unwrap();
        Self { directory, file }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.file.path().to_owned()
    }

    /// SQLite without any of pghaul's rules.
    pub(crate) fn sqlite(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.file.path()).unwrap()
    }

    /// SQLite after somebody took pghaul's triggers away.
    pub(crate) fn tampered(&self) -> rusqlite::Connection {
        let connection = self.sqlite();
        for trigger in [
            "events_are_never_updated",
            "events_are_never_deleted",
            "events_come_in_sequence",
        ] {
            connection
                .execute(&format!("DROP TRIGGER {trigger}"), [])
                .unwrap();
        }
        connection
    }
}

pub(crate) fn id() -> MigrationId {
    MigrationId::new("k3v9x2ab")
}

pub(crate) fn created(name: &str) -> Created {
    let end = |host: &str| Endpoint {
        conninfo: format!("host={host} user=postgres"),
        system_identifier: "7300000000000000001".to_owned(),
        version: 150_020,
    };
    Created {
        name: name.to_owned(),
        source: end("old"),
        target: end("new"),
        pghaul: "0.1.0".to_owned(),
    }
}

pub(crate) fn runner(epoch: u32) -> Event {
    Event::Migration(MigrationEvent::RunnerStarted(Runner {
        host: "here".to_owned(),
        pid: 1,
        user: "me".to_owned(),
        epoch: Epoch(epoch),
        command: "run".to_owned(),
        ..Runner::default()
    }))
}

pub(crate) fn selected(databases: &[&str]) -> Event {
    let databases = databases.iter().map(|name| DatabaseName::from(*name)).collect();
    Event::Migration(MigrationEvent::DatabasesSelected {
        selection: Box::default(),
        databases,
    })
}

pub(crate) fn roles(event: StepEvent) -> Event {
    Event::ClusterStep(StepName::new("roles"), event)
}

/// An event that is always legal while the step `roles` runs.
pub(crate) fn fact(text: impl Into<String>) -> Event {
    roles(StepEvent::StepRecorded {
        version: 1,
        facts: serde_json::Value::from(text.into()).into(),
    })
}

/// Begins a migration whose step `roles` runs.
pub(crate) async fn begin(file: &JournalFile, id: &MigrationId, name: &str) -> Writer {
    file.begin(id, created(name)).unwrap();
    let writer = file.write_migration(id).unwrap();
    writer
        .append(vec![runner(1), roles(StepEvent::StepStarted)])
        .await
        .unwrap();
    writer
}

pub(crate) fn state(writer: &Writer) -> Migration {
    (writer as &dyn Journal).read(Migration::clone)
}

pub(crate) fn events(file: &JournalFile, id: &MigrationId) -> Vec<Envelope> {
    file.read_migration(id)
        .unwrap()
        .events()
        .map(Result::unwrap)
        .collect()
}

/// The texts of the facts that a migration noted.
pub(crate) fn facts(migration: &Migration) -> Vec<String> {
    let step = &migration.steps[&StepName::new("roles")];
    step.facts.iter().map(|text| text.read().unwrap()).collect()
}

/// This test binary again, as a process of its own that runs one test with a path in the environment.
pub(crate) fn again(test: &str, path: &std::path::Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args([test, "--exact", "--nocapture", "--test-threads=1"])
        .env("PGHAUL_TEST_JOURNAL", path);
    command
}

/// The path, when this process is such a one.
pub(crate) fn told() -> Option<PathBuf> {
    std::env::var_os("PGHAUL_TEST_JOURNAL").map(PathBuf::from)
}

/// An export with some of its events edited, chained anew from the documented encoding, as somebody would who wants
/// to be believed.
pub(crate) fn rechained(export: &[u8], mut edit: impl FnMut(&mut serde_json::Value)) -> Vec<u8> {
    use sha2::{Digest, Sha256};
    use std::fmt::Write as _;
    let lines = std::str::from_utf8(export).unwrap().lines();
    let mut lines: Vec<serde_json::Value> = lines.map(|line| serde_json::from_str(line).unwrap()).collect();
    let migration = lines[0]["migration"].as_str().unwrap().to_owned();
    let genesis = [b"pghaul journal 1\n", migration.as_bytes()].concat();
    let mut before: Vec<u8> = Sha256::digest(genesis).to_vec();
    let end = lines.len() - 1;
    let mut head = String::new();
    for line in &mut lines[1..end] {
        edit(line);
        let mut bytes = before;
        text(&mut bytes, &migration);
        for column in [
            "seq", "epoch", "at", "database", "step", "item", "kind", "version", "payload",
        ] {
            match &line[column] {
                serde_json::Value::Null => bytes.push(b'N'),
                serde_json::Value::Number(number) => {
                    bytes.push(b'I');
                    bytes.extend(number.as_i64().unwrap().to_be_bytes());
                }
                other => text(&mut bytes, other.as_str().unwrap()),
            }
        }
        before = Sha256::digest(bytes).to_vec();
        let hash = before.iter().fold(String::new(), |mut hash, byte| {
            write!(hash, "{byte:02x}").unwrap();
            hash
        });
        head = format!("{}:{hash}", line["seq"]);
        line["hash"] = hash.into();
    }
    lines[end]["head"] = head.into();
    // Keys come in the order of the alphabet: only of the last line the first one matters, and it has no other.
    lines
        .iter()
        .flat_map(|line| format!("{line}\n").into_bytes())
        .collect()
}

fn text(bytes: &mut Vec<u8>, text: &str) {
    bytes.push(b'T');
    bytes.extend((text.len() as u64).to_be_bytes());
    bytes.extend(text.as_bytes());
}
