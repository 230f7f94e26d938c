//! The world misbehaves: rounds of random faults under write load, each of which must end with equal databases.
//!
//! ```text
//! PGHAUL_CAMPAIGN_MINUTES=60 cargo test -p pghaul-tests --test campaign -- --nocapture
//! PGHAUL_CAMPAIGN_SEED=4711 PGHAUL_CAMPAIGN_ROUNDS=1 cargo test -p pghaul-tests --test campaign -- --nocapture
//! PGHAUL_CAMPAIGN_TROUBLE='Restored(Source)' cargo test -p pghaul-tests --test campaign -- --nocapture
//! ```
//!
//! Without variables it is the slice of CI: rounds for half a minute. Every round prints its seed before it begins; the same
//! seed makes the same round, as far as the machine's own timing allows. See `docs/explanation/fault-campaign.md`.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unreachable,
    clippy::print_stdout,
    reason = "tests: a panic is the report"
)]
#![allow(
    dead_code,
    reason = "the helper of the end-to-end tests has more than is used here"
)]

mod dice;
mod fault;
mod meddling;
#[path = "../e2e/migration.rs"]
mod migration;
mod round;
mod tally;
mod trouble;
mod world;

use dice::Dice;
use pghaul_testkit::Cluster;
use round::Round;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tally::Tally;
use world::World;

/// How long the slice of CI begins rounds.
const SLICE: Duration = Duration::from_secs(30);

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{name} is no number: {text:?}")),
    )
}

#[test]
fn whatever_goes_wrong_the_databases_are_equal_in_the_end() {
    let clock = || {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .expect("it is after 1970");
        u64::from(now.subsec_nanos())
    };
    let seed = number("PGHAUL_CAMPAIGN_SEED").unwrap_or_else(clock);
    let most = number("PGHAUL_CAMPAIGN_ROUNDS").unwrap_or(u64::MAX);
    let time = number("PGHAUL_CAMPAIGN_MINUTES").map_or(SLICE, |minutes| Duration::from_secs(60 * minutes));
    let at_once = number("PGHAUL_CAMPAIGN_AT_ONCE").unwrap_or(2).clamp(1, most);
    let begun = Instant::now();
    let seeds = Mutex::new((0, seed));
    let wanted = std::env::var("PGHAUL_CAMPAIGN_TROUBLE").ok();
    let is_wanted = |seed| {
        wanted
            .as_ref()
            .is_none_or(|wanted| Round::new(seed).has_trouble(wanted))
    };
    let next = || {
        let mut seeds = seeds.lock().ok()?;
        let (given, mut seed) = *seeds;
        while !is_wanted(seed) {
            seed = Dice::new(seed).seed();
        }
        let on_time = given < at_once || begun.elapsed() < time;
        *seeds = (given + 1, Dice::new(seed).seed());
        (given < most && on_time).then_some(seed)
    };
    let total = Mutex::new(Tally::default());
    let failed = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(|| {
                let mut world = World::new();
                while let Some(seed) = next() {
                    match catch_unwind(AssertUnwindSafe(|| play(seed, &world))) {
                        Ok(tally) => total.lock().expect("no holder panics").add(tally),
                        Err(_) => {
                            println!("round with seed {seed} FAILED\n{}", last_words(&world));
                            failed.lock().expect("no holder panics").push(seed);
                            // Whatever it has left is not to be in the way of the next.
                            world = World::new();
                        }
                    }
                }
            });
        }
    });
    let (total, failed) = (total.into_inner(), failed.into_inner());
    println!(
        "{}in {:.0} s",
        total.expect("no holder panics"),
        begun.elapsed().as_secs_f64()
    );
    let failed = failed.expect("no holder panics");
    assert!(failed.is_empty(), "rounds with these seeds failed: {failed:?}");
}

/// The end of what both servers have logged.
fn last_words(world: &World) -> String {
    let of = |name: &str, cluster: &Cluster| format!("the {name} has logged\n{}\n", cluster.end_of_log());
    of("source", &world.pair.source) + &of("target", &world.pair.target)
}

fn play(seed: u64, world: &World) -> Tally {
    let round = Round::new(seed);
    println!("{round:?}");
    let begun = Instant::now();
    let tally = round.play(world);
    println!(
        "round with seed {seed} passed: {} runs, {} transactions, {:.1} s",
        tally.runs,
        tally.transactions,
        begun.elapsed().as_secs_f64()
    );
    tally
}
