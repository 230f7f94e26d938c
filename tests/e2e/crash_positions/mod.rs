//! Killed at any position, a migration goes on as if nothing had happened.
//!
//! Every journal append and every side effect has a position before and after it (`pghaul_step::fault`). At each:
//! begin with two databases of its own, die there, run the same command once more, and compare. Then the same with a
//! second death while it goes on. Meanwhile an application works on the source and must not notice.
//!
//! Normal test runs try a slice: some of the positions, and of those around the creation of slot and subscription more.
//! All of them, and all pairs around slot, snapshot, subscription and removal, within an hour on two cores; in memory, as
//! every attempt makes and drops four databases, and with a release build:
//!
//! ```sh
//! cargo build --release && TMPDIR=/dev/shm PGHAUL_CRASH_FULL=1 PGHAUL_BIN=$PWD/target/release/pghaul \
//!     cargo test -p pghaul-tests --test e2e -- crash_positions --nocapture --test-threads 2
//! ```

mod attempt;
mod scenario;

use attempt::{Attempt, End, servers};
use pghaul_testkit::{ClusterPair, leftovers};
use scenario::Scenario;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Positions that are tried side by side.
const AT_ONCE: usize = 4;

/// In the slice, every so many positions are tried, and of the delicate ones more.
const SLICE: usize = 79;
const DELICATE_SLICE: usize = 13;
const DELICATE: &[&str] = &["slot", "snapshot", "subscription", "publication", "fell_back"];

/// Around these, the full run tries all pairs.
const PAIRED: &[&str] = &["slot", "snapshot", "subscription"];

/// The same in a removal.
const PAIRED_IN_REMOVAL: &[&str] = &["drop the slot", "drop the subscription", "event removed"];

#[test]
fn dump() {
    try_positions(Scenario::Dump);
}

#[test]
fn replication() {
    try_positions(Scenario::Replication);
}

#[test]
fn replication_by_server() {
    try_positions(Scenario::ByServer);
}

#[test]
fn the_rest_by_the_server() {
    try_positions(Scenario::Rest);
}

#[test]
fn the_rest_by_a_second_generation() {
    try_positions(Scenario::SecondGeneration);
}

#[test]
fn removal() {
    try_positions(Scenario::Removal);
}

/// Where the process dies: once, or once more while it goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stops {
    first: usize,
    second: Option<usize>,
}

impl Stops {
    fn once(first: usize) -> Self {
        Self { first, second: None }
    }

    fn twice(first: usize, second: usize) -> Self {
        Self {
            first,
            second: Some(second),
        }
    }
}

/// A scenario on its servers.
struct Trial {
    servers: ClusterPair,
    scenario: Scenario,
    /// The position of `run` at which a first table is copied, where that is to be so before.
    copied: Option<usize>,
    /// The names of all positions, in order.
    places: Vec<String>,
}

impl Trial {
    fn begin(scenario: Scenario) -> Self {
        let servers = servers(scenario);
        let mut trial = Self {
            servers,
            scenario,
            copied: None,
            places: Vec::new(),
        };
        if matches!(scenario, Scenario::Rest | Scenario::SecondGeneration) {
            trial.copied = Some(trial.some_copied());
        }
        trial.places = trial.count();
        trial
    }

    /// The first position of `run` after which the next one leaves tables to the target's workers, or to a second
    /// generation.
    fn some_copied(&self) -> usize {
        let whole = self.count();
        let mut finished =
            (1..=whole.len()).filter(|n| is_about(&whole[n - 1], &["after event item_finished"]));
        let leaves_some = |first: &usize| {
            let places = self.die(Stops::once(*first));
            let count = |words| places.iter().filter(|place| is_about(place, &[words])).count();
            count("after refresh the subscription") == 1
                || count("after the commit: create the subscription") == 2
        };
        finished
            .find(leaves_some)
            .expect("after some table, others are left")
    }

    /// The names of all positions of a command that nothing stops.
    fn count(&self) -> Vec<String> {
        let attempt = Attempt::begin(&self.servers, self.scenario);
        attempt.prepare(self.copied);
        let load = attempt.load();
        let places = attempt.places();
        attempt.finish(load);
        places
    }

