//! How fast a migration is beside everything else that can move the same database: see `docs/benchmarks.md`.
//!
//! `cargo bench -p pghaul-tests --bench migration -- --workload acc --rounds 3`

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark prints its figures, and has none to print when something fails"
)]

mod harness;

use clap::Parser;
use harness::Arguments;

fn main() {
    let report = harness::run(&Arguments::parse());
    println!("{}", report.markdown());
}
