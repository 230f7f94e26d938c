//! Check `rehearsal`: restores the whole schema into a throwaway database on the target, with a few rows of each table.
//!
//! What only trying can tell is found before any row moves: a library that the target lacks, a function that fails under
//! the settings of a restore, a view that the new version refuses. The source is only read: its schema by pg_dump, and a few
//! rows as they are stored. [`script`] says what of the archive is rehearsed, [`stage`] tries it, [`report`] judges what the
//! target answers as [`crate::refusals`] would in a run.

mod dump;
mod finding;
mod lacking;
mod report;
mod sample;
mod script;
mod stage;

pub(crate) use finding::RehearsalFinding;

use crate::archive::Archive;
use crate::database::Creation;
use crate::{keywords, public, unsafe_checks};
use async_trait::async_trait;
use lacking::Lacking;
use pghaul_contracts::UnsafeCheck;
use pghaul_step::check::Rehearse;
use pghaul_step::postgres::{HomeSettings, ReadOnly, Session, Source};
use pghaul_step::{
    Check, CheckContext, CheckDescriptor, Code, Database, DatabaseName, Failure, Finding, FindingKind,
    Method, Subject, ThrowawayDatabase,
};
use report::Report;
use sample::Sample;
use script::{OnTarget, Script, View};
use stage::{Stage, stand_in};
use std::time::Duration;

/// The check.
#[derive(Debug, Clone, Copy)]
pub struct Rehearsal;

const NAME: &str = "rehearsal";

/// So many tables, views, sequences and indexes are rehearsed without being asked to, and for so long.
const SMALL: i64 = 2_000;
const LIMIT: Duration = Duration::from_secs(60);

/// For so long rows are read then: where many tables are locked, the others are enough.
const READING: Duration = Duration::from_secs(20);

#[async_trait]
impl Check for Rehearsal {
    type Scope = Database;

    fn descriptor(&self) -> CheckDescriptor {
        CheckDescriptor {
            name: NAME,
            summary: "the target takes the schema, tried in a throwaway database with a few rows of each table",
            after: &[
                "database-connection",
                "pg-dump",
                "target-rights",
                "version",
                "privileges",
                "reserved-schema",
                "extensions",
                "languages",
                "locale",
                "encoding",
            ],
        }
    }

    async fn examine(&self, ctx: &CheckContext<Database>) -> Result<Vec<Finding>, Failure> {
        let landscape = ctx.landscape();
        // What has begun shows by itself what the target refuses.
        if landscape.rehearse == Rehearse::Never || landscape.ours.contains(ctx.database()) {
            return Ok(Vec::new());
        }
        let found = match Box::pin(rehearse(ctx, landscape.rehearse)).await {
            Ok(found) => found,
            Err(failure) if failure.code == Code::Bug => return Err(failure),
            Err(failure) => vec![(None, not_rehearsed(&failure))],
        };
        let database = ctx.database();
        let found = found
            .into_iter()
            .map(|(object, found)| about(database, object, &found));
        Ok(found.collect())
    }
}

fn about(database: &DatabaseName, object: Option<String>, found: &RehearsalFinding) -> Finding {
    let Some(object) = object else {
        return found.about(NAME, Subject::Database(database.clone()));
    };
    let message = format!("{object}: {}", found.message());
    let subject = Subject::Object {
        database: database.clone(),
        object,
    };
    Finding {
        message,
        ..found.about(NAME, subject)
    }
}

type Found = Vec<(Option<String>, RehearsalFinding)>;

fn not_rehearsed(failure: &Failure) -> RehearsalFinding {
    let words = std::iter::once(&failure.message).chain(&failure.causes);
    RehearsalFinding::NotRehearsed {
        why: words.map(String::as_str).collect::<Vec<_>>().join(": "),
        failed: true,
    }
}

fn left_alone(why: String) -> Found {
    vec![(None, RehearsalFinding::NotRehearsed { why, failed: false })]
}

/// What is read before anything is made on the target.
struct Read {
    archive: Archive,
    checks: Vec<UnsafeCheck>,
    samples: Vec<Sample>,
    views: Vec<View>,
    creation: Creation,
    without_public: Option<&'static str>,
    settings: HomeSettings,
}

