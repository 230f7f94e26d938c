//! `pghaul plan` and `pghaul check`: a look at both servers that writes nothing, not even a journal.

use super::Session;
use crate::args::PlanArgs;
use crate::exit_code::ExitCode;
use crate::report;
use crate::servers::{Given, Servers, described, way_back};
use pghaul_core::{DatabaseName, Failure, Finding};
use pghaul_engine::{Survey, Surveyor, candidates, selection};
use pghaul_step::check::Landscape;
use std::sync::Arc;

/// Shows what would be moved, and how.
pub(crate) async fn plan(session: &Session, args: &PlanArgs) -> Result<ExitCode, Failure> {
    let (survey, servers) = look(session, args).await?;
    let (from, to) = (
        described(&servers.source_identity),
        described(&servers.target_identity),
    );
    if args.json {
        session.printer.json(&report::plan::json(&survey, &from, &to))?;
    } else {
        session.printer.answer(&report::plan::text(&survey, &from, &to))?;
    }
    Ok(verdict(&survey))
}

/// Shows what the checks found.
pub(crate) async fn check(session: &Session, args: &PlanArgs) -> Result<ExitCode, Failure> {
    let (survey, _) = look(session, args).await?;
    if args.json {
        session.printer.json(&report::plan::findings_json(&survey))?;
    } else {
        session.printer.answer(&report::finding::text(&survey))?;
    }
    Ok(verdict(&survey))
}

fn verdict(survey: &Survey) -> ExitCode {
    if survey.all_findings().any(Finding::stops_migration) {
        ExitCode::CheckFailed
    } else {
        ExitCode::Success
    }
}

async fn look(session: &Session, args: &PlanArgs) -> Result<(Survey, Servers), Failure> {
    let servers = Given::new(&args.servers)?.both()?.connect(None).await?;
    for warning in servers.warnings() {
        session.printer.note(&format!("warning: {warning}"));
    }
    let way = way_back(
        args.selection.source_from_target.as_deref(),
        None,
        &servers.source,
    )?;
    let wanted = args.selection.selection(None);
    let selected = selection::select(&candidates(&servers.source).await?, &wanted)?;
    let surveyor = Surveyor {
        source: servers.source.clone(),
        target: servers.target.clone(),
        registry: &session.registry,
        landscape: Arc::new(Landscape {
            selected: selected.clone(),
            forced: wanted.method,
            initial_copy: pghaul_engine::initial_copy(Some(&wanted)),
            ours: Vec::new(),
            migration: None,
            // A conninfo that the target can't use is found by a check, which reports it.
            source_from_target: way.conninfo("postgres", 0).ok(),
        }),
    };
    let numbered: Vec<(u32, DatabaseName)> = (1..).zip(selected).collect();
    let survey = surveyor.survey(&numbered).await?;
    Ok((survey, servers))
}
