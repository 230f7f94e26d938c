//! What a run lets other processes see of its progress: a small file in the migration's own directory, never journaled.

pub(crate) use super::work::Published;
#[cfg(test)]
pub(crate) use super::work::Work;

use super::work::Now;
use pghaul_core::{DatabaseName, Event};
use pghaul_step::{Observer, Progress};
use pghaul_store::Clock;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;

/// How often the file is written where something has moved.
const EVERY: Duration = Duration::from_millis(500);

/// Nothing longer is read: the file may be anything.
const LONGEST: u64 = 16 << 20;

/// Where a migration's progress is written.
fn path(state_directory: &Path) -> PathBuf {
    state_directory.join("progress.json")
}

/// What a process has written last.
pub(crate) fn read(state_directory: &Path, pid: u32) -> Option<Published> {
    let path = path(state_directory);
    let found = std::fs::symlink_metadata(&path).ok()?;
    if !found.is_file() || found.len() > LONGEST {
        return None;
    }
    let published: Published = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
    (published.pid == pid).then_some(published)
}

/// Lets other processes see the progress as long as it lives; the file goes with it.
pub(crate) struct Publisher {
    published: Arc<State>,
    path: PathBuf,
    writing: JoinHandle<()>,
}

/// What is shown here is also published.
struct State {
    shown: Arc<dyn Observer>,
    now: Mutex<Now>,
}

impl Publisher {
    /// Begins to publish what is shown.
    pub(crate) fn start(shown: Arc<dyn Observer>, state_directory: &Path) -> Self {
        let published = Arc::new(State {
            shown,
            now: Mutex::default(),
        });
        let path = path(state_directory);
        let (state, to) = (Arc::clone(&published), path.clone());
        let writing = tokio::spawn(async move {
            loop {
                tokio::time::sleep(EVERY).await;
                let Some(text) = state.text() else { continue };
                if let Err(error) = write(&to, &text) {
                    tracing::debug!(%error, "the progress can't be written to {}", to.display());
                }
            }
        });
        Self {
            published,
            path,
            writing,
        }
    }

    /// What the engine is given.
    pub(crate) fn observer(&self) -> Arc<dyn Observer> {
        Arc::clone(&self.published) as Arc<dyn Observer>
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.writing.abort();
        // Whoever finds it all the same sees by the lock that nobody works.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Replaces the file as a whole, so that nobody reads half of it.
fn write(path: &Path, text: &[u8]) -> std::io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(directory)?;
    file.write_all(text)?;
    file.persist(path)?;
    Ok(())
}

impl State {
    fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is to be written, where something has moved since it was asked last.
    fn text(&self) -> Option<Vec<u8>> {
        let mut now = self.now();
        if !std::mem::take(&mut now.moved) {
            return None;
        }
        now.published.pid = std::process::id();
        now.published.as_of = Clock::system().now();
        serde_json::to_vec(&now.published).ok()
    }
}

impl Observer for State {
    fn progress(&self, database: Option<&DatabaseName>, progress: Progress) {
        self.now().take(database, &progress, Instant::now());
        self.shown.progress(database, progress);
    }

    fn measured(&self, database: &DatabaseName, bytes: u64) {
        self.shown.measured(database, bytes);
    }

    fn journaled(&self, event: &Event) {
        self.now().journaled(event);
        self.shown.journaled(event);
    }
}

#[cfg(test)]
mod tests {
    use super::{Publisher, read};
    use pghaul_core::DatabaseName;
    use pghaul_step::Progress;
    use pghaul_step::progress::Blind;
    use std::sync::Arc;
    use std::time::Duration;

    fn step(name: &str) -> Progress {
        Progress::Step {
            step: name.to_owned(),
        }
    }

    #[tokio::test]
    async fn another_process_reads_what_was_written_last() {
        let directory = tempfile::tempdir().unwrap();
        let publisher = Publisher::start(Arc::new(Blind), directory.path());
        let shop = DatabaseName::from("shop");
        publisher.observer().progress(Some(&shop), step("copy"));
        let published = loop {
            if let Some(published) = read(directory.path(), std::process::id()) {
                break published;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        assert_eq!(published.databases[&shop].step, "copy");
        assert_eq!(read(directory.path(), 1), None, "another process");
        drop(publisher);
        assert_eq!(read(directory.path(), std::process::id()), None);
    }
}
