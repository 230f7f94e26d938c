//! Appending to one migration: a thread that validates, commits in groups, and then shows the new state.

use crate::chain;
use crate::clock::Clock;
use crate::error::StoreError;
use crate::file::JournalFile;
use crate::format;
use crate::lock::RunnerLock;
use crate::row::{NewRow, signed};
use crate::stored::Links;
use async_trait::async_trait;
use pghaul_core::event::{Note, NoteSubject};
use pghaul_core::journal::{Head, JournalError};
use pghaul_core::{Event, Journal, Migration, MigrationId, Seq};
use rusqlite::{Connection, OptionalExtension, TransactionBehavior};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// How many requests one transaction takes at most, so that the first of them does not wait for ever.
const MOST: usize = 1024;

/// How long a note waits for an append that takes it along; then it is committed by itself.
const NOTES_WAIT: Duration = Duration::from_secs(1);

/// How many notes wait at most, so that a burst of them is neither lost for long nor kept in memory.
const MOST_NOTES: usize = 1024;

/// A migration open for writing, by this process alone.
///
/// Requests are validated in the order in which they arrive, each against the state that those before it lead to,
/// and all that wait are committed in one transaction. A request that is refused does not disturb the others. When
/// a commit fails, nothing of it becomes part of the state, and every later append fails with the same reason: open
/// the migration again to learn what is in the file.
///
/// A note waits for the next append, so that it costs no transaction of its own; after a second it is committed without
/// one. It keeps its place in the order of requests.
///
/// An append whose future is dropped may still be written. Dropping the writer finishes what was asked for, then
/// gives the lock back.
#[derive(Debug)]
pub struct Writer {
    file: JournalFile,
    migration: MigrationId,
    shared: Arc<Shared>,
    queue: Option<Sender<Request>>,
    thread: Option<JoinHandle<()>>,
}

/// What the thread shows to everybody.
#[derive(Debug)]
struct Shared {
    durable: RwLock<Durable>,
    commits: AtomicU64,
    /// How long callers have waited for their appends, in microseconds, all of them together.
    waited: AtomicU64,
}

/// The state as of the last durable event.
#[derive(Debug)]
struct Durable {
    migration: Migration,
    head: Head,
}

#[derive(Debug)]
struct Request {
    events: Vec<Event>,
    /// When it happened, where it is committed later.
    at: Option<String>,
    /// Who waits for it; nobody waits for a note.
    reply: Option<Reply>,
}

type Reply = oneshot::Sender<Result<Seq, JournalError>>;

/// Answers whoever waits.
fn answer(reply: Option<Reply>, outcome: Result<Seq, JournalError>) {
    if let Some(reply) = reply {
        let _ = reply.send(outcome);
    }
}

impl JournalFile {
    /// Opens a migration for writing: takes its lock, reads and verifies all its events.
    ///
    /// # Errors
    /// [`StoreError::Locked`] when another process works on it; [`StoreError::UnknownMigration`];
    /// [`StoreError::Damaged`]; or when the file can't be written.
    pub fn write_migration(&self, id: &MigrationId) -> Result<Writer, StoreError> {
        Writer::open(self, id)
    }
}

impl Writer {
    pub(crate) fn open(file: &JournalFile, id: &MigrationId) -> Result<Self, StoreError> {
        // Asked without the lock, so that no lock file is made for a migration that does not exist.
        file.read_migration(id)?;
        let lock = RunnerLock::take(file.path(), id, file.clock())?;
        let connection = format::open_for_writing(file.path())?;
        Self::start(file, id, connection, lock)
    }

    /// Starts the thread on a connection that is set up for writing.
    fn start(
        file: &JournalFile,
        id: &MigrationId,
        connection: Connection,
        lock: RunnerLock,
    ) -> Result<Self, StoreError> {
        let open = file.migration_on(connection, id)?;
        open.check_structure()?;
        let (migration, links) = open.fold(None)?;
        let place = Place::of(file.path())?;
        let durable = Durable {
            migration: migration.clone(),
            head: links.head(),
        };
        let shared = Arc::new(Shared {
            durable: RwLock::new(durable),
            commits: AtomicU64::new(0),
            waited: AtomicU64::new(0),
        });
        let committer = Committer {
            connection: open.into_connection(),
            place,
            id: id.clone(),
            clock: file.clock().clone(),
            shared: Arc::clone(&shared),
            expected: migration,
            links,
            broken: None,
            _lock: lock,
        };
        let (queue, requests) = mpsc::channel();
        let thread = std::thread::Builder::new()
            .name(format!("journal {id}"))
            .spawn(move || committer.work(&requests))
            .map_err(|e| StoreError::io("start a thread for", file.path(), e))?;
        Ok(Self {
            file: file.clone(),
            migration: id.clone(),
            shared,
            queue: Some(queue),
            thread: Some(thread),
        })
    }

