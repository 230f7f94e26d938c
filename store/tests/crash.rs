//! kill -9 in the middle of appends: what was told durable is there, and what is there is whole.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "functions that tests share"
)]

#[cfg(test)]
mod support;

use pghaul_core::{Journal, Migration, Phase, StepEvent};
use pghaul_store::JournalFile;
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::sync::Arc;
use support::*;

const TASKS: u64 = 4;

/// Not a test by itself: the process that is killed. Four tasks append and print each number that is durable.
#[tokio::test]
async fn victim() {
    let Some(path) = told() else { return };
    let file = JournalFile::open(path).unwrap();
    let writer = Arc::new(file.write_migration(&id()).unwrap());
    let epoch = state(&writer).epoch.next().0;
    writer
        .append(vec![runner(epoch), roles(StepEvent::StepStarted)])
        .await
        .unwrap();
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| {
            let writer = Arc::clone(&writer);
            tokio::spawn(async move {
                for number in 0.. {
                    let text = format!("{epoch}-{task}-{number}");
                    // Two events in a request: neither may be there alone.
                    writer.append(vec![fact(&text), fact(&text)]).await.unwrap();
                    println!("durable {text}");
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
}

#[tokio::test]
async fn nothing_told_durable_is_lost_by_a_kill() {
    let scratch = Scratch::new();
    drop(begin(&scratch.file, &id(), "app").await);
    let mut promised = Vec::new();
    for round in 0..5 {
        let mut victim = again("victim", &scratch.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(victim.stdout.take().unwrap())
            .lines()
            .map(Result::unwrap);
        let durable = |line: String| line.split_once("durable ").map(|(_, text)| text.to_owned());
        promised.extend(lines.by_ref().filter_map(durable).take(500 + 321 * round));
        victim.kill().unwrap();
        victim.wait().unwrap();
        promised.extend(lines.filter_map(durable));

        // The lock went with the process, and a reader sees the same as the next runner.
        let reader = scratch.file.read_migration(&id()).unwrap();
        let (head, loaded) = (reader.verify().unwrap(), reader.load().unwrap());
        let writer = scratch.file.write_migration(&id()).unwrap();
        assert_eq!((writer.head(), &state(&writer)), (head, &loaded.migration));
        whole(&loaded.migration, &promised);
    }
    let mut live = Migration::default();
    for envelope in events(&scratch.file, &id()) {
        live.apply(&envelope.event).unwrap();
    }
    assert_eq!(
        live,
        scratch
            .file
            .read_migration(&id())
            .unwrap()
            .load()
            .unwrap()
            .migration
    );
    assert!(live.databases.values().all(|d| d.state.phase() == Phase::Pending));
}

/// Every promised fact is there twice in a row, and each task's facts are there in order without a hole.
fn whole(migration: &Migration, promised: &[String]) {
    let facts = facts(migration);
    let mut pairs = Vec::new();
    for pair in facts.chunks(2) {
        assert_eq!(pair[0], pair[1], "a request is there by half");
        pairs.push(&pair[0]);
    }
    let found: std::collections::HashSet<_> = pairs.iter().copied().collect();
    assert_eq!(found.len(), pairs.len(), "a request is there twice");
    for text in promised {
        assert!(found.contains(text), "{text} was told durable");
    }
    for text in &pairs {
        let (task, number) = text.rsplit_once('-').unwrap();
        let number: u64 = number.parse().unwrap();
        assert!(
            number == 0 || found.contains(&format!("{task}-{}", number - 1)),
            "a hole before {text}"
        );
    }
}
