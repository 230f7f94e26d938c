//! The archive of a rehearsal: on disk no longer than until it is read.

use crate::archive::Archive;
use crate::left_out;
use crate::pg_dump::{self, Dump};
use crate::seal;
use pghaul_step::postgres::{ReadOnly, Session, Source};
use pghaul_step::{CheckContext, Code, Database, Failure, Side};
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// How long pg_dump waits for a lock: nothing hangs on a rehearsal.
const LOCK_WAIT_SECONDS: u32 = 5;

/// Dumps the schema and reads it.
pub(super) async fn archive(
    ctx: &CheckContext<Database>,
    source: &Session<Source, ReadOnly>,
    target_version: u32,
    quoted: bool,
) -> Result<Archive, Failure> {
    let target_major = target_version / 10_000;
    let pg_dump = ctx
        .once(
            "the pg_dump that fits",
            pg_dump::find(source.server_version() / 10_000, target_major),
        )
        .await?;
    let sql = "SELECT pg_catalog.getdatabaseencoding()::text";
    let doing = source.doing("read the encoding of the database");
    let encoding: String = doing.query_one(sql, &[]).await?.get(0);
    let selected = ctx.selected().await?;
    let directory = Directory::create()?;
    let archive = directory.0.join("schema");
    let dump = Dump {
        pg_dump: &pg_dump,
        target_major,
        source: ctx.source_server(),
        database: ctx.database().as_str(),
        encoding: &encoding,
        lock_wait_seconds: Some(LOCK_WAIT_SECONDS),
        quoted,
        selected: selected.as_deref(),
    };
    dump.write(&archive).await?;
    left_out::write(&archive, selected.as_deref())?;
    seal::set(&archive).map_err(|e| on_disk(&archive, &e))?;
    Ok(Archive::read(&archive)?.renamed(ctx.landscape().mapping())?)
}

/// A directory among the temporary files, which goes with the value.
struct Directory(PathBuf);

const PREFIX: &str = "pghaul-rehearsal-";

impl Directory {
    fn create() -> Result<Self, Failure> {
        static NUMBER: AtomicU32 = AtomicU32::new(1);
        let parent = std::env::temp_dir();
        remove_abandoned(&parent);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = parent.join(format!("{PREFIX}{}-{number}", std::process::id()));
        // It fails where somebody else has made one of that name.
        let made = DirBuilder::new().mode(0o700).create(&path);
        made.map_err(|e| on_disk(&path, &e))?;
        Ok(Self(path))
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::warn!(%error, "can't remove {}", self.0.display());
        }
    }
}

/// Removes the directories of processes that were killed, where the system shows which processes there are.
fn remove_abandoned(parent: &Path) {
    let processes = Path::new("/proc");
    if !processes.join("self").exists() {
        return;
    }
    for entry in std::fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let process = name
            .to_str()
            .and_then(|name| name.strip_prefix(PREFIX)?.split_once('-'))
            .and_then(|(process, _)| process.parse::<u32>().ok());
        if process.is_some_and(|process| !processes.join(process.to_string()).exists()) {
            // Another user's stay.
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

fn on_disk(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(Code::ToolFailed, format!("{} can't be written", path.display()))
        .with_side(Side::Source)
        .with_cause(error)
}
