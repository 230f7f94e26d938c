//! What is to be measured.

use super::contender::Contender;
use super::workload::Workload;
use clap::{Parser, ValueEnum};
use std::path::PathBuf;

/// Moves databases between two clusters of its own, by pghaul and by everything else, and compares the times.
#[derive(Debug, Parser)]
#[command(name = "migration")]
pub(crate) struct Arguments {
    /// What is moved; by default all workloads
    #[arg(long, value_delimiter = ',', value_name = "NAME")]
    workload: Vec<Workload>,

    /// Who moves it; by default everyone who is here
    #[arg(long, value_delimiter = ',', value_name = "NAME")]
    pub(super) contender: Vec<Contender>,

    /// How often each contender runs
    #[arg(long, default_value_t = 3, value_name = "N")]
    pub(super) rounds: usize,

    /// Share of the full number of rows or tables
    #[arg(long, default_value_t = 1.0, value_name = "FACTOR")]
    pub(super) scale: f64,

    /// Major version of the source; by default the system's, or the newest that is here
    #[arg(long, value_name = "MAJOR")]
    pub(super) source: Option<u32>,

    /// Major version of the target; by default the source's
    #[arg(long, value_name = "MAJOR")]
    pub(super) target: Option<u32>,

    /// Passed to pghaul; by default it decides itself
    #[arg(long, value_name = "N")]
    pub(super) jobs: Option<u32>,

    /// Measure the first run too, in which the target has to make new WAL files
    #[arg(long)]
    no_warm_up: bool,

    /// Let the servers lose everything when the machine fails: for tests of this program, not for figures
    #[arg(long)]
    pub(super) no_fsync: bool,

    /// Write all figures to this file; a relative path begins in `tests`, where cargo runs benchmarks
    #[arg(long, value_name = "FILE")]
    pub(super) json: Option<PathBuf>,

    /// What `cargo bench` adds
    #[arg(long, hide = true)]
    bench: bool,
}

impl Arguments {
    pub(super) fn workloads(&self) -> Vec<Workload> {
        if self.workload.is_empty() {
            Workload::value_variants().to_vec()
        } else {
            self.workload.clone()
        }
    }

    pub(super) fn warms_up(&self) -> bool {
        !self.no_warm_up
    }
}
