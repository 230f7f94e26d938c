//! Damage of any kind is found, and named by the event that it is in.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "functions that tests share"
)]

#[cfg(test)]
mod support;

use pghaul_core::journal::Head;
use pghaul_core::{Code, Envelope, Failure, Journal, Seq};
use pghaul_store::{DamageReason, JournalFile, StoreError};
use proptest::prelude::*;
use std::sync::OnceLock;
use support::*;

const EVENTS: u64 = 40;

/// A journal of forty events, the 20th of them with a large payload, as the bytes of its file.
struct Sound {
    bytes: Vec<u8>,
    events: Vec<Envelope>,
    head: Head,
}

fn sound() -> &'static Sound {
    static SOUND: OnceLock<Sound> = OnceLock::new();
    SOUND.get_or_init(|| {
        let scratch = Scratch::new();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let writer = runtime.block_on(async {
            let writer = begin(&scratch.file, &id(), "app").await;
            for seq in 4..=EVENTS {
                let size = if seq == 20 { 20_000 } else { 50 };
                writer
                    .append(vec![fact(format!("<{seq}>{}", "x".repeat(size)))])
                    .await
                    .unwrap();
            }
            writer
        });
        let head = writer.head();
        drop(writer);
        let bytes = std::fs::read(scratch.path()).unwrap();
        Sound {
            bytes,
            events: events(&scratch.file, &id()),
            head,
        }
    })
}

/// The file with other bytes, verified and read.
fn read_damaged(bytes: &[u8]) -> Result<(Head, Vec<Envelope>), StoreError> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("journal");
    std::fs::write(&path, bytes).unwrap();
    let reader = JournalFile::open(&path)?.read_migration(&id())?;
    Ok((reader.verify()?, reader.events().collect::<Result<_, _>>()?))
}

/// The file with a bit flipped at each of some places.
fn flipped(places: impl IntoIterator<Item = usize>, bit: u8) -> Vec<u8> {
    let mut bytes = sound().bytes.clone();
    for place in places {
        bytes[place] ^= 1 << bit;
    }
    bytes
}

fn damage(error: &StoreError) -> (u64, &DamageReason) {
    let StoreError::Damaged { damage, .. } = error else {
        panic!("{error}")
    };
    (damage.seq.0, &damage.reason)
}

fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(cases)
    }
}

/// What was read is what was written, or an error.
fn unharmed(read: Result<(Head, Vec<Envelope>), StoreError>) -> bool {
    read.is_err() || read.is_ok_and(|(head, events)| head == sound().head && events == sound().events)
}

proptest! {
    #![proptest_config(cases(500))]

    /// A flipped bit in a payload is found at its event. Pages keep stale copies of rows: each is flipped.
    #[test]
    fn a_flipped_bit_in_a_payload_names_its_event(seq in 4..=EVENTS, offset in 0_usize..50, bit in 0_u8..8) {
        let mark = format!("<{seq}>");
        let windows = sound().bytes.windows(mark.len()).enumerate();
        let places = windows.filter(|(_, window)| *window == mark.as_bytes()).map(|(place, _)| place + offset);
        let error = read_damaged(&flipped(places, bit)).err();
        let found = error.as_ref().map(damage);
        prop_assert!(matches!(found, Some((at, DamageReason::HashMismatch)) if at == seq), "{:?}", error);
    }

    /// A file cut anywhere is refused.
    #[test]
    fn a_truncated_file_is_refused(place in 0.0..1.0_f64) {
        let length = (place * sound().bytes.len() as f64) as usize;
        let error = read_damaged(&sound().bytes[..length]).err();
        let refused = matches!(
            error,
            Some(StoreError::Damaged { .. } | StoreError::DamagedFile { .. } | StoreError::NotAJournal { .. })
        );
        prop_assert!(refused, "{:?} at {}", error, length);
    }
}

