//! `pghaul run`: finds the migration or begins one, and takes every database to `syncing` or `done`.

use super::Session;
use super::finished::finished;
use super::frozen::{check_frozen, check_frozen_provider};
use super::worked::{Worked, account, answer, conclude, shown, summary};
use crate::anchor::Keeper;
use crate::args::{JournalArgs, RunArgs, SelectionArgs};
use crate::exit_code::ExitCode;
use crate::journals::{self, Choice};
use crate::metrics::{Exporter, Measures};
use crate::naming;
use crate::progress::{Aim, Watcher};
use crate::report;
use crate::runner::{Equipment, Locked, Start};
use crate::servers::{Given, Servers, way_back};
use crate::signals::Signals;
use crate::view::View;
use pghaul_core::event::{Created, Selection};
use pghaul_core::id::is_migration_name;
use pghaul_core::{Code, DatabaseName, Failure, MigrationId, Phase, escaped};
use pghaul_engine::{
    Purpose, RunRequest, WalPolicy, candidates, check_acceptances, check_databases, provider, selection,
};
use pghaul_postgres::ConnInfo;
use pghaul_step::check::Rehearse;
use pghaul_step::{Standing, WayBack};
use pghaul_store::JournalFile;

const STOPPING: &str = "stopping in order; Ctrl-C once more stops at once (`pghaul run` goes on either way)";

/// Runs a migration and shows how it stands then.
pub(crate) async fn run(session: &Session, args: &RunArgs) -> Result<ExitCode, Failure> {
    let keeper = Keeper::of(&args.audit)?;
    let signals = Signals::watch(&session.printer, STOPPING)?;
    let worked = match work(session, args, &signals).await {
        Ok(worked) => worked,
        Err(failure) if failure.code == Code::Interrupted => return Ok(signals.exit_code(failure.code)),
        Err(failure) => return Err(failure),
    };
    if worked.over {
        over(session, args, &worked.view)?;
    } else {
        let summary = summary(session, &args.journal, &worked.view);
        answer(session, args.json, &worked.view, summary.as_ref())?;
    }
    let code = conclude(session, &signals, &worked);
    Ok(session.anchor(keeper.as_ref(), "run", &worked.view, code).await)
}

/// Runs a migration, showing nothing but progress.
///
/// # Errors
/// What kept the run from beginning: the journal holds no runner of pghaul's then.
pub(super) async fn work(session: &Session, args: &RunArgs, signals: &Signals) -> Result<Worked, Failure> {
    check_acceptances(&session.registry, &args.checks.accept)?;
    let mut exporter = Exporter::start(&args.metrics, &session.printer).await?;
    let opened = tokio::select! {
        opened = open(session, args) => opened?,
        () = signals.token().cancelled() => return Err(interrupted()),
    };
    let (locked, servers) = match opened {
        Opened::Over(view) => {
            return Ok(Worked {
                view: *view,
                outcome: Ok(()),
                over: true,
            });
        }
        Opened::Ready(locked, servers) => (locked, servers),
    };
    let given = args.selection.selection(None)?;
    locked.read(|m| check_frozen(&given, m))?;
    locked.read(|m| check_frozen_provider(args.selection.objects.provider.as_deref(), m))?;
    servers.check_room()?;
    let (way_back, way_to_journal) = way(&args.selection, &locked, &servers)?;
    let watcher = Watcher::start(&session.printer, &locked.read(Clone::clone), Aim::Move);
    let observer = match &exporter {
        None => watcher.observer(),
        Some(exporter) => {
            exporter.set(Measures::of_account(&account(
                session,
                &args.journal,
                locked.id(),
            )?));
            exporter.observer(watcher.observer())
        }
    };
    let (at_once, workers) = servers.side_by_side(
        args.copying.jobs,
        usize::from(args.servers.max_connections),
        usize::from(args.databases_at_once),
    )?;
    let equipment = Equipment {
        servers,
        way_back,
        workers,
        copying: args
            .copying
            .copying(locked.read(|m| m.selection.clone()).as_ref()),
        signals: signals.clone(),
        observer,
    };
    let start = Start {
        command: "run",
        take_over: args.take_over,
        reason: args.audit.reason.clone(),
    };
    let runner = locked.start(session, start, equipment).await?;
    if let Some(exporter) = &mut exporter {
        exporter.follow(&runner.engine);
    }
    let request = RunRequest {
        selection: Selection {
            rest_copy: args.copying.rest_copy,
            source_from_target: way_to_journal,
            ..given
        },
        provider: args.selection.objects.provider.clone(),
        on_check_failure: args.on_check_failure,
        accepted: args.checks.accept.clone(),
        disk: args.checks.disk(),
        rehearse: args.checks.rehearse(Rehearse::WhenSmall),
        databases_at_once: at_once,
        wal: WalPolicy {
            most: args.max_wal_retained,
            action: args.on_wal_limit,
        },
        restart: args.restart_data.iter().map(DatabaseName::new).collect(),
    };
    let outcome = runner.engine.run(&request).await;
    // What the servers as a whole lack is in no database's proof.
    let cluster = match outcome {
        Ok(()) => runner.engine.look_at_cluster().await,
        Err(_) => Ok(Standing::default()),
    };
    watcher.finish();
    let locked = runner.stop(&outcome).await;
    let view = shown(&locked);
    Ok(Worked {
        view: match cluster {
            Ok(standing) => view.with_cluster(standing),
            Err(failure) => view.unreachable(&failure),
        },
        outcome,
        over: false,
    })
}

