//! The world misbehaves: rounds of random faults under write load, each of which must end with equal databases.
//!
//! ```text
//! PGHAUL_CAMPAIGN_MINUTES=60 cargo test -p pghaul-tests --test campaign -- --nocapture
//! PGHAUL_CAMPAIGN_SEED=4711 PGHAUL_CAMPAIGN_ROUNDS=1 cargo test -p pghaul-tests --test campaign -- --nocapture
//! ```
//!
//! Without variables it is the slice of CI: rounds for half a minute. Every round prints its seed before it begins; the same
//! seed makes the same round, as far as the machine's own timing allows. See `docs/explanation/fault-campaign.md`.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unreachable,
    reason = "tests: a panic is the report"
)]
#![allow(
    dead_code,
    reason = "the helper of the end-to-end tests has more than is used here"
)]

mod dice;
mod fault;
#[path = "../e2e/migration.rs"]
mod migration;
mod round;
mod world;

use dice::Dice;
use round::Round;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
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
    let mut seed = number("PGHAUL_CAMPAIGN_SEED").unwrap_or_else(clock);
    let most = number("PGHAUL_CAMPAIGN_ROUNDS").unwrap_or(u64::MAX);
    let time = number("PGHAUL_CAMPAIGN_MINUTES").map_or(SLICE, |minutes| Duration::from_secs(60 * minutes));
    let world = World::new();
    let begun = Instant::now();
    let (mut rounds, mut runs, mut transactions) = (0, 0, 0);
    while rounds < most && (rounds == 0 || begun.elapsed() < time) {
        let round = Round::new(seed);
        println!("{:?}", round);
        let round_begun = Instant::now();
        let report = round.play(&world);
        rounds += 1;
        runs += report.runs;
        transactions += report.transactions;
        println!(
            "round {rounds} with seed {} passed: {} runs, {} transactions, {:.1} s",
            round.seed,
            report.runs,
            report.transactions,
            round_begun.elapsed().as_secs_f64()
        );
        seed = Dice::new(seed).seed();
    }
    println!(
        "{rounds} rounds, all passed, in {:.0} s: {runs} runs of pghaul, {transactions} transactions written meanwhile",
        begun.elapsed().as_secs_f64()
    );
}
