//! The types that say which server a session is on and what it may do there.

use pghaul_core::Side;
use std::fmt::Debug;

mod sealed {
    pub trait Sealed {}
}

/// One of the two servers, as a type.
pub trait SideMarker: sealed::Sealed + Debug + Send + Sync + 'static {
    /// The same as a value.
    const SIDE: Side;
}

/// The server where the databases are now.
#[derive(Debug, Clone, Copy)]
pub enum Source {}

/// The server where they go.
#[derive(Debug, Clone, Copy)]
pub enum Target {}

/// What a session may do.
pub trait Right: sealed::Sealed + Debug + Send + Sync + 'static {
    /// Transactions that say nothing else can't write.
    const READ_ONLY_BY_DEFAULT: bool;
    /// The `lock_timeout` of the session, in PostgreSQL's notation; `0` waits for ever.
    const LOCK_TIMEOUT: &'static str;
    /// Whether it writes, although transactions that say nothing else can't.
    const REHEARSES: bool = false;
}

/// Reads, and nothing else. For checks. One that writes does not compile:
///
/// ```compile_fail,E0599
/// # async fn check(session: pghaul_postgres::Session<pghaul_postgres::Source, pghaul_postgres::ReadOnly>) {
/// session.doing("break the source").execute("DELETE FROM orders", &[]).await;
/// # }
/// ```
///
/// ```compile_fail,E0599
/// # async fn check(mut session: pghaul_postgres::Session<pghaul_postgres::Source, pghaul_postgres::ReadOnly>) {
/// session.transaction().await;
/// # }
/// ```
#[derive(Debug, Clone, Copy)]
pub enum ReadOnly {}

/// Tries things out in transactions that are always rolled back. It waits for locks for 100 ms only, so that it
/// never holds up the applications.
#[derive(Debug, Clone, Copy)]
pub enum Rehearsal {}

/// Reads and writes. For steps.
#[derive(Debug, Clone, Copy)]
pub enum ReadWrite {}

impl sealed::Sealed for Source {}
impl sealed::Sealed for Target {}
impl sealed::Sealed for ReadOnly {}
impl sealed::Sealed for Rehearsal {}
impl sealed::Sealed for ReadWrite {}

impl SideMarker for Source {
    const SIDE: Side = Side::Source;
}

impl SideMarker for Target {
    const SIDE: Side = Side::Target;
}

impl Right for ReadOnly {
    const READ_ONLY_BY_DEFAULT: bool = true;
    const LOCK_TIMEOUT: &'static str = "0";
}

impl Right for Rehearsal {
    const READ_ONLY_BY_DEFAULT: bool = true;
    const LOCK_TIMEOUT: &'static str = "100ms";
    const REHEARSES: bool = true;
}

impl Right for ReadWrite {
    const READ_ONLY_BY_DEFAULT: bool = false;
    const LOCK_TIMEOUT: &'static str = "0";
}
