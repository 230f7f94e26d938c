//! The battery finds nothing in a step that keeps its contract, and what is wrong with steps that don't.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests: a panic is the report")]

use pghaul_step::conformance::{Bench, Violation, plan};
use pghaul_step::ownership::effects;
use pghaul_step::postgres::{ConnInfo, Environment, Server, SideMarker};
use pghaul_step::{Context, Database, Descriptor, Failure, Method, Probe, Step, StepPhase, async_trait};
use pghaul_testkit::{Cluster, Kind, leftovers, shared_pair, wait_until};
use std::time::Duration;

/// The effect key of the table.
const KEY: &str = "example/table";

/// What a step may do wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flaw {
    Nothing,
    /// Does not look whether the table is there.
    AssumesToBeTheFirst,
    /// Leaves the table.
    DoesNotUndo,
    /// Says that all is there before anything is.
    BoastfulProbe,
    /// Can be undone only once.
    UndoesOnce,
    /// Notes the effect after its commit, in a transaction of its own.
    NotesApart,
    /// Forgets the effect, and only then drops the table.
    ForgetsFirst,
}

/// Creates a table on the target, once.
struct CreateTable(Flaw);

#[async_trait]
impl Step for CreateTable {
    type Scope = Database;
    type Output = u32;

    fn descriptor(&self) -> Descriptor {
        Descriptor::new("example", "creates a table", StepPhase::Data)
    }

    async fn probe(&self, ctx: &Context<Database>) -> Result<Probe<u32>, Failure> {
        let there = effects(&ctx.target().await?, KEY).await?.contains(KEY);
        Ok(match self.0 {
            Flaw::BoastfulProbe => Probe::Present(1),
            Flaw::AssumesToBeTheFirst => Probe::Absent,
            _ if there => Probe::Present(1),
            _ => Probe::Absent,
        })
    }

    async fn run(&self, ctx: &Context<Database>) -> Result<u32, Failure> {
        let mut target = ctx.target().await?;
        let transaction = ctx.begin(&mut target).await?;
        transaction
            .batch(
                "create the table",
                "CREATE TABLE public.example (id int PRIMARY KEY)",
            )
            .await?;
        if self.0 == Flaw::NotesApart {
            transaction.commit("create the table").await?;
            let transaction = ctx.begin(&mut target).await?;
            transaction.effect(KEY).await?;
            transaction.commit("note the table").await?;
            return Ok(1);
        }
        transaction.effect(KEY).await?;
        transaction.commit("create the table").await?;
        Ok(1)
    }

    async fn undo(&self, ctx: &Context<Database>) -> Result<(), Failure> {
        let drop = match self.0 {
            Flaw::DoesNotUndo => return Ok(()),
            Flaw::UndoesOnce => "DROP TABLE public.example",
            _ => "DROP TABLE IF EXISTS public.example",
        };
        let forget = format!("DELETE FROM pghaul.effect WHERE key = '{KEY}'");
        let mut target = ctx.target().await?;
        let there = effects(&target, KEY).await?.contains(KEY);
        let mut transaction = ctx.begin(&mut target).await?;
        if self.0 == Flaw::ForgetsFirst {
            if !there {
                return transaction.rollback().await;
            }
            transaction.batch("forget the effect", &forget).await?;
            transaction.commit("forget the effect").await?;
            transaction = ctx.begin(&mut target).await?;
        }
        transaction.batch("drop the table", drop).await?;
        transaction.batch("forget the effect", &forget).await?;
        transaction.commit("drop the table").await
    }
}

fn server<S: SideMarker>(cluster: &Cluster, database: &str) -> Server<S> {
    let way = ConnInfo::parse(&cluster.conninfo(database)).unwrap();
    Server::new(way.resolve(&Environment::empty()).unwrap(), "conformance", 4)
}

async fn outcome(flaw: Flaw) -> Result<(), Violation> {
    let pair = shared_pair(Kind::Ordinary);
    let database = pair.fresh_database("conforms");
    pair.target.create_database(&database);
    let files = tempfile::tempdir().unwrap();
    let bench = Bench {
        source: server(&pair.source, &database),
        target: server(&pair.target, &database),
        plan: plan(&database, Method::Dump),
        state_directory: files.path().to_owned(),
    };
    let outcome = bench.try_step(&CreateTable(flaw)).await;
    wait_until("nothing is left", Duration::from_secs(20), || {
        !leftovers(&pair.target)
            .iter()
            .any(|line| line.ends_with(&format!("in {database}")))
    });
    outcome
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_keeps_its_contract_passes() {
    outcome(Flaw::Nothing).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn flaws_are_found() {
    let found = async |flaw| outcome(flaw).await.unwrap_err().to_string();
    assert_eq!(
        found(Flaw::AssumesToBeTheFirst).await,
        "run failed, after a crash between acting and recording"
    );
    assert_eq!(
        found(Flaw::DoesNotUndo).await,
        "after undo, the target still has constraint example_pkey in public, after the run"
    );
    assert_eq!(
        found(Flaw::BoastfulProbe).await,
        "probe said Present(1), before the first run"
    );
    assert_eq!(found(Flaw::UndoesOnce).await, "undo failed, after the run");
    assert_eq!(
        found(Flaw::NotesApart).await,
        "run failed, after run was stopped at a fault position"
    );
    assert_eq!(
        found(Flaw::ForgetsFirst).await,
        "after undo, the target still has constraint example_pkey in public, \
         after undo was stopped at a fault position"
    );
}
