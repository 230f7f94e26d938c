//! The archive on disk: dumped once, and the same after a crash.

use crate::archive::Archive;
use crate::pg_dump::{self, Dump, PgDump};
use crate::seal;
use crate::unsafe_checks;
use crate::{keywords, left_out};
use pghaul_contracts::{EffectKey, SchemaOutput, UnsafeCheck};
use pghaul_step::{Code, Context, Database, Failure, Side, failures};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Noted when the archive was written, before anything is restored from it.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Dumped {
    fingerprint: String,
    /// The checks that are taken out of their tables; none in journals of versions that left them there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    checks: Vec<UnsafeCheck>,
}

fn directory(ctx: &Context<Database>) -> PathBuf {
    ctx.state_directory()
        .join(format!("schema-{}", ctx.plan().number))
}

/// The archive as it was read, with the names of the target. The fingerprint is that of the archive on disk.
pub(crate) struct Read {
    pub(crate) archive: Archive,
    pub(crate) fingerprint: String,
    pub(crate) checks: Vec<UnsafeCheck>,
}

/// The archive; dumps the schema where that was not done yet. It is read once in a run.
pub(crate) async fn obtain(ctx: &Context<Database>) -> Result<Arc<Read>, Failure> {
    if let Some(read) = ctx.kept::<Read>() {
        return Ok(read);
    }
    let read = read(ctx).await?;
    let archive = read.archive.renamed(&ctx.mapping())?;
    Ok(ctx.keep(Read { archive, ..read }))
}

async fn read(ctx: &Context<Database>) -> Result<Read, Failure> {
    let directory = directory(ctx);
    let known = known(ctx)?;
    if let Some(known) = &known
        && let Some(archive) = kept(&directory, &known.fingerprint)
    {
        return Ok(Read {
            archive,
            fingerprint: known.fingerprint.clone(),
            checks: known.checks.clone(),
        });
    }
    let (archive, fingerprint) = dump(ctx, &directory).await?;
    let checks = match known {
        Some(known) if known.fingerprint == fingerprint => known.checks,
        Some(_) if something_is_restored(ctx).await? => {
            return Err(Failure::new(
                Code::PlanChanged,
                "the schema was restored in part, its archive of then is gone or damaged, and another dump of it differs",
            )
            .with_side(Side::Source)
            .with_hint(format!("give the directory of the journal back its archive, or undo what has changed since: the schema of the source, or the version of pg_dump; then run again; or {}",
                failures::BEGIN_ANEW
            )));
        }
        _ => {
            let source = ctx.source().await?;
            let target = pghaul_step::check::maintenance_for_reading(ctx.target_server()).await?;
            let quoted = keywords::are_names(&source, &target).await?;
            target.close().await;
            let selected = ctx.selected(&source).await?;
            let checks = unsafe_checks::read(&source, selected.as_ref(), quoted).await?;
            let dumped = Dumped {
                fingerprint: fingerprint.clone(),
                checks: checks.clone(),
            };
            ctx.record(&dumped).await?;
            checks
        }
    };
    Ok(Read {
        archive,
        fingerprint,
        checks,
    })
}

/// The archive on disk, where it is whole and the one that the journal knows; else it is dumped again.
fn kept(directory: &Path, known: &str) -> Option<Archive> {
    match Archive::read(directory) {
        Ok(archive) if archive.fingerprint() == known => Some(archive),
        Ok(_) => {
            tracing::warn!(directory = %directory.display(), "the archive is another one than the journal's; dumping the schema again");
            None
        }
        Err(failure) => {
            tracing::warn!(%failure, causes = ?failure.causes, "dumping the schema again");
            None
        }
    }
}

/// What is known of the archive that is in use: step `schema` notes it, later steps read its output.
fn known(ctx: &Context<Database>) -> Result<Option<Dumped>, Failure> {
    if let Some(output) = ctx.output::<SchemaOutput>()? {
        return Ok(Some(Dumped {
            fingerprint: output.fingerprint,
            checks: output.checks,
        }));
    }
    Ok(ctx.facts::<Dumped>()?.pop())
}

async fn something_is_restored(ctx: &Context<Database>) -> Result<bool, Failure> {
    if !crate::database::exists(ctx.target_server(), ctx.target_database().as_str()).await? {
        return Ok(false);
    }
    Ok(!ctx.effects(EffectKey::SCHEMA).await?.is_empty())
}

async fn dump(ctx: &Context<Database>, directory: &Path) -> Result<(Archive, String), Failure> {
    let writing = directory.with_extension("writing");
    remove(&writing)?;
    remove(directory)?;
    let session = ctx.source().await?;
    let target = ctx.target_server();
    let on_target = pghaul_step::check::maintenance_for_reading(target).await?;
    let target_major = on_target.server_version() / 10_000;
    let pg_dump: PgDump = pg_dump::find(session.server_version() / 10_000, target_major).await?;
    let quoted = keywords::are_names(&session, &on_target).await?;
    on_target.close().await;
    let sql = "SELECT pg_catalog.getdatabaseencoding()::text";
    let doing = session.doing("read the encoding of the database");
    let encoding: String = doing.query_one(sql, &[]).await?.get(0);
    let selected = ctx.selected(&session).await?;
    let dump = Dump {
        pg_dump: &pg_dump,
        target_major,
        source: ctx.source_server(),
        database: ctx.database().as_str(),
        encoding: &encoding,
        lock_wait_seconds: None,
        quoted,
        selected: selected.as_ref(),
    };
    let waiting = ctx.notes().waiting("pg_dump to read the schema");
    dump.write(&writing).await?;
    drop(waiting);
    // Once more: what was created meanwhile may be in the archive.
    left_out::write(&writing, ctx.selected(&session).await?.as_ref())?;
    session.close().await;
    seal::set(&writing).map_err(|e| on_disk(&writing, &e))?;
    std::fs::rename(&writing, directory).map_err(|e| on_disk(directory, &e))?;
    let archive = Archive::read(directory)?;
    let fingerprint = archive.fingerprint();
    Ok((archive, fingerprint))
}

/// Removes the archive: it holds the whole schema, and nobody needs it any more.
pub(crate) fn discard(ctx: &Context<Database>) -> Result<(), Failure> {
    ctx.let_go::<Read>();
    let directory = directory(ctx);
    remove(&directory.with_extension("writing"))?;
    remove(&directory)
}

fn remove(directory: &Path) -> Result<(), Failure> {
    match std::fs::remove_dir_all(directory) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(on_disk(directory, &e)),
        _ => Ok(()),
    }
}

fn on_disk(directory: &Path, error: &std::io::Error) -> Failure {
    Failure::new(
        Code::ToolFailed,
        format!("the directory {} can't be written", directory.display()),
    )
    .with_operation("keep the archive of the schema")
    .with_cause(error)
    .with_hint("make room on the disk that holds the journal, or make its directory writable")
}
