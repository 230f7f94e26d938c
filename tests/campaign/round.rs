//! One round: a database is moved while things go wrong, and in the end nothing shows it.

use crate::dice::Dice;
use crate::fault::Fault;
use crate::meddling::CHANGED;
use crate::migration::{Migration, assert_nothing_of_it_is_left};
use crate::tally::Tally;
use crate::trouble::Trouble;
use crate::world::{PASSWORD, World};
use pghaul_testkit::{Load, Outcome, Running, compare, identifier};
use std::os::unix::process::ExitStatusExt as _;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(240);

/// How often `run` may be needed after the last fault: the first may still meet what it left.
const RUNS: u32 = 3;

/// Transactions a second: enough to be in the way of everything, and what a small machine can follow.
const RATE: u32 = 100;

/// Exit codes of a `run` that a fault stopped: a check that could not look, a failure of a database, a connection, a
/// lost lock, or the user.
const STOPPED: [i32; 6] = [3, 4, 5, 9, 130, 143];

/// The same where a trouble may have cost the state.
const TROUBLED: [i32; 7] = [3, 4, 5, 9, 10, 130, 143];

const SIGINT: i32 = 2;
const SIGTERM: i32 = 15;

/// What a round is made of.
#[derive(Debug, Clone)]
pub(crate) struct Round {
    pub(crate) seed: u64,
    replicated: bool,
    /// Whether the target's own workers make the initial copy.
    by_server: bool,
    /// Whether the role on the source is no superuser.
    as_mover: bool,
    /// When each strikes, after the one before.
    faults: Vec<(Duration, Fault)>,
    /// Also when it comes; `None` when the database is up to date.
    trouble: Option<(Trouble, Option<Duration>)>,
}

impl Round {
    pub(crate) fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let replicated = dice.below(4) > 0;
        let by_server = replicated && dice.below(2) == 0;
        let as_mover = dice.below(3) == 0;
        let trouble = Trouble::any(&mut dice, replicated);
        let count = u64::from(trouble.is_none()) + dice.below(3);
        let mut faults: Vec<(Duration, Fault)> = (0..count)
            .map(|_| (dice.moment(Duration::from_millis(1800)), Fault::any(&mut dice)))
            .collect();
        // Only the proxies follow a server to another port, and from then on they are no longer in between.
        if matches!(trouble, Some((Trouble::AddressChanged, Some(_)))) {
            faults.retain(|(_, fault)| *fault != Fault::AnotherPort);
        }
        Self {
            seed,
            replicated,
            by_server,
            as_mover: match trouble {
                Some((trouble, _)) if trouble.is_about_the_role() => true,
                Some((trouble, _)) if trouble.needs_a_superuser() => false,
                _ => as_mover,
            },
            faults,
            trouble,
        }
    }

    /// Whether it has the trouble of this name, when the database is up to date.
    pub(crate) fn has_trouble(&self, name: &str) -> bool {
        matches!(self.trouble, Some((what, None)) if format!("{what:?}") == name)
    }

    /// Panics where a promise is broken.
    pub(crate) fn play(&self, world: &World) -> Tally {
        let mut play = Play {
            round: self,
            world,
            database: world.database(),
            tally: Tally::of_a_round(),
        };
        play.finish();
        world.as_before();
        play.tally
    }
}

/// A round that goes on.
struct Play<'a> {
    round: &'a Round,
    world: &'a World,
    database: String,
    tally: Tally,
}