pub(super) fn interrupted() -> Failure {
    Failure::new(Code::Interrupted, "stopped before anything was begun")
}

/// What a look into the journal led to.
enum Opened {
    /// Every database is done or removed.
    Over(Box<View>),
    /// The lock is ours and the servers are the right ones.
    Ready(Locked, Servers),
}

async fn open(session: &Session, args: &RunArgs) -> Result<Opened, Failure> {
    let mut given = Given::new(&args.servers)?;
    let path = journals::path(&args.journal)?;
    // An empty file is what a run leaves that was killed while it created the journal.
    let begun = std::fs::metadata(&path).is_ok_and(|found| !found.is_file() || found.len() > 0);
    let versions = || session.registry.versions();
    let file = begun
        .then(|| JournalFile::open(&path).map(|file| file.with_versions(versions())))
        .transpose()?;
    let choice = match &file {
        None => Choice::New(args.journal.name.clone()),
        Some(file) => choose(file, &args.journal, &mut given).await?,
    };
    match (choice, file) {
        (Choice::Existing(entry), Some(file)) => go_on(session, &file, &entry.id, &given, args).await,
        (Choice::Existing(_), None) => Err(Failure::bug("a migration without a journal")),
        (Choice::New(name), file) => begin(session, args, &given, name, file.as_ref()).await,
    }
}

async fn choose(file: &JournalFile, args: &JournalArgs, given: &mut Given) -> Result<Choice, Failure> {
    let name = args.name.as_deref();
    if name.is_some() {
        return journals::choose(file, name, &given.nobody());
    }
    journals::choose(file, None, &given.identify().await?)
}

/// Goes on with a migration that the journal holds.
async fn go_on(
    session: &Session,
    file: &JournalFile,
    id: &MigrationId,
    given: &Given,
    args: &RunArgs,
) -> Result<Opened, Failure> {
    let open = file.read_migration(id)?;
    let loaded = open.load()?;
    let view = View::of_journal(id, &loaded.migration, loaded.head, &journals::times(&open, None)?);
    let nothing_left = view.databases.iter().all(|d| d.phase == Phase::Removed);
    if view.is_over() && nothing_left {
        return Ok(Opened::Over(Box::new(view)));
    }
    if view.is_over() && args.restart_data.is_empty() {
        // What was done once may be gone from the target.
        let mut view = super::answer::look(session, file, id, given).await?;
        let failed = view.databases.iter_mut().find(|d| d.phase == Phase::Failed);
        let failure = failed.and_then(|database| {
            let failure = database.error.take()?;
            Some(failure.with_database(database.name.as_str()))
        });
        return match failure {
            Some(failure) => Err(failure),
            None => Ok(Opened::Over(Box::new(view))),
        };
    }
    let locked = Locked::take(file, id)?;
    locked.check_release(session, Purpose::Run)?;
    locked.check_last_runner(args.take_over)?;
    let created = locked.read(journals::created)?;
    let servers = given
        .or_journaled(&created)?
        .connect(Some(&locked.application_name()))
        .await?;
    servers.check(&created)?;
    Ok(Opened::Ready(locked, servers))
}

