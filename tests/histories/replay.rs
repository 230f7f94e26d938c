//! Every journal of every release, read by today's program.

use crate::state::{SHOP, STATES};
use pghaul_testkit::{Outcome, Pghaul};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::path::{Path, PathBuf};

const CONNECTION: i32 = 4;

/// What the journal of a state says: the phase as `status` shows it, and the method.
fn expected(state: &str) -> (&'static str, &'static str) {
    match state {
        "checking" => ("checking", ""),
        "schema" => ("schema", "replication"),
        "replicating-before-rows"
        | "replicating-by-snapshot"
        | "replicating-by-server"
        | "replicating-second-generation"
        | "restarting-data" => ("replicating", "replication"),
        "syncing-by-snapshot"
        | "syncing-by-server"
        | "syncing-proven-twice"
        | "syncing-second-generation"
        | "restarted-data" => ("syncing", "replication"),
        "dumping" => ("dumping", "pg_dump"),
        "done" | "fallen-back" => ("done", "pg_dump"),
        "failed-in-checking" => ("failed while checking", ""),
        "failed-in-schema" => ("failed while schema", "replication"),
        "failed-in-replicating" => ("failed while replicating", "replication"),
        "failed-in-dumping" => ("failed while dumping", "pg_dump"),
        "failed-in-syncing" => ("failed while syncing", "replication"),
        "failed-in-removing" => ("failed while removing", "replication"),
        "removing" => ("removing", "replication"),
        "removed" | "removed-forced" => ("removed", "replication"),
        "removed-dump" => ("removed", "pg_dump"),
        other => panic!("what is expected of {other}?"),
    }
}

/// The releases that journals are kept of, with their files.
fn histories() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("histories");
    let directories = std::fs::read_dir(root)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let releases = directories.filter(|path| path.is_dir());
    let files = releases.flat_map(|release| std::fs::read_dir(release).unwrap());
    let mut files: Vec<PathBuf> = files.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// One journal, imported into a file of its own. Nothing listens where its servers are said to be.
struct History {
    name: String,
    text: String,
    pghaul: Pghaul,
}

impl History {
    fn import(path: &Path) -> Self {
        let closed = "host=127.0.0.1 port=1 user=nobody dbname=postgres";
        let history = Self {
            name: path.file_stem().unwrap().to_str().unwrap().to_owned(),
            text: std::fs::read_to_string(path).unwrap(),
            pghaul: Pghaul::new()
                .env("PGHAUL_SOURCE", closed)
                .env("PGHAUL_TARGET", closed),
        };
        let path = path.to_str().unwrap();
        history.tell(&["journal", "import", path]).succeeded();
        history
    }

    fn tell(&self, arguments: &[&str]) -> Outcome {
        self.pghaul.again().args(arguments.iter().copied()).run()
    }

    fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.tell(arguments).stdout).unwrap()
    }

    /// The events as the file has them.
    fn events(&self) -> Vec<Value> {
        let lines = self.text.lines().map(|line| serde_json::from_str(line).unwrap());
        lines.filter(|line: &Value| line.get("kind").is_some()).collect()
    }

    fn is_whole(&self) {
        let end: Value = serde_json::from_str(self.text.lines().last().unwrap()).unwrap();
        let verified = self.json(&["journal", "verify", "--json"]);
        assert_eq!(
            verified["migrations"][0]["head"], end["head"],
            "{}: {verified}",
            self.name
        );
        assert_eq!(verified["migrations"][0]["whole"], true);
        let export = self.tell(&["journal", "export", "-"]).succeeded();
        assert_eq!(export.stdout, self.text, "{}: not the same bytes", self.name);
    }

    fn shows_its_state(&self) {
        let (phase, method) = expected(&self.name);
        let status = self.json(&["status", "--json"])["migration"].clone();
        let shop = &status["migration_detail"][0];
        let word = phase.split(' ').next().unwrap();
        assert_eq!(
            (&shop["status"], &shop["method"]),
            (&word.into(), &method.into()),
            "{}",
            self.name
        );
        assert_eq!(status["name"], "move-the-shop");
        // This program could go on: where it would look at the servers, it only can't reach them.
        let unchecked = &shop["unchecked_because"];
        let asks = matches!(phase, "syncing" | "replicating" | "done");
        assert_eq!(
            unchecked["code"] == "connection-refused",
            asks,
            "{}: {unchecked}",
            self.name
        );
        let text = self.tell(&["status"]).stdout;
        for part in [
            "move-the-shop",
            "shop",
            phase,
            "old.example.com",
            "new.example.com",
        ] {
            assert!(text.contains(part), "{}: no {part:?} in\n{text}", self.name);
        }
    }

    fn shows_its_events(&self) {
        let events = self.events();
        let lines = |arguments: &[&str]| self.tell(arguments).succeeded().stdout;
        let shown = lines(&["history", "--json"]);
        let shown: Vec<Value> = shown
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(shown.len(), events.len(), "{}", self.name);
        for (shown, written) in shown.iter().zip(&events) {
            for column in ["seq", "at", "database", "step", "item", "kind"] {
                assert_eq!(shown[column], written[column], "{}: {written}", self.name);
            }
            assert!(shown["version"].as_u64() >= written["version"].as_u64());
        }
        let flat = lines(&["history", "--flat"]);
        assert_eq!(flat.lines().count(), events.len(), "{}:\n{flat}", self.name);
        let numbered = |line: &&str| line.trim_start().starts_with(|c: char| c.is_ascii_digit());
        let grouped = lines(&["history"]);
        assert_eq!(
            grouped.lines().filter(numbered).count(),
            events.len(),
            "{}:\n{grouped}",
            self.name
        );
    }

    /// Today's program takes it up: it finds nothing to refuse, and stops where the servers are.
    fn goes_on(&self) {
        let (phase, _) = expected(&self.name);
        let over = matches!(phase, "done" | "removed");
        let run = self.tell(&["run", "--name", "move-the-shop", "--take-over"]);
        assert_eq!(
            run.status.code(),
            Some(if over { 0 } else { CONNECTION }),
            "{}\n{run}",
            self.name
        );
        let remove = self.tell(&["remove", "--take-over"]);
        let removed = phase == "removed";
        assert_eq!(
            remove.status.code(),
            Some(if removed { 0 } else { CONNECTION }),
            "{}\n{remove}",
            self.name
        );
        self.is_whole();
    }
}

