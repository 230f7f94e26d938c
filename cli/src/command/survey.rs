//! `pghaul plan` and `pghaul check`: a look at both servers that leaves nothing, not even a journal.

use super::Session;
use crate::args::PlanArgs;
use crate::exit_code::ExitCode;
use crate::journals::{self, Choice};
use crate::printer::Printer;
use crate::report;
use crate::report::finding::Readiness;
use crate::servers::{Given, Servers, described, way_back};
use pghaul_core::event::Selection;
use pghaul_core::{DatabaseName, Failure, Mapping, escaped};
use pghaul_engine::{Survey, Surveyor, candidates, check_acceptances, check_databases, provider, selection};
use pghaul_step::check::{Landscape, Rehearse, maintenance_for_reading};
use pghaul_step::postgres::{Server, Target};
use pghaul_step::throwaway::drop_abandoned;
use pghaul_store::JournalFile;
use serde_json::Value;
use std::sync::Arc;

/// Shows what would be moved, and how.
pub(crate) async fn plan(session: &Session, args: &PlanArgs) -> Result<ExitCode, Failure> {
    let (survey, servers) = told(session, args, Rehearse::Never, report::plan::failed_json).await?;
    let (from, to) = (
        described(&servers.source_identity),
        described(&servers.target_identity),
    );
    if args.json {
        session.printer.json(&report::plan::json(&survey, &from, &to))?;
    } else {
        let text = report::plan::text(&survey, &from, &to, Printer::width());
        session.printer.answer(&text)?;
    }
    verdict(survey)
}

/// Shows what the checks found.
pub(crate) async fn check(session: &Session, args: &PlanArgs) -> Result<ExitCode, Failure> {
    let failed = report::plan::failed_findings_json;
    let (survey, servers) = told(session, args, Rehearse::WhenSmall, failed).await?;
    drop_abandoned_rehearsals(session, &servers.target).await;
    if args.json {
        session.printer.json(&report::plan::findings_json(&survey))?;
    } else {
        let text = report::finding::text(&survey, Printer::width());
        session.printer.answer(&text)?;
    }
    readiness(survey)
}

/// Drops the databases that killed checks have left: nobody needs them, whosever they are. Where that fails, `doctor` shows
/// them.
pub(super) async fn drop_abandoned_rehearsals(session: &Session, target: &Server<Target>) {
    let dropped = async {
        let looking = maintenance_for_reading(target).await?;
        drop_abandoned(target, &looking).await
    };
    for name in dropped.await.unwrap_or_default() {
        let note = format!("dropped database {name} on the target, which a killed check had left");
        session.printer.note(&note);
    }
}

/// Whether a run could begin.
fn verdict(survey: Survey) -> Result<ExitCode, Failure> {
    match (Readiness::of(&survey), survey.failure) {
        (_, Some(failure)) => Err(failure),
        (Readiness::NotReady, None) => Ok(ExitCode::CheckFailed),
        (Readiness::Ready | Readiness::ReadyWithWarnings, None) => Ok(ExitCode::Success),
    }
}

/// The same, telling a run that may surprise from one that won't.
fn readiness(survey: Survey) -> Result<ExitCode, Failure> {
    match Readiness::of(&survey) {
        Readiness::ReadyWithWarnings => Ok(ExitCode::ReadyWithWarnings),
        _ => verdict(survey),
    }
}

/// Looks; where that fails, programs that read the answer get one all the same.
async fn told(
    session: &Session,
    args: &PlanArgs,
    rehearse: Rehearse,
    failed: fn(&Failure) -> Value,
) -> Result<(Survey, Servers), Failure> {
    let looked = look(session, args, rehearse).await;
    if let (Err(failure), true) = (&looked, args.json) {
        session.printer.json(&failed(failure))?;
    }
    looked
}