/// Begins a migration: its first event is written when everything that can be known before is known.
async fn begin(
    session: &Session,
    args: &RunArgs,
    given: &Given,
    name: Option<String>,
    journal: Option<&JournalFile>,
) -> Result<Opened, Failure> {
    let ways = given.both()?;
    let id = naming::migration_id()?;
    let application_name = pghaul_core::id::application_name(&id, pghaul_core::Epoch::default().next());
    let servers = ways.connect(Some(&application_name)).await?;
    for warning in servers.warnings() {
        session
            .printer
            .note(&format!("warning: {}", escaped(&warning.to_string())));
    }
    // A pattern that selects nothing, and other mistakes, are found before anything is written.
    let wanted = args.selection.selection(None)?;
    let selected = selection::select(&candidates(&servers.source).await?, &wanted)?;
    selection::check_objects(&servers.source, &selected, &wanted).await?;
    provider::check_name(args.selection.objects.provider.as_deref())?;
    check_databases(&args.checks.accept, &selected)?;
    wanted.mapping.check_databases(&selected)?;
    if let (None, Some(journal)) = (&name, journal)
        && let Some(view) = finished(journal, &servers, &selected).await?
    {
        return Ok(Opened::Over(Box::new(view)));
    }
    let file =
        JournalFile::create(journals::path(&args.journal)?)?.with_versions(session.registry.versions());
    let name = match name {
        Some(name) => checked_name(name)?,
        None => free_name(&file)?,
    };
    let created = Created {
        name: name.clone(),
        source: servers.source_identity.clone(),
        target: servers.target_identity.clone(),
        pghaul: env!("CARGO_PKG_VERSION").to_owned(),
    };
    file.begin(&id, created)?;
    session.printer.note(&format!(
        "migration {name} ({id}) begins; its journal is {}",
        file.path().display()
    ));
    Ok(Opened::Ready(Locked::take(&file, &id)?, servers))
}

fn checked_name(name: String) -> Result<String, Failure> {
    if !is_migration_name(&name) {
        return Err(
            Failure::new(Code::BadInput, format!("{name:?} is no name for a migration"))
                .with_hint("use up to 60 letters, digits, hyphens, underscores and dots"),
        );
    }
    Ok(name)
}

fn free_name(file: &JournalFile) -> Result<String, Failure> {
    for _ in 0..50 {
        let name = naming::migration_name()?;
        if file.find(&name)?.is_none() {
            return Ok(name);
        }
    }
    Ok(format!(
        "{}-{}",
        naming::migration_name()?,
        naming::migration_id()?
    ))
}

/// How the target reaches the source, and what the journal keeps of it.
fn way(
    args: &SelectionArgs,
    locked: &Locked,
    servers: &Servers,
) -> Result<(WayBack, Option<String>), Failure> {
    let journaled = locked.read(|m| m.selection.as_ref().and_then(|s| s.source_from_target.clone()));
    let way = way_back(
        args.source_from_target.as_deref(),
        journaled.as_deref(),
        &servers.source,
    )?;
    let kept = way.from_target.as_ref().map(ConnInfo::without_secrets);
    Ok((way, kept))
}

fn over(session: &Session, args: &RunArgs, view: &View) -> Result<(), Failure> {
    if args.json {
        return session.printer.json(&report::json::status(view));
    }
    session.printer.answer(&format!(
        "migration {} is {}: there is nothing to do\n",
        view.name, view.status
    ))?;
    if view.databases.iter().all(|d| d.phase == Phase::Removed) {
        session
            .printer
            .note("it is finished: what it has moved is on the target, where pghaul has nothing any more. To move other databases, name them with --database; to move these once more, begin another migration with another --name, to a target that does not have them");
    }
    Ok(())
}
