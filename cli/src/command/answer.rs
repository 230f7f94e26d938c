//! What `status` answers: the journal without its lock, and over it a fresh look at the servers.

use super::Session;
use crate::args::StatusArgs;
use crate::journals;
use crate::progress::published;
use crate::report;
use crate::servers::{Given, way_back};
use crate::view::{View, Worker};
use pghaul_core::journal::Head;
use pghaul_core::{Code, DatabaseName, DatabaseState, Failure, MigrationId, Seq, Side, id};
use pghaul_engine::standing::{Replayed, knows_the_journal};
use pghaul_engine::{Engine, Purpose, refuse_other_release};
use pghaul_step::progress::Blind;
use pghaul_step::{Copying, Kept, Workers};
use pghaul_step::{Faults, Recorder, RunContext};
use pghaul_store::{Clock, JournalFile, Loaded, LockState, OpenMigration};
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use tokio_util::sync::CancellationToken;

/// The whole answer.
pub(super) fn show(session: &Session, args: &StatusArgs, view: &View) -> Result<(), Failure> {
    match (args.json, args.watch) {
        // One line each, so that a program can read them as they come.
        (true, Some(_)) => session
            .printer
            .json_text(&format!("{}\n", report::json::status(view))),
        (true, None) => session.printer.json(&report::json::status(view)),
        (false, _) => session.printer.answer(&report::status::text(view)),
    }
}

/// What the journal says, and what the servers say where they can be asked.
pub(super) async fn look(
    session: &Session,
    file: &JournalFile,
    id: &MigrationId,
    given: &Given,
) -> Result<View, Failure> {
    let open = file.read_migration(id)?;
    let loaded = open.load()?;
    let view = View::of_journal(
        id,
        &loaded.migration,
        loaded.head.clone(),
        &journals::times(&open, None)?,
    )
    .with_last_run(&loaded.migration)
    .with_worker(worker(file, id)?);
    let states = || loaded.migration.databases.values().map(|d| &d.state);
    let copied = states().any(|state| *state == DatabaseState::Done);
    if !copied && !states().any(knows_the_journal) {
        return Ok(view);
    }
    let is_asked =
        |state: &DatabaseState| matches!(state, DatabaseState::Syncing | DatabaseState::Replicating { .. });
    let asked = states().any(is_asked);
    if let Err(failure) = refuse_other_release(&session.registry, &loaded.migration, Purpose::Run) {
        return Ok(view.unreachable(&failure));
    }
    match engine(session, id, loaded, given).await {
        Ok(engine) => {
            let view = match engine.look_at_slots().await {
                Ok(slots) => view.with_slots(slots),
                Err(failure) => view.unreachable(&failure),
            };
            let seen = engine.heads_seen().await;
            let view = match older_than_seen(&open, seen)? {
                Some(failure) => view.with_older_copy(failure),
                None => view,
            };
            let view = match copied {
                true => view.with_copies(engine.look_at_copies().await, &Clock::system().now()),
                false => view,
            };
            let view = match engine.look_at_cluster().await {
                Ok(standing) => view.with_cluster(standing),
                Err(failure) => view.unreachable(&failure),
            };
            if !asked {
                return Ok(view);
            }
            // Where it can't be read, the look below says why.
            let view = view.with_lag(engine.look_at_lag().await.unwrap_or_default());
            let view = view.with_standings(engine.look().await, &Clock::system().now());
            // A limit that can't be read is not shown; the look itself has said what is wrong with the source.
            Ok(view.with_keep_size(engine.wal_keep_size().await.unwrap_or_default()))
        }
        Err(failure) if asked && matches!(failure.code, Code::OtherServer | Code::BadInput) => Err(failure),
        Err(failure) => Ok(view.unreachable(&failure)),
    }
}

/// The process that works on a migration now, and what it does.
fn worker(file: &JournalFile, id: &MigrationId) -> Result<Option<Worker>, Failure> {
    let holder = match file.lock_state(id)? {
        LockState::Free => return Ok(None),
        LockState::Held(holder) => holder,
    };
    let progress = holder
        .as_ref()
        .and_then(|holder| published::read(&journals::state_directory(file, id), holder.pid));
    Ok(Some(Worker { holder, progress }))
}

/// Why the journal is not the newest, where the target has heard of an event that it does not hold. The file is read
/// once more: a run may have gone on since.
fn older_than_seen(
    open: &OpenMigration,
    heads: BTreeMap<DatabaseName, Head>,
) -> Result<Option<Failure>, Failure> {
    for (database, head) in heads {
        let held = open.hash_at(head.seq)?;
        if head.seq == Seq(0) || held.as_deref() == Some(head.hash.as_str()) {
            continue;
        }
        let what = match held {
            None => "an event that this journal does not hold",
            Some(_) => "another event than this journal holds",
        };
        let message = format!(
            "this journal is an older copy: the target has seen {what}, event {}",
            head.seq
        );
        return Ok(Some(
            Failure::new(Code::JournalStale, message)
                .with_side(Side::Target)
                .with_database(database.as_str())
                .with_hint(
                    "use the journal that was last run with; what is shown here is as of the end of this copy",
                ),
        ));
    }
    Ok(None)
}

/// An engine that can only look.
async fn engine(
    session: &Session,
    id: &MigrationId,
    loaded: Loaded,
    given: &Given,
) -> Result<Engine, Failure> {
    let created = journals::created(&loaded.migration)?;
    let epoch = loaded.migration.epoch;
    let servers = given
        .or_journaled(&created)?
        .connect(Some(&id::application_name(id, epoch)))
        .await?;
    servers.check(&created)?;
    let journaled = loaded
        .migration
        .selection
        .as_ref()
        .and_then(|s| s.source_from_target.clone());
    let way = way_back(None, journaled.as_deref(), &servers.source)?;
    let journal = Replayed::new(id.clone(), loaded.migration, loaded.head);
    let run = RunContext {
        source: servers.source,
        target: servers.target,
        recorder: Recorder::new(Arc::new(journal), Arc::new(Faults::default()), Arc::new(Blind))
            .with_versions(session.registry.versions()),
        migration: id.clone(),
        epoch,
        state_directory: std::path::PathBuf::new(),
        way_back: way,
        workers: Workers::new(1),
        copying: Copying::default(),
        kept: Kept::default(),
        accepted: OnceLock::new(),
        cancel: CancellationToken::new(),
    };
    Ok(Engine {
        run: Arc::new(run),
        registry: Arc::clone(&session.registry),
    })
}
