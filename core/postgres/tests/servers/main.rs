//! The crate against a real server: PostgreSQL's newest installation on this machine.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a panic is the report; what is skipped is said"
)]

mod catalog;
mod catalogs;
mod certificates;
mod cluster;
mod connecting;
mod epochs;
mod local;
mod quoting;
mod readers;
mod scale;
mod secrets;
mod sessions;
mod tls;