async fn look(session: &Session, args: &PlanArgs, rehearse: Rehearse) -> Result<(Survey, Servers), Failure> {
    check_acceptances(&session.registry, &args.checks.accept)?;
    let servers = Given::new(&args.servers)?.both()?.connect(None).await?;
    for warning in servers.warnings() {
        session
            .printer
            .note(&format!("warning: {}", escaped(&warning.to_string())));
    }
    let known = known(session, args, &servers)?;
    let journaled = known
        .selection
        .as_ref()
        .and_then(|s| s.source_from_target.clone());
    let given = args.selection.source_from_target.as_deref();
    let way = way_back(given, journaled.as_deref(), &servers.source)?;
    let given_selection = args.selection.selection(None)?;
    let databases = databases(&given_selection, &servers, &known).await?;
    let selected: Vec<DatabaseName> = databases.iter().map(|(_, name)| name.clone()).collect();
    check_databases(&args.checks.accept, &selected)?;
    let mapping = match &known.selection {
        Some(frozen) if given_selection.mapping == Mapping::default() => frozen.mapping.clone(),
        _ => given_selection.mapping.clone(),
    };
    mapping.check_databases(&selected)?;
    let selection = match &known.selection {
        Some(frozen) if given_selection.objects.is_empty() && args.selection.objects.provider.is_none() => {
            frozen.clone()
        }
        _ => {
            selection::check_objects(&servers.source, &selected, &given_selection).await?;
            let named = args.selection.objects.provider.as_deref();
            Selection {
                provider: provider::recognise(&servers.source, named).await?,
                ..given_selection
            }
        }
    };
    let mut accepted = known.landscape.accepted;
    accepted.extend(args.checks.accept.iter().cloned());
    let surveyor = Surveyor {
        source: servers.source.clone(),
        target: servers.target.clone(),
        registry: &session.registry,
        landscape: Arc::new(Landscape {
            selected,
            selection: Selection { mapping, ..selection },
            forced: args.selection.method.or(known.landscape.forced),
            initial_copy: args
                .selection
                .initial_copy
                .unwrap_or_else(|| known.selection.clone().unwrap_or_default().initial_copy()),
            accepted,
            disk: args.checks.disk(),
            rehearse: args.checks.rehearse(rehearse),
            // A conninfo that the target can't use is found by a check, which reports it.
            source_from_target: way
                .conninfo("postgres", &servers.source.settings_for_others())
                .ok(),
            ..known.landscape
        }),
    };
    let survey = surveyor.survey(&databases).await?;
    Ok((survey, servers))
}

/// What an open migration between these servers has already decided and done.
#[derive(Default)]
struct Known {
    landscape: Landscape,
    selection: Option<Selection>,
}

fn known(session: &Session, args: &PlanArgs, servers: &Servers) -> Result<Known, Failure> {
    let path = journals::path(&args.journal)?;
    if !std::fs::metadata(&path).is_ok_and(|found| found.is_file() && found.len() > 0) {
        return Ok(Known::default());
    }
    let file = JournalFile::open(&path)?.with_versions(session.registry.versions());
    let name = args.journal.name.as_deref();
    let Choice::Existing(entry) = journals::choose(&file, name, &servers.identities())? else {
        return Ok(Known::default());
    };
    let migration = file.read_migration(&entry.id)?.load()?.migration;
    servers.check(&journals::created(&migration)?)?;
    Ok(Known {
        landscape: Landscape::of(&entry.id, &migration),
        selection: migration.selection,
    })
}

/// The databases to look at, with their numbers: those that are given, else those of the open migration.
async fn databases(
    wanted: &Selection,
    servers: &Servers,
    known: &Known,
) -> Result<Vec<(u32, DatabaseName)>, Failure> {
    let nothing_given = wanted.include.is_empty() && wanted.exclude.is_empty();
    if nothing_given && !known.landscape.selected.is_empty() {
        return Ok((1..).zip(known.landscape.selected.iter().cloned()).collect());
    }
    let selected = selection::select(&candidates(&servers.source).await?, wanted)?;
    Ok((1..).zip(selected).collect())
}