    /// Dies, and goes on to the end. After a single death, the names of all positions that came then.
    fn die(&self, stops: Stops) -> Vec<String> {
        let attempt = Attempt::begin(&self.servers, self.scenario);
        attempt.prepare(self.copied);
        let load = attempt.load();
        let ended = attempt.stop_at(stops.first);
        // Indexes are built beside the copy, with those of whatever tables are in by then: a run may have a few
        // positions less than the one that was counted.
        let ended_before = stops.first + FEWER > self.places.len();
        assert!(ended == End::Died || ended_before, "it did not die");
        let places = match stops.second {
            None => attempt.places(),
            Some(second) => {
                attempt.stop_at(second);
                attempt.go_on();
                Vec::new()
            }
        };
        attempt.finish(load);
        places
    }

    /// The positions to die at first: all, or a slice of them.
    fn firsts(&self, full: bool) -> Vec<usize> {
        let chosen = (1..=self.places.len()).filter(|position| {
            let place = &self.places[position - 1];
            full || position % SLICE == 0 || (position % DELICATE_SLICE == 0 && is_about(place, DELICATE))
        });
        chosen.collect()
    }

    /// A second position for a first one.
    fn twice(&self, first: usize) -> Stops {
        let left = self.places.len() - first.min(self.places.len() - 1);
        Stops::twice(first, seeded(first, left))
    }

    /// All pairs around what is most delicate, of a first position and those that came after it.
    fn pairs(&self, first: usize, after: &[String]) -> Vec<Stops> {
        let words = match self.scenario {
            Scenario::Dump | Scenario::ByServer => return Vec::new(),
            Scenario::Removal => PAIRED_IN_REMOVAL,
            Scenario::Replication | Scenario::Rest | Scenario::SecondGeneration => PAIRED,
        };
        if !is_about(&self.places[first - 1], words) {
            return Vec::new();
        }
        let seconds = (1..=after.len()).filter(|second| is_about(&after[second - 1], words));
        seconds.map(|second| Stops::twice(first, second)).collect()
    }

    fn name(&self, stops: Stops) -> String {
        let place = &self.places[stops.first - 1];
        format!("{stops:?}, {place}")
    }
}

const FEWER: usize = 8;

fn is_about(place: &str, words: &[&str]) -> bool {
    words.iter().any(|word| place.contains(word))
}

/// A number from 1 to `end` that is the same for the same position, by splitmix64.
fn seeded(position: usize, end: usize) -> usize {
    let mut mixed = u64::try_from(position)
        .expect("fits")
        .wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed ^= mixed >> 27;
    1 + usize::try_from(mixed % u64::try_from(end.max(1)).expect("fits")).expect("fits")
}

/// Does it with each, several at once.
fn side_by_side<T: Copy + Sync>(all: &[T], act: impl Fn(T) + Sync) {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(one) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
                    act(*one);
                }
            });
        }
    });
}

fn try_positions(scenario: Scenario) {
    let began = Instant::now();
    let full = std::env::var_os("PGHAUL_CRASH_FULL").is_some_and(|value| !value.is_empty());
    let trial = Trial::begin(scenario);
    let firsts = trial.firsts(full);
    let twice: Vec<Stops> = firsts.iter().map(|first| trial.twice(*first)).collect();
    // In the slice, the second death takes the place of the first alone: it comes after it.
    let once: Vec<Stops> = firsts.into_iter().filter(|_| full).map(Stops::once).collect();
    let found: Mutex<Vec<Stops>> = Mutex::default();
    let failed: Mutex<Vec<String>> = Mutex::default();
    let die = |stops: Stops| {
        let died = catch_unwind(AssertUnwindSafe(|| trial.die(stops)));
        match died {
            Ok(places) => {
                let pairs = trial.pairs(stops.first, &places);
                found.lock().expect("no holder panics").extend(pairs);
            }
            Err(panic) => {
                let told = format!("{}:\n{}", trial.name(stops), message(panic.as_ref()));
                failed.lock().expect("no holder panics").push(told);
            }
        }
    };
    side_by_side(&once, die);
    let pairs = std::mem::take(&mut *found.lock().expect("no holder panics"));
    let all: Vec<Stops> = twice.iter().chain(&pairs).copied().collect();
    side_by_side(&all, die);
    let mut failed = failed.into_inner().expect("no holder panics");
    if failed.is_empty() {
        // A position that failed leaves things behind.
        for cluster in [&trial.servers.source, &trial.servers.target] {
            let left = leftovers(cluster).into_iter();
            failed.extend(left.map(|line| format!("left behind: {line}")));
        }
    }
    println!(
        "{scenario:?}: {} positions; died once at {}, twice at {}, at {} pairs; {} failed, {:?}",
        trial.places.len(),
        once.len(),
        twice.len(),
        pairs.len(),
        failed.len(),
        Duration::from_secs(began.elapsed().as_secs()),
    );
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
        .unwrap_or_default()
}
