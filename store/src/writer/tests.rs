//! What only a look at the writer's own connection can test: a full disk as SQLite reports it, and durability.

use super::*;
use pghaul_core::event::{Created, Endpoint};
use pghaul_core::{StepEvent, StepName};

fn created() -> Created {
    let end = || Endpoint {
        conninfo: String::new(),
        system_identifier: "1".to_owned(),
        version: 150_000,
    };
    Created {
        name: "app".to_owned(),
        source: end(),
        target: end(),
        pghaul: "0.1.0".to_owned(),
    }
}

fn step(event: StepEvent) -> Event {
    Event::ClusterStep(StepName::new("roles"), event)
}

fn facts(size: usize) -> Event {
    step(StepEvent::StepRecorded {
        version: 1,
        facts: serde_json::Value::from("x".repeat(size)).into(),
    })
}

#[tokio::test]
async fn a_full_disk_is_reported_and_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let id = MigrationId::new("k3v9x2ab");
    let file = JournalFile::create(directory.path().join("journal")).unwrap();
    file.begin(&id, created()).unwrap();
    let lock = RunnerLock::take(file.path(), &id, file.clock()).unwrap();
    let connection = format::open_for_writing(file.path()).unwrap();
    connection
        .query_row("PRAGMA max_page_count = 20", [], |row| row.get::<_, i64>(0))
        .unwrap();
    let writer = Writer::start(&file, &id, connection, lock).unwrap();

    writer.append(vec![step(StepEvent::StepStarted)]).await.unwrap();
    writer.append(vec![facts(100)]).await.unwrap();
    let before = (writer.head(), (&writer as &dyn Journal).read(Migration::clone));
    // The second request would fit, but nothing is written any more.
    for size in [200_000, 1] {
        let refused = writer.append(vec![facts(1), facts(size)]).await.unwrap_err();
        let JournalError::NotWritten { reason } = refused else {
            panic!("{refused}")
        };
        assert!(reason.starts_with("disk full"), "{reason}");
        assert_eq!(
            before,
            (writer.head(), (&writer as &dyn Journal).read(Migration::clone))
        );
    }
    drop(writer);

    let again = file.write_migration(&id).unwrap();
    assert_eq!(
        before,
        (again.head(), (&again as &dyn Journal).read(Migration::clone))
    );
    again.append(vec![facts(200_000)]).await.unwrap();
    assert_eq!(file.read_migration(&id).unwrap().verify().unwrap(), again.head());
}

#[test]
fn a_commit_is_an_fsync_of_the_write_ahead_log() {
    let directory = tempfile::tempdir().unwrap();
    let file = JournalFile::create(directory.path().join("journal")).unwrap();
    let connection = format::open_for_writing(file.path()).unwrap();
    let full = connection.pragma_query_value(None, "synchronous", |row| row.get::<_, i64>(0));
    let wal = connection.pragma_query_value(None, "journal_mode", |row| row.get::<_, String>(0));
    assert_eq!((full.unwrap(), wal.unwrap().as_str()), (2, "wal"));
}