async fn rehearse(ctx: &CheckContext<Database>, wanted: Rehearse) -> Result<Found, Failure> {
    let target = ctx.target().await?;
    let role = target.role().await?;
    if !role.superuser && !role.create_database {
        let why = format!("role {} may not create databases on the target", role.name);
        return Ok(left_alone(why));
    }
    let source = ctx.source().await?;
    if wanted == Rehearse::WhenSmall {
        let sql = "SELECT count(*) FROM pg_catalog.pg_class WHERE oid >= 16384 AND relkind <> 't' AND relnamespace <> 99";
        let doing = source.doing("count the relations");
        let count: i64 = doing.query_one(sql, &[]).await?.get(0);
        if count > SMALL {
            let why = format!(
                "it has {count} tables, views, sequences and indexes, more than {SMALL}; --rehearse does it all the same"
            );
            return Ok(left_alone(why));
        }
    }
    let version = target.server_version();
    let quoted = keywords::are_names(&source, &target).await?;
    let limit = (wanted == Rehearse::WhenSmall).then_some(READING);
    let read = read(ctx, &source, version, quoted, limit).await?;
    let comment = format!(
        "made by pghaul to rehearse the schema of database {}, and dropped afterwards; it holds nothing that is needed",
        ctx.database()
    );
    let database = ctx
        .throwaway_database(|name| read.creation.statement(name), &comment)
        .await?;
    let owner = role.superuser.then(|| stand_in(version));
    let lacking = Lacking::read(ctx.landscape().mapping(), owner, &source, &target).await?;
    let on_target = OnTarget {
        version,
        owner,
        lacks_roles: lacking.has_roles(),
        dumps: ctx.landscape().forced == Some(Method::Dump),
    };
    let mut report = Report::of(lacking);
    let rehearsed = perform(&database, read, &on_target, &mut report);
    let outcome = match wanted {
        Rehearse::Always => Ok(rehearsed.await),
        _ => tokio::time::timeout(LIMIT, rehearsed).await,
    };
    let removed = database.remove().await;
    let mut found = match outcome {
        Ok(performed) => {
            performed?;
            report.findings()
        }
        Err(_) => {
            let mut found = report.findings();
            found.extend(left_alone(format!(
                "it took longer than {} seconds; --rehearse has no limit",
                LIMIT.as_secs()
            )));
            found
        }
    };
    if let Err(failure) = removed {
        found.push((None, not_rehearsed(&failure)));
    }
    Ok(found)
}

async fn read(
    ctx: &CheckContext<Database>,
    source: &Session<Source, ReadOnly>,
    target_version: u32,
    quoted: bool,
    limit: Option<Duration>,
) -> Result<Read, Failure> {
    let archive = dump::archive(ctx, source, target_version, quoted).await?;
    let selected = ctx.selected().await?;
    let holds = |schema: &str, name: &str| selected.as_ref().is_none_or(|s| s.holds_named(schema, name));
    let checks = unsafe_checks::read(source, selected.as_deref(), quoted).await?;
    let doing = source.doing("list the materialized views");
    let rows = doing.query(include_str!("../matviews.sql"), &[]).await?;
    let views = rows.iter().map(|row| View {
        schema: row.get("schema"),
        name: row.get("name"),
        owner: row.get("owner"),
    });
    let settings = ctx.source_server().home_settings(ctx.database().as_str()).await?;
    let own: Session<Source, ReadOnly> =
        Box::pin(ctx.source_server().connect(ctx.database().as_str())).await?;
    let holds_rows = |table| selected.as_ref().is_none_or(|s| s.holds_rows(table));
    let samples = sample::read(&own, holds_rows, limit).await;
    own.close().await;
    Ok(Read {
        archive,
        checks,
        samples: samples?,
        views: views.filter(|view| holds(&view.schema, &view.name)).collect(),
        creation: Creation::read(source, target_version).await?,
        without_public: public::dropping(source).await?,
        settings,
    })
}

async fn perform(
    database: &ThrowawayDatabase,
    read: Read,
    target: &OnTarget<'_>,
    report: &mut Report,
) -> Result<(), Failure> {
    let Read {
        archive,
        checks,
        samples,
        views,
        without_public,
        settings,
        ..
    } = read;
    let script = Script::of(archive, checks, target);
    let session = database.session().await?;
    let mut stage = Stage::set_up(session, settings, without_public, target).await?;
    stage.run(&script, &samples, &views, report).await?;
    stage.close().await;
    Ok(())
}
