//! Journals of earlier releases.
//!
//! `afe57ce/` and its siblings hold journals in every state, each written by the program of that release and stopped
//! there: exports, one file a state. [`replay`] reads them with today's program, for ever. [`upgrade`] lets the earlier program
//! begin a migration on servers and today's continue it. [`write`] makes the journals of another release:
//!
//! ```sh
//! tests/histories/write.sh RELEASE PROGRAM
//! ```
//!
//! The journals name neither this machine nor its users: the program runs under a host name of its own, with another
//! `USER`, and reaches the servers as `old.example.com` and `new.example.com`. So they are what the program wrote, byte
//! by byte, and their hashes are its own.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "tests: a panic is the report"
)]

mod programs;
mod replay;
mod state;
mod upgrade;
mod write;
