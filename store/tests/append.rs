//! Appending: what is told durable is, what is refused leaves no trace.

#[cfg(test)]
mod support;

use pghaul_core::journal::{Head, JournalError};
use pghaul_core::{Code, Epoch, Failure, Journal, MigrationId, Phase, Seq, StepEvent};
use pghaul_store::{Clock, Standing, StoreError};
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use support::*;

#[tokio::test]
async fn state_head_and_events_survive_a_restart() {
    let scratch = Scratch::new();
    let at = time::OffsetDateTime::from_unix_timestamp(1_700_000_000).unwrap();
    let file = scratch.file.clone().with_clock(Clock::new(move || at));
    let writer = begin(&file, &id(), "app").await;
    assert_eq!(
        writer.append(vec![fact("one"), fact("two")]).await.unwrap(),
        Seq(5)
    );
    assert_eq!(writer.append(Vec::new()).await.unwrap(), Seq(5));
    let (migration, head) = (state(&writer), writer.head());
    assert_eq!(
        (head.seq, facts(&migration)),
        (Seq(5), vec!["one".to_owned(), "two".to_owned()])
    );
    drop(writer);

    let reader = file.read_migration(&id()).unwrap();
    let loaded = reader.load().unwrap();
    assert_eq!((&loaded.migration, &loaded.head), (&migration, &head));
    assert_eq!(reader.hash_at(Seq(5)).unwrap(), Some(head.hash));
    assert_eq!(reader.hash_at(Seq(6)).unwrap(), None);
    let seen = events(&file, &id());
    assert_eq!(
        seen.iter().map(|e| (e.seq.0, e.epoch.0)).collect::<Vec<_>>(),
        [(1, 0), (2, 1), (3, 1), (4, 1), (5, 1)]
    );
    assert!(
        seen.iter()
            .all(|e| e.at == "2023-11-14T22:13:20.000Z" && e.migration == id())
    );

    let writer = file.write_migration(&id()).unwrap();
    assert_eq!(state(&writer), migration);
    writer.append(vec![runner(2)]).await.unwrap();
    assert_eq!(state(&writer).epoch, Epoch(2));
}

#[tokio::test]
async fn it_continues_from_what_was_seen_of_it_and_nothing_else() {
    let scratch = Scratch::new();
    let writer = begin(&scratch.file, &id(), "app").await;
    let nothing = Head {
        seq: Seq(0),
        hash: String::new(),
    };
    let seen = writer.head();
    writer.append(vec![fact("one")]).await.unwrap();
    let newest = writer.head();
    let hash = "0".repeat(64);
    let other = Head { seq: seen.seq, hash };
    let beyond = Head {
        seq: newest.seq.next(),
        hash: newest.hash.clone(),
    };
    let mut continues = Vec::new();
    for head in [nothing, seen, newest, other, beyond] {
        continues.push(writer.continues(&head).await.unwrap());
    }
    assert_eq!(continues, [true, true, true, false, false]);
}

#[tokio::test]
async fn an_illegal_request_is_refused_alone_and_whole() {
    let scratch = Scratch::new();
    let writer = begin(&scratch.file, &id(), "app").await;
    // Half of the second request is legal: none of it may stay.
    let finished = || {
        roles(StepEvent::StepFinished {
            version: 1,
            output: pghaul_core::JsonText::default(),
            found: false,
        })
    };
    let (first, second, third) = tokio::join!(
        writer.append(vec![fact("a")]),
        writer.append(vec![fact("never"), finished(), finished()]),
        writer.append(vec![fact("b")]),
    );
    assert_eq!((first.unwrap(), third.unwrap()), (Seq(4), Seq(5)));
    assert!(matches!(second, Err(JournalError::Illegal(_))), "{second:?}");
    assert_eq!(facts(&state(&writer)), ["a", "b"]);
    assert_eq!(
        scratch.file.read_migration(&id()).unwrap().verify().unwrap(),
        writer.head()
    );
}

#[tokio::test]
async fn requests_that_wait_share_one_transaction() {
    let scratch = Scratch::new();
    let writer = Arc::new(begin(&scratch.file, &id(), "app").await);
    let before = writer.commits();
    let other = scratch.sqlite();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let tasks: Vec<_> = (0..100)
        .map(|number| {
            let writer = Arc::clone(&writer);
            tokio::spawn(async move { writer.append(vec![fact(number.to_string())]).await.unwrap() })
        })
        .collect();
    // Every task of this thread has sent its request when the yield returns.
    tokio::task::yield_now().await;
    assert_eq!(
        writer.head().seq,
        Seq(3),
        "nothing is visible before it is durable"
    );
    other.execute_batch("ROLLBACK").unwrap();
    for (task, expected) in tasks.into_iter().zip(4..) {
        assert_eq!(task.await.unwrap(), Seq(expected));
    }
    assert!(
        writer.commits() - before <= 2,
        "{} commits",
        writer.commits() - before
    );
}