    /// How many transactions have been committed. Fewer than appends when several callers append at once.
    pub fn commits(&self) -> u64 {
        self.shared.commits.load(Ordering::Relaxed)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.queue.take());
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been told to everybody who waited for it.
            let _ = thread.join();
        }
        let waited = Duration::from_micros(self.shared.waited.load(Ordering::Relaxed));
        tracing::debug!(migration = %self.migration, commits = self.commits(), ?waited, "the journal is closed");
    }
}

#[async_trait]
impl Journal for Writer {
    fn migration(&self) -> &MigrationId {
        &self.migration
    }

    async fn append(&self, events: Vec<Event>) -> Result<Seq, JournalError> {
        let stopped = || JournalError::NotWritten {
            reason: "the journal's thread has stopped".to_owned(),
        };
        let (reply, answer) = oneshot::channel();
        let queue = self.queue.as_ref().ok_or_else(stopped)?;
        let (at, reply) = (None, Some(reply));
        let begun = Instant::now();
        queue.send(Request { events, at, reply }).map_err(|_| stopped())?;
        let outcome = answer.await.unwrap_or_else(|_| Err(stopped()));
        let waited = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.shared.waited.fetch_add(waited, Ordering::Relaxed);
        outcome
    }

    fn note(&self, subject: NoteSubject, note: Note) {
        let request = Request {
            events: vec![Event::Note(subject, note)],
            at: Some(self.file.clock().now()),
            reply: None,
        };
        if let Some(queue) = &self.queue {
            // A journal that has stopped says so to the next append.
            let _ = queue.send(request);
        }
    }

    fn look(&self, look: &mut dyn FnMut(&Migration)) {
        look(
            &self
                .shared
                .durable
                .read()
                .unwrap_or_else(PoisonError::into_inner)
                .migration,
        );
    }

    fn head(&self) -> Head {
        self.shared
            .durable
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .head
            .clone()
    }

    async fn continues(&self, earlier: &Head) -> Result<bool, JournalError> {
        if earlier.seq == Seq(0) {
            return Ok(true);
        }
        let read = self.file.read_migration(&self.migration);
        let found = read.and_then(|open| open.hash_at(earlier.seq));
        let hash = found.map_err(|error| JournalError::NotRead {
            reason: error.to_string(),
        })?;
        Ok(hash.as_deref() == Some(earlier.hash.as_str()))
    }
}

/// A request that was found legal.
struct Accepted {
    events: Vec<Event>,
    last: Seq,
    reply: Option<Reply>,
}

/// The thread's side.
struct Committer {
    connection: Connection,
    place: Place,
    id: MigrationId,
    clock: Clock,
    shared: Arc<Shared>,
    /// The durable state and, while a group is put together, the events accepted into it.
    expected: Migration,
    /// The end of the chain, with the same meaning.
    links: Links,
    /// Why nothing more is written.
    broken: Option<JournalError>,
    _lock: RunnerLock,
}

impl Committer {
    fn work(mut self, requests: &Receiver<Request>) {
        while let Some(mut group) = gathered(requests) {
            group.extend(requests.try_iter().take(MOST));
            self.serve(group);
        }
    }

    fn serve(&mut self, group: Vec<Request>) {
        let end = self.links.clone();
        let mut accepted: Vec<Accepted> = Vec::with_capacity(group.len());
        let mut rows = Vec::new();
        for Request { events, at, reply } in group {
            if let Some(broken) = &self.broken {
                answer(reply, Err(broken.clone()));
                continue;
            }
            let (links, count) = (self.links.clone(), rows.len());
            match self.accept(&events, at, &mut rows) {
                Ok(()) => accepted.push(Accepted {
                    events,
                    last: Seq(self.links.seq),
                    reply,
                }),
                Err(refused) => {
                    rows.truncate(count);
                    self.links = links;
                    self.expect_again(&accepted);
                    answer(reply, Err(refused));
                }
            }
        }
        let outcome = match &self.broken {
            Some(broken) => Err(broken.clone()),
            None => self.write(&end, &rows),
        };
        match outcome {
            Ok(()) => self.publish(accepted),
            Err(error) => {
                self.stop(&error);
                for request in accepted {
                    answer(request.reply, Err(error.clone()));
                }
            }
        }
    }

