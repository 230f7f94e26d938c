//! Proves the testkit on real servers.

#![expect(clippy::expect_used, reason = "a panic is how a test fails")]

mod clusters;
mod comparison;
mod lifetime;
mod load;
mod remains;
mod runner;

use pghaul_testkit::{ClusterPair, Kind, shared_pair};

fn pair() -> &'static ClusterPair {
    shared_pair(Kind::Ordinary)
}