#[tokio::test]
async fn the_lock_names_its_holder_and_is_per_migration() {
    let scratch = Scratch::new();
    let writer = begin(&scratch.file, &id(), "app").await;
    let refused = scratch.file.write_migration(&id()).unwrap_err();
    let StoreError::Locked {
        holder: Some(holder), ..
    } = &refused
    else {
        panic!("{refused}")
    };
    assert_eq!(holder.pid, std::process::id());
    assert!(
        refused
            .to_string()
            .starts_with("migration k3v9x2ab is locked by pid "),
        "{refused}"
    );
    assert!(!holder.host.is_empty() && holder.since.ends_with('Z'), "{holder}");

    // Another migration of the same file runs beside it, and readers read.
    let other = begin(&scratch.file, &MigrationId::new("zzzzzzzz"), "other").await;
    tokio::join!(async { writer.append(vec![fact("a")]).await.unwrap() }, async {
        other.append(vec![fact("b")]).await.unwrap()
    });
    assert_eq!(events(&scratch.file, &id()).len(), 4);

    drop(writer);
    scratch.file.write_migration(&id()).unwrap();
}

/// Who may write beside the journal could have any file of the user's emptied, or a run wait for ever.
#[tokio::test]
async fn a_lock_that_leads_elsewhere_is_refused() {
    let scratch = Scratch::new();
    drop(begin(&scratch.file, &id(), "app").await);
    let lock = scratch.directory.path().join("journal.k3v9x2ab.lock");
    let precious = scratch.directory.path().join("precious");
    std::fs::write(&precious, "rows").unwrap();
    std::fs::remove_file(&lock).unwrap();
    std::os::unix::fs::symlink(&precious, &lock).unwrap();
    let refused = Failure::from(scratch.file.write_migration(&id()).unwrap_err());
    assert_eq!(refused.code, Code::JournalUnusable);
    assert!(
        refused
            .causes
            .iter()
            .any(|cause| cause.contains("a symbolic link")),
        "{refused:?}"
    );
    assert_eq!(std::fs::read_to_string(&precious).unwrap(), "rows");
    std::fs::remove_file(&lock).unwrap();
    assert!(
        std::process::Command::new("mkfifo")
            .arg(&lock)
            .status()
            .unwrap()
            .success()
    );
    let refused = Failure::from(scratch.file.write_migration(&id()).unwrap_err());
    assert!(
        refused
            .causes
            .iter()
            .any(|cause| cause.contains("no regular file")),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_writer_that_was_overtaken_stops() {
    let scratch = Scratch::new();
    let writer = begin(&scratch.file, &id(), "app").await;
    std::fs::remove_file(scratch.directory.path().join("journal.k3v9x2ab.lock")).unwrap();
    let other = scratch.file.write_migration(&id()).unwrap();
    other.append(vec![fact("theirs")]).await.unwrap();
    for _ in 0..2 {
        let refused = writer.append(vec![fact("ours")]).await;
        assert!(
            matches!(refused, Err(JournalError::Overtaken { seq: Seq(4) })),
            "{refused:?}"
        );
    }
    assert_eq!(
        scratch.file.read_migration(&id()).unwrap().verify().unwrap(),
        other.head()
    );
}

#[tokio::test]
async fn a_journal_that_was_replaced_is_not_written_into_the_void() {
    let scratch = Scratch::new();
    let writer = begin(&scratch.file, &id(), "app").await;
    std::fs::rename(scratch.path(), scratch.directory.path().join("elsewhere")).unwrap();
    let refused = writer.append(vec![fact("lost")]).await.unwrap_err();
    assert!(
        refused.to_string().contains("was moved, removed or replaced"),
        "{refused}"
    );
}

#[tokio::test]
async fn dropping_the_writer_finishes_what_was_asked_for() {
    let scratch = Scratch::new();
    let writer = begin(&scratch.file, &id(), "app").await;
    {
        let mut asked = Box::pin(writer.append(vec![fact("asked")]));
        std::future::poll_fn(|context| {
            let _ = asked.as_mut().poll(context);
            std::task::Poll::Ready(())
        })
        .await;
    }
    drop(writer);
    assert_eq!(
        facts(
            &scratch
                .file
                .read_migration(&id())
                .unwrap()
                .load()
                .unwrap()
                .migration
        ),
        ["asked"]
    );
}

#[tokio::test]
async fn the_file_lists_and_finds_its_migrations() {
    let scratch = Scratch::new();
    let gone = begin(&scratch.file, &MigrationId::new("gone0000"), "gone").await;
    let database = |event| pghaul_core::Event::Database("shop".into(), event);
    gone.append(vec![
        selected(&["shop"]),
        database(pghaul_core::DatabaseEvent::RemovalStarted {
            forced: false,
            despite: None,
            left: Vec::new(),
            connected: None,
            by: None,
            accepted: Vec::new(),
            reason: None,
            overrides: Vec::new(),
        }),
        database(pghaul_core::DatabaseEvent::Removed),
    ])
    .await
    .unwrap();
    assert_eq!(
        state(&gone).databases.values().next().unwrap().state.phase(),
        Phase::Removed
    );
    let app = begin(&scratch.file, &id(), "app").await;
    drop((gone, app));

    let standing = |name: &str| {
        let list = scratch.file.migrations().unwrap();
        let listed = list.into_iter().find(|l| l.entry.name == name).unwrap();
        assert_eq!(listed.created.unwrap().name, name);
        listed.standing
    };
    assert!(matches!(standing("gone"), Standing::Ended));
    assert!(matches!(standing("app"), Standing::Open));
    assert_eq!(
        scratch.file.find("app").unwrap(),
        scratch.file.find("k3v9x2ab").unwrap()
    );
    assert_eq!(scratch.file.find("nothing").unwrap(), None);
    for (id, name) in [("new00000", "app"), ("k3v9x2ab", "new"), ("new00000", "k3v9x2ab")] {
        let refused = scratch.file.begin(&MigrationId::new(id), created(name));
        assert!(
            matches!(refused, Err(StoreError::NameTaken { .. })),
            "{refused:?}"
        );
    }
    let unknown = scratch
        .file
        .write_migration(&MigrationId::new("nothing0"))
        .unwrap_err();
    assert!(
        matches!(unknown, StoreError::UnknownMigration { .. }),
        "{unknown}"
    );
    assert!(!scratch.directory.path().join("journal.nothing0.lock").exists());
}

#[tokio::test]
async fn everything_is_private_to_the_user() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("state/pghaul/journal");
    let file = pghaul_store::JournalFile::create(&path).unwrap();
    let _writer = begin(&file, &id(), "app").await;
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(path.parent().unwrap()), 0o700);
    for entry in std::fs::read_dir(path.parent().unwrap()).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
}

