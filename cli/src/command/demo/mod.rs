//! `pghaul demo`: a whole migration between two throwaway clusters, by the very code that moves real ones.

mod compare;
mod shop;

use super::{Session, answer, remove, run};
use crate::args::{
    AuditArgs, CheckArgs, DemoArgs, JournalArgs, MetricsArgs, RemoveArgs, RunArgs, SelectionArgs, ServerArgs,
};
use crate::copying::CopyingArgs;
use crate::exit_code::ExitCode;
use crate::journals;
use crate::report::quantity::{count, duration};
use crate::report::status::table;
use crate::servers::Given;
use crate::signals::Signals;
use crate::style::{BOLD, DIM, GOOD, paint};
use pghaul_core::{Code, Failure, Phase};
use pghaul_engine::OnCheckFailure;
use pghaul_postgres::local::{Binaries, ClusterSettings, LocalCluster, find_binaries};
use shop::Shoppers;
use std::path::Path;
use std::time::Instant;

const NAME: &str = "demo";

/// Both clusters. They are gone when this is dropped.
struct Clusters {
    source: LocalCluster,
    target: LocalCluster,
}

/// Plays the demo and cleans up, however it ends.
pub(crate) async fn demo(session: &Session, args: &DemoArgs) -> Result<ExitCode, Failure> {
    let began = Instant::now();
    let signals = Signals::watch(&session.printer, "ending the demo")?;
    let binaries = find_binaries()
        .into_iter()
        .find(|b| b.program("pg_dump").is_some())
        .ok_or_else(missing)?;
    let say = |text: String| session.printer.answer(&text);
    say(format!(
        "starting two throwaway clusters of PostgreSQL {} …\n",
        binaries.major
    ))?;
    let clusters = create(binaries).await?;
    let scratch = tempfile::Builder::new()
        .prefix("pghaul-demo-")
        .tempdir()
        .map_err(|error| {
            Failure::new(Code::ToolFailed, "no temporary directory can be made").with_cause(error)
        })?;
    let outcome = tokio::select! {
        outcome = play(session, &clusters, scratch.path(), &signals) => outcome,
        () = signals.token().cancelled() => Ok(signals.exit_code(Code::Interrupted)),
    };
    if let Ok(ExitCode::Success) = outcome {
        let kept = if args.keep {
            ""
        } else {
            "; both clusters are gone again"
        };
        say(format!(
            "{} in {}{kept}\n",
            paint(GOOD, "moved"),
            duration(began.elapsed())
        ))?;
    }
    if args.keep && !signals.token().is_cancelled() {
        say(kept(&clusters, scratch.path()))?;
        signals.token().cancelled().await;
    }
    // Stopping servers waits for them.
    let gone = tokio::task::spawn_blocking(move || drop((clusters, scratch))).await;
    drop(gone);
    outcome
}