proptest! {
    #![proptest_config(cases(2000))]

    /// A flipped bit anywhere is found, or lies where it changes nothing.
    #[test]
    fn a_flipped_bit_anywhere_changes_nothing_unnoticed(place in 0.0..1.0_f64, bit in 0_u8..8) {
        let place = (place * sound().bytes.len() as f64) as usize;
        prop_assert!(unharmed(read_damaged(&flipped([place], bit))));
    }
}

/// A journal that somebody edits with SQL after taking pghaul's triggers away.
async fn edited(sql: &str) -> StoreError {
    let scratch = Scratch::new();
    let writer = begin(&scratch.file, &id(), "app").await;
    writer
        .append((4..=10).map(|n| fact(n.to_string())).collect())
        .await
        .unwrap();
    drop(writer);
    scratch.tampered().execute_batch(sql).unwrap();
    let reader = scratch.file.read_migration(&id()).unwrap();
    let error = reader.verify().unwrap_err();
    assert_eq!(reader.load().unwrap_err().to_string(), error.to_string());
    let told = reader.events().filter_map(Result::err).map(|e| e.to_string());
    assert_eq!(told.collect::<Vec<_>>(), [error.to_string()]);
    assert!(scratch.file.write_migration(&id()).is_err());
    error
}

#[tokio::test]
async fn an_edit_is_found_in_every_column() {
    for column in [
        "epoch = 9",
        "at = 'x'",
        "database = 'x'",
        "step = 'x'",
        "item = 'x'",
        "kind = 'x'",
        "version = 2",
    ] {
        let error = edited(&format!("UPDATE events SET {column} WHERE seq = 5")).await;
        assert!(
            matches!(damage(&error), (5, DamageReason::HashMismatch)),
            "{column}: {error}"
        );
        assert_eq!(
            error.to_string(),
            "the journal of migration k3v9x2ab is damaged at event 5: \
            its hash does not fit its content and the event before"
        );
        assert_eq!(Failure::from(error).code, Code::JournalDamaged);
    }
}

#[tokio::test]
async fn loss_and_reordering_are_found() {
    let lost = edited("DELETE FROM events WHERE seq = 6").await;
    assert!(
        matches!(damage(&lost), (6, DamageReason::Gap { found: 7 })),
        "{lost}"
    );
    let closed =
        edited("DELETE FROM events WHERE seq = 6; UPDATE events SET seq = seq - 1 WHERE seq > 6").await;
    assert!(
        matches!(damage(&closed), (6, DamageReason::HashMismatch)),
        "{closed}"
    );
    let swapped = edited(
        "UPDATE events SET seq = 99 WHERE seq = 6; UPDATE events SET seq = 6 WHERE seq = 7;
         UPDATE events SET seq = 7 WHERE seq = 99",
    )
    .await;
    assert!(
        matches!(damage(&swapped), (6, DamageReason::HashMismatch)),
        "{swapped}"
    );
}

#[tokio::test]
async fn a_cut_tail_and_a_rewritten_journal_show_against_a_head() {
    let scratch = Scratch::new();
    let writer = begin(&scratch.file, &id(), "app").await;
    writer.append(vec![fact("a"), fact("b")]).await.unwrap();
    let seen = writer.head();
    drop(writer);
    let check = || scratch.file.read_migration(&id()).unwrap().verify_since(&seen);
    assert_eq!(check().unwrap(), seen);
    let writer = scratch.file.write_migration(&id()).unwrap();
    writer.append(vec![fact("c")]).await.unwrap();
    assert_eq!(check().unwrap(), writer.head());
    drop(writer);

    scratch
        .tampered()
        .execute_batch("DELETE FROM events WHERE seq > 4")
        .unwrap();
    scratch.file.read_migration(&id()).unwrap().verify().unwrap();
    let cut = check().unwrap_err();
    assert!(matches!(damage(&cut), (5, DamageReason::Cut { .. })), "{cut}");
    let writer = scratch.file.write_migration(&id()).unwrap();
    writer.append(vec![fact("other"), fact("story")]).await.unwrap();
    drop(writer);
    let rewritten = check().unwrap_err();
    assert!(
        matches!(damage(&rewritten), (5, DamageReason::Rewritten { .. })),
        "{rewritten}"
    );
}