#[test]
fn every_journal_is_read_as_it_was_written() {
    let files = histories();
    for path in &files {
        let history = History::import(path);
        history.is_whole();
        history.shows_its_state();
        history.shows_its_events();
        history.goes_on();
    }
    // Of the first release, every state is there.
    for (state, _) in STATES {
        let file = format!("afe57ce/{state}.jsonl");
        assert!(
            files.iter().any(|path| path.ends_with(&file)),
            "{file} is missing"
        );
    }
}

/// A newer release wrote one more event: each command refuses the journal by name, and none changes it.
#[test]
fn a_newer_event_is_refused_by_every_command() {
    let path = histories()
        .into_iter()
        .find(|path| path.ends_with("syncing-by-server.jsonl"));
    let history = History::import(&path.unwrap());
    let journal = history.pghaul.home().join("state/pghaul/journal.db");
    append_newer_event(&journal);
    let before = std::fs::read(&journal).unwrap();
    for command in [
        &["run", "--name", "move-the-shop", "--take-over"][..],
        &["remove", "--force", "--take-over"],
        &["status", "--name", "move-the-shop"],
        &["history"],
        &["journal", "export", "-"],
        &["journal", "verify"],
    ] {
        let outcome = history.tell(command).failed_with(6);
        for part in ["other-release", "teleported", "database shop", "a newer one"] {
            assert!(
                outcome.stderr.contains(part),
                "{command:?}: no {part:?}\n{outcome}"
            );
        }
    }
    assert_eq!(std::fs::read(&journal).unwrap(), before);
}

/// By the documented format.
fn append_newer_event(journal: &Path) {
    let database = rusqlite::Connection::open(journal).unwrap();
    let end = "select migration, seq, epoch, hash from events order by seq desc limit 1";
    let (migration, seq, epoch, before): (String, i64, i64, Vec<u8>) = database
        .query_row(end, [], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        })
        .unwrap();
    let (seq, at, name, kind) = (seq + 1, "2027-01-01T00:00:00.000Z", SHOP, "teleported");
    let mut bytes = before;
    let text = |bytes: &mut Vec<u8>, text: &str| {
        bytes.push(b'T');
        bytes.extend((text.len() as u64).to_be_bytes());
        bytes.extend(text.as_bytes());
    };
    let number = |bytes: &mut Vec<u8>, number: i64| {
        bytes.push(b'I');
        bytes.extend(number.to_be_bytes());
    };
    text(&mut bytes, &migration);
    number(&mut bytes, seq);
    number(&mut bytes, epoch);
    text(&mut bytes, at);
    text(&mut bytes, name);
    bytes.extend(b"NN");
    text(&mut bytes, kind);
    number(&mut bytes, 1);
    text(&mut bytes, "{}");
    let hash: [u8; 32] = Sha256::digest(&bytes).into();
    let insert = "insert into events values (?1, ?2, ?3, ?4, ?5, null, null, ?6, 1, '{}', ?7)";
    let row = rusqlite::params![migration, seq, epoch, at, name, kind, hash];
    database.execute(insert, row).unwrap();
    let empty_the_wal = "pragma wal_checkpoint(truncate)";
    database.query_row(empty_the_wal, [], |_| Ok(())).unwrap();
}
