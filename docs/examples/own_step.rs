//! pghaul with a step of its own, for tests of migrations that programs with other steps continue.
//!
//! `OWN_STEP` says which: `once` runs it once, `1` and `2` by every run, in that version of what it notes.

use pghaul_step::postgres::ReadWrite;
use pghaul_step::{
    Context, Database, Descriptor, Failure, NotedBy, Probe, Repeats, Step, StepPhase, StepUpcaster,
    async_trait,
};
use serde_json::{Value, json};

/// Version 1 notes a number, version 2 an object that says of what.
const UPCASTERS: &[StepUpcaster] = &[|noted, value| {
    Ok(match noted {
        NotedBy::Output => json!({ "tables": value }),
        NotedBy::Facts | NotedBy::Item => value,
    })
}];

struct Analyze {
    repeats: Repeats,
    upcasters: &'static [StepUpcaster],
}

#[async_trait]
impl Step for Analyze {
    type Scope = Database;
    type Output = Value;

    fn descriptor(&self) -> Descriptor {
        Descriptor {
            after: &["post-data"],
            repeats: self.repeats,
            upcasters: self.upcasters,
            ..Descriptor::new("analyze", "gathers statistics on the target", StepPhase::Data)
        }
    }

    async fn probe(&self, _: &Context<Database>) -> Result<Probe<Value>, Failure> {
        Ok(Probe::Absent)
    }

    async fn run(&self, ctx: &Context<Database>) -> Result<Value, Failure> {
        let mut target: pghaul_step::postgres::Session<_, ReadWrite> = ctx.target().await?;
        let transaction = ctx.begin(&mut target).await?;
        transaction.batch("gather statistics", "ANALYZE").await?;
        transaction.commit("gather statistics").await?;
        let tables = ctx.plan().tables.len();
        Ok(match self.upcasters {
            [] => json!(tables),
            _ => json!({ "tables": tables }),
        })
    }
}

fn main() -> std::process::ExitCode {
    let (repeats, upcasters): (_, &[StepUpcaster]) = match std::env::var("OWN_STEP").as_deref() {
        Ok("once") => (Repeats::Never, &[]),
        Ok("2") => (Repeats::EveryRun, UPCASTERS),
        _ => (Repeats::EveryRun, &[]),
    };
    let step = Analyze { repeats, upcasters };
    pghaul::Cli::new().with_builtin().with_step(step).run()
}