/// What a search by the list leads to: another migration's events under this name, or none.
#[tokio::test]
async fn a_list_that_does_not_fit_the_events_is_found_by_every_reader() {
    for (sql, of) in [
        ("UPDATE migrations SET name = 'other'", "name"),
        ("UPDATE migrations SET name = 'x; y'", "name"),
        (
            "UPDATE migrations SET created_at = '1999-01-01T00:00:00Z'",
            "time",
        ),
        ("DELETE FROM events", "no event"),
    ] {
        let scratch = Scratch::new();
        drop(begin(&scratch.file, &id(), "app").await);
        let sqlite = scratch.tampered();
        sqlite
            .execute_batch("DROP TRIGGER migrations_are_never_updated")
            .unwrap();
        sqlite.execute_batch(sql).unwrap();
        let reader = scratch.file.read_migration(&id()).unwrap();
        let error = reader.verify().unwrap_err();
        assert_eq!(damage(&error).0, 1, "{of}: {error}");
        let told = reader.events().filter_map(Result::err).map(|e| e.to_string());
        assert_eq!(told.collect::<Vec<_>>(), [error.to_string()], "{of}");
        assert!(scratch.file.write_migration(&id()).is_err(), "{of}");
    }
}

/// A trigger would run with each event that is appended; a view would show what somebody has chosen.
#[tokio::test]
async fn what_pghaul_has_not_made_in_the_file_is_found() {
    for (sql, what) in [
        ("CREATE TABLE notes (t TEXT)", "table \"notes\""),
        (
            "CREATE TRIGGER later AFTER INSERT ON events BEGIN DELETE FROM events; END",
            "trigger \"later\"",
        ),
    ] {
        let scratch = Scratch::new();
        drop(begin(&scratch.file, &id(), "app").await);
        scratch.sqlite().execute_batch(sql).unwrap();
        let error = scratch.file.read_migration(&id()).unwrap().verify().unwrap_err();
        assert!(error.to_string().contains(what), "{error}");
        assert_eq!(Failure::from(error).code, Code::JournalDamaged);
        assert!(scratch.file.write_migration(&id()).is_err());
    }
    let scratch = Scratch::new();
    drop(begin(&scratch.file, &id(), "app").await);
    let view = "ALTER TABLE events RENAME TO all_events; CREATE VIEW events AS SELECT * FROM all_events WHERE seq < 2;";
    scratch.tampered().execute_batch(view).unwrap();
    let refused = scratch.file.read_migration(&id()).unwrap_err();
    assert!(matches!(refused, StoreError::NotAJournal { .. }), "{refused}");
}

#[tokio::test]
async fn the_file_itself_refuses_changes() {
    let scratch = Scratch::new();
    drop(begin(&scratch.file, &id(), "app").await);
    let sqlite = scratch.sqlite();
    for change in [
        "UPDATE events SET payload = '{}' WHERE seq = 2",
        "DELETE FROM events",
        "INSERT OR REPLACE INTO events SELECT migration, seq, epoch, at, database, step, item, kind, version, '', hash FROM events WHERE seq = 2",
        "INSERT INTO events SELECT migration, 9, epoch, at, database, step, item, kind, version, '', hash FROM events WHERE seq = 2",
        "UPDATE migrations SET name = 'x'",
        "DELETE FROM migrations",
        "INSERT OR REPLACE INTO migrations VALUES ('k3v9x2ab', 'x', 'x')",
    ] {
        let refused = sqlite.execute(change, []).unwrap_err();
        assert_eq!(
            refused.sqlite_error_code(),
            Some(rusqlite::ErrorCode::ConstraintViolation),
            "{change}"
        );
    }
    assert_eq!(
        scratch.file.read_migration(&id()).unwrap().verify().unwrap().seq,
        Seq(3)
    );
}

