//! The write-ahead log that a killed runner leaves, damaged: what is read is what was written up to some event, or an
//! error; and a head tells that the rest is missing.

#![expect(clippy::unwrap_used, reason = "functions that tests share")]

#[cfg(test)]
mod support;

use pghaul_core::journal::Head;
use pghaul_core::{Code, Envelope, Failure, Journal as _};
use pghaul_store::{JournalFile, StoreError};
use proptest::prelude::*;
use std::sync::OnceLock;
use support::*;

/// A journal of which some events are in the write-ahead log alone.
struct Killed {
    file: Vec<u8>,
    wal: Vec<u8>,
    events: Vec<Envelope>,
    head: Head,
}

fn killed() -> &'static Killed {
    static KILLED: OnceLock<Killed> = OnceLock::new();
    KILLED.get_or_init(|| {
        let scratch = Scratch::new();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let writer = begin(&scratch.file, &id(), "app").await;
            writer.append(vec![fact("in the file")]).await.unwrap();
            drop(writer);
            let writer = scratch.file.write_migration(&id()).unwrap();
            for number in 0..10 {
                let size = if number == 3 { 9_000 } else { 50 };
                writer.append(vec![fact("x".repeat(size))]).await.unwrap();
            }
            // As long as the writer lives, nobody takes the log into the file.
            let read =
                |suffix| std::fs::read(scratch.directory.path().join(format!("journal{suffix}"))).unwrap();
            Killed {
                file: read(""),
                wal: read("-wal"),
                events: events(&scratch.file, &id()),
                head: writer.head(),
            }
        })
    })
}

fn read(wal: &[u8]) -> (Result<Vec<Envelope>, StoreError>, Result<Head, StoreError>) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("journal");
    std::fs::write(&path, &killed().file).unwrap();
    std::fs::write(directory.path().join("journal-wal"), wal).unwrap();
    let open = || JournalFile::open(&path)?.read_migration(&id());
    let events = open().and_then(|reader| {
        reader.verify()?;
        reader.events().collect()
    });
    (
        events,
        open().and_then(|reader| reader.verify_since(&killed().head)),
    )
}

/// A beginning of what was written, or an error; all of it where the head says so.
fn is_a_beginning(wal: &[u8]) -> Result<(), TestCaseError> {
    let (events, since) = read(wal);
    if let Ok(events) = &events {
        prop_assert!(killed().events.starts_with(events));
    }
    match since {
        Ok(head) => {
            prop_assert_eq!(&head, &killed().head);
            prop_assert_eq!(events.unwrap().len(), killed().events.len());
        }
        Err(error) => {
            let failure = Failure::from(error);
            prop_assert!(
                matches!(failure.code, Code::JournalStale | Code::JournalDamaged),
                "{:?}",
                failure
            );
            prop_assert!(failure.hint.is_some());
        }
    }
    Ok(())
}

#[test]
fn a_whole_log_is_read_and_without_it_the_head_tells() {
    let (events, since) = read(&killed().wal);
    assert_eq!(events.unwrap(), killed().events);
    assert_eq!(since.unwrap(), killed().head);
    let (events, since) = read(&[]);
    assert_eq!(events.unwrap().len(), 4, "those in the file");
    assert_eq!(Failure::from(since.unwrap_err()).code, Code::JournalStale);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(100) })]

    #[test]
    fn a_log_that_is_cut_is_a_beginning(place in 0.0..1.0_f64) {
        let length = (place * killed().wal.len() as f64) as usize;
        is_a_beginning(&killed().wal[..length])?;
    }

    #[test]
    fn a_flipped_bit_in_the_log_ends_it(place in 0.0..1.0_f64, bit in 0_u8..8) {
        let mut wal = killed().wal.clone();
        let place = (place * wal.len() as f64) as usize;
        wal[place] ^= 1 << bit;
        is_a_beginning(&wal)?;
    }
}