impl Play<'_> {
    fn password(&self) -> Option<&'static str> {
        self.round.as_mover.then_some(PASSWORD)
    }

    fn between(&self, [source, target, back]: [String; 3]) -> Migration {
        let method = if self.round.replicated {
            "replication"
        } else {
            "dump"
        };
        let migration = Migration::between(&source, &target)
            .env("PGHAUL_SOURCE_FROM_TARGET", &back)
            .options(["--database", &self.database, "--method", method]);
        if self.round.by_server {
            migration.options(["--initial-copy", "server"])
        } else {
            migration
        }
    }

    fn finish(&mut self) {
        let (world, pair) = (self.world, &self.world.pair);
        let mut migration = self.between(world.conninfos(self.password()));
        // A one-time copy does not follow: only what is replicated is written to.
        let load = self
            .round
            .replicated
            .then(|| Load::with_script_at(&pair.source, &self.database, &world.load, RATE));
        if let Some((trouble, Some(moment))) = self.round.trouble {
            migration = self.troubled(trouble, Some(moment), migration);
        }
        self.strike(&migration);
        self.settles(&migration);
        if let Some((trouble, None)) = self.round.trouble {
            migration = self.troubled(trouble, None, migration);
        }
        if let Some(load) = load {
            self.count(load);
        }
        // The last run sets the sequences; the source has come to rest.
        migration.run().succeeded();
        self.tally.runs += 1;
        // Until the removal, pghaul's settings keep timeouts of the target off its workers.
        let options = compare::Options {
            database_properties: false,
            ..compare::Options::default()
        };
        let (source, target) = ((&pair.source, &*self.database), (&pair.target, &*self.database));
        let found = compare::databases(source, target, &options);
        assert!(found.is_empty(), "while it is up to date:\n{found:#?}");
        migration.command(&["remove", "--force"]).run().succeeded();
        compare::same(&pair.source, &pair.target, &self.database);
        assert_nothing_of_it_is_left(&migration, pair, &self.database);
        migration.command(&["journal", "verify"]).run().succeeded();
        world.forget(&self.database);
    }

    /// Runs while the faults strike, one after the other.
    fn strike(&mut self, migration: &Migration) {
        let spawn = || migration.with_options("run").spawn();
        let mut run = spawn();
        self.tally.runs += 1;
        for (pause, fault) in &self.round.faults {
            // The moment itself is what is tested.
            std::thread::sleep(*pause);
            if !run.is_running() {
                ended_well(&run.wait(PATIENCE), &STOPPED);
                run = spawn();
                self.tally.runs += 1;
            }
            self.tally.struck(fault.name());
            if fault.strike(self.world, &self.database, &run) {
                run.kill9();
                run = spawn();
                self.tally.runs += 1;
            }
        }
        ended_well(&run.wait(PATIENCE), &STOPPED);
    }

    /// Counts what the application wrote; where no fault was about it, without any error.
    fn count(&mut self, load: Load) {
        let report = load.stop();
        let trouble = self
            .round
            .trouble
            .is_some_and(|(what, _)| what.hits_applications());
        let disturbed = trouble
            || self
                .round
                .faults
                .iter()
                .any(|(_, fault)| fault.hits_applications());
        assert!(
            disturbed || report.errors == 0,
            "the source's application saw errors: {}",
            report.messages
        );
        self.tally.errors_of_all += report.errors;
        self.tally.transactions += report.transactions;
    }

    /// Runs again until it succeeds.
    fn settles(&mut self, migration: &Migration) {
        let begun = Instant::now();
        for run in 1..=RUNS {
            let outcome = migration.with_options("run").spawn().wait(PATIENCE);
            self.tally.runs += 1;
            if outcome.status.success() {
                return;
            }
            ended_well(&outcome, &STOPPED);
            assert!(
                run < RUNS,
                "it does not come to its end in {RUNS} runs, {:?}\n{outcome}",
                begun.elapsed()
            );
        }
    }

    /// It is named, and when it is fixed the migration goes on.
    fn troubled(&mut self, what: Trouble, moment: Option<Duration>, migration: Migration) -> Migration {
        let mut running = moment.map(|moment| {
            let running = migration.with_options("run").spawn();
            std::thread::sleep(moment);
            running
        });
        if running.as_mut().is_some_and(|running| !running.is_running()) {
            // It was quicker: there is no middle any more.
            return migration;
        }
        let Some(begun) = self.world.begin(what, &self.database) else {
            return migration;
        };
        self.tally.struck(format!("{what:?}"));
        let in_step = running.is_none();
        let mut outcome = self.wait_for(running, &migration);
        let lost = ["connection-lost", "connection-refused", "server-not-ready"];
        let lost = lost.map(|code| outcome.stderr.contains(&format!("error[{code}]")));
        if lost.contains(&true) && what != Trouble::AddressChanged {
            // The sessions that it cost, or the restart that it takes; the next run meets the trouble itself.
            outcome = self.wait_for(None, &migration);
        } else if outcome.status.success() && what.voids_the_plan() {
            // It came after the last look, or before there was anything to change. The first is for the next run to say.
            outcome = self.wait_for(None, &migration);
        }
        let noticed = !outcome.status.success();
        if let Some(object) = what.is_listed_as() {
            self.is_listed(object, &migration);
        }
        assert!(
            noticed || !in_step || what.is_listed_as().is_some() || what.may_pass_unseen(),
            "{what:?} was not noticed\n{outcome}"
        );
        if noticed {
            self.is_named(what, in_step, &outcome);
        }
        self.world.mend(what, &self.database, begun);
        self.goes_on(what, noticed, migration)
    }

    /// Waits for a run; for a new one where none is under way.
    fn wait_for(&mut self, running: Option<Running>, migration: &Migration) -> Outcome {
        self.tally.runs += 1;
        let running = running.unwrap_or_else(|| migration.with_options("run").spawn());
        running.wait(PATIENCE)
    }

    /// The error says what is the matter.
    fn is_named(&mut self, what: Trouble, in_step: bool, outcome: &Outcome) {
        ended_well(outcome, &TROUBLED);
        let told = |code: &&&str| outcome.stderr.contains(&format!("error[{code}]"));
        let checked = (!in_step).then_some(&"check-failed");
        let code = what.codes().iter().chain(checked).find(told);
        let code = code.unwrap_or_else(|| panic!("{what:?} was not told\n{outcome}"));
        self.tally.named(format!("{what:?}: {code}"));
    }

    /// `status` names it, and `remove` does not pass it over.
    fn is_listed(&mut self, object: &str, migration: &Migration) {
        let incomplete = migration.status_of(&self.database)["incomplete"].to_string();
        assert!(incomplete.contains(object), "{object} is not in {incomplete}");
        let removal = migration.remove();
        assert_eq!(removal.status.code(), Some(8), "{removal}");
        self.tally.named(format!("{object}: listed"));
    }

    fn goes_on(&mut self, what: Trouble, noticed: bool, migration: Migration) -> Migration {
        let mut migration = match what {
            Trouble::PasswordChanged => migration.again_between(&self.world.conninfos(Some(CHANGED))),
            Trouble::AddressChanged => migration.again_between(&self.world.addresses(self.password())),
            _ => migration,
        };
        // A dump that was done before is as of its snapshot: to be equal it begins anew as well.
        if what.voids_the_plan() && (noticed || !self.round.replicated) {
            migration.command(&["remove", "--force"]).run().succeeded();
            let drop = format!("drop database if exists {} (force)", identifier(&self.database));
            self.world.pair.target.psql("postgres", &drop);
            migration = self.between(self.world.conninfos(self.password()));
        }
        let restart = what.loses_changes().then_some(["--restart-data", &self.database]);
        let run = migration.with_options("run").args(restart.into_iter().flatten());
        let outcome = run.spawn().wait(PATIENCE);
        self.tally.runs += 1;
        if !outcome.status.success() {
            // A worker that failed comes back in its own time.
            ended_well(&outcome, &STOPPED);
            self.settles(&migration);
        }
        migration
    }
}

/// However it ended, the reason is named and there is something to do.
fn ended_well(outcome: &Outcome, codes: &[i32]) {
    // A signal may come before anything listens for it; then nothing has begun.
    let signal = outcome.status.signal();
    if (signal == Some(SIGINT) || signal == Some(SIGTERM)) && outcome.stderr.is_empty() {
        return;
    }
    let code = outcome.status.code();
    assert!(
        code == Some(0) || code.is_some_and(|code| codes.contains(&code)),
        "it ended in a way that no fault explains\n{outcome}"
    );
    assert!(!outcome.stderr.contains("error[bug]"), "{outcome}");
    let named = outcome.stderr.matches("error[").count();
    let hints = outcome.stderr.matches("\nhint: ").count();
    assert!(hints >= named, "an error without a hint\n{outcome}");
}