#[tokio::test]
async fn an_event_of_a_newer_pghaul_is_refused_as_such() {
    for (kind, version, expected) in [
        (
            "teleported",
            1,
            "unknown kind of event \"teleported\"; a newer pghaul wrote it",
        ),
        (
            "runner_stopped",
            7,
            "event \"runner_stopped\" has version 7; this pghaul reads up to 1",
        ),
    ] {
        let scratch = Scratch::new();
        drop(begin(&scratch.file, &id(), "app").await);
        forge(&scratch, kind, version);
        let error = scratch.file.write_migration(&id()).unwrap_err();
        assert!(
            matches!(error, StoreError::NewerEvent { seq: Seq(4), .. }),
            "{error}"
        );
        assert!(error.to_string().ends_with(expected), "{error}");
        assert_eq!(Failure::from(error).code, Code::OtherRelease);
    }
}

/// Appends an event with a hash that fits, as a newer pghaul would, from the documented encoding.
fn forge(scratch: &Scratch, kind: &str, version: i64) {
    use sha2::{Digest, Sha256};
    let before: Vec<u8> = scratch
        .sqlite()
        .query_row("SELECT hash FROM events WHERE seq = 3", [], |row| row.get(0))
        .unwrap();
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
    text(&mut bytes, "k3v9x2ab");
    number(&mut bytes, 4);
    number(&mut bytes, 1);
    text(&mut bytes, "2025-01-01T00:00:00.000Z");
    bytes.extend(b"NNN");
    text(&mut bytes, kind);
    number(&mut bytes, version);
    text(&mut bytes, "{}");
    let hash: [u8; 32] = Sha256::digest(&bytes).into();
    scratch
        .sqlite()
        .execute(
            "INSERT INTO events VALUES ('k3v9x2ab', 4, 1, '2025-01-01T00:00:00.000Z', NULL, NULL, NULL, ?1, ?2, '{}', ?3)",
            rusqlite::params![kind, version, hash],
        )
        .unwrap();
}

#[tokio::test]
async fn a_newer_format_is_refused_untouched() {
    let scratch = Scratch::new();
    drop(begin(&scratch.file, &id(), "app").await);
    scratch.sqlite().pragma_update(None, "user_version", 2).unwrap();
    unchanged(&scratch.path(), |error| {
        assert!(
            matches!(
                error,
                StoreError::NewerFormat {
                    found: 2,
                    known: 1,
                    ..
                }
            ),
            "{error}"
        );
    });
}

#[test]
fn a_file_that_is_not_ours_is_refused_untouched() {
    let directory = tempfile::tempdir().unwrap();
    let (other, text) = (directory.path().join("other"), directory.path().join("text"));
    rusqlite::Connection::open(&other)
        .unwrap()
        .execute_batch("CREATE TABLE t (a)")
        .unwrap();
    std::fs::write(&text, "not a database at all\n".repeat(100)).unwrap();
    for path in [other, text] {
        unchanged(&path, |error| {
            assert!(matches!(error, StoreError::NotAJournal { .. }), "{error}")
        });
    }
    let nothing = JournalFile::open(directory.path().join("nothing")).unwrap_err();
    assert!(matches!(nothing, StoreError::NotFound { .. }), "{nothing}");
}

/// Opening and creating refuse, and neither changes a byte or leaves a file.
fn unchanged(path: &std::path::Path, judge: impl Fn(StoreError)) {
    let look = || {
        let files = std::fs::read_dir(path.parent().unwrap())
            .unwrap()
            .map(|e| e.unwrap().path());
        let mut files: Vec<_> = files
            .map(|path| (path.clone(), std::fs::read(path).unwrap()))
            .collect();
        files.sort();
        files
    };
    let before = look();
    judge(JournalFile::open(path).unwrap_err());
    judge(JournalFile::create(path).unwrap_err());
    assert_eq!(look(), before);
}