    /// From here on nothing is written: what was validated is no longer what the file holds.
    fn stop(&mut self, error: &JournalError) {
        if self.broken.is_none() {
            tracing::error!(migration = %self.id, %error, "the journal takes no more events");
            self.broken = Some(error.clone());
        }
    }

    /// Validates a request against the state that those before it lead to, and makes its rows.
    fn accept(
        &mut self,
        events: &[Event],
        at: Option<String>,
        rows: &mut Vec<NewRow>,
    ) -> Result<(), JournalError> {
        for event in events {
            self.expected.apply(event)?;
            let at = at.clone().unwrap_or_else(|| self.clock.now());
            let epoch = self.expected.epoch;
            rows.push(NewRow::new(&mut self.links, &self.id, epoch, at, event)?);
        }
        Ok(())
    }

    /// Forgets a request of which only the first events were legal. This is rare, so it may cost a copy.
    fn expect_again(&mut self, accepted: &[Accepted]) {
        self.expected = self.durable();
        for event in accepted.iter().flat_map(|request| &request.events) {
            if let Err(bug) = self.expected.apply(event) {
                self.broken = Some(JournalError::Illegal(bug));
            }
        }
    }

    fn durable(&self) -> Migration {
        self.shared
            .durable
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .migration
            .clone()
    }

    /// Commits the rows in one transaction, if the journal still ends where it did.
    fn write(&mut self, end: &Links, rows: &[NewRow]) -> Result<(), JournalError> {
        if rows.is_empty() {
            return Ok(());
        }
        self.place.check().map_err(not_written)?;
        let path = self.place.path.clone();
        let failed = |e| not_written(StoreError::sqlite("write the events", &path, e));
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(failed)?;
        let found: Option<(i64, chain::Hash)> = transaction
            .prepare_cached(include_str!("sql/end.sql"))
            .and_then(|mut end| {
                end.query_row([self.id.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))
                    .optional()
            })
            .map_err(failed)?;
        if found != Some((signed(end.seq), end.before)) {
            return Err(JournalError::Overtaken {
                seq: Seq(end.seq).next(),
            });
        }
        for row in rows {
            row.insert(&transaction).map_err(failed)?;
        }
        transaction.commit().map_err(failed)?;
        self.shared.commits.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Makes committed events part of the state, then tells those who wait.
    fn publish(&mut self, accepted: Vec<Accepted>) {
        let mut durable = self
            .shared
            .durable
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        for event in accepted.iter().flat_map(|request| &request.events) {
            if let Err(bug) = durable.migration.apply(event) {
                self.broken = Some(JournalError::Illegal(bug));
            }
        }
        durable.head = self.links.head();
        drop(durable);
        for request in accepted {
            answer(request.reply, Ok(request.last));
        }
    }
}

/// The next requests that are to be committed: notes, as long as they may wait, and what comes after them. `None` when the
/// writer is gone and nothing is left.
fn gathered(requests: &Receiver<Request>) -> Option<Vec<Request>> {
    let mut group = vec![requests.recv().ok()?];
    let since = Instant::now();
    while group.len() < MOST_NOTES && group.last().is_some_and(|request| request.reply.is_none()) {
        match requests.recv_timeout(NOTES_WAIT.saturating_sub(since.elapsed())) {
            Ok(request) => group.push(request),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
        }
    }
    Some(group)
}

fn not_written(error: StoreError) -> JournalError {
    JournalError::NotWritten {
        reason: error.in_full(),
    }
}

/// The file that was opened. SQLite would go on writing into a file that was removed or replaced meanwhile.
#[derive(Debug)]
struct Place {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl Place {
    fn of(path: &std::path::Path) -> Result<Self, StoreError> {
        let found = std::fs::metadata(path).map_err(|e| StoreError::io("look at", path, e))?;
        Ok(Self {
            path: path.to_owned(),
            device: found.dev(),
            inode: found.ino(),
        })
    }

    fn check(&self) -> Result<(), StoreError> {
        match std::fs::metadata(&self.path) {
            Ok(found) if (found.dev(), found.ino()) == (self.device, self.inode) => Ok(()),
            _ => Err(StoreError::Moved {
                path: self.path.clone(),
            }),
        }
    }
}

#[cfg(test)]
mod tests;
