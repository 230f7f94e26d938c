//! The binary between real servers, from the first command to the last.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "tests: a panic is the report"
)]

mod after_the_end;
mod aiven;
mod audit;
mod back_in_time;
mod capacity;
mod checking;
mod control_characters;
mod crash_positions;
mod doctor;
mod drift;
mod extend;
mod extensions;
mod failover_slots;
mod failures;
mod forty_kills;
mod gone_and_renamed;
mod hints;
mod hostile;
mod incomplete;
mod keep_finished;
mod kills;
mod large_objects;
mod large_rows;
mod large_tables;
mod many_databases;
mod mapping;
mod matviews;
mod meanwhile;
mod metrics;
mod migration;
mod network;
mod order;
mod owners_code;
mod pgbench_live;
mod providers;
mod publications;
mod rehearsal;
mod remove_forced;
mod remove_hung;
mod remove_interrupted;
mod remove_refuses;
mod remove_writes;
mod rest_copy;
mod restart_data;
mod run_again;
mod scale;
mod secret_statements;
mod selection;
mod sequences;
mod services;
mod settings;
mod snapshot_copy;
mod standalone;
mod status;
mod terminal;
mod two_methods;
mod versions;
mod wal_limit;
mod without_superuser;
mod zoo;
