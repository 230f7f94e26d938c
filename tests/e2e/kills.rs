//! A `run` that is killed again and again.

use pghaul_testkit::{Outcome, Pghaul};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Where moments come from: different on every run of the tests, the same again with `PGHAUL_E2E_SEED`.
#[derive(Debug)]
pub(crate) struct Moments {
    state: u64,
}

impl Moments {
    /// From `PGHAUL_E2E_SEED`, else from the clock. The seed is printed: a test that fails shows it.
    pub(crate) fn from_environment() -> Self {
        let clock = || {
            SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .expect("it is after 1970")
                .subsec_nanos()
        };
        let seed = match std::env::var("PGHAUL_E2E_SEED") {
            Ok(text) => text.parse().expect("PGHAUL_E2E_SEED is a number"),
            Err(_) => u64::from(clock()),
        };
        println!("PGHAUL_E2E_SEED={seed}");
        Self { state: seed }
    }

    /// Any moment before `end`, by splitmix64.
    fn before(&mut self, end: Duration) -> Duration {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        let micros = u64::try_from(end.as_micros()).expect("fits").max(1);
        Duration::from_micros(mixed % micros)
    }
}

/// Starts `run` and kills it at a random moment, as often as `kills` says, then lets it go to its end.
///
/// The moments lie anywhere in `expected`, the time that the whole needs undisturbed on a fast machine; those of the
/// first kills earlier, so that the last ones find something to kill. A run that ends by itself before its moment must have
/// succeeded; killing goes on with the next, which has a finished migration before it.
pub(crate) fn killed_until_done(run: &Pghaul, expected: Duration, kills: u32) -> Outcome {
    killed_and_looked_at(run, expected, kills, || {})
}

/// The same, with a look at the servers after each kill.
pub(crate) fn killed_and_looked_at(run: &Pghaul, expected: Duration, kills: u32, look: impl Fn()) -> Outcome {
    let mut moments = Moments::from_environment();
    let mut killed = 0;
    for kill in 1..=kills {
        let moment = moments.before(expected * kill / kills);
        let mut running = run.clone().spawn();
        // Not a wait for anything: the moment itself is what is tested.
        std::thread::sleep(moment);
        if running.is_running() {
            killed += 1;
            println!("killed after {moment:?}\n{}", running.kill9().stderr);
        } else {
            running.wait(Duration::ZERO).succeeded();
        }
        look();
    }
    assert!(
        killed >= kills / 2,
        "only {killed} of {kills} runs were still there to be killed"
    );
    run.clone().run().succeeded()
}