async fn play(
    session: &Session,
    clusters: &Clusters,
    scratch: &Path,
    signals: &Signals,
) -> Result<ExitCode, Failure> {
    let say = |text: String| session.printer.answer(&text);
    let administrator = Given::new(&servers(clusters, "postgres"))?
        .both()?
        .connect(None)
        .await?;
    let (source, target) = (administrator.source, administrator.target);
    shop::fill(&source).await?;
    let shoppers = Shoppers::start(source.clone());
    say("  shop   60 000 orders of 2 000 customers, and people keep ordering\n".to_owned())?;
    say("  stats  30 000 figures; pghaul's role may read them, but not publish them\n\n".to_owned())?;
    let servers = servers(clusters, shop::MOVER);

    say(format!("{} pghaul run\n", paint(DIM, "$")))?;
    let journal = JournalArgs {
        name: Some(NAME.to_owned()),
        journal: Some(scratch.join("journal.db")),
    };
    let arguments = run_arguments(&servers, &journal);
    let worked = run::work(session, &arguments, signals).await?;
    worked.outcome?;

    let orders = shoppers.stop().await?;
    say(format!(
        "\nthe shop closes: {} orders were placed meanwhile\n\n",
        paint(BOLD, count(orders))
    ))?;

    say(format!("{} pghaul status\n", paint(DIM, "$")))?;
    let file = journals::open(session, &journal)?;
    let entry = journals::existing(&file, Some(NAME))?;
    let view = answer::look(session, &file, &entry.id, &Given::new(&servers)?).await?;
    say(format!("{}\n", table(&view.databases)))?;
    if view.status == Phase::Failed {
        return Err(view
            .error()
            .cloned()
            .unwrap_or_else(|| Failure::bug("failed without a failure")));
    }

    say(format!("{} pghaul remove\n", paint(DIM, "$")))?;
    let arguments = RemoveArgs {
        servers: servers.clone(),
        journal,
        accept_incomplete: Vec::new(),
        incomplete: false,
        force: false,
        applications_still_write: false,
        gone: None,
        take_over: false,
        audit: AuditArgs::default(),
        json: false,
    };
    remove::work(session, &arguments, signals).await?.outcome?;

    let comparison = compare::compare(&source, &target).await?;
    say(format!("\n{}\n", comparison.text))?;
    if comparison.differs {
        return Err(
            Failure::new(Code::CountsDiffer, "source and target differ").with_hint(
                "this is a bug in pghaul; please report it with the journal of `pghaul demo --keep`",
            ),
        );
    }
    Ok(ExitCode::Success)
}

/// Both at once: most of the time is initdb's.
async fn create(binaries: Binaries) -> Result<Clusters, Failure> {
    let settings = ClusterSettings {
        without_fsync: true,
        ..ClusterSettings::default()
    }
    .with("wal_level", "logical")
    .with("wal_retrieve_retry_interval", "200ms");
    let (also_binaries, also_settings) = (binaries.clone(), settings.clone());
    let source = tokio::task::spawn_blocking(move || LocalCluster::create(&binaries, &settings));
    let target = tokio::task::spawn_blocking(move || LocalCluster::create(&also_binaries, &also_settings));
    let (source, target) = tokio::join!(source, target);
    let lost = |error| Failure::bug(format!("a thread of the demo ended: {error}"));
    Ok(Clusters {
        source: source.map_err(lost)??,
        target: target.map_err(lost)??,
    })
}

/// The servers, the source as the given role.
fn servers(clusters: &Clusters, role: &str) -> ServerArgs {
    let port = clusters.source.port();
    ServerArgs {
        source: Some(format!("host=127.0.0.1 port={port} user={role} dbname=postgres")),
        target: Some(clusters.target.conninfo("postgres")),
        max_connections: 24,
    }
}

fn run_arguments(servers: &ServerArgs, journal: &JournalArgs) -> RunArgs {
    RunArgs {
        checks: CheckArgs::default(),
        servers: servers.clone(),
        selection: SelectionArgs::default(),
        journal: journal.clone(),
        on_check_failure: OnCheckFailure::Run,
        databases_at_once: 2,
        copying: CopyingArgs::default(),
        max_wal_retained: None,
        on_wal_limit: pghaul_engine::OnWalLimit::Warn,
        restart_data: Vec::new(),
        take_over: false,
        audit: AuditArgs::default(),
        metrics: MetricsArgs::default(),
        json: false,
    }
}

fn kept(clusters: &Clusters, scratch: &Path) -> String {
    format!(
        "\nuntil Ctrl-C you can look around:\n  psql '{}'\n  psql '{}'\n  pghaul history --journal {}\n",
        clusters.source.conninfo("shop"),
        clusters.target.conninfo("shop"),
        scratch.join("journal.db").display(),
    )
}

fn missing() -> Failure {
    Failure::new(Code::ToolFailed, "no PostgreSQL server is installed here")
        .with_cause("initdb, postgres and pg_dump were looked for in PGHAUL_PG_BIN, PATH and the usual places")
        .with_hint(
            "install one: `apt install postgresql`, `dnf install postgresql-server` or `brew install postgresql`; \
             or name the directory of its programs in PGHAUL_PG_BIN",
        )
}