#[tokio::test]
async fn a_clock_that_is_set_back_changes_nothing() {
    let scratch = Scratch::new();
    drop(begin(&scratch.file, &id(), "app").await);
    let past = time::OffsetDateTime::UNIX_EPOCH;
    let file = scratch.file.clone().with_clock(Clock::new(move || past));
    let writer = file.write_migration(&id()).unwrap();
    writer
        .append(vec![runner(2), roles(StepEvent::StepStarted), fact("later")])
        .await
        .unwrap();
    let head = writer.head();
    drop(writer);
    assert_eq!(file.read_migration(&id()).unwrap().verify().unwrap(), head);
    let events = events(&file, &id());
    let (before, after) = (&events[2], &events[3]);
    assert!(
        after.at < before.at,
        "the time went back: {} {}",
        before.at,
        after.at
    );
    assert_eq!(state(&file.write_migration(&id()).unwrap()).epoch.0, 2);
}

/// Two notes for each table cost no transaction of their own, keep their order and their time, and are there in the end.
#[tokio::test]
async fn notes_ride_with_the_next_append_and_are_durable_soon() {
    use pghaul_core::event::{CopiedBy, Note, NoteSubject};
    let scratch = Scratch::new();
    let writer = begin(&scratch.file, &id(), "app").await;
    let note = |table: &str| {
        let tables = vec![table.to_owned()];
        let by = CopiedBy::Pghaul;
        writer.note(NoteSubject::default(), Note::TablesStarted { tables, by });
    };
    let before = writer.commits();
    for number in 0..100 {
        note(&number.to_string());
        writer.append(vec![fact(number.to_string())]).await.unwrap();
    }
    assert_eq!(writer.commits() - before, 100, "a note has no commit of its own");
    let kinds = || {
        let events = events(&scratch.file, &id());
        events
            .into_iter()
            .skip(3)
            .map(|e| e.event.kind())
            .collect::<Vec<_>>()
    };
    assert_eq!(kinds(), ["tables_started", "step_recorded"].repeat(100));

    // Without an append it is committed by itself.
    note("alone");
    let begun = std::time::Instant::now();
    while kinds().len() < 201 {
        assert!(
            begun.elapsed() < std::time::Duration::from_secs(20),
            "the note never came"
        );
        tokio::task::yield_now().await;
    }
    // And what waits when the writer is dropped is written.
    note("last");
    drop(writer);
    assert_eq!(kinds().len(), 202);
    scratch.file.read_migration(&id()).unwrap().verify().unwrap();
}
