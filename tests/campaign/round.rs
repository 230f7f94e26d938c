//! One round: a database is moved while things go wrong, and in the end nothing shows it.

use crate::dice::Dice;
use crate::fault::{Fault, Meddling};
use crate::migration::{Migration, assert_nothing_of_it_is_left};
use crate::world::{LOAD, World};
use pghaul_testkit::{Load, Outcome, compare};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(240);

/// How often `run` may be needed after the last fault: the first may still meet what it left.
const RUNS: u32 = 3;

/// Transactions a second: enough to be in the way of everything, and what a small machine can follow.
const RATE: u32 = 100;

/// Exit codes of a `run` that a fault stopped: a failure of a database, a connection, a lost lock, or the user.
const STOPPED: [i32; 5] = [4, 5, 9, 130, 143];

/// What a round is made of.
#[derive(Debug, Clone)]
pub(crate) struct Round {
    pub(crate) seed: u64,
    replicated: bool,
    /// Whether the target's own workers make the initial copy.
    by_server: bool,
    /// When each strikes, after the one before.
    faults: Vec<(Duration, Fault)>,
    meddling: Option<Meddling>,
}

/// What it came to.
pub(crate) struct Report {
    pub(crate) runs: u32,
    pub(crate) transactions: u64,
}

impl Round {
    pub(crate) fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let replicated = dice.below(4) > 0;
        let by_server = replicated && dice.below(2) == 0;
        let count = 1 + dice.below(3);
        let faults = (0..count)
            .map(|_| (dice.moment(Duration::from_millis(1800)), Fault::any(&mut dice)))
            .collect();
        let meddling = (replicated && dice.below(3) == 0).then(|| dice.one_of(&Meddling::ALL));
        Self {
            seed,
            replicated,
            by_server,
            faults,
            meddling,
        }
    }

    /// Panics where a promise is broken.
    pub(crate) fn play(&self, world: &World) -> Report {
        let database = world.database();
        let [source, target, back] = world.conninfos();
        let method = if self.replicated { "replication" } else { "dump" };
        let migration = Migration::between(&source, &target)
            .env("PGHAUL_SOURCE_FROM_TARGET", &back)
            .options(["--database", &database, "--method", method]);
        let migration = if self.by_server {
            migration.options(["--initial-copy", "server"])
        } else {
            migration
        };
        // A one-time copy does not follow: only what is replicated is written to.
        let load = self
            .replicated
            .then(|| Load::with_script_at(&world.pair.source, &database, LOAD, RATE));
        let mut runs = self.strike(world, &migration);
        runs += settles(&migration);
        if let Some(how) = self.meddling {
            runs += meddled(world, how, &migration, &database);
        }
        let transactions = load.map_or(0, |load| self.written(load));
        // The last run sets the sequences; the source has come to rest.
        migration.run().succeeded();
        compare::same(&world.pair.source, &world.pair.target, &database);
        migration.command(&["remove", "--force"]).run().succeeded();
        compare::same(&world.pair.source, &world.pair.target, &database);
        assert_nothing_of_it_is_left(&migration, &world.pair, &database);
        migration.command(&["journal", "verify"]).run().succeeded();
        world.forget(&database);
        Report {
            runs: runs + 1,
            transactions,
        }
    }

    /// Runs while the faults strike, one after the other.
    fn strike(&self, world: &World, migration: &Migration) -> u32 {
        let mut runs = 1;
        let mut run = migration.with_options("run").spawn();
        for (pause, fault) in &self.faults {
            // The moment itself is what is tested.
            std::thread::sleep(*pause);
            if !run.is_running() {
                ended_well(&run.wait(PATIENCE));
                run = migration.with_options("run").spawn();
                runs += 1;
            }
            if fault.strike(world, &run) {
                run.kill9();
                run = migration.with_options("run").spawn();
                runs += 1;
            }
        }
        ended_well(&run.wait(PATIENCE));
        runs
    }

    /// How much the application wrote; where no fault was about it, without any error.
    fn written(&self, load: Load) -> u64 {
        let report = load.stop();
        let disturbed = self.faults.iter().any(|(_, fault)| fault.hits_applications());
        assert!(
            disturbed || report.errors == 0,
            "the source's application saw errors: {}",
            report.messages
        );
        report.transactions
    }
}

/// However it ended, the reason is named and there is something to do.
fn ended_well(outcome: &Outcome) {
    let code = outcome.status.code();
    assert!(
        code == Some(0) || code.is_some_and(|code| STOPPED.contains(&code)),
        "it ended in a way that no fault explains\n{outcome}"
    );
    assert!(!outcome.stderr.contains("error[bug]"), "{outcome}");
    let named = outcome.stderr.matches("error[").count();
    let hints = outcome.stderr.matches("\nhint: ").count();
    assert!(hints >= named, "an error without a hint\n{outcome}");
}

/// Runs again until it succeeds.
fn settles(migration: &Migration) -> u32 {
    let begun = Instant::now();
    for run in 1..=RUNS {
        let outcome = migration.with_options("run").spawn().wait(PATIENCE);
        if outcome.status.success() {
            return run;
        }
        ended_well(&outcome);
        assert!(
            run < RUNS,
            "it does not come to its end in {RUNS} runs, {:?}\n{outcome}",
            begun.elapsed()
        );
    }
    unreachable!("the last run was the last")
}

/// Somebody meddles: it is named, and when it is mended the migration goes on.
fn meddled(world: &World, how: Meddling, migration: &Migration, database: &str) -> u32 {
    world.meddle(how, database);
    let outcome = migration.with_options("run").spawn().wait(PATIENCE);
    assert!(!outcome.status.success(), "{how:?} was not noticed\n{outcome}");
    let told = how
        .codes()
        .iter()
        .any(|code| outcome.stderr.contains(&format!("error[{code}]")));
    assert!(told, "{how:?} was not told\n{outcome}");
    let again = world.mend(how, database);
    let restart = again.then_some(["--restart-data", database]);
    let run = migration.with_options("run").args(restart.into_iter().flatten());
    let outcome = run.spawn().wait(PATIENCE);
    if outcome.status.success() {
        return 2;
    }
    // A worker that failed comes back in its own time.
    ended_well(&outcome);
    2 + settles(migration)
}
